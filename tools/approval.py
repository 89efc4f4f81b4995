"""What waits for a person: what was asked, what was decided, and the one record that holds both."""

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from quant.strategy import Frozen
from tools.optimization import Estimate

Subject: TypeAlias = Literal["launch", "holdout"]
"""A job above a threshold; the opening of the locked holdout."""


class Thresholds(Frozen):
    """What a job may take before a person is asked; None asks for nothing."""

    evaluations: Annotated[int, Field(ge=0)] | None = 20_000
    dollars: Annotated[float, Field(ge=0.0)] | None = 5.0
    instances: Annotated[int, Field(ge=0)] | None = 0

    def exceeded(self, estimate: Estimate) -> tuple[str, ...]:
        """Names of the thresholds that `estimate` is above."""
        return tuple(
            name
            for name in Thresholds.model_fields
            if (bound := getattr(self, name)) is not None and getattr(estimate, name) > bound
        )


class Asked(Frozen):
    """What a run asks a person, and why."""

    subject: Subject
    estimate: Estimate | None
    exceeded: tuple[str, ...]
    """Thresholds that the estimate is above."""
    thresholds: Thresholds
    at: datetime


class Decided(Frozen):
    """What the person decided; an edit names what is changed and approves the rest."""

    verdict: Literal["approved", "edited", "rejected"]
    by: str
    at: datetime
    reason: Annotated[str, Field(max_length=500)] = ""
    trials: Annotated[int, Field(ge=10, le=5_000)] | None = None
    paths: Annotated[int, Field(ge=100, le=100_000)] | None = None
