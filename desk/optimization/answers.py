"""Answer types of the agents of an optimization, and the record of a decision."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import Field

from desk.base.text import plural, shortened, title
from desk.figures.figures import Claim, RenderedClaim
from desk.governance.budgets import BudgetName
from desk.governance.usage import AgentName
from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY

Concern: TypeAlias = Literal[
    "drawdown_limit_tight",
    "tail_limit_tight",
    "cost_limit_tight",
    "target_unreachable",
    "short_history",
    "none",
]


class RiskAssessment(Frozen):
    """The risk manager's answer: what deserves attention. It names concerns; limits and checks are code's."""

    concerns: Annotated[tuple[Concern, ...], Field(min_length=1, max_length=5)]
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()


class ScenarioTilt(Frozen):
    """How the analyst leans for one scenario; code turns it into a probability within the allowed band."""

    scenario: str
    lean: Literal["less", "default", "more"]


TILT: dict[str, float] = {"less": 0.75, "default": 1.0, "more": 4 / 3}
"""Factors on the default probability; after normalization each stays within [1/2, 2] times its default."""


class MarketView(Frozen):
    """The market analyst's answer: the regime and how the scenarios should be weighted, with reasons."""

    regime: Literal["calm", "normal", "stressed"]
    trend: Literal["rising", "flat", "falling"]
    tilts: Annotated[tuple[ScenarioTilt, ...], Field(max_length=20)] = ()
    claims: Annotated[tuple[Claim, ...], Field(max_length=6)] = ()


class SearchPlan(Frozen):
    """The optimizer's answer: search on, and where; or stop. Every value comes from the request's own space."""

    action: Literal["search", "stop"]
    focus: Literal["broad", "around_best"] = "broad"
    """`around_best` keeps the values next to those of the best trials."""
    share: Literal["all", "two_thirds", "half"] = "all"
    """Share of the remaining trials."""
    weight_functions: Annotated[tuple[str, ...], Field(max_length=len(FAMILY))] = ()
    """Narrows the space; empty keeps it."""
    candidates: Annotated[tuple[StrategyConfig, ...], Field(max_length=8)] = ()
    claims: Annotated[tuple[Claim, ...], Field(max_length=4)] = ()


class Decision(Frozen):
    """Decision of an agent; the stored decisions reproduce a run without any model."""

    agent: AgentName
    ordinal: int
    author: str
    """Model name, `embedded planner (rule-based)`, or `abstained`."""
    answer: dict[str, Any]
    """The typed answer as JSON; empty for an abstention."""
    rejected: tuple[str, ...] = ()
    """SHA-256 of every rejected draft; the drafts are not stored."""
    abstained_for: Literal["no_answer", "blocked", "budget"] | None = None
    """Reason of an abstention; None for other decisions."""
    budget: BudgetName | None = None
    """Exhausted budget, if that is the reason of an abstention."""

    def describe(self) -> str:
        """The answer in one line, without its texts."""
        if self.author == "abstained":
            return f"{title(self.agent)} abstained: code takes over"
        answer = dict(self.answer)
        claims = answer.pop("claims", [])
        parts = [f"{name} {_describe_value(value)}" for name, value in answer.items() if value]
        if claims:
            parts.append(plural(len(claims), "claim"))
        return f"{title(self.agent)} ({self.author}): {shortened(', '.join(parts)) or 'an empty answer'}"


def _describe_value(value: Any) -> str:
    if not isinstance(value, list | tuple):
        return str(value)
    items: list[Any] = list(cast("Sequence[Any]", value))
    return f"({len(items)})" if any(isinstance(item, dict) for item in items) else " ".join(map(str, items))


class Explanation(Frozen):
    claims: tuple[RenderedClaim, ...]
    """Sentences of the explanation, each with its figures."""
    author: str
