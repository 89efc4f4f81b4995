"""Sentences about a portfolio's risk, allocation methods, the market and wealth over years."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from desk.conversation.sentences.aspects import Sentence, answering_first, asks
from desk.portfolios.allocations import Allocations
from desk.portfolios.allocations_in_words import NAMES
from desk.portfolios.market_regime_schemas import MarketAnalysis, MarketRegime
from desk.portfolios.risk_schemas import SIGNIFICANT, Backtest, PortfolioRisk
from desk.portfolios.stress_schemas import USUAL_SHOCKS, StressRequest
from desk.wealth.projection import WealthOutlook

PAIR = 2
"""Number of mixes that one sentence compares."""
_SPOKEN = 3
"""Number of assets in the text; the table contains all."""


_MOVE = r"(?:falls?|fell|fallen|drop(?:s|ped)?|crash\w*|decline[sd]?|slump(?:s|ed)?|lost)"
_SHARE = r"(?<![\d.])(?!9\d)\d{1,2}(?:\.\d+)? ?%"
MOVE = re.compile(rf"{_SHARE}[^.?!]{{0,30}}\b{_MOVE}\b|\b(?:{_MOVE}|loses?)\b[^.?!]{{0,40}}{_SHARE}", re.IGNORECASE)
"""A message about a move of given size; 95% is a level."""


def describe_risk(result: PortfolioRisk, message: str) -> list[str]:
    ids = {figure.id for figure in result.figures}
    stress, reverse = result.factor_stress, result.reverse_stress
    moves = {} if stress is None else {factor.factor: factor.move for factor in stress.factors}
    if moves and (moves != USUAL_SHOCKS or MOVE.search(message)):
        return _led_by("risk_stress_sentence", result)
    if "risk_days_sentence" in ids:
        return _led_by(f"risk_days_{'drawdown_' if asks('drawdown', message) else ''}sentence", result)
    if reverse is not None and reverse.loss != StressRequest().loss and "risk_reverse_sentence" in ids:
        return _led_by("risk_reverse_sentence", result)
    return answering_first(_describe_portfolio(result), message)


def _led_by(sentence: str, result: PortfolioRisk) -> list[str]:
    lead = f"{{{{{sentence}}}}}"
    return [lead, *(text for text in answering_first(_describe_portfolio(result), "") if text != lead)]


_MEASURES: Final = (
    ("summary", "volatility", False),
    ("shortfall", "shortfall", True),
    ("tail", "tail", False),
    ("drawdown", "drawdown", True),
    ("growth", "growth sharpe", True),
    ("safety", "safer versus", True),
    ("stress", "fall", False),
    ("reverse", "reverse", True),
    ("concentration", "concentration", False),
    ("correlation", "correlation", True),
)
"""Sentences by name, the aspects that each answers, and whether it is said on demand only."""


def _describe_portfolio(result: PortfolioRisk) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    for name, about, on_demand in _MEASURES:
        if f"risk_{name}_sentence" in ids:
            yield Sentence(f"{{{{risk_{name}_sentence}}}}", about, on_demand=on_demand)
    if "risk_beta" in ids:
        yield Sentence("The beta of the portfolio is {{risk_beta}}.", "beta", on_demand=True)
    yield from _describe_crises(result)
    if result.backtests:
        yield Sentence(_describe_backtests(result.backtests), "certainty_of_risk")


def _describe_crises(result: PortfolioRisk) -> Iterator[Sentence]:
    losses = [episode.loss for episode in result.episodes if episode.loss is not None]
    if losses:
        yield Sentence(
            "{{risk_crisis_sentence}}"
            if max(losses) > 0.0
            else "No past crisis that those days cover brought it a loss.",
            "crisis",
        )


def _describe_backtests(backtests: Sequence[Backtest]) -> str:
    opening = "A value at risk announced every day from the days before it would"
    if all(test.held for test in backtests):
        return f"{opening} have held: losses beyond it came about as often as expected, and not bunched."
    wrong = [test for test in backtests if test.right_share < SIGNIFICANT]
    came = [
        *(["too often"] if any(test.exceedances > test.expected for test in wrong) else []),
        *(["too rarely"] if any(test.exceedances <= test.expected for test in wrong) else []),
        *(["in bunches"] if any(test.independent < SIGNIFICANT for test in backtests) else []),
    ]
    return f"{opening} not have held: losses beyond it came {' and '.join(came)}, so do not lean on it alone."


def describe_allocations(result: Allocations, message: str) -> list[str]:
    return answering_first(_describe_mixes(result), message)


def _describe_mixes(result: Allocations) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    solved = [a for a in result.allocations if a.volatility is not None]

    def known(name: str, about: str, *, on_demand: bool = False) -> Iterator[Sentence]:
        if f"allocation_{name}_sentence" in ids:
            yield Sentence(f"{{{{allocation_{name}_sentence}}}}", about, on_demand=on_demand)

    yield from known("pair", "versus best")
    if len(solved) == 1:  # its weights are what is asked for
        yield from known(f"{solved[0].method}_weights", "shares")
    if len(solved) != PAIR:
        yield from known("calmest", "")
    if len(solved) > 1:
        yield from known("calmest_weights", "shares", on_demand=True)
    if len(solved) > PAIR:
        yield from known("best", "best versus")
    equal = next((a for a in solved if a.method == "equal_weight"), None)
    if equal is not None and len(solved) > 1:
        n = 1 + max(range(len(equal.risk_shares)), key=equal.risk_shares.__getitem__)
        yield Sentence(
            f"Under equal weights the largest part of the risk comes from {{{{allocation_asset_{n}_name}}}}: its risk "
            f"share is {{{{allocation_equal_weight_risk_{n}}}}}.",
            "concentration",
        )
    yield from (Sentence(text, "") for text in _mix_cautions(result))


def _mix_cautions(result: Allocations) -> Iterator[str]:
    if result.covariance != "sample":
        yield "The estimate of the covariance behind them is {{allocation_covariance}}."
    if result.ill_conditioned:
        yield (
            "The assets move so much alike that minimum variance and maximum Sharpe react to noise; the simpler mixes "
            "are safer."
        )
    if result.few_sessions:
        yield "There are few days for so many assets, so equal weights are hard to beat on them."
    for allocation in result.allocations:
        if allocation.volatility is None:
            yield f"There is no answer for {NAMES[allocation.method]}; the reason stands below the table."


def describe_market(result: MarketAnalysis, message: str) -> Iterator[str]:
    alone = len(result.regimes) == 1
    if not alone and asks("volatility", message):
        yield f"{{{{regime_{'most_volatile' if asks('most', message) else 'moods'}_sentence}}}}"
    several = [aspect for aspect in ("trend", "fallen", "volatility") if asks(aspect, message)][1:]
    for n, regime in enumerate(result.regimes[:_SPOKEN], 1):
        # the usual first sentence tells all of them
        yield from answering_first(_describe_regime(n, regime), "" if several else message)
    if not alone:
        yield "The mean correlation of the assets over all days used is {{regime_correlation}}."
    if len(result.regimes) > _SPOKEN:
        yield "The others stand in the table."
    yield "Later days are the locked holdout; this describes and does not forecast."


def _describe_regime(n: int, regime: MarketRegime) -> Iterator[Sentence]:
    name, latest = f"{{{{regime_{n}_name}}}}", f"{{{{regime_{n}_current_volatility}}}}"
    yield Sentence(f"{{{{regime_{n}_state_sentence}}}}", "phase")
    yield Sentence(f"{{{{regime_{n}_trend_sentence}}}}", "trend", on_demand=True)
    yield Sentence(f"{{{{regime_{n}_volatility_sentence}}}}", "volatility turbulence", on_demand=True)
    yield Sentence(f"{{{{regime_{n}_fall_sentence}}}}", "fallen", on_demand=True)
    if regime.turbulent:
        yield Sentence(
            f"At the latest volatility of {name}, {latest}, the turbulent one of two states is more likely.",
            "turbulence",
        )
    if regime.one_state_because is not None:
        yield Sentence(
            f"No turbulent state is behind the latest volatility of {name}, {latest}: {regime.one_state_because}.",
            "turbulence",
            on_demand=True,
        )


def describe_wealth(result: WealthOutlook, message: str) -> list[str]:
    return answering_first(_describe_outcomes(result), message)


def _describe_outcomes(result: WealthOutlook) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    yield Sentence("{{wealth_sentence}}", "value")
    for name, about in _OUTCOMES:
        if f"wealth_{name}_sentence" in ids:
            yield Sentence(f"{{{{wealth_{name}_sentence}}}}", about, on_demand=name == "bad")
    yield Sentence(
        "All of it rests on what was assumed: the errors beside the numbers are those of the simulation alone, not of "
        "those assumptions.",
        "",
    )


_OUTCOMES: Final = (
    ("fee", "fee"),
    ("goal", "goal"),
    ("ruin", "ruin"),
    ("bad", "loss_size"),
    ("loss", "loss"),
    ("drawdown", "drawdown"),
)
"""Sentences about simulated wealth by name, with the aspect that each answers."""
