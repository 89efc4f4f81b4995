"""Which run a person means."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from desk.base.errors import InvalidInput, NotFound, UserError
from desk.optimization.result import OptimizationResult
from desk.runs.events import RunLaunched, TraceEvent
from quant.strategies.goal import Goal

if TYPE_CHECKING:
    from desk.runs.repository import Run
    from store.store import Store

LAST = "last"


async def find(store: "Store", owner: str, text: str) -> "Run":
    """The run whose id is `text`, or begins so and no other does; `last` is the newest."""
    from desk.runs.repository import list_runs

    runs = await list_runs(store, owner)
    named = chosen([run.id for run in runs], text)
    return next(run for run in runs if run.id == named)


async def find_anyones(store: "Store", owner: str, text: str) -> "Run":
    """The run that `text` means among the owner's; a whole id also among those of everybody else."""
    from desk.base.owners import list_owners
    from desk.runs.repository import Run, record_of
    from store.errors import Invalid

    try:
        return await find(store, owner, text)
    except InvalidInput as error:
        if error.code != "no_such_run":
            raise
        for another in await list_owners(store):
            with suppress(NotFound, Invalid):  # what can be no id is none of theirs either
                return Run.model_validate((await record_of(store, another, text, archived=True)).document)
        allowed = f"{error.allowed}; of another user's the whole id"
        raise InvalidInput("RUN", text, reason=f"there is no run {text!r}", allowed=allowed, code=error.code) from error


def chosen(runs: Sequence[str], text: str) -> str:
    """Of the ids of all runs, the newest first, the one that is meant."""
    found = runs[:1] if text == LAST else [run for run in runs if text and run.startswith(text)]
    allowed = "an id of `python -m api runs`, the beginning of one, or last"
    if not found:
        reason = f"there is no run {text!r}" if runs else "there is no run yet"
        raise InvalidInput("RUN", text, reason=reason, allowed=allowed, code="no_such_run")
    if len(found) > 1 and text not in found:
        reason = f"{text!r} is the beginning of {len(found)} runs"
        raise InvalidInput("RUN", text, reason=reason, allowed=allowed, code="ambiguous_run")
    return text if text in found else found[0]


async def find_logs(store: "Store", owner: str, text: str) -> list[str]:
    """The id of the run that `text` means, or of each turn of the conversation whose id it is or begins."""
    from desk.runs.repository import run_of

    try:
        return [(await run_of(store, owner, (await find(store, owner, text)).id)).id]
    except InvalidInput as error:
        if error.code != "no_such_run" or not (turns := await _turns(store, owner, text)):
            raise
    return turns


async def _turns(store: "Store", owner: str, text: str) -> list[str]:
    from graphs.conversations.turn_execution import conversations, turn_of

    found = [talk for talk in await conversations(store, owner) if text and talk.id.startswith(text)]
    if len(found) != 1:
        return []
    return [(await turn_of(store, owner, found[0].id, number)).id for number in range(1, found[0].turns + 1)]


async def finished(store: "Store", owner: str, run: str) -> OptimizationResult:
    from desk.runs.repository import result_of, run_of

    result = await result_of(store, owner, run)
    if result is None:
        state = (await run_of(store, owner, run)).state
        if state == "rejected":
            raise UserError(f"RUN: {run} was rejected and has no result; expected a completed run, or a new one")
        if state == "waiting":
            decide = f"python -m api approve {run}, or reject"
            raise UserError(f"RUN: {run} waits for a person and has no result yet; expected a completed run ({decide})")
        resume = f"python -m api optimize --resume {run}"
        if state == "computing":
            raise UserError(
                f"RUN: {run} is still computed elsewhere and has no result yet; expected a completed run ({resume} "
                "follows this one)"
            )
        raise UserError(f"RUN: {run} has no result yet; expected a completed run ({resume} goes on with this one)")
    return result


async def logs_of(store: "Store", owner: str, run: str) -> tuple[dict[str, list[TraceEvent]], Mapping[str, Goal]]:
    """The events of a run and of all that it launched, and what their searches maximise, each by the id of the run."""
    from desk.runs.repository import events_of, list_runs

    goals: dict[str, Goal] = {found.id: found.request.goal for found in await list_runs(store, owner)}
    logs: dict[str, list[TraceEvent]] = {}
    wanted = [run]
    while wanted:
        if (name := wanted.pop()) not in logs and (log := await events_of(store, owner, name)):
            logs[name] = log
            wanted += [event.launched for event in log if isinstance(event, RunLaunched)]
    return logs, goals
