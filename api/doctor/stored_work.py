"""Checks of the store and the queue: dead letters, workers, stuck runs, expiring keys, stale prices, the audit log."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from api.doctor.findings import Finding, failed, ok, skipped, warning
from api.http.identity.api_keys import list_keys
from api.operations import readiness
from api.operations.readiness import age_of_prices
from api.settings import Settings
from desk.governance.audit_verification import verify
from desk.runs.repository import KIND, Run
from desk.runs.states import ACTIVE_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue
from graphs.jobs.fair_queue import OwnerQueue
from graphs.runs import computations
from graphs.runs.computations import Computation
from graphs.runs.leases import is_leased
from store.keys import SYSTEM
from store.records import iterate_records

MAX_LISTED = 5
MAX_DEAD_LETTERS = 1_000
ABANDONED_AFTER = timedelta(hours=1)
UNPOLLED_AFTER = timedelta(minutes=10)
EXPIRES_SOON = timedelta(days=7)


async def check_store(dependencies: Dependencies, settings: Settings) -> Finding:
    await readiness.check_store(dependencies, None if settings.store else settings.home / "store.sqlite")
    return ok("store", settings.store or f"in {settings.home}")


async def check_queue(dependencies: Dependencies, settings: Settings) -> Finding:  # noqa: ARG001
    assert dependencies.queue is not None
    depth, dead = await dependencies.queue.depth(), len(await dependencies.queue.dead_letters(MAX_DEAD_LETTERS))
    depths = f"{depth} messages wait, {dead} dead letters"
    if dead:
        todo = "`python -m api dead-letters` lists them; with --replay it sends one again"
        return warning("queue", depths, todo)
    return ok("queue", depths)


async def check_workers(dependencies: Dependencies, settings: Settings) -> Finding:  # noqa: ARG001
    result = await readiness.check_workers(dependencies)
    if result.status == "ok":
        return ok("workers", "a worker was active in the last minute")
    return warning("workers", result.reason, "`python -m api work` executes what is queued, and so does `serve`")


async def check_tickets(dependencies: Dependencies, settings: Settings) -> Finding:  # noqa: ARG001
    now = dependencies.now()
    unsent = [
        ticket.job
        for _, turnstile in await _turnstiles(dependencies)
        for ticket in turnstile.places
        if ticket.is_overdue(now)
    ]
    if unsent:
        return warning("tickets", f"{len(unsent)} jobs were never sent to the queue", "start a worker to send them")
    return ok("tickets", "every job that is due was sent to the queue")


async def check_runs(dependencies: Dependencies, settings: Settings) -> Finding:
    """Queued jobs without a worker, and runs whose terminal has closed."""
    owners = {settings.owner} | {owner for owner, _ in await _turnstiles(dependencies)}
    abandoned: list[str] = []
    for owner in sorted(owners):
        for state in ACTIVE_STATES:
            async for record in iterate_records(
                dependencies.store.records, owner, KIND, label=("state", state), newest_first=True
            ):
                run = Run.model_validate(record.document)
                old = not run.history or run.history[-1].at < dependencies.now() - ABANDONED_AFTER
                if old and not await is_leased(dependencies.store, owner, run.id, now=dependencies.now):
                    abandoned.append(run.id[:12])
    if not abandoned:
        return ok("runs", "every active run is being executed")
    todo = "start a worker for jobs of the queue; `python -m api optimize --resume RUN` resumes runs of a terminal"
    return warning("runs", f"{len(abandoned)} made no progress for an hour: {_listing(abandoned)}", todo)


async def check_computations(dependencies: Dependencies, settings: Settings) -> Finding:  # noqa: ARG001
    remote = [
        Computation.model_validate(record.document)
        async for record in iterate_records(dependencies.store.records, SYSTEM, computations.KIND)
    ]
    if not remote:
        return ok("computations", "no computation runs on another machine")
    if not dependencies.jobs.machines.remote:
        todo = "set STRATIGOS_COMPUTE to its value when they started; only then are they polled and stopped"
        return warning("computations", f"{len(remote)} run on machines that these settings do not use", todo)
    unpolled = [each.run[:12] for each in remote if each.looked_at < dependencies.now() - UNPOLLED_AFTER]
    if unpolled:
        overdue = f"not polled for ten minutes: {', '.join(unpolled[:MAX_LISTED])}"
        return warning("computations", overdue, "start a worker, or schedule the task `sweep`")
    return ok("computations", f"{len(remote)} run on other machines")


async def check_keys(dependencies: Dependencies, settings: Settings) -> Finding:
    if "keys" not in settings.auth:
        return skipped("keys", "STRATIGOS_AUTH does not include keys")
    now = dependencies.now()
    valid = [key for key in await list_keys(dependencies.store) if key.is_valid(now)]
    if not valid:
        todo = "`python -m api keys create --owner NAME --role ROLE` creates one"
        return warning("keys", "there is no valid key, so sign-in with a key fails", todo)
    expiring = [key.id for key in valid if key.expires < now + EXPIRES_SOON]
    if expiring:
        todo = "create new ones for their owners with `python -m api keys create`"
        return warning("keys", f"these expire within a week: {', '.join(expiring[:MAX_LISTED])}", todo)
    return ok("keys", f"{len(valid)} are valid for more than a week")


async def check_data(dependencies: Dependencies, settings: Settings) -> Finding:  # noqa: ARG001
    age = await age_of_prices(dependencies.prices, dependencies.now().date())
    last_prices = f"the prices end on {age.last_day}, {age.days_behind} days ago"
    if age.fresh:
        return ok("data", last_prices)
    todo = "searches still run; import newer prices (POST /api/market-data/imports) and name them as the universe"
    return warning("data", last_prices, todo)


async def check_audit_log(dependencies: Dependencies, settings: Settings) -> Finding:
    verification = await verify(dependencies.store, settings.audit_key)
    if verification.fault is None:
        unanchored = sum(part.last - part.first + 1 for part in verification.unanchored)
        waiting = f", {unanchored} of them not anchored yet" if unanchored else ""
        return ok("audit", f"{verification.entries} entries are unchanged{waiting}")
    fault = verification.fault
    entry = (f"entry {fault.number}" if fault.number else "the head") + (f" of chain {fault.chain}" * bool(fault.chain))
    todo = "`python -m api audit verify` gives details; keep a copy of the store before you repair anything"
    return failed("audit", f"{entry} of the audit log was changed: {verification.fault.wrong}", todo)


def _listing(names: list[str]) -> str:
    return ", ".join(names[:MAX_LISTED]) + (f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else "")


async def _turnstiles(dependencies: Dependencies) -> list[tuple[str, OwnerQueue]]:
    records = iterate_records(dependencies.store.records, SYSTEM, fair_queue.KIND)
    return [(record.key.id, OwnerQueue.model_validate(record.document)) async for record in records]


CHECKS: tuple[Callable[[Dependencies, Settings], Awaitable[Finding]], ...] = (
    check_store,
    check_queue,
    check_workers,
    check_tickets,
    check_runs,
    check_computations,
    check_keys,
    check_data,
    check_audit_log,
)
