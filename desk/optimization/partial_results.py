"""The label of a result that a budget cut short: which budget, and what is missing."""

from collections.abc import Iterable

from desk.figures.figures import RenderedClaim
from desk.governance.budgets import BudgetName
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.optimization.result import OptimizationResult

LABEL = "Partial result. "

SPENT: dict[str, str] = {
    "run": "The run's budget of {} was spent before the",
    "agent": "Its own budget of {} was spent before the",
    "user": "The user's budget of {} for the day was spent before the",
}
MISSING: dict[AgentName, str] = {
    "risk_manager": "risk manager had answered: its concerns are missing",
    "market_analyst": "market analyst had answered: the default probabilities stand in place of its view",
    "optimizer": "optimizer had planned all of the search: code did not search on, or searched without its guidance",
    "explainer": "explainer had answered: the explanation comes from a template",
    "assistant": "assistant had answered",
}


def reasons(decisions: Iterable[Decision]) -> tuple[str, ...]:
    """One sentence for each agent that was not asked to the end; none for a whole result."""
    sentences = (_sentence(decision.budget, decision.agent) for decision in decisions if decision.budget is not None)
    return tuple(dict.fromkeys(sentences))


def labelled(result: OptimizationResult, decisions: Iterable[Decision]) -> OptimizationResult:
    """With the label wherever a result is named, so that nothing of a partial one reads like a whole one."""
    partial = reasons(decisions)
    if not partial:
        return result
    headline = LABEL + result.verdict.headline.removeprefix(LABEL)
    verdict = result.verdict.model_copy(update={"headline": headline})
    return result.model_copy(update={"partial": partial, "verdict": verdict})


def label_claims(decisions: Iterable[Decision]) -> list[RenderedClaim]:
    """What stands before an explanation."""
    texts = (f"{LABEL}{reason}" for reason in reasons(decisions))
    return [RenderedClaim(section="winner", text=text, figures=(), template=text) for text in texts]


def _sentence(budget: BudgetName, agent: AgentName) -> str:
    scope, _, unit = budget.partition(" ")
    return f"{SPENT[scope].format(unit)} {MISSING[agent]}."
