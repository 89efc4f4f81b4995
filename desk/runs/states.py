"""The states of a run, and which may follow which."""

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
"""`waiting` is for a person's approval; what is decided holds for ever, so `rejected` is an end.

`computing` is a part of running: a job elsewhere goes on, and nobody executes the run until there is news of it.
"""
ENDED: tuple[RunState, ...] = ("completed", "rejected", "expired")
STOPPED: tuple[RunState, ...] = (*ENDED, "failed", "cancelled")
"""Nobody executes it any more; a failed and a cancelled one may be begun again."""
ACTIVE: tuple[RunState, ...] = ("validating", "running", "aggregating")
STAGES: tuple[RunState, ...] = (*ACTIVE, "completed")
"""What an execution goes through, in order."""

AFTER: dict[RunState, tuple[RunState, ...]] = {
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
    """The owner, `worker`, or whoever else moved it."""
    reason: str = ""


class IllegalTransition(Conflicting):
    """The run is in a state after which the other cannot come."""

    code = "illegal_transition"

    def __init__(self, run_id: str, state: RunState, wanted: RunState) -> None:
        allowed = ", ".join(AFTER[state]) or f"nothing: {state} is an end"
        super().__init__(f"run: {run_id!r} is {state} and cannot become {wanted}; expected {allowed}")


def check_transition(run_id: str, state: RunState, wanted: RunState) -> None:
    if wanted not in AFTER[state]:
        raise IllegalTransition(run_id, state, wanted)
