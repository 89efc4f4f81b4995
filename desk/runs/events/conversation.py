"""Events of a conversation's turn, and of the runs that it launches."""

from typing import Literal, TypeAlias

from desk.base.text import number, spaced
from desk.governance.approvals import Subject
from desk.governance.usage import Usage
from desk.runs.events.base import BaseEvent, Row
from desk.runs.progress import ProgressTracker


class TurnStarted(BaseEvent):
    """A turn started; the user's message is stored in the conversation."""

    row = Row(stage="conversation", opens="turn", live=False)

    event: Literal["turn_started"] = "turn_started"
    conversation: str
    turn: int
    model: str

    def line(self) -> str:
        return f"Turn {self.turn} of conversation {self.conversation}, driven by {self.model}"


class RunLaunched(BaseEvent):
    """A conversation launched a run, which has its own log."""

    row = Row(stage="conversation", agui="launched_run_state")

    event: Literal["run_launched"] = "run_launched"
    launched: str
    """Id of the launched run."""
    name: str

    def line(self) -> str:
        return f"Launched run {self.launched}: {self.name}"

    def label(self) -> str:
        return f"Launched {self.launched}: {self.name}"


class TurnPaused(BaseEvent):
    """The turn waits for an approval, which the run's log describes."""

    row = Row(stage="conversation", live=False)

    event: Literal["turn_paused"] = "turn_paused"
    conversation: str
    turn: int
    waits_for: str
    """Id of the run."""
    subject: Subject

    def line(self) -> str:
        return f"Turn {self.turn} waits for a decision on the {self.subject} of run {self.waits_for}"

    def advance(self, progress: ProgressTracker) -> None:
        progress.wait()


class TurnFinished(BaseEvent):
    row = Row(stage="conversation", closes="turn", sends_progress=True)

    event: Literal["turn_finished"] = "turn_finished"
    conversation: str
    turn: int
    outcome: Literal["answered", "declined", "asked_back", "no_answer"]
    """How the turn ended."""
    usage: Usage
    """Usage of the assistant alone; excluded from comparisons."""

    @property
    def live(self) -> bool:
        return self.usage.tokens > 0

    def line(self) -> str:
        return f"The assistant took {number(self.usage.tokens)} tokens, {number(self.usage.seconds, 1)} s"

    def label(self) -> str:
        return f"Finished: {spaced(self.outcome)}"

    def advance(self, progress: ProgressTracker) -> None:
        progress.finish()


Event: TypeAlias = TurnStarted | RunLaunched | TurnPaused | TurnFinished
