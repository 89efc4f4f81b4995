"""Runs by the names that a person types, and their results and events."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from desk.base.errors import InvalidInput, NotFound, UserError
from desk.base.owners import list_owners
from desk.optimization.result import OptimizationResult
from desk.runs.events.conversation import RunLaunched
from desk.runs.events.table import TraceEvent
from desk.runs.repository import Run, list_runs, load_events, load_final_result, load_run, load_run_record
from quant.strategies.goal import Goal
from store.errors import Invalid

if TYPE_CHECKING:
    from store.store import Store

LAST = "last"


async def find(store: "Store", owner: str, text: str) -> "Run":
    """The run whose id is `text` or alone begins with it; `last` is the newest."""
    runs = await list_runs(store, owner)
    id_ = choose([run.id for run in runs], text)
    return next(run for run in runs if run.id == id_)


async def find_anyones(store: "Store", owner: str, text: str) -> "Run":
    """The run of the owner that `text` names, or of any owner if `text` is a whole id."""
    try:
        return await find(store, owner, text)
    except InvalidInput as error:
        if error.code != "no_such_run":
            raise
        for another in await list_owners(store):
            with suppress(NotFound, Invalid):  # `text` may not even have the form of an id
                return Run.model_validate((await load_run_record(store, another, text, archived=True)).document)
        allowed = f"{error.allowed}; of another user's the whole id"
        raise InvalidInput("RUN", text, reason=f"there is no run {text!r}", allowed=allowed, code=error.code) from error


def choose(runs: Sequence[str], text: str) -> str:
    """The one of `runs`, newest first, that `text` names."""
    matches = runs[:1] if text == LAST else [run for run in runs if text and run.startswith(text)]
    allowed = "an id of `python -m api runs`, the beginning of one, or last"
    if not matches:
        reason = f"there is no run {text!r}" if runs else "there is no run yet"
        raise InvalidInput("RUN", text, reason=reason, allowed=allowed, code="no_such_run")
    if len(matches) > 1 and text not in matches:
        reason = f"{text!r} is the beginning of {len(matches)} runs"
        raise InvalidInput("RUN", text, reason=reason, allowed=allowed, code="ambiguous_run")
    return text if text in matches else matches[0]


def choose_draft(drafts: Sequence[str], text: str) -> str:
    """The one of `drafts`, newest first, that `text` names."""
    matches = drafts[:1] if text == LAST else [draft for draft in drafts if text and draft.startswith(text)]
    allowed = "an id of `python -m api draft list`, its unique beginning, or last"
    if not matches or (len(matches) > 1 and text not in matches):
        reason = f"{text!r} is the beginning of {len(matches)} drafts" if matches else f"there is no draft {text!r}"
        raise InvalidInput("DRAFT", text, reason=reason, allowed=allowed, code="no_such_draft")
    return text if text in matches else matches[0]


async def find_logs(store: "Store", owner: str, text: str) -> list[str]:
    """The id of the run that `text` names, or of each turn of the conversation that it names."""
    try:
        return [(await load_run(store, owner, (await find(store, owner, text)).id)).id]
    except InvalidInput as error:
        if error.code != "no_such_run" or not (turns := await _turns(store, owner, text)):
            raise
    return turns


async def _turns(store: "Store", owner: str, text: str) -> list[str]:
    from graphs.conversations.turn_execution import list_conversations, turn_of

    matches = [each for each in await list_conversations(store, owner) if text and each.id.startswith(text)]
    if len(matches) != 1:
        return []
    return [(await turn_of(store, owner, matches[0].id, number)).id for number in range(1, matches[0].turns + 1)]


async def load_result(store: "Store", owner: str, run: str) -> OptimizationResult:
    """The result of a completed run; otherwise a `UserError` that says what the run needs."""
    result = await load_final_result(store, owner, run)
    if result is None:
        raise without_result(run, (await load_run(store, owner, run)).state)
    return result


def without_result(run: str, state: str, *, option: str = "", error: str | None = None) -> UserError:
    """The error for a run without a result; `option` completes the suggested commands."""
    resume = f"python -m api optimize --resume {run}{option}"
    match state:
        case "rejected":
            return UserError(f"RUN: {run} was rejected and has no result; expected a completed run, or a new one")
        case "waiting":
            decide = f"python -m api approve {run}{option}, or reject"
            return UserError(
                f"RUN: {run} waits for a person and has no result yet; expected a completed run ({decide})"
            )
        case "computing":
            return UserError(
                f"RUN: {run} is still computed elsewhere and has no result yet; expected a completed run ({resume} "
                "follows it)"
            )
        case _:
            cause = f" ({error})" if error else ""
            present = "has expired" if state == "expired" else f"is {state}"
            return UserError(
                f"RUN: {run} {present}{cause} and has no result; expected a completed run ({resume} continues it)"
            )


async def logs_of(store: "Store", owner: str, run: str) -> tuple[dict[str, list[TraceEvent]], Mapping[str, Goal]]:
    """The events of a run and of all runs that it launched, and the goals of their searches, by the id of the run."""
    goals: dict[str, Goal] = {each.id: each.request.goal for each in await list_runs(store, owner)}
    logs: dict[str, list[TraceEvent]] = {}
    pending = [run]
    while pending:
        if (name := pending.pop()) not in logs and (log := await load_events(store, owner, name)):
            logs[name] = log
            pending += [event.launched for event in log if isinstance(event, RunLaunched)]
    return logs, goals
