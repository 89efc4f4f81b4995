"""What a conversation waits for a person to decide."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from desk.governance.approvals import ApprovalRequest, Ruling, Subject
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen


class Editable(Frozen):
    """A value that the person may change while approving the rest."""

    field: str
    value: int
    """As it was asked for; the greatest, where it differs between scenarios."""
    minimum: int
    maximum: int


class Interrupt(Frozen):
    run: str
    subject: Subject
    turn: int
    asked: ApprovalRequest
    editable: tuple[Editable, ...]
    second_person: bool = Field(
        default=False,
        description="It waits for a second person, who finds it at GET /api/approvals, not for you",
    )
    question: str = Field(default="", description="Its id there")


def editable(subject: Subject, request: OptimizationRequest) -> tuple[Editable, ...]:
    """A launch may be changed; a holdout has nothing to edit."""
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
