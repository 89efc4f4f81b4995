"""Describes tool results in sentences that comparisons select and whose numbers are references to figures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from desk.conversation.answers import (
    FinishedSearch,
    KeptList,
    OpenedHoldout,
    Refusal,
    RemovedScenario,
    ResultComparison,
    ResultExplanation,
    RunList,
    SavedConfiguration,
    SearchEstimate,
)
from desk.conversation.context import CallResult
from desk.conversation.definitions import Definition
from desk.conversation.sentences import results, risk, strategies
from desk.conversation.sentences.tearsheets import describe_tearsheet
from desk.figures.figures import Claim
from desk.portfolios.allocations import Allocations
from desk.portfolios.market_regime_schemas import MarketAnalysis
from desk.portfolios.risk_schemas import PortfolioRisk
from desk.scenarios.repository import ScenarioCatalog
from desk.strategies.evaluation import QuickEvaluation
from desk.tearsheets.summary import TearsheetSummary
from desk.wealth.projection import WealthOutlook

_NOTHING = "The result holds nothing about that."


def describe_result(tool: str, result: BaseModel, message: str = "") -> Iterator[Claim]:
    """The claims about one result of `tool`; the first answers the `message`."""
    texts = _describe_refusal() if isinstance(result, Refusal) else _DESCRIPTIONS[tool][1](result, message)
    for text in [*texts] or [_NOTHING]:
        yield text if isinstance(text, Claim) else Claim(section="answer", text=text)


def describe_stored_result(tool: str, stored: CallResult, message: str = "") -> Iterator[Claim]:
    """The claims about a result that the turn has stored, if a model's own were refused."""
    kind = Refusal if stored.refused else _DESCRIPTIONS[tool][0]
    yield from describe_result(tool, kind.model_validate(stored.result), message)


def _describe_refusal() -> Iterator[str]:
    yield "{{refusal_sentence}}"


def _describe_definition(definition: Definition, message: str) -> Iterator[str]:  # noqa: ARG001  (the same signature as the others)
    yield f"{{{{{definition.figures[0].id}}}}}"


_DESCRIPTIONS: Mapping[str, tuple[type[BaseModel], Callable[[Any, str], Iterable[str | Claim]]]] = {
    "evaluate_strategy": (QuickEvaluation, strategies.describe_evaluation),
    "save_strategy": (SavedConfiguration, strategies.describe_saved_strategy),
    "show_scenarios": (ScenarioCatalog, strategies.describe_scenarios),
    "add_scenario": (ScenarioCatalog, strategies.describe_added_scenario),
    "remove_scenario": (RemovedScenario, strategies.describe_removed_scenario),
    "assess_portfolio": (PortfolioRisk, risk.describe_risk),
    "compare_allocations": (Allocations, risk.describe_allocations),
    "analyse_market": (MarketAnalysis, risk.describe_market),
    "simulate_wealth": (WealthOutlook, risk.describe_wealth),
    "show_tearsheet": (TearsheetSummary, describe_tearsheet),
    "estimate_optimization": (SearchEstimate, results.describe_estimate),
    "run_optimization": (FinishedSearch, results.describe_search),
    "explain_result": (ResultExplanation, results.describe_explanation),
    "compare_results": (ResultComparison, results.describe_comparison),
    "list_results": (RunList, results.describe_runs),
    "list_saved": (KeptList, results.describe_kept),
    "open_holdout": (OpenedHoldout, results.describe_holdout),
    "define_term": (Definition, _describe_definition),
}
