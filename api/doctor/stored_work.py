"""Checks of the store and of the queue: waiting, interrupted and outdated work, keys, prices and the audit log."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from api.doctor.findings import Finding, failed, ok, skipped, warning
from api.operations.readiness import age_of_prices, look_at_store, look_for_workers
from api.settings import Settings
from store.keys import SYSTEM
from store.records import iterate_records

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies
    from graphs.jobs.fair_queue import Turnstile

SOON = timedelta(days=7)
ABANDONED = timedelta(hours=1)
SHOWN = 5
MANY = 1_000
UNSEEN = timedelta(minutes=10)


async def store(dependencies: "Dependencies", settings: Settings) -> Finding:
    await look_at_store(dependencies, None if settings.store else settings.home / "store.sqlite")
    return ok("store", settings.store or f"in {settings.home}")


async def queue(dependencies: "Dependencies", settings: Settings) -> Finding:  # noqa: ARG001
    assert dependencies.queue is not None
    waiting, dead = await dependencies.queue.depth(), len(await dependencies.queue.dead_letters(MANY))
    found = f"{waiting} messages wait, {dead} dead letters"
    if dead:
        todo = "`python -m api dead-letters` lists them, and with --replay sends one again"
        return warning("queue", found, todo)
    return ok("queue", found)


async def workers(dependencies: "Dependencies", settings: Settings) -> Finding:  # noqa: ARG001
    looked = await look_for_workers(dependencies)
    if looked.status == "ok":
        return ok("workers", "a worker was seen in the last minute")
    return warning("workers", looked.reason, "`python -m api work` executes what is queued, and so does `serve`")


async def tickets(dependencies: "Dependencies", settings: Settings) -> Finding:  # noqa: ARG001
    from graphs.jobs.fair_queue import OVERDUE

    overdue = dependencies.now() - OVERDUE
    late = [
        ticket.job
        for _, turnstile in await _turnstiles(dependencies)
        for ticket in turnstile.places
        if not ticket.sent and ticket.at < overdue
    ]
    if late:
        return warning("tickets", f"{len(late)} jobs were never sent to the queue", "start a worker: it sends them")
    return ok("tickets", "every job that has its turn was sent to the queue")


async def interrupted(dependencies: "Dependencies", settings: Settings) -> Finding:
    """Jobs of the queue that no worker holds, and runs of a terminal that has gone."""
    from graphs.runs.leases import is_leased
    from graphs.runs.repository import KIND, Run
    from graphs.runs.states import ACTIVE

    owners = {settings.owner} | {owner for owner, _ in await _turnstiles(dependencies)}
    left: list[str] = []
    for owner in sorted(owners):
        for state in ACTIVE:
            async for record in iterate_records(
                dependencies.store.records, owner, KIND, label=("state", state), newest_first=True
            ):
                run = Run.model_validate(record.document)
                old = not run.history or run.history[-1].at < dependencies.now() - ABANDONED
                if old and not await is_leased(dependencies.store, owner, run.id, now=dependencies.now):
                    left.append(run.id[:12])
    if not left:
        return ok("runs", "none was left without somebody who executes it")
    named = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    todo = "a worker goes on with those of the queue; `python -m api optimize --resume RUN` with those of a terminal"
    return warning("runs", f"{len(left)} stand still for more than an hour: {named}", todo)


async def computations(dependencies: "Dependencies", settings: Settings) -> Finding:  # noqa: ARG001
    from graphs.runs.computations import KIND, Computation

    found = [
        Computation.model_validate(record.document)
        async for record in iterate_records(dependencies.store.records, SYSTEM, KIND)
    ]
    if not found:
        return ok("computations", "nothing is computed elsewhere")
    if not dependencies.jobs.machines.remote:
        todo = "set STRATIGOS_COMPUTE to what it was when they began: only then are they looked at, and stopped"
        return warning("computations", f"{len(found)} are computed where these settings do not lead", todo)
    unseen = [each.run[:12] for each in found if each.looked_at < dependencies.now() - UNSEEN]
    if unseen:
        said = f"nobody has asked for ten minutes about {', '.join(unseen[:SHOWN])}"
        return warning("computations", said, "start a worker, or schedule the task `sweep`")
    return ok("computations", f"{len(found)} are computed elsewhere")


async def keys(dependencies: "Dependencies", settings: Settings) -> Finding:
    from api.http.identity.api_keys import listed

    if "keys" not in settings.auth:
        return skipped("keys", "nobody signs in with keys")
    now = dependencies.now()
    valid = [key for key in await listed(dependencies.store) if key.revoked is None and key.expires > now]
    if not valid:
        todo = "`python -m api keys create --owner NAME --role ROLE` makes one"
        return warning("keys", "there is none that holds, so nobody can sign in with one", todo)
    ending = [key.id for key in valid if key.expires < now + SOON]
    if ending:
        todo = "make their owners new ones with `python -m api keys create`"
        return warning("keys", f"these end within a week: {', '.join(ending[:SHOWN])}", todo)
    return ok("keys", f"{len(valid)} hold for more than a week")


async def data(dependencies: "Dependencies", settings: Settings) -> Finding:  # noqa: ARG001
    age = await age_of_prices(dependencies.prices, dependencies.now().date())
    found = f"the prices end on {age.last_day}, {age.days_behind} days ago"
    if age.fresh:
        return ok("data", found)
    todo = "research goes on with them; import newer ones (POST /api/market-data/imports) and name them as the universe"
    return warning("data", found, todo)


async def audit_log(dependencies: "Dependencies", settings: Settings) -> Finding:
    from desk.governance.audit_verification import verify

    found = await verify(dependencies.store, settings.audit_key)
    if found.fault is None:
        return ok("audit", f"{found.entries} entries are what was written")
    which = f"entry {found.fault.number}" if found.fault.number else "the head"
    todo = "`python -m api audit verify` tells more; keep a copy of the store as it is before anything is mended"
    return failed("audit", f"{which} of the audit log is not what was written: {found.fault.wrong}", todo)


async def _turnstiles(dependencies: "Dependencies") -> "list[tuple[str, Turnstile]]":
    from graphs.jobs.fair_queue import KIND, Turnstile

    found = iterate_records(dependencies.store.records, SYSTEM, KIND)
    return [(record.key.id, Turnstile.model_validate(record.document)) async for record in found]


CHECKS: tuple[Callable[["Dependencies", Settings], Awaitable[Finding]], ...] = (
    store,
    queue,
    workers,
    tickets,
    interrupted,
    computations,
    keys,
    data,
    audit_log,
)
