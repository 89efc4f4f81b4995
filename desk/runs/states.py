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
"""`waiting` means that an approval is pending; a rejection is final.

`computing` is a part of running: a remote job continues, and no process executes the run until its completion event.
"""
FINAL_STATES: tuple[RunState, ...] = ("completed", "rejected", "expired")
STOPPED_STATES: tuple[RunState, ...] = (*FINAL_STATES, "failed", "cancelled")
"""States without execution; a failed or cancelled run may be restarted."""
ACTIVE_STATES: tuple[RunState, ...] = ("validating", "running", "aggregating")
EXECUTION_STAGES: tuple[RunState, ...] = (*ACTIVE_STATES, "completed")
"""Stages of an execution, in order."""

SUCCESSORS: dict[RunState, tuple[RunState, ...]] = {
    "created": ("queued", "validating", "failed", "cancelled", "expired"),
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
    "expired": (),
}


class Transition(Frozen):
    state: RunState
    at: datetime
    by: str
    """Author of the transition: the owner, `worker` or another user."""
    reason: str = ""


class IllegalTransition(Conflicting):
    """The run's state does not allow the transition."""

    code = "illegal_transition"

    def __init__(self, run_id: str, state: RunState, target: RunState) -> None:
        allowed = ", ".join(SUCCESSORS[state]) or f"nothing: {state} is an end"
        super().__init__(f"run: {run_id!r} is {state} and cannot become {target}; expected {allowed}")


def check_transition(run_id: str, state: RunState, target: RunState) -> None:
    if target not in SUCCESSORS[state]:
        raise IllegalTransition(run_id, state, target)
