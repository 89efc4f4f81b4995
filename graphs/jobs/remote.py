"""Runs whose search is computed elsewhere: nobody executes them meanwhile, and they go on when there is news."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import structlog

from graphs import turnstile
from graphs.computations import KIND, Computation, computation_of, key, settle
from graphs.desk import Desk
from graphs.run_book import KIND as RUN
from graphs.run_book import Cancelled, JobFailed, run_of
from graphs.runs import execute
from graphs.states import STOPPED
from store.errors import Conflict, StoreError
from store.keys import SYSTEM
from store.records import Key, Record, every
from tools.errors import UserError
from tools.jobs import JobStatus
from tools.trace import TraceEvent

AT_ONCE = 50
"""Computations that one round looks at; those that were looked at longest ago come first."""
RECENTLY = timedelta(seconds=15)
"""For so long a look holds for everybody."""
FOLLOW_SECONDS = 5.0
NAME = re.compile(r"(stratigos-[0-9a-f]{24})-[0-9]+")
"""Of an attempt."""

Outcome: TypeAlias = Literal["goes on", "no news", "not ours"]


async def look(desk: Desk) -> int:
    """Ask the machines about what they compute; how many runs go on because there is news of them."""
    if not desk.jobs.machines.remote:
        return 0
    found = [(_known(record), record) async for record in every(desk.store.records, SYSTEM, KIND)]
    before = desk.now() - RECENTLY
    due = sorted(((known, record) for known, record in found if known.looked_at <= before), key=_looked_at)
    return sum([await _looked(desk, record) for _, record in due[:AT_ONCE]])


async def notice(desk: Desk, name: str) -> Outcome:
    """The machines say that something happened to their job of that name."""
    if not desk.jobs.machines.remote:
        return "not ours"
    ours = NAME.fullmatch(name)
    page = await desk.store.records.list(SYSTEM, KIND, label=("about", ours[1])) if ours else None
    if page is None or not page.records:
        return "not ours"
    return "goes on" if await _look_at(desk, _known(page.records[0])) else "no news"


async def carried_out(
    desk: Desk, owner: str, run_id: str, *, seconds: float = FOLLOW_SECONDS
) -> AsyncGenerator[TraceEvent]:
    """Execute the run in place until it ends or waits for a person; it looks so often at what is computed elsewhere."""
    while True:
        async with aclosing(execute(desk, owner, run_id)) as told:
            async for event in told:
                yield event
        if (await run_of(desk.store, owner, run_id)).state not in ("computing", "cancelled"):
            return
        await _until_news(desk, owner, run_id, seconds)


async def _until_news(desk: Desk, owner: str, run_id: str, seconds: float) -> None:
    while True:
        known = await computation_of(desk.store, owner, run_id)  # before the state: one that has ended is forgotten
        state = (await run_of(desk.store, owner, run_id)).state
        if state == "cancelled":
            raise Cancelled(run_id)
        if state == "failed":
            raise JobFailed(run_id)
        if state in STOPPED or known is None:  # somebody else has carried it on
            return
        if state == "computing" and known.is_behind(await _status(desk, known.job)):
            return
        await asyncio.sleep(seconds)


async def _looked(desk: Desk, record: Record) -> bool:
    known = _known(record)
    try:
        claimed = known.model_copy(update={"looked_at": desk.now()})
        await desk.store.records.put_many([claimed.put(record.version)])
        return await _look_at(desk, claimed)
    except Conflict:  # somebody else does
        return False
    except (StoreError, UserError) as error:
        logger: Any = structlog.get_logger()
        logger.warning("computation_unseen", run=known.run, kind=type(error).__name__, reason=str(error))
        return False


async def _look_at(desk: Desk, known: Computation) -> bool:
    run = await desk.store.records.get(Key(known.owner, RUN, known.run))
    if run is None or run.document["state"] in STOPPED:
        await settle(desk, known.owner, known.run)
        return False
    if run.document["state"] != "computing":  # whoever executes it looks
        return False
    return await _go_on(desk, known, await _status(desk, known.job))


async def _go_on(desk: Desk, known: Computation, status: JobStatus) -> bool:
    """Put the run into the queue again, in the place that it has; once for the same news, whoever hears of it."""
    store = desk.store
    while True:
        gate, version = await turnstile.read(store, known.owner)  # first: who cancels the run writes it
        record = await store.records.get(key(known.owner, known.run))
        run = await run_of(store, known.owner, known.run)
        after = gate.again(known.run, desk.now())
        if record is None or run.state != "computing" or after == gate or desk.queue is None:
            return False
        now = _known(record)
        if now.job != known.job or not now.is_behind(status):
            return False
        try:
            await store.records.put_many(
                [turnstile.kept(known.owner, after, version), now.knowing(status).put(record.version)]
            )
        except Conflict:
            continue
        await turnstile.send(store, desk.queue, known.owner, after.new_since(gate))
        return True


async def _status(desk: Desk, job: str) -> JobStatus:
    """Of the job; what its owner can mend is an end, which the run tells when it goes on."""
    try:
        return await desk.jobs.status(job)
    except UserError as error:
        return JobStatus(id=job, state="failed", error=str(error), mendable=True)


def _known(record: Record) -> Computation:
    return Computation.model_validate(record.document)


def _looked_at(found: tuple[Computation, Record]) -> datetime:
    return found[0].looked_at
