"""The result of one check and its constructors."""

from typing import Literal, TypeAlias

from agents.recording.scrubbing import scrub
from desk.base.errors import InvalidInput, reason_and_allowed
from quant.numeric.frozen import Frozen

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]


class Finding(Frozen):
    """What a check found."""

    name: str
    state: State
    found: str
    todo: str = ""
    """How to fix it."""


def ok(name: str, found: str) -> Finding:
    return Finding(name=name, state="ok", found=found)


def warning(name: str, found: str, todo: str) -> Finding:
    return Finding(name=name, state="warning", found=scrub(found), todo=scrub(todo))


def failed(name: str, found: str, todo: str) -> Finding:
    return Finding(name=name, state="failed", found=scrub(found), todo=scrub(todo))


def skipped(name: str, found: str) -> Finding:
    return Finding(name=name, state="skipped", found=found)


def invalid_setting(name: str, error: InvalidInput) -> Finding:
    return failed(name, reason_and_allowed(str(error))[0], f"set {error.field} to {error.allowed}")
