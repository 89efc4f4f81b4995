"""Events of every execution: its begin and end, its nodes, and its warnings."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from desk.base.text import number, spaced
from desk.governance.estimates import ExpectedTime
from desk.runs.events.base import BaseEvent, Row
from desk.runs.nodes import node_title, start_share
from desk.runs.progress import ProgressTracker


class RunStarted(BaseEvent):
    row = Row(stage="run", opens="run")

    event: Literal["run_started"] = "run_started"
    request_digest: str
    data_digest: str
    model: str
    """Its name, or `embedded planner (rule-based)`."""

    def line(self) -> str:
        rules = ": fixed rules, no language model" if "rule-based" in self.model else ""
        return f"Run {self.run}, agents driven by {self.model}{rules}"


class NodeStarted(BaseEvent):
    row = Row(stage="run", opens="node", agui="step_started", sends_progress=True)

    event: Literal["node_started"] = "node_started"
    step: int = 0
    """How often the node has run before."""
    title: str | None = None
    """What an agent's node does; None for a node of code, whose title is in `desk.runs.nodes`."""
    share: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    """Share of the run or turn at which an agent's node begins; None for a node of code."""

    def line(self) -> str:
        again = f" (again, {self.step + 1})" if self.step else ""
        return (self.title or node_title(self.node)) + again

    def advance(self, progress: ProgressTracker) -> None:
        progress.start_node(self.node, start_share(self.node) if self.share is None else self.share)


class NodeFinished(BaseEvent):
    row = Row(stage="run", closes="node", live=False, agui="step_finished")

    event: Literal["node_finished"] = "node_finished"
    step: int = 0
    """How often the node has run before."""

    def line(self) -> str:
        return f"{node_title(self.node)}: finished"

    def label(self) -> str:
        return ""


class WarningIssued(BaseEvent):
    """A warning that does not stop the run."""

    row = Row(stage="run", agui="custom")

    event: Literal["warned"] = "warned"
    code: Literal["budget_nearly_spent", "budget_spent", "price_unknown"]
    """Kind of the warning."""
    subject: str
    """Subject of the warning, such as `run dollars` or the name of a model."""

    def line(self) -> str:
        consequence = ", budgets in tokens only" if self.code == "price_unknown" else ""
        return f"Warning: {spaced(self.code)}{consequence} ({self.subject})"


class RunFinished(BaseEvent):
    row = Row(stage="run", closes="run", live=False, agui="run_end", sends_progress=True)

    event: Literal["run_finished"] = "run_finished"
    result_digest: str
    seconds: float | None = None
    """Time of execution, without the time in the queue and for approval; None in events of earlier versions."""
    estimated: ExpectedTime | None = None
    """Expected time, estimated when the run was submitted."""

    def line(self) -> str:
        time = "" if self.seconds is None else f" in {number(self.seconds, 1)} s"
        estimated = "" if self.estimated is None else f" (estimated: {self.estimated.describe()})"
        return f"Finished{time}{estimated}, result digest {self.result_digest[:12]}"

    def advance(self, progress: ProgressTracker) -> None:
        progress.finish()


class RunFailed(BaseEvent):
    """The run ended without a result, or failed.

    `kind` is the error class or the reason of a model failure, its message is only logged.
    """

    row = Row(stage="run", closes="run", agui="run_end", sends_progress=True)

    event: Literal["run_failed"] = "run_failed"
    code: Literal["fault", "cancelled", "rejected", "expired", "unusable_input", "model_failed"]
    """Why the run ended."""
    kind: str
    """Kind of the error, or who ended the run."""
    by: Annotated[str, Field(exclude_if=lambda author: not author)] = ""
    """Author of a cancellation or of an expiry; absent for other ends, as in recordings of earlier versions."""
    reason: Annotated[str, Field(exclude_if=lambda reason: not reason)] = ""
    """The author's reason."""

    @property
    def is_failure(self) -> bool:
        """Whether an error ended the run, rather than a person or the limit of its waiting time."""
        return self.code not in ("cancelled", "rejected", "expired")

    @property
    def error(self) -> str:
        return self.kind

    def line(self) -> str:
        end = spaced(f"The run ended: {self.code} ({self.kind})")
        return end + (f", by {self.by}" if self.by else "") + (f": {self.reason}" if self.reason else "")

    def advance(self, progress: ProgressTracker) -> None:
        error = self.code if self.code == self.kind else f"{self.code}: {self.kind}"
        if self.is_failure:
            progress.fail(error)
        else:
            progress.end(self.code, error)


Event: TypeAlias = RunStarted | NodeStarted | NodeFinished | WarningIssued | RunFinished | RunFailed
