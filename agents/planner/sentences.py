"""What the embedded planner says of a tool's result: sentences chosen by comparisons, numbers by reference."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from agents.planner import result_sentences as results
from agents.planner import risk_sentences as risk
from agents.planner import strategy_sentences as strategies
from desk.conversation.answers import (
    FinishedSearch,
    OpenedHoldout,
    Refusal,
    ResultComparison,
    ResultExplanation,
    RunList,
    SavedConfiguration,
    SearchEstimate,
)
from desk.figures.figures import Claim
from desk.portfolios.allocations import Allocations
from desk.portfolios.market_regimes import MarketAnalysis
from desk.portfolios.risk import PortfolioRisk
from desk.scenarios.repository import ScenarioCatalog
from desk.strategies.evaluation import QuickEvaluation
from desk.wealth.projection import WealthOutlook

_FAILED = "A tool did not take what was asked of it, so nothing was computed; please ask otherwise."
_NOTHING = "The result holds nothing about that."


def told(tool: str, content: str, *, failed: bool) -> Iterator[Claim]:
    if failed:
        yield Claim(section="answer", text=_FAILED)
        return
    kind, tell = _TOLD[tool]
    if '"refused"' in content[:12]:
        texts = _refused(Refusal.model_validate_json(content))
    else:
        texts = tell(kind.model_validate_json(content))
    for text in [*texts] or [_NOTHING]:
        yield text if isinstance(text, Claim) else Claim(section="answer", text=text)


def _refused(refusal: Refusal) -> Iterator[str]:
    yield "That cannot be done as it was asked: {{refusal}}."
    if any(figure.id == "refusal_allowed" for figure in refusal.figures):
        yield "What is allowed there: {{refusal_allowed}}."


_TOLD: Mapping[str, tuple[type[BaseModel], Callable[[Any], Iterator[str] | Iterator[Claim]]]] = {
    "evaluate_strategy": (QuickEvaluation, strategies.evaluated),
    "save_strategy": (SavedConfiguration, strategies.saved),
    "show_scenarios": (ScenarioCatalog, strategies.scenarios),
    "add_scenario": (ScenarioCatalog, strategies.added),
    "assess_portfolio": (PortfolioRisk, risk.assessed),
    "compare_allocations": (Allocations, risk.allocated),
    "analyse_market": (MarketAnalysis, risk.analysed),
    "simulate_wealth": (WealthOutlook, risk.simulated),
    "estimate_optimization": (SearchEstimate, results.estimated),
    "run_optimization": (FinishedSearch, results.launched),
    "explain_result": (ResultExplanation, results.explained),
    "compare_results": (ResultComparison, results.compared),
    "list_results": (RunList, results.listed),
    "open_holdout": (OpenedHoldout, results.opened),
}
