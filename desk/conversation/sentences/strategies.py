"""Sentences about an evaluated strategy and about scenarios."""

from collections.abc import Iterator
from typing import Final

from desk.conversation.answers import RemovedScenario, SavedConfiguration
from desk.conversation.sentences.aspects import Sentence, answering_first
from desk.figures.figures import Figure
from desk.scenarios.repository import ScenarioCatalog, ScenarioEntry
from desk.strategies.evaluation import QuickEvaluation, RuleEvaluation

_ALIKE = 0.001
"""Two drawdowns that differ by less are called equal."""
_NOTHING = 0.5
"""Basis points that count as zero."""


def describe_evaluation(result: QuickEvaluation, message: str) -> list[str]:
    ids = {figure.id for figure in result.figures}
    leads = [f"{{{{{id_}}}}}" for id_ in ("quick_change_sentence", "quick_period_sentence") if id_ in ids]
    return [*leads[:1], *answering_first(_describe_rule(result), "" if leads else message)]


def _describe_rule(result: QuickEvaluation) -> Iterator[Sentence]:
    ids = {figure.id for figure in result.figures}
    yield Sentence("{{quick_summary_sentence}}", "growth volatility tail loss")
    for name, about in _ON_DEMAND:
        if f"quick_{name}_sentence" in ids:
            yield Sentence(f"{{{{quick_{name}_sentence}}}}", about, on_demand=True)
    yield Sentence("Its Sharpe ratio on history was {{quick_strategy_history_sharpe}}.", "sharpe", on_demand=True)
    yield from _compare(result)
    yield Sentence(
        "Its costs on history were {{quick_strategy_history_cost_bps}}, with a yearly turnover of "
        "{{quick_strategy_history_turnover}} of wealth.",
        "cost",
        on_demand=True,
    )
    yield Sentence("Most recently it held a risky weight of {{quick_last_weight}}.", "weight")
    yield from (Sentence(text, "") for text in _cautions(result))
    yield Sentence(
        "That is a quick look at a rule made up with hindsight: a search tells its advantage from luck, "
        "in more scenarios than this.",
        "",
    )


def _compare(result: QuickEvaluation) -> Iterator[Sentence]:
    """The strategy beside the other rules; a constant weight is not compared with itself."""
    figures = {figure.id: figure for figure in result.figures}
    own, _, mixed, equity = result.held
    if own.config.weight_function == "constant":
        yield Sentence(
            "It is itself a constant weight, so there is no timing to judge.",
            "",
        )
        return
    advantage, *simulated = _describe_advantage(figures)
    yield Sentence(advantage, "timing")
    yield from (Sentence(text, "") for text in simulated)
    safe = "cash" if mixed.subject == "sixty_forty_cash" else "the bond"
    ahead = 2 * sum(year.strategy > year.mixed for year in result.years) > len(result.years)
    yield Sentence(
        f"Its maximum drawdown was {_versus(own, mixed)} that of the usual mix of equity and {safe} and "
        f"{_versus(own, equity)} that of full investment; in most calendar years it "
        f"{'earned more' if ahead else 'did not earn more'} than that usual mix.",
        "",
    )


_ON_DEMAND: Final = (
    ("safety", "safer"),
    ("versus_full", "than_equity"),
    ("versus", "versus"),
    ("drawdown", "drawdown"),
    ("years", "year"),
    ("losing", "count"),
)
"""Sentences that are said where the message asks for their aspect."""


def _describe_advantage(figures: dict[str, Figure]) -> Iterator[str]:
    history = figures["quick_versus_same_volatility_history_bps"]
    simulated = figures.get("quick_versus_same_volatility_simulated_bps")
    verdict = {1: "beat", 0: "was no different from", -1: "fell behind"}[_sign(history)]
    yield (
        f"On history it {verdict} a constant weight of the same volatility: after costs and a charge "
        "for risk its advantage over the volatility-matched constant weight was "
        "{{quick_versus_same_volatility_history_bps}}."
    )
    if simulated is None:
        yield "Its estimator works on history only, so nothing is simulated."
        return
    reads = {1: "more than chance explains", 0: "no more than chance explains", -1: "so it falls behind there"}
    yield (
        "In the simulated base case that advantage is {{quick_versus_same_volatility_simulated_bps}}, "
        f"{reads[_sign(simulated)]}."
    )


def _versus(own: RuleEvaluation, other: RuleEvaluation) -> str:
    gap = own.history.metrics.max_drawdown.value - other.history.metrics.max_drawdown.value
    return "about as large as" if abs(gap) < _ALIKE else "smaller than" if gap < 0.0 else "larger than"


def _cautions(result: QuickEvaluation) -> Iterator[str]:
    if "half_at_target" in result.warnings:
        yield (
            "Mind that when volatility is as high as its target it holds a risky weight of only "
            "{{quick_weight_at_target}}, so it stays far below that target; a higher midpoint would hold more."
        )
    if "target_unreachable" in result.warnings:
        yield "Mind that even the largest weight that is allowed is usually too small to reach its target."
    if "lookback_below_rebalancing" in result.warnings:
        yield "Mind that it looks back over fewer days than lie between its trades, so it overlooks some of them."
    if "gap_beyond_floor" in result.warnings:
        yield (
            "Mind that a fall as deep as the worst of history between its trades would break through its floor before "
            "it can sell."
        )
    if "one_weight" in result.warnings:
        yield "Mind that it does not time anything: on history its weight hardly changes."


def describe_saved_strategy(result: SavedConfiguration, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    yield "The strategy was saved under the name {{saved_name}}; its version as a saved strategy is {{saved_version}}."
    yield "You can ask for it by that name; earlier versions are never overwritten."


def describe_scenarios(result: ScenarioCatalog, message: str) -> Iterator[str]:
    if len(result.entries) == 1:
        yield from answering_first(_describe_scenario(result.entries[0]), message)
    else:
        yield "{{scenario_list_sentence}}"
        yield "Their probabilities are a judgement, and yours to change."
        losing = [f"the scenario {_named(entry)}" for entry in result.entries if entry.losing]
        if losing:
            yield f"Equity is expected to earn less than cash in {_join(losing)}."
    yield from _remarks(result)


def describe_added_scenario(result: ScenarioCatalog, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    (entry,) = result.entries
    name = entry.scenario.name
    yield f"The scenario {_named(entry)} is saved as your own, and searches of this conversation include it."
    yield f"{{{{scenario_{name}_p_sentence}}}}"
    yield from answering_first(_describe_scenario(entry), "")
    yield from _remarks(result)


def describe_removed_scenario(result: RemovedScenario, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    yield "{{removed_sentence}}"


def _describe_scenario(entry: ScenarioEntry) -> Iterator[Sentence]:
    name = entry.scenario.name
    yield Sentence(
        f"In the scenario {_named(entry)} the expected return of the risky asset is {{{{scenario_{name}_mu}}}}, its "
        f"volatility {{{{scenario_{name}_sigma}}}} and its Sharpe ratio {{{{scenario_{name}_sharpe}}}}.",
        "",
    )
    yield Sentence(
        f"The volatility of the risky asset in the scenario {_named(entry)} is {{{{scenario_{name}_sigma}}}} a year.",
        "volatility",
        on_demand=True,
    )
    yield Sentence(f"{{{{scenario_{name}_p_sentence}}}}", "chance", on_demand=True)
    if entry.losing:
        yield Sentence(
            "There the asset is expected to earn less than cash, so the best rule holds as little of it as it may.", ""
        )


def _remarks(result: ScenarioCatalog) -> Iterator[str]:
    if not all(entry.own for entry in result.entries):
        yield (
            "A search replaces the expected return and the volatility of a built-in scenario by those that fit its own "
            "data, unless the fixed worlds are asked for."
        )
    yield (
        "The correlation of equity and bonds has no effect while the safe leg is cash; it is shown, and counts only "
        "where a bond is held."
    )
    constant = [f"the scenario {_named(entry)}" for entry in result.entries if entry.banner]
    if constant:
        yield (
            f"In {_join(constant)} volatility never changes, so nothing can be learned there about rules that react "
            "to it."
        )


def _named(entry: ScenarioEntry) -> str:
    return f"{{{{scenario_{entry.scenario.name}_name}}}}"


def _join(names: list[str]) -> str:
    return " and in ".join([", in ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _sign(figure: Figure) -> int:
    """The sign of a figure in basis points; 0 if it is negligible or within its sampling error."""
    value = float(figure.value)
    if abs(value) <= max(2.0 * (figure.error or 0.0), _NOTHING):
        return 0
    return 1 if value > 0.0 else -1
