"""The label of a result that a budget cut short: which budget, and what is missing."""

from collections.abc import Iterable, Mapping

from desk.base.text import spaced
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


def reasons(decisions: Iterable[Decision], interruptions: Mapping[AgentName, str]) -> tuple[str, ...]:
    """One sentence for each agent that was not asked to the end; none for a whole result.

    `interruptions` says for each agent what is missing then, such as `explainer had answered: ...`.
    """
    sentences = (
        # an agent of an earlier version has its stored name alone
        _sentence(d.budget, interruptions.get(d.agent) or f"{spaced(d.agent)} had answered")
        for d in decisions
        if d.budget is not None
    )
    return tuple(dict.fromkeys(sentences))


def labelled(result: OptimizationResult, partial: tuple[str, ...]) -> OptimizationResult:
    """The result with the label and the reasons wherever it is named, so that it does not read like a whole one."""
    if not partial:
        return result
    headline = LABEL + result.verdict.headline.removeprefix(LABEL)
    verdict = result.verdict.model_copy(update={"headline": headline})
    return result.model_copy(update={"partial": partial, "verdict": verdict})


def label_claims(partial: Iterable[str]) -> list[RenderedClaim]:
    """The reasons as claims that precede an explanation."""
    texts = (f"{LABEL}{reason}" for reason in partial)
    return [RenderedClaim(section="winner", text=text, figures=(), template=text) for text in texts]


def _sentence(budget: BudgetName, interruption: str) -> str:
    scope, _, unit = budget.partition(" ")
    return f"{SPENT[scope].format(unit)} {interruption}."
