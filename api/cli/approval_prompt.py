"""Asks the person at the terminal for a decision about a run that waits."""

import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from api.accepted_values import describe_schema, schema_at, short_repr
from api.cli.runs.port import WaitingRun
from api.settings import Settings
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, Subject

ANY_SERVER = " --server URL"
"""The option for a second person: a terminal without a server does not identify its user."""
CHOICES = "a = approve, e = edit the trials, r = reject, Enter = leave it waiting: "
CHOICES_WITHOUT_EDIT = "a = approve, r = reject, Enter = leave it waiting: "
"""For the holdout, which has nothing to edit."""


def ask_person(settings: Settings, waiting: WaitingRun, instructions: Sequence[str]) -> ApprovalDecision | None:
    """The decision of the person at this terminal; without one, prints the instructions and returns None."""
    _print_question(waiting)
    here = not waiting.second_person and _has_terminal()
    decision = _ask(settings, waiting.request.subject) if here else None
    if decision is None:
        for line in instructions:
            print(line, file=sys.stderr)
    return decision


def instructions(waiting: WaitingRun, *, option: str = "", in_chat: bool = False) -> list[str]:
    """How to decide later, with the option that leads to the run."""
    if waiting.second_person:
        return [f"It waits for a second person: python -m api approve {waiting.question}{option or ANY_SERVER}"]
    holdout = " --holdout" if waiting.request.subject == "holdout" else ""
    sizes = "" if in_chat else " (--trials and --paths change it)"
    lines = [
        f"Approve it: python -m api approve {waiting.run}{holdout}{option}{sizes}",
        f"Reject it: python -m api reject {waiting.run}{holdout}{option} --reason TEXT",
    ]
    return [*lines, f"Then: python -m api chat --conversation last{option}"] if in_chat else lines


def confirm_start() -> bool:
    """Whether the person at this terminal approves the estimate; without a terminal, says how to approve it."""
    if not _has_terminal():
        print("Nothing is started. Approve it: the same command with --approve", file=sys.stderr)
        return False
    return _read_answer("a = approve, Enter = start nothing: ").lower() == "a"


def make_decision(settings: Settings, verdict: str, **fields: Any) -> ApprovalDecision:
    """A decision of the user of this home; `InvalidInput` names the option of an invalid field."""
    try:
        return ApprovalDecision.model_validate(
            {"verdict": verdict, "by": settings.owner, "at": datetime.now(UTC)} | fields
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "reason"
        node = schema_at((name,), ApprovalDecision.model_json_schema())
        allowed = describe_schema(node) if first["loc"] else "a reason of 1 to 500 characters"
        value = fields.get(name)
        raise InvalidInput(f"--{name}", value, reason=f"{short_repr(value)} is not allowed", allowed=allowed) from error


@contextmanager
def interruptible() -> Generator[None]:
    """Ctrl-C ends a blocking call at once, which the cancellation of a task would not."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _has_terminal() -> bool:
    return bool(sys.stdin) and sys.stdin.isatty() and sys.stderr.isatty()


def _print_question(waiting: WaitingRun) -> None:
    from graphs.runs.approval import rental_text  # it takes the graph's types, which help must not load

    print(f"Run {waiting.run} waits for approval: {waiting.request.describe()}", file=sys.stderr)
    request, whole = waiting.request, waiting.request.estimate
    if whole is not None:
        print(f"Estimate of the whole: {whole.describe()}", file=sys.stderr)
        if whole.instances:
            print(
                f"It takes {rental_text(whole.instances, request.instance_type, request.dollars_per_hour)}",
                file=sys.stderr,
            )


def _ask(settings: Settings, subject: Subject) -> ApprovalDecision | None:
    """The person's decision; None leaves the run waiting."""
    editable = subject == "launch"
    while choice := _read_answer(CHOICES if editable else CHOICES_WITHOUT_EDIT).lower():
        try:
            match choice:
                case "a":
                    return make_decision(settings, "approved")
                case "e" if editable:
                    return make_decision(settings, "edited", trials=_read_answer("Trials: "))
                case "r":
                    return make_decision(settings, "rejected", reason=_read_answer("Reason: "))
                case _:
                    allowed = "a, e, r, or Enter" if editable else "a, r, or Enter"
                    print(InvalidInput("answer", choice, allowed=allowed), file=sys.stderr)
        except InvalidInput as error:
            print(error, file=sys.stderr)
    return None


def _read_answer(question: str) -> str:
    with interruptible():  # before the question is printed: Ctrl-C may be the answer
        print(question, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    if not line:  # the terminal is closed
        print(file=sys.stderr)
    return line.strip()
