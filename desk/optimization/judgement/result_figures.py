"""The figures of a result: every number that its explanation may refer to."""

import math
from collections.abc import Iterator, Sequence

from desk.base.text import spaced
from desk.figures import labels
from desk.figures.figures import Figure, Unit
from desk.figures.metric_figures import metric_figures
from desk.optimization.judgement.importance_figures import importance_figures
from desk.optimization.judgement.out_of_sample_figures import out_of_sample_figures
from desk.optimization.mandate_limits import LIMITS, limit_label
from desk.optimization.result import Benefit, Fact, Luck, Manifest, OptimizationResult, ScenarioOutcome, Year
from desk.optimization.worlds import BASIS
from desk.scenarios.schemas import HISTORY
from quant.numeric.measured import Measured
from quant.strategies.trial import Trial

_FACT_UNITS: dict[str, Unit] = {
    "fraction": "percent",
    "bps": "bps",
    "points": "points",
    "days": "days",
    "ratio": "ratio",
    "years": "years",
    "weight": "weight",
}

_MAX_NAME = 50
"""Characters of a scenario's name in the id of a figure, which has at most 80 with the prefix of its table."""


def result_figures(result: OptimizationResult) -> tuple[Figure, ...]:
    """Return every figure of `result`, in reading order; missing parts (no winner, no limits) are omitted."""
    return tuple(_all(result))


def _all(result: OptimizationResult) -> Iterator[Figure]:
    yield _text("verdict_colour", "colour of the verdict", result.verdict.colour, "verdict.colour")
    if result.verdict.binding_limit:
        name = limit_label(result.verdict.binding_limit)
        yield _text("binding_limit", "binding limit of the mandate", name, "verdict.binding_limit")
    yield _text("request_name", "name of the request", result.manifest.request.name, "manifest.request.name")
    yield from _counts(result)
    yield from _data(result.manifest)
    yield from _worlds(result)
    yield from _limits(result)
    if result.benefit:
        yield from _benefit(result.benefit)
    if result.winner:
        yield from _winner(result.winner)
    yield from _number(
        "timing_simulated_bps",
        "timing alone in the simulated scenarios, averaged by their weights",
        simulated_timing(result),
        "bps",
        "scenarios",
    )
    yield from _scenarios(result.scenarios)
    yield from _benchmarks(result)
    yield from importance_figures(result)
    yield from _cases(result)
    if result.luck:
        yield from _luck(result.luck)
    if result.out_of_sample:
        yield from out_of_sample_figures(result.out_of_sample)
    yield from _steps(result)
    yield from _years(result.years)
    for fact in result.facts:
        yield from _fact(fact)


def simulated_timing(result: OptimizationResult) -> Measured | None:
    """Timing benefit in the simulated scenarios, in basis points, without the searched history."""
    simulated = [(s.weight, s.timing_bps) for s in result.scenarios if s.scenario != HISTORY and s.weight > 0.0]
    if not simulated or len(simulated) == len(result.scenarios):
        return None
    total = math.fsum(weight for weight, _ in simulated)
    value = math.fsum(weight * timing.value for weight, timing in simulated) / total
    errors = [weight * (timing.error or 0.0) for weight, timing in simulated]
    error = math.sqrt(math.fsum(e * e for e in errors)) / total
    return Measured(value=value, error=error)


def _number(id_: str, quantity: str, value: float | Measured | None, unit: Unit, source: str) -> Iterator[Figure]:
    if value is None:
        return
    number, error = (value.value, value.error) if isinstance(value, Measured) else (value, None)
    yield Figure(id=id_, quantity=quantity, value=number, unit=unit, error=error, source=f"result.{source}")


def _text(id_: str, quantity: str, value: str, source: str, unit: Unit = "text") -> Figure:
    return Figure(id=id_, quantity=quantity, value=value, unit=unit, source=f"result.{source}")


def _counts(result: OptimizationResult) -> Iterator[Figure]:
    counts = result.counts
    for name, quantity in (
        ("trials", "configurations tried in this run"),
        ("screened", "dropped early, after few paths"),
        ("paths", "number of paths in each scenario"),
        ("evaluations", "evaluations of a configuration in a scenario on all paths"),
        ("plans", "search plans"),
    ):
        yield from _number(name, quantity, getattr(counts, name), "count", f"counts.{name}")
    yield from _number("scenario_count", "number of scenarios", counts.scenarios, "count", "counts.scenarios")
    yield from _number("path_years", "length of each path", float(counts.years), "years", "counts.years")


def _data(manifest: Manifest) -> Iterator[Figure]:
    yield _text("data_source", "prices used", manifest.data_source, "manifest.data_source")
    for name, quantity in (
        ("first_day", "first day of the prices"),
        ("train_end", "last day of the training window"),
        ("validate_end", "day after which the holdout is locked"),
        ("last_day", "last day of the prices"),
    ):
        yield _text(name, quantity, getattr(manifest, name), f"manifest.{name}", "date")
    mandate = manifest.request.mandate
    source = "manifest.request.mandate"
    yield from _number(
        "target_volatility",
        "target volatility",
        mandate.target_volatility,
        "percent",
        f"{source}.target_volatility",
    )
    yield _text(
        "transaction_cost",
        "assumed cost of a trade",
        f"{mandate.transaction_cost_bps:g} bps",
        f"{source}.transaction_cost_bps",
    )


def _worlds(result: OptimizationResult) -> Iterator[Figure]:
    request = result.manifest.request
    if result.worlds:
        basis = BASIS[request.worlds or "seed"]
        yield _text("worlds_basis", "origin of the assumed means and volatilities", basis, "manifest.request.worlds")
    rows: tuple[tuple[str, str, Unit], ...] = (
        ("mean", "mean return of the asset that is simulated", "percent"),
        ("volatility", "volatility of the asset that is simulated", "percent"),
        ("sharpe", "Sharpe ratio of the asset that is simulated", "ratio"),
        ("worst_day", "usual worst day of the asset that is simulated", "percent"),
        ("worst_month", "usual worst month of the asset that is simulated", "percent"),
    )
    names = _short_names([world.scenario for world in result.worlds])
    for world in result.worlds:
        for field, quantity, unit in rows:
            yield from _number(
                f"world_{names[world.scenario]}_{field}",
                f'{quantity} in the world "{spaced(world.scenario)}"',
                getattr(world, field),
                unit,
                f"worlds.{world.scenario}.{field}",
            )


def _short_names(names: Sequence[str]) -> dict[str, str]:
    """Distinct names of at most 50 characters for the ids of figures; those that collide are numbered."""
    short_names: dict[str, str] = {}
    for name in names:
        short_name, number = name[:_MAX_NAME], 1
        while short_name in short_names.values():
            number += 1
            short_name = f"{name[: _MAX_NAME - 3]}_{number}"
        short_names[name] = short_name
    return short_names


def _limits(result: OptimizationResult) -> Iterator[Figure]:
    for n, limit in enumerate(result.limits):
        source = f"limits[{n}]"
        place = spaced(limit.scenario)
        name = limit_label(limit.limit)
        bare = name.removeprefix("the ")
        unit = LIMITS[limit.limit].figure_unit
        yield _text(f"limit_{n}_name", "a limit of the mandate", name, f"{source}.limit")
        yield _text(f"limit_{n}_scenario", f'scenario where "{bare}" is checked', place, f"{source}.scenario")
        yield from _number(
            f"limit_{n}_statistic",
            f'measured for "{bare}" in "{place}"',
            limit.statistic,
            unit,
            f"{source}.statistic",
        )
        yield from _number(f"limit_{n}_allowed", f'allowed by "{bare}"', limit.allowed, unit, f"{source}.allowed")


def _benefit(benefit: Benefit) -> Iterator[Figure]:
    label = "benefit of the winner over the volatility-matched constant weight, after costs"
    if benefit.total is None:
        yield from _number("benefit_bps", label, benefit.basis_points, "bps", "benefit.basis_points")
    else:
        yield from _number("benefit_bps", label, benefit.total, "bps", "benefit.total")
    yield from _number(
        "benefit_history_bps",
        "history alone: the benefit on the training days, without the simulated worlds",
        benefit.history_bps,
        "bps",
        "benefit.history_bps",
    )
    yield from _number(
        "benefit_worlds_bps",
        "simulation alone: the benefit in the simulated worlds, without the training days",
        benefit.worlds_bps,
        "bps",
        "benefit.worlds_bps",
    )
    yield from _number("benefit_low_bps", f"lower end of the {label}", benefit.low, "bps", "benefit.low")
    yield from _number("benefit_high_bps", f"upper end of the {label}", benefit.high, "bps", "benefit.high")
    yield from _number(
        "benefit_drawdown_points",
        "mean deepest fall, difference of the benchmark and the winner: how much smaller it is",
        benefit.drawdown_points,
        "points",
        "benefit.drawdown_points",
    )
    yield from _number(
        "benefit_timing_bps",
        "timing alone: the part of the benefit that is left when exposure is matched anew in every scenario",
        benefit.timing_bps,
        "bps",
        "benefit.timing_bps",
    )
    yield from _number(
        "benchmark_weight",
        "risky weight of the volatility-matched benchmark",
        benefit.benchmark_weight,
        "weight",
        "benefit.benchmark_weight",
    )


def _winner(winner: Trial) -> Iterator[Figure]:
    yield _text("winner_name", "the winning configuration", labels.strategy_label(winner.config), "winner.config")
    function = labels.function_label(winner.config.weight_function)
    yield _text(
        "winner_function",
        "weight function of the winner",
        function,
        "winner.config.weight_function",
    )
    for figure in metric_figures(winner.train.metrics, "winner"):
        yield from _number(
            f"winner_{figure.name}",
            f"{figure.quantity} of the winner on the training history",
            figure.value,
            figure.unit,
            f"winner.train.metrics.{figure.name.removesuffix('_bps')}",
        )


def _scenarios(outcomes: tuple[ScenarioOutcome, ...]) -> Iterator[Figure]:
    for outcome in outcomes:
        place = spaced(outcome.scenario)
        where = f'in the scenario "{place}"'
        source = f"scenarios.{outcome.scenario}"
        prefix = f"in_{outcome.scenario}"
        yield from _number(
            f"{prefix}_benefit_bps",
            f"benefit {where}",
            outcome.benefit_bps,
            "bps",
            f"{source}.benefit_bps",
        )
        yield from _number(
            f"{prefix}_regret_bps",
            f"regret {where}",
            outcome.regret_bps,
            "bps",
            f"{source}.regret_bps",
        )
        yield from _number(
            f"{prefix}_retention",
            f"share of the best utility that the winner keeps {where}",
            outcome.retention,
            "percent",
            f"{source}.retention",
        )
    simulated = [o for o in outcomes if o.scenario != HISTORY] or list(outcomes)
    if simulated:
        for word, outcome in (
            ("worst", min(simulated, key=lambda o: o.benefit_bps.value)),
            ("best", max(simulated, key=lambda o: o.benefit_bps.value)),
        ):
            source = f"scenarios.{outcome.scenario}"
            yield _text(
                f"{word}_scenario",
                f"scenario with the {word} benefit",
                spaced(outcome.scenario),
                source,
            )
            yield from _number(
                f"{word}_scenario_bps",
                f"benefit in the {word} scenario",
                outcome.benefit_bps,
                "bps",
                f"{source}.benefit_bps",
            )


_RULES = {
    "equity": "holding equity",
    "cash": "holding cash",
    "same_volatility": "rule of the same volatility",
    "sixty_forty_cash": "mix of equity and cash",
}


def _benchmarks(result: OptimizationResult) -> Iterator[Figure]:
    for benchmark in result.benchmarks:
        name = _RULES.get(benchmark.name, spaced(benchmark.name))
        yield _text(
            f"versus_{benchmark.name}_label",
            f'benchmark rule "{name}"',
            benchmark.label,
            f"benchmarks.{benchmark.name}.label",
        )
        yield from _number(
            f"versus_{benchmark.name}_bps",
            f'advantage, the utility of the winner minus that of the rule "{name}"',
            benchmark.winner_minus_bps,
            "bps",
            f"benchmarks.{benchmark.name}.winner_minus_bps",
        )


_ASSUMED = {
    "premium": "how the equity premium moves with volatility",
    "parameter_error": "parameters that are otherwise than assumed",
    "probabilities": "other scenario probabilities",
    "costs": "other transaction costs",
}


def _cases(result: OptimizationResult) -> Iterator[Figure]:
    for group, assumed in _ASSUMED.items():
        cases = getattr(result, group)
        for n, case in enumerate(cases):
            source = f"{group}[{n}]"
            yield _text(f"{group}_{n}_label", f"case of {assumed}", case.label, f"{source}.label")
            yield from _number(
                f"{group}_{n}_bps",
                f'benefit in the case "{case.label}"',
                case.benefit_bps,
                "bps",
                f"{source}.benefit_bps",
            )
        if cases:
            values = [case.benefit_bps.value for case in cases]
            yield from _number(
                f"{group}_low_bps", f"smallest benefit over the cases of {assumed}", min(values), "bps", group
            )
            yield from _number(
                f"{group}_high_bps", f"largest benefit over the cases of {assumed}", max(values), "bps", group
            )


def _luck(luck: Luck) -> Iterator[Figure]:
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
        yield from _number(name, quantity, value, unit, f"luck.{name}")
    if (
        luck.minimum_track_record_years is None and luck.probabilistic_sharpe is not None
    ):  # older results lack the latter
        source = "luck.minimum_track_record_years"
        yield _text("minimum_track_record_years", "track record needed before skill could show", "not reached", source)
    text = f"{luck.spa_p:.3f}"
    quantity = "significance against the volatility-matched benchmark: p-value of superior predictive ability"
    yield _text("spa_p", quantity, text, "luck.spa_p")


def _steps(result: OptimizationResult) -> Iterator[Figure]:
    finalists = sum(f.indistinguishable for f in result.finalists)
    if finalists:
        yield from _number(
            "indistinguishable",
            "finalists that cannot be told from the best",
            finalists,
            "count",
            "finalists",
        )
    step = result.next_step
    if step is None:
        return
    yield _text("as_of", "day of the latest price", step.as_of, "next_step.as_of", "date")
    yield from _number(
        "today_weight",
        "today's risky weight",
        step.today_weight,
        "weight",
        "next_step.today_weight",
    )
    yield from _number(
        "today_current_rule_weight",
        "today's risky weight of the current rule",
        step.current_rule_weight,
        "weight",
        "next_step.current_rule_weight",
    )
    yield from _number("next_trade", "next trade", step.next_trade, "weight", "next_step.next_trade")


def _years(years: tuple[Year, ...]) -> Iterator[Figure]:
    if not years:
        return
    worst = min(years, key=lambda y: (y.winner - y.benchmark, y.year))
    yield _text("worst_year", "worst calendar year against the benchmark", str(worst.year), "years", "date")
    yield from _number(
        "worst_year_winner", "return of the winner in its worst calendar year", worst.winner, "percent", "years"
    )
    yield from _number(
        "worst_year_benchmark",
        "return of the benchmark in that worst calendar year",
        worst.benchmark,
        "percent",
        "years",
    )


def _fact(fact: Fact) -> Iterator[Figure]:
    name, unit = f"fact_{fact.name}"[:68], _FACT_UNITS[fact.unit]
    yield from _number(name, f"{fact.label}, of the winner", fact.value, unit, f"facts.{fact.name}")
    yield from _number(
        f"{name}_benchmark",
        f"{fact.label}, of the benchmark",
        fact.benchmark,
        unit,
        f"facts.{fact.name}.benchmark",
    )
