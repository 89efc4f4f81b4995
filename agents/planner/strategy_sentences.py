"""What is said of a strategy that was looked at, and of scenarios."""

from collections.abc import Iterator

from desk.conversation.answers import SavedConfiguration
from desk.figures.figures import Figure
from desk.scenarios.repository import ScenarioCatalog, ScenarioEntry
from desk.strategies.evaluation import QuickEvaluation, RuleEvaluation

_ALIKE = 0.001
"""Of two falls that read alike."""
_NOTHING = 0.5
"""Basis points that are rounded away."""


def evaluated(found: QuickEvaluation) -> Iterator[str]:
    figures = {figure.id: figure for figure in found.figures}
    yield "The configuration that was evaluated is {{quick_name}}."
    yield from _advantage(figures)
    own, _, mixed, equity = found.held
    yield (
        f"Its deepest fall on history was {{{{quick_strategy_history_max_drawdown}}}}, {_beside(own, mixed)} that of "
        f"the usual mix of equity and cash and {_beside(own, equity)} that of full investment."
    )
    ahead = 2 * sum(year.strategy > year.sixty_forty_cash for year in found.years) > len(found.years)
    yield f"In most calendar years it {'earned more' if ahead else 'did not earn more'} than that usual mix."
    yield "Most recently it held a risky weight of {{quick_last_weight}}."
    yield from _cautions(found)
    yield (
        "That is a quick look at a rule made up with hindsight: a search tells its advantage from luck, "
        "in more scenarios than this."
    )


def _advantage(figures: dict[str, Figure]) -> Iterator[str]:
    history = figures["quick_versus_same_volatility_history_bps"]
    simulated = figures["quick_versus_same_volatility_simulated_bps"]
    verdict = {1: "beat", 0: "was no different from", -1: "fell behind"}[_sign(history)]
    yield (
        f"On history it {verdict} a constant weight of the same volatility: after costs and a charge for risk its "
        "advantage over the volatility-matched constant weight was {{quick_versus_same_volatility_history_bps}}."
    )
    reads = {1: "more than chance explains", 0: "no more than chance explains", -1: "so it falls behind there"}
    yield (
        "In the simulated base case that advantage is {{quick_versus_same_volatility_simulated_bps}}, "
        f"{reads[_sign(simulated)]}."
    )


def _beside(own: RuleEvaluation, other: RuleEvaluation) -> str:
    gap = own.history.metrics.max_drawdown.value - other.history.metrics.max_drawdown.value
    return "about as large as" if abs(gap) < _ALIKE else "smaller than" if gap < 0.0 else "larger than"


def _cautions(found: QuickEvaluation) -> Iterator[str]:
    if "half_at_target" in found.warnings:
        yield (
            "Mind that when volatility is as high as its target it holds a risky weight of only "
            "{{quick_weight_at_target}}, so it stays far below that target; a higher midpoint would hold more."
        )
    if "target_unreachable" in found.warnings:
        yield "Mind that even the largest weight that is allowed is usually too small to reach its target."
    if "lookback_below_rebalancing" in found.warnings:
        yield "Mind that it looks back over fewer days than lie between its trades, so it overlooks some of them."
    if "gap_beyond_floor" in found.warnings:
        yield "Mind that a day as bad as the worst of history would break through its floor before it can sell."


def saved(result: SavedConfiguration) -> Iterator[str]:  # noqa: ARG001  (as every teller)
    yield "Saved under the name {{saved_name}}; the version of the saved strategy is {{saved_version}}."
    yield "You can ask for it by that name; earlier versions are never overwritten."


def scenarios(book: ScenarioCatalog) -> Iterator[str]:
    if len(book.entries) == 1:
        yield from _one(book.entries[0])
    else:
        yield "The table shows the scenarios; their probabilities are a judgement, and yours to change."
        losing = [f"the scenario {_name(entry)}" for entry in book.entries if entry.losing]
        if losing:
            yield f"Equity is expected to earn less than cash in {_listed(losing)}."
    yield from _remarks(book)


def added(book: ScenarioCatalog) -> Iterator[str]:
    (entry,) = book.entries
    name = entry.scenario.name
    yield f"{_name(entry)} is a scenario of your own from here on, and searches of this conversation include it."
    yield (
        f"The default probability of {_name(entry)} is {{{{scenario_{name}_p}}}}, before those of all scenarios are "
        "scaled to a whole."
    )
    yield from _one(entry)
    yield from _remarks(book)


def _one(entry: ScenarioEntry) -> Iterator[str]:
    name = entry.scenario.name
    yield (
        f"In the scenario {_name(entry)} the expected return of the risky asset is {{{{scenario_{name}_mu}}}}, its "
        f"volatility {{{{scenario_{name}_sigma}}}} and its Sharpe ratio {{{{scenario_{name}_sharpe}}}}."
    )
    if entry.losing:
        yield "There the asset is expected to earn less than cash, so the best rule holds as little of it as it may."


def _remarks(book: ScenarioCatalog) -> Iterator[str]:
    yield (
        "The correlation of equity and bonds has no effect while the safe leg is cash; it is shown, and counts only "
        "where a bond is held."
    )
    constant = [f"the scenario {_name(entry)}" for entry in book.entries if entry.banner]
    if constant:
        yield (
            f"In {_listed(constant)} volatility never changes, so nothing can be learned there about rules that react "
            "to it."
        )


def _name(entry: ScenarioEntry) -> str:
    return f"{{{{scenario_{entry.scenario.name}_name}}}}"


def _listed(names: list[str]) -> str:
    return " and in ".join([", in ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _sign(figure: Figure) -> int:
    """Of basis points, unless chance explains them or nobody would notice."""
    value = float(figure.value)
    if abs(value) <= max(2.0 * (figure.error or 0.0), _NOTHING):
        return 0
    return 1 if value > 0.0 else -1
