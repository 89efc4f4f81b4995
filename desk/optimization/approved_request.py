"""Applies the edits of an approval to a request."""

from desk.governance.approvals import Ruling
from desk.optimization.request import OptimizationRequest


def approved_request(request: OptimizationRequest, ruling: Ruling) -> OptimizationRequest:
    """Return `request` with the edits of `ruling`, validated like a new one."""
    if ruling.verdict != "edited":
        return request
    content = request.fields()
    content["trials"] = ruling.trials or request.trials
    if ruling.paths is not None:
        content["scenarios"] = [scenario | {"paths": ruling.paths} for scenario in content["scenarios"]]
    return OptimizationRequest.model_validate(content)
