"""States of a run and the allowed transitions."""

from datetime import datetime
from typing import Literal, TypeAlias

from desk.base.errors import Conflicting
from quant.numeric.frozen import Frozen

RunState: TypeAlias = Literal[
    "created",
    "queued",
    "validating",
    "running",
    "computing",
    "aggregating",
    "waiting",
    "completed",
    "failed",
    "cancelled",
    "rejected",
    "expired",
]
"""`waiting` means that an approval is pending; a rejection is final. An expired run has waited too long.

`computing` is a part of running: a remote job continues, and no process executes the run until its completion event.
"""
JobState: TypeAlias = RunState | Literal["draft"]
"""The states of a job: it is a draft before it is submitted as a run; see `desk.runs.drafts`."""
FINAL_STATES: tuple[RunState, ...] = ("completed", "rejected")
RESTARTABLE_STATES: tuple[RunState, ...] = ("failed", "cancelled", "expired")
STOPPED_STATES: tuple[RunState, ...] = (*FINAL_STATES, *RESTARTABLE_STATES)
"""States without execution."""
ACTIVE_STATES: tuple[RunState, ...] = ("validating", "running", "aggregating")
EXECUTION_STAGES: tuple[RunState, ...] = (*ACTIVE_STATES, "completed")
"""Stages of an execution, in order."""

SUCCESSORS: dict[JobState, tuple[JobState, ...]] = {
    "draft": ("queued", "waiting", "expired"),
    "created": ("queued", "waiting", "validating", "failed", "cancelled", "expired"),
    "queued": ("validating", "failed", "cancelled", "expired"),
    "validating": ("running", "waiting", "failed", "cancelled", "rejected"),
    "running": ("computing", "aggregating", "waiting", "failed", "cancelled", "rejected"),
    "computing": ("running", "failed", "cancelled"),
    "aggregating": ("completed", "failed", "cancelled"),
    "waiting": ("queued", "running", "cancelled", "rejected", "expired"),
    "failed": ("queued", "validating", "running", "rejected"),
    "cancelled": ("queued", "validating", "rejected"),
    "completed": (),
    "rejected": (),
    "expired": ("queued", "validating", "rejected"),
}
"""Allowed transitions; an edit besides turns an expired draft into a draft again."""


class Transition(Frozen):
    state: JobState
    at: datetime
    by: str
    """Author of the transition: the owner, `worker` or another user."""
    reason: str = ""


class IllegalTransition(Conflicting):
    """The run's state does not allow the transition."""

    code = "illegal_transition"

    def __init__(self, run_id: str, state: JobState, target: JobState) -> None:
        allowed = ", ".join(SUCCESSORS[state]) or f"nothing: {state} is an end"
        super().__init__(f"run: {run_id!r} is {state} and cannot become {target}; expected {allowed}")


def check_transition(run_id: str, state: JobState, target: JobState) -> None:
    if target not in SUCCESSORS[state]:
        raise IllegalTransition(run_id, state, target)
