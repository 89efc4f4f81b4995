"""Interrupts of a conversation: pending approvals and the values that may be edited."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from desk.governance.approvals import ApprovalRequest, Ruling, Subject
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen


class Editable(Frozen):
    """A value that may be edited in an approval."""

    field: str
    """Name of the value."""
    value: int
    """Requested value; the greatest if it differs between scenarios."""
    minimum: int
    """Smallest accepted value."""
    maximum: int
    """Largest accepted value."""


class Interrupt(Frozen):
    run: str
    """Id of the run that waits."""
    subject: Subject
    turn: int
    asked: ApprovalRequest
    editable: tuple[Editable, ...]
    """Values that may be changed when it is approved."""
    second_person: bool = Field(
        default=False,
        description="Whether a second person must decide, through GET /api/approvals",
    )
    question: str = Field(default="", description="Id of the question at GET /api/approvals")


def editable_fields(subject: Subject, request: OptimizationRequest) -> tuple[Editable, ...]:
    """Return the editable values of a launch; a holdout has none."""
    if subject == "holdout":
        return ()
    now = {"trials": request.trials, "paths": max(scenario.paths for scenario in request.scenarios)}
    bounds: Mapping[str, Any] = Ruling.model_json_schema()["properties"]
    return tuple(
        Editable(field=name, value=value, minimum=limits["minimum"], maximum=limits["maximum"])
        for name, value in now.items()
        for limits in bounds[name]["anyOf"]
        if "minimum" in limits
    )
