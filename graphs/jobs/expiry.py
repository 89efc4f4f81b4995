"""Expires jobs that have waited too long: as drafts, in the queue or for approval."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog

from desk.base.owners import list_owners
from desk.governance.approval_requests import closing_puts
from desk.governance.approvals import load_approval
from desk.runs.drafts import KIND as DRAFT
from desk.runs.drafts import draft_of, save_draft
from desk.runs.repository import KIND, Run, load_run_record
from desk.runs.states import RunState
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.jobs.job_queue import WORKER, append_end
from graphs.runs.leases import is_leased
from store.errors import Conflict
from store.records import iterate_records

WAITING_STATES: tuple[RunState, ...] = ("queued", "waiting")
"""States of a run that expires after a time."""
RECENT = timedelta(hours=4)
"""Age up to which an expiry is checked for its event, which the process that expired the job may not have stored."""


async def expire_overdue_jobs(dependencies: Dependencies) -> int:
    """Expire the overdue jobs of all owners; returns their number."""
    now, count = dependencies.now(), 0
    for owner in await list_owners(dependencies.store):
        count += await _expire_drafts(dependencies, owner)
        for state in (*WAITING_STATES, "expired"):
            label = ("state", state)
            async for record in iterate_records(
                dependencies.store.records, owner, KIND, label=label, newest_first=True
            ):
                run = Run.model_validate(record.document)
                if run.state != "expired":
                    count += is_overdue(dependencies, run) and await expire_if_due(dependencies, owner, run.id)
                elif run.archived is None and run.updated_at > now - RECENT:
                    await _append_expiry(dependencies, run)
    return count


async def _expire_drafts(dependencies: Dependencies, owner: str) -> int:
    """Expire the drafts that were not edited for long; returns their number."""
    store, lifetimes, now, count = dependencies.store, dependencies.lifetimes, dependencies.now(), 0
    async for record in iterate_records(store.records, owner, DRAFT, label=("state", "draft"), newest_first=True):
        draft = draft_of(record)
        expiry = lifetimes.expiry("draft", draft.edited_at)
        if expiry is not None and expiry <= now:
            with suppress(Conflict):  # it was edited, submitted or deleted meanwhile
                await save_draft(
                    store, draft.with_state("expired", at=now, by=WORKER, reason=lifetimes.reason("draft"))
                )
                count += 1
    return count


async def expire_if_due(dependencies: Dependencies, owner: str, run_id: str, *, leased: bool = False) -> bool:
    """Whether the run is expired now; `leased` means that the caller holds its lease."""
    store = dependencies.store
    while True:
        owner_queue, version = await fair_queue.load_queue(store, owner)  # first: a worker that starts a job writes it
        record = await load_run_record(store, owner, run_id, archived=True)
        run = Run.model_validate(record.document)
        if run.state == "expired":
            await _append_expiry(dependencies, run)
            return True
        if not is_overdue(dependencies, run):
            return False
        if run.state == "queued" and not leased and await is_leased(store, owner, run_id, now=dependencies.now):
            return False  # a worker has just taken it
        now, reason = dependencies.now(), dependencies.lifetimes.reason(run.state)
        run = run.with_state("expired", at=now, by=WORKER, reason=reason)
        after = owner_queue.without_job(run_id).with_places_filled(dependencies.jobs_per_user, now)
        puts = [run.put(record.version), fair_queue.queue_put(owner, after, version)]
        puts += await closing_puts(store, await load_approval(store, owner, run_id), now)
        try:
            await store.records.put_many(puts)
        except Conflict:
            continue
        logger: Any = structlog.get_logger()
        logger.info("job_expired", run=run.id, reason=reason)
        await _append_expiry(dependencies, run)
        if dependencies.queue is not None:
            await fair_queue.send_tickets(store, dependencies.queue, owner, after.new_since(owner_queue))
        return True


def is_overdue(dependencies: Dependencies, run: Run) -> bool:
    expiry = dependencies.lifetimes.expiry(run.state, run.updated_at)
    return expiry is not None and expiry <= dependencies.now()


async def _append_expiry(dependencies: Dependencies, run: Run) -> None:
    await append_end(dependencies, run, code="expired", kind="expired")
