"""Runs whose search is computed remotely: polls the computation and requeues the run when it has news."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

import structlog

from desk.base.errors import UserError
from desk.optimization.jobs import JobStatus
from desk.runs.events.table import TraceEvent
from desk.runs.repository import KIND as RUN
from desk.runs.repository import Cancelled, JobFailed, load_run
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.jobs.execution import execute
from graphs.runs.computations import KIND, Computation, computation_key, computation_of, stop_computation
from graphs.runs.leases import mark_execution
from store.errors import Conflict, StoreError
from store.keys import SYSTEM
from store.records import Key, Record, iterate_records

POLL_BATCH = 50
"""Computations per polling round; those polled longest ago come first."""
POLL_INTERVAL = timedelta(seconds=15)
"""Seconds during which no process polls the same computation again."""
FOLLOW_SECONDS = 5.0
NAME = re.compile(r"(stratigos-[0-9a-f]{24})-[0-9]+")
"""Suffix of a job's name that numbers its attempt."""

Outcome: TypeAlias = Literal["goes on", "no news", "not ours"]


async def poll_computations(dependencies: Dependencies) -> int:
    """Poll the remote computations; returns how many runs were queued again because of news."""
    if not dependencies.jobs.machines.remote:
        return 0
    computations = [
        (_computation(record), record) async for record in iterate_records(dependencies.store.records, SYSTEM, KIND)
    ]
    before = dependencies.now() - POLL_INTERVAL
    due = sorted(((known, record) for known, record in computations if known.looked_at <= before), key=_last_poll)
    return sum([await _claim_and_poll(dependencies, record) for _, record in due[:POLL_BATCH]])


async def handle_notice(dependencies: Dependencies, name: str) -> Outcome:
    """Handle a notification about the remote job of that name."""
    if not dependencies.jobs.machines.remote:
        return "not ours"
    match = NAME.fullmatch(name)
    page = await dependencies.store.records.list(SYSTEM, KIND, label=("about", match[1])) if match else None
    if page is None or not page.records:
        return "not ours"
    return "goes on" if await _poll(dependencies, _computation(page.records[0])) else "no news"


async def execute_to_end(
    dependencies: Dependencies, owner: str, run_id: str, *, seconds: float = FOLLOW_SECONDS
) -> AsyncGenerator[TraceEvent]:
    """Execute the run in place until it ends or waits for a person; polls its remote computation."""
    while True:
        async with (
            mark_execution(dependencies.store, owner, run_id, now=dependencies.now),
            aclosing(execute(dependencies, owner, run_id)) as events,
        ):
            async for event in events:
                yield event
        if (await load_run(dependencies.store, owner, run_id)).state not in ("computing", "cancelled"):
            return
        await _wait_for_news(dependencies, owner, run_id, seconds)


async def _wait_for_news(dependencies: Dependencies, owner: str, run_id: str, seconds: float) -> None:
    while True:
        computation = await computation_of(
            dependencies.store, owner, run_id
        )  # before the state, since the computation of an ended run is deleted
        state = (await load_run(dependencies.store, owner, run_id)).state
        if state == "cancelled":
            raise Cancelled(run_id)
        if state == "failed":
            raise JobFailed(run_id)
        if state in STOPPED_STATES or computation is None:  # another process has resumed it
            return
        if state == "computing" and computation.is_behind(await _status(dependencies, computation.job)):
            return
        await asyncio.sleep(seconds)


async def _claim_and_poll(dependencies: Dependencies, record: Record) -> bool:
    computation = _computation(record)
    try:
        claimed_computation = computation.model_copy(update={"looked_at": dependencies.now()})
        await dependencies.store.records.put_many([claimed_computation.put(record.version)])
        return await _poll(dependencies, claimed_computation)
    except Conflict:  # another process polls it
        return False
    except (StoreError, UserError) as error:
        logger: Any = structlog.get_logger()
        logger.warning("computation_unseen", run=computation.run, kind=type(error).__name__, reason=str(error))
        return False


async def _poll(dependencies: Dependencies, computation: Computation) -> bool:
    run = await dependencies.store.records.get(Key(computation.owner, RUN, computation.run))
    if run is None or run.document["state"] in STOPPED_STATES:
        await stop_computation(dependencies, computation.owner, computation.run)
        return False
    if run.document["state"] != "computing":  # the process that executes the run polls the job itself
        return False
    return await _requeue(dependencies, computation, await _status(dependencies, computation.job))


async def _requeue(dependencies: Dependencies, computation: Computation, status: JobStatus) -> bool:
    """Queue the run again, keeping its place; once per news, even if several processes see it."""
    store = dependencies.store
    while True:
        owner_queue, version = await fair_queue.load_queue(
            store, computation.owner
        )  # first, because a cancel writes this record too
        record = await store.records.get(computation_key(computation.owner, computation.run))
        run = await load_run(store, computation.owner, computation.run)
        after = owner_queue.with_new_ticket(computation.run, dependencies.now())
        if record is None or run.state != "computing" or after == owner_queue or dependencies.queue is None:
            return False
        stored_computation = _computation(record)
        if stored_computation.job != computation.job or not stored_computation.is_behind(status):
            return False
        try:
            await store.records.put_many(
                [
                    fair_queue.queue_put(computation.owner, after, version),
                    stored_computation.with_status(status).put(record.version),
                ]
            )
        except Conflict:
            continue
        await fair_queue.send_tickets(store, dependencies.queue, computation.owner, after.new_since(owner_queue))
        return True


async def _status(dependencies: Dependencies, job: str) -> JobStatus:
    """The status of the job; an error that its owner can correct counts as its end, and the resumed run reports it."""
    try:
        return await dependencies.jobs.status(job)
    except UserError as error:
        return JobStatus(id=job, state="failed", error=str(error), mendable=True)


def _computation(record: Record) -> Computation:
    return Computation.model_validate(record.document)


def _last_poll(computation_record: tuple[Computation, Record]) -> datetime:
    return computation_record[0].looked_at
