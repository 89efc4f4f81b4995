"""Events of approvals: a run's request and a person's decision."""

from typing import Literal, TypeAlias

from desk.governance.approvals import ApprovalDecision, ApprovalRequest, Subject
from desk.governance.estimates import Estimate
from desk.runs.events.base import BaseEvent, Row
from desk.runs.progress import ProgressTracker


class ApprovalRequested(BaseEvent):
    """The run waits for an approval."""

    row = Row(stage="approval", opens="approval")

    event: Literal["approval_requested"] = "approval_requested"
    asked: ApprovalRequest

    def line(self) -> str:
        return f"A person is asked: {self.asked.describe()}"

    def advance(self, progress: ProgressTracker) -> None:
        progress.wait()


class ApprovalDecided(BaseEvent):
    row = Row(stage="approval", closes="approval")

    event: Literal["approval_decided"] = "approval_decided"
    subject: Subject = "launch"
    decided: ApprovalDecision
    request_digest: str = ""
    """Digest of the whole request as decided."""
    estimate: Estimate | None = None
    """Estimate of the edited request."""

    def line(self) -> str:
        return self.decided.describe(self.subject)


Event: TypeAlias = ApprovalRequested | ApprovalDecided
