"""Runs whose search is computed elsewhere: nobody executes them meanwhile, and they go on when there is news."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import structlog

from desk.base.errors import UserError
from desk.optimization.jobs import JobStatus
from desk.runs.events import TraceEvent
from desk.runs.repository import KIND as RUN
from desk.runs.repository import Cancelled, JobFailed, load_run
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.jobs.execution import execute
from graphs.runs.computations import KIND, Computation, computation_of, key, settle
from store.errors import Conflict, StoreError
from store.keys import SYSTEM
from store.records import Key, Record, iterate_records

AT_ONCE = 50
"""Computations that one round looks at; those that were looked at longest ago come first."""
RECENTLY = timedelta(seconds=15)
"""For so long a look holds for everybody."""
FOLLOW_SECONDS = 5.0
NAME = re.compile(r"(stratigos-[0-9a-f]{24})-[0-9]+")
"""Of an attempt."""

Outcome: TypeAlias = Literal["goes on", "no news", "not ours"]


async def look(dependencies: Dependencies) -> int:
    """Ask the machines about what they compute; how many runs go on because there is news of them."""
    if not dependencies.jobs.machines.remote:
        return 0
    found = [(_known(record), record) async for record in iterate_records(dependencies.store.records, SYSTEM, KIND)]
    before = dependencies.now() - RECENTLY
    due = sorted(((known, record) for known, record in found if known.looked_at <= before), key=_looked_at)
    return sum([await _looked(dependencies, record) for _, record in due[:AT_ONCE]])


async def notice(dependencies: Dependencies, name: str) -> Outcome:
    """The machines say that something happened to their job of that name."""
    if not dependencies.jobs.machines.remote:
        return "not ours"
    ours = NAME.fullmatch(name)
    page = await dependencies.store.records.list(SYSTEM, KIND, label=("about", ours[1])) if ours else None
    if page is None or not page.records:
        return "not ours"
    return "goes on" if await _look_at(dependencies, _known(page.records[0])) else "no news"


async def carried_out(
    dependencies: Dependencies, owner: str, run_id: str, *, seconds: float = FOLLOW_SECONDS
) -> AsyncGenerator[TraceEvent]:
    """Execute the run in place until it ends or waits for a person; it looks so often at what is computed elsewhere."""
    while True:
        async with aclosing(execute(dependencies, owner, run_id)) as told:
            async for event in told:
                yield event
        if (await load_run(dependencies.store, owner, run_id)).state not in ("computing", "cancelled"):
            return
        await _until_news(dependencies, owner, run_id, seconds)


async def _until_news(dependencies: Dependencies, owner: str, run_id: str, seconds: float) -> None:
    while True:
        known = await computation_of(
            dependencies.store, owner, run_id
        )  # before the state: one that has ended is forgotten
        state = (await load_run(dependencies.store, owner, run_id)).state
        if state == "cancelled":
            raise Cancelled(run_id)
        if state == "failed":
            raise JobFailed(run_id)
        if state in STOPPED_STATES or known is None:  # somebody else has carried it on
            return
        if state == "computing" and known.is_behind(await _status(dependencies, known.job)):
            return
        await asyncio.sleep(seconds)


async def _looked(dependencies: Dependencies, record: Record) -> bool:
    known = _known(record)
    try:
        claimed = known.model_copy(update={"looked_at": dependencies.now()})
        await dependencies.store.records.put_many([claimed.put(record.version)])
        return await _look_at(dependencies, claimed)
    except Conflict:  # somebody else does
        return False
    except (StoreError, UserError) as error:
        logger: Any = structlog.get_logger()
        logger.warning("computation_unseen", run=known.run, kind=type(error).__name__, reason=str(error))
        return False


async def _look_at(dependencies: Dependencies, known: Computation) -> bool:
    run = await dependencies.store.records.get(Key(known.owner, RUN, known.run))
    if run is None or run.document["state"] in STOPPED_STATES:
        await settle(dependencies, known.owner, known.run)
        return False
    if run.document["state"] != "computing":  # whoever executes it looks
        return False
    return await _go_on(dependencies, known, await _status(dependencies, known.job))


async def _go_on(dependencies: Dependencies, known: Computation, status: JobStatus) -> bool:
    """Put the run into the queue again, in the place that it has; once for the same news, whoever hears of it."""
    store = dependencies.store
    while True:
        gate, version = await fair_queue.read(store, known.owner)  # first: who cancels the run writes it
        record = await store.records.get(key(known.owner, known.run))
        run = await load_run(store, known.owner, known.run)
        after = gate.again(known.run, dependencies.now())
        if record is None or run.state != "computing" or after == gate or dependencies.queue is None:
            return False
        now = _known(record)
        if now.job != known.job or not now.is_behind(status):
            return False
        try:
            await store.records.put_many(
                [fair_queue.kept(known.owner, after, version), now.knowing(status).put(record.version)]
            )
        except Conflict:
            continue
        await fair_queue.send(store, dependencies.queue, known.owner, after.new_since(gate))
        return True


async def _status(dependencies: Dependencies, job: str) -> JobStatus:
    """Of the job; what its owner can mend is an end, which the run tells when it goes on."""
    try:
        return await dependencies.jobs.status(job)
    except UserError as error:
        return JobStatus(id=job, state="failed", error=str(error), mendable=True)


def _known(record: Record) -> Computation:
    return Computation.model_validate(record.document)


def _looked_at(found: tuple[Computation, Record]) -> datetime:
    return found[0].looked_at
