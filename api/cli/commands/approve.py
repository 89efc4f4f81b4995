"""`approve` and `reject`: a person decides about a run that waits, later or where it was asked for."""

import asyncio
import json
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from api.accepted_values import at, in_words, short
from api.cli import options
from api.cli.commands.approvals import approvals
from api.cli.commands.runs import AsJson
from api.settings import Settings, read_settings, server_at
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, ApprovalRequest, Subject

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies

THERE = " --server URL"
"""Where a terminal does not tell who sits at it."""
WAITING = 3
"""Exit code of a command that leaves a run waiting."""
CHOICES = "a = approve, e = edit the trials, r = reject, Enter = leave it waiting: "
WITHOUT_EDITS = "a = approve, r = reject, Enter = leave it waiting: "
"""Of the holdout, which has nothing to edit."""


@dataclass(frozen=True)
class Waiting:
    run: str
    asked: ApprovalRequest
    second_person: bool = False
    """Whether somebody else has to decide."""
    question: str = ""
    """Its id where others find it."""


Decidable = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run, the beginning of one that no other has, or `last`; with --server also that of a "
        "question that `approvals` lists, of 8 letters or more.",
    ),
]
Trials = Annotated[str | None, typer.Option("--trials", metavar="N", help="Approve with that many trials; 10 to 5000.")]
Paths = Annotated[str | None, typer.Option("--paths", metavar="N", help="Approve with that many paths; 100 to 100000.")]
Holdout = Annotated[
    bool, typer.Option("--holdout", help="Decide on opening the locked holdout of a completed run instead.")
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the trace.")]


def register(app: typer.Typer) -> None:
    app.command()(approve)
    app.command()(reject)
    app.command()(approvals)


def approve(
    run: Decidable,
    *,
    trials: Trials = None,
    paths: Paths = None,
    reason: Reason = "",
    holdout: Holdout = False,
    server: options.Server = None,
    json_: AsJson = False,
) -> int:
    """Approve a run that waits, as it is or with fewer or more trials and paths, and go on with it."""
    settings = read_settings()
    changes = {name: value for name, value in (("trials", trials), ("paths", paths)) if value is not None}
    if holdout:
        if changes:
            raise InvalidInput("--holdout", changes, reason="changes no run", allowed="without --trials and --paths")
        _not_there(server)
        return asyncio.run(_open(settings, run, _made(settings, "approved", reason=reason), as_json=json_))
    decided = _made(settings, "edited" if changes else "approved", reason=reason, **changes)
    if url := server_at(server):
        from api.cli import server_runs as remote

        return remote.decide(url, run, decided, as_json=json_)
    return settle(settings, asyncio.run(_decide(settings, run, decided, as_json=json_)), as_json=json_)


def reject(run: Decidable, *, reason: Reason, holdout: Holdout = False, server: options.Server = None) -> int:
    """Reject a run that waits; nothing of it is computed."""
    settings = read_settings()
    decided = _made(settings, "rejected", reason=reason)
    if holdout:
        _not_there(server)
    elif url := server_at(server):
        from api.cli import server_runs as remote

        return remote.decide(url, run, decided, as_json=False)
    asyncio.run(_open(settings, run, decided) if holdout else _decide(settings, run, decided))
    return 0


def _not_there(server: str | None) -> None:
    if url := server_at(server):
        allowed = (
            f"python -m api chat --server {url}, where it is asked for and decided; whoever else may decide it "
            f"finds it with python -m api approvals --server {url}, and approves the question without --holdout"
        )
        raise InvalidInput(
            "--holdout", url, reason="a server opens the holdout in a conversation only", allowed=allowed
        )


async def waiting_for(dependencies: "Dependencies", owner: str, run: str) -> Waiting | None:
    from desk.governance.approvals import load_approval
    from desk.runs.repository import run_of

    if (await run_of(dependencies.store, owner, run)).state != "waiting":
        return None
    approval = await load_approval(dependencies.store, owner, run)
    assert approval is not None
    return Waiting(run, approval.asked, second_person=bool(dependencies.second_person), question=approval.question)


def settle(settings: Settings, waiting: Waiting | None, *, as_json: bool) -> int:
    """Ask the person at the terminal about a run that waits, or say how to decide."""
    if waiting is None:
        return 0
    if as_json:
        print(json.dumps({"run": waiting.run, "state": "waiting", "asked": waiting.asked.model_dump(mode="json")}))
        return WAITING
    decided = ask_here(settings, waiting)
    if decided is None:
        return WAITING
    return settle(settings, asyncio.run(_decide(settings, waiting.run, decided)), as_json=False)


def ask_here(
    settings: Settings, waiting: Waiting, *, server: str = "", talking: bool = False
) -> ApprovalDecision | None:
    """What the person at this terminal decides; None, and how to decide is said, where nobody does."""
    _tell(waiting)
    subject = waiting.asked.subject
    here = not waiting.second_person
    decided = (
        _asked_in_place(settings, subject)
        if here and sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()
        else None
    )
    if decided is not None:
        return decided
    there = f" --server {server}" if server else ""
    if waiting.second_person:
        print(
            f"It waits for a second person: python -m api approve {waiting.question}{there or THERE}", file=sys.stderr
        )
        return None
    if subject == "holdout" and server:
        print(f"Decide it at a terminal: python -m api chat --conversation last{there}", file=sys.stderr)
        return None
    holdout = " --holdout" if subject == "holdout" else ""
    sizes = "" if talking else " (--trials and --paths change it)"
    print(f"Approve it: python -m api approve {waiting.run}{holdout}{there}{sizes}", file=sys.stderr)
    print(f"Reject it: python -m api reject {waiting.run}{holdout}{there} --reason TEXT", file=sys.stderr)
    if talking:
        print(f"Then: python -m api chat --conversation last{there}", file=sys.stderr)
    return None


async def _decide(settings: Settings, name: str, decided: ApprovalDecision, *, as_json: bool = False) -> Waiting | None:
    from api.app import create_dependencies
    from api.cli.commands.optimize import follow
    from api.cli.run_lookup import find
    from api.models import maker_of

    rejects = decided.verdict == "rejected"
    models = None if rejects else maker_of(settings)()
    async with create_dependencies(settings, models) as dependencies:
        run = (await find(dependencies.store, settings.owner, name)).id
        held = await _record(dependencies, settings.owner, run, decided, "launch")
        if rejects:
            print(f"Run {run} is rejected; nothing of it was computed", file=sys.stderr)
            return None
        if held != decided:  # whoever decided first goes on with the run
            print(f"It was decided before; if it was cut off: python -m api optimize --resume {run}", file=sys.stderr)
            return None
        return await follow(settings, dependencies, run, as_json=as_json)


async def _open(settings: Settings, name: str, decided: ApprovalDecision, *, as_json: bool = False) -> int:
    """Ask for the holdout, decide, and show what is found there."""
    from api.app import create_dependencies
    from api.cli.run_lookup import find
    from desk.figures.figures import format_figure
    from graphs.runs.holdout import open_holdout

    async with create_dependencies(settings) as dependencies:
        run = (await find(dependencies.store, settings.owner, name)).id
        opened = await open_holdout(dependencies, settings.owner, run)
        if opened is None or decided.verdict == "rejected":
            await _record(dependencies, settings.owner, run, decided, "holdout")
            if decided.verdict == "rejected":
                return 0
            opened = await open_holdout(dependencies, settings.owner, run)
        assert opened is not None
        if as_json:
            print(json.dumps({"run": run, "holdout": opened.model_dump(mode="json")}))
            return 0
        print(opened.watermark)
        for figure in opened.figures:
            print(f"  {figure.quantity}: {format_figure(figure)}")
        return 0


async def _record(
    dependencies: "Dependencies", owner: str, run: str, decided: ApprovalDecision, subject: Subject
) -> ApprovalDecision:
    """Record the decision and tell the one that holds."""
    from api.cli.output.progress import ruled
    from api.cli.terminal import plain
    from api.operations.audit import audited_command
    from desk.governance.approvals import load_approval
    from desk.governance.principals import Principal
    from desk.governance.roles import ROLES
    from graphs.jobs.approval_decisions import decide_approval

    action = f"{'jobs' if subject == 'launch' else subject}.{'reject' if decided.verdict == 'rejected' else 'approve'}"
    async with audited_command(dependencies.store, Principal(owner=owner, roles=ROLES), action, f"jobs/{run}"):
        await decide_approval(dependencies, owner, run, decided, subject)
    approval = await load_approval(dependencies.store, owner, run, subject)
    assert approval is not None
    assert approval.decided is not None
    print(plain(ruled(approval.decided, subject)), file=sys.stderr)
    return approval.decided


async def decided_here(dependencies: "Dependencies", settings: Settings, run: str, subject: Subject) -> bool:
    """Whether the person at this terminal decides, or has decided elsewhere meanwhile."""
    from desk.governance.approvals import load_approval

    approval = await load_approval(dependencies.store, settings.owner, run, subject)
    assert approval is not None
    if approval.decided is not None:
        return True
    other = bool(dependencies.second_person) or approval.second_person
    waiting = Waiting(run, approval.asked, second_person=other, question=approval.question)
    decided = ask_here(settings, waiting, talking=True)
    if decided is None:
        return False
    await _record(dependencies, settings.owner, run, decided, subject)
    return True


def _tell(waiting: Waiting) -> None:
    from api.cli.output.progress import estimated, wanted
    from graphs.runs.approval import rented

    print(f"Run {waiting.run} waits for approval: {wanted(waiting.asked)}", file=sys.stderr)
    asked, whole = waiting.asked, waiting.asked.estimate
    if whole is not None:
        print(f"Estimate of the whole: {estimated(whole)}", file=sys.stderr)
        if whole.instances:
            print(f"It takes {rented(whole.instances, asked.instance_type, asked.dollars_per_hour)}", file=sys.stderr)


def _asked_in_place(settings: Settings, subject: Subject = "launch") -> ApprovalDecision | None:
    """What the person at the terminal decides; None leaves the run waiting."""
    edits = subject == "launch"
    while choice := _answer(CHOICES if edits else WITHOUT_EDITS).lower():
        try:
            match choice:
                case "a":
                    return _made(settings, "approved")
                case "e" if edits:
                    return _made(settings, "edited", trials=_answer("Trials: "))
                case "r":
                    return _made(settings, "rejected", reason=_answer("Reason: "))
                case _:
                    allowed = "a, e, r, or Enter" if edits else "a, r, or Enter"
                    print(InvalidInput("answer", choice, allowed=allowed), file=sys.stderr)
        except InvalidInput as error:
            print(error, file=sys.stderr)
    return None


def confirmed() -> bool:
    """Whether the person at this terminal approves what was told; where nobody sits at it, it is said how to."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        print("Nothing is started. Approve it: the same command with --approve", file=sys.stderr)
        return False
    return _answer("a = approve, Enter = start nothing: ").lower() == "a"


@contextmanager
def interruptible() -> Generator[None]:
    """Ctrl-C ends the wait for a line at once, which a task's own cancellation would not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _answer(question: str) -> str:
    with interruptible():  # before the question is shown, which somebody may answer with Ctrl-C at once
        print(question, end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
    if not line:  # the terminal was closed: nothing more will come
        print(file=sys.stderr)
    return line.strip()


def _made(settings: Settings, verdict: str, **given: Any) -> ApprovalDecision:
    try:
        return ApprovalDecision.model_validate(
            {"verdict": verdict, "by": settings.owner, "at": datetime.now(UTC)} | given
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "reason"
        node = at((name,), ApprovalDecision.model_json_schema())
        allowed = in_words(node) if first["loc"] else "a reason of 1 to 500 characters"
        value = given.get(name)
        raise InvalidInput(f"--{name}", value, reason=f"{short(value)} is not allowed", allowed=allowed) from error
