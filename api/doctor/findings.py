"""A finding of a check: its state, what was found, and what to do."""

from typing import Literal, TypeAlias

from agents.recording.scrubbing import scrub
from desk.base.errors import InvalidInput, reason_and_allowed
from quant.numeric.frozen import Frozen

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Finding(Frozen):
    name: str
    state: State
    found: str
    todo: str = ""
    """What mends it."""


def ok(name: str, found: str) -> Finding:
    return Finding(name=name, state="ok", found=found)


def warning(name: str, found: str, todo: str) -> Finding:
    return Finding(name=name, state="warning", found=scrub(found), todo=scrub(todo))


def failed(name: str, found: str, todo: str) -> Finding:
    return Finding(name=name, state="failed", found=scrub(found), todo=scrub(todo))


def skipped(name: str, found: str) -> Finding:
    return Finding(name=name, state="skipped", found=found)


def refused(name: str, error: InvalidInput) -> Finding:
    return failed(name, reason_and_allowed(str(error))[0], f"set {error.field} to {error.allowed}")
