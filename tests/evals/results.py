"""What the tools returned before an agent answers, made from the facts of a case."""

from collections.abc import Callable
from typing import Any

from desk.conversation.answers import RunList, RunSummary
from desk.conversation.model_view import shown_to_model
from desk.figures.figures import Figure
from desk.figures.sheet import sentence_figure
from desk.market.regimes import RegimeReport
from desk.optimization.briefing.mandate_risk import RiskReport, Subject
from desk.optimization.briefing.scenario_list import ScenarioCard, ScenarioList
from desk.optimization.briefing.search_status import BestOf, SearchStatus
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.reading.findings import Findings, build_findings
from desk.optimization.reading.model_view import shown_to_model as shown_to_explainer
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace
from tests.sample_result import WINNER, sample_result

Call = tuple[str, dict[str, Any], Frozen]
"""A tool, its arguments and its result."""


def tool_results(agent: str, given: dict[str, Any]) -> list[Call]:
    """The calls that the agent has made; none for a case without facts."""
    return RESULTS[agent](given) if given else []


def content_of(tool: str, result: Frozen, message: str) -> str:
    """What the tool shows a model of its result."""
    match result:
        case Findings():
            return shown_to_explainer(result)
        case RunList():
            return shown_to_model(tool, result, message)
        case _:
            return result.model_dump_json()


def _risk(given: dict[str, Any]) -> list[Call]:
    facts = {name: False for name in RiskReport.model_fields if name not in ("subject", "figures")}
    subjects: tuple[Subject, ...] = ("asset", "constant_exposure", "current_rule")
    calls: list[Call] = []
    for subject in subjects:
        own = {name: value for name, value in given.items() if name in facts}
        names = ("volatility", "drawdown") if subject == "asset" else ("average_weight", "drawdown")
        figures = tuple(_figure(f"{subject}_{name}", name, note=given.get("note", "")) for name in names)
        calls.append(("assess_risk", {"subject": subject}, RiskReport(subject=subject, figures=figures, **facts | own)))
    return calls


def _market(given: dict[str, Any]) -> list[Call]:
    note = given.get("note", "")
    figures = tuple(_figure(f"market_{name}", quantity, note=note) for name, quantity in MARKET.items())
    market = RegimeReport(
        volatility_band=given.get("volatility", "middle"),
        trend=given.get("trend", "flat"),
        in_drawdown=given.get("in_drawdown", False),
        figures=figures,
    )
    scenarios = given.get("scenarios", {"bear_market": True, "low_volatility": False})
    cards = tuple(
        ScenarioCard(name=name, rougher_than_history=rough, losing=rough, weighted=True, figures=())
        for name, rough in scenarios.items()
    )
    return [("read_market", {}, market), ("list_scenarios", {"which": "all"}, ScenarioList(scenarios=cards))]


def _search(given: dict[str, Any]) -> list[Call]:
    space = SearchSpace(weight_functions=("inverse_vol", "sigmoid"))
    best = tuple(BestOf(weight_function=name, trial="0" * 12, config=WINNER) for name in given.get("best", ()))
    figures = (_figure("after_60_left", "trials left of the budget", note=given.get("note", "")),)
    counts = {"tried": given.get("tried", 0), "left": given.get("left", 100)}
    return [
        ("search_status", {}, SearchStatus(stage=given["stage"], best=best, space=space, figures=figures, **counts))
    ]


def _findings(given: dict[str, Any]) -> list[Call]:
    findings = build_findings(RESULT)
    changes = {name: value for name, value in given.items() if name in Findings.model_fields}
    if note := given.get("note"):
        changes["figures"] = tuple(_with_note(f, note) if f.id == "data_source" else f for f in findings.figures)
    return [("list_figures", {}, findings.model_copy(update=changes))]


def _runs(given: dict[str, Any]) -> list[Call]:
    runs = tuple(
        RunSummary(run=f"{n:032x}", name=name, state="completed", created_at="2026-01-01T00:00:00Z")
        for n, name in enumerate(given["runs"], 1)
    )
    figures = tuple(
        Figure(id=f"run_{n}", quantity="name of a run", value=run.name, unit="text", source="runs")
        for n, run in enumerate(runs, 1)
    )
    sentence = sentence_figure("run_list_sentence", f"You have {len(runs)} results.", "runs")
    return [("list_results", {}, RunList(runs=runs, figures=(*figures, sentence)))]


def _with_note(figure: Figure, note: str) -> Figure:
    return figure.model_copy(update={"value": f"{figure.value}. {note}"})


def _figure(id_: str, quantity: str, *, note: str = "") -> Figure:
    return Figure(id=id_, quantity=f"{quantity}. {note}" if note else quantity, value=0.1, unit="percent", source="e")


MARKET = {
    "day": "last day of the training window",
    "current_volatility": "latest yearly volatility, of the last weeks",
    "volatility_percentile": "share of the past months that were calmer",
    "trend_distance": "distance of the price from its mean of the past year, either way",
    "current_drawdown": "fall of the price from its peak",
}
RESULT: OptimizationResult = sample_result()
RESULT = RESULT.model_copy(update={"figures": result_figures(RESULT)})
RESULTS: dict[str, Callable[[dict[str, Any]], list[Call]]] = {
    "risk_manager": _risk,
    "market_analyst": _market,
    "optimizer": _search,
    "explainer": _findings,
    "assistant": _runs,
}
TASKS = {
    "risk_manager": "Assess the mandate before the search.",
    "market_analyst": "Judge the regime at the end of the training window and lean on the scenarios.",
    "optimizer": "Plan the next part of the search, or stop it.",
    "explainer": "Explain the result. The verdict is {colour}.",
}
"""The tasks as the optimization graph words them."""
