"""The figures of the tests for luck of a result."""

from collections.abc import Iterator

from desk.figures.figures import Figure, Unit
from desk.optimization.judgement.figure_builders import number_figures, text_figure
from desk.optimization.result import Luck


def luck_figures(luck: Luck) -> Iterator[Figure]:
    rows: tuple[tuple[str, str, float | None, Unit], ...] = (
        (
            "winner_p",
            "luck of the winner: probability that chance alone ends with so good a winner",
            luck.winner_p,
            "probability",
        ),
        (
            "single_step_p",
            "luck of the best: probability that chance alone makes something look so good",
            luck.single_step_p,
            "probability",
        ),
        (
            "loss",
            "chance of reversal: probability that what is chosen in some years fails in the others",
            luck.loss,
            "probability",
        ),
        ("active_t", "active utility of the winner over its bootstrap error", luck.active_t, "ratio"),
        ("validate_t", "advantage on validation over its bootstrap error", luck.validate_t, "ratio"),
        (
            "active_deflated_sharpe",
            "deflated Sharpe ratio: confidence that the advantage is more than the luck of so many trials",
            luck.active_deflated_sharpe,
            "probability",
        ),
        (
            "deflated_sharpe",
            "deflated Sharpe ratio of the winner's own return, which holding equity helps",
            luck.deflated_sharpe,
            "probability",
        ),
        ("overfitting", "probability of backtest overfitting", luck.overfitting, "probability"),
        (
            "overfitting_low",
            "lower end of the probability of backtest overfitting",
            luck.overfitting_low,
            "probability",
        ),
        (
            "overfitting_high",
            "upper end of the probability of backtest overfitting",
            luck.overfitting_high,
            "probability",
        ),
        (
            "ledger_trials",
            "trials ever made on these prices, with evaluations and previews",
            luck.ledger_trials,
            "count",
        ),
        (
            "validate_advantage_bps",
            "advantage on the validation window",
            luck.validate_advantage_bps,
            "bps",
        ),
        (
            "minimum_track_record_years",
            "track record needed before skill could show",
            luck.minimum_track_record_years,
            "years",
        ),
        (
            "probabilistic_sharpe",
            "probabilistic Sharpe ratio of the advantage, as if the winner were the only trial",
            luck.probabilistic_sharpe,
            "probability",
        ),
    )
    for name, quantity, value, unit in rows:
        yield from number_figures(name, quantity, value, unit, f"luck.{name}")
    if (
        luck.minimum_track_record_years is None and luck.probabilistic_sharpe is not None
    ):  # older results lack the latter
        source = "luck.minimum_track_record_years"
        yield text_figure(
            "minimum_track_record_years", "track record needed before skill could show", "not reached", source
        )
    text = f"{luck.spa_p:.3f}"
    quantity = "significance against the volatility-matched benchmark: p-value of superior predictive ability"
    yield text_figure("spa_p", quantity, text, "luck.spa_p")
