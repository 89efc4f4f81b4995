"""Leases: `hold_lease` takes and renews the lease of a run or a turn; another process takes over once it expires."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from desk.base.clock import utc_now
from desk.base.errors import Conflicting
from store.errors import Conflict, Unavailable
from store.records import Key
from store.store import Store

KIND = "lease"
LEASE_SECONDS = 60.0
RETRY_SECONDS = 1.0
MARK = "executed"
"""Ends the name of the mark of a run that is executed without a lease."""
MARK_SECONDS = 30.0


class LeaseHeld(Conflicting):
    """Another process holds the lease."""

    code = "held"


@asynccontextmanager
async def hold_lease(
    store: Store, owner: str, what: str, *, seconds: float = LEASE_SECONDS, now: Callable[[], datetime] = utc_now
) -> AsyncGenerator[None]:
    """Hold `what` of `owner` exclusively; raises `LeaseHeld` if another process holds it, or takes it over later."""
    key, holder = Key(owner, KIND, what), uuid.uuid4().hex
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    version = await _acquire(store, key, holder, seconds, now)
    task = asyncio.current_task()
    assert task is not None
    is_lost = False

    async def renew() -> None:
        nonlocal version, end, is_lost
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                async with asyncio.timeout_at(end):
                    version, end = await _renew(store, key, holder, version, seconds, now)
            except (Conflict, TimeoutError):
                is_lost = True
                task.cancel(f"the lease of {what} was lost")
                return

    renewing = asyncio.create_task(renew())
    try:
        yield
    except asyncio.CancelledError:
        if is_lost and not task.uncancel():
            raise LeaseHeld(f"{what}: its lease was lost, and another process may execute it; expected later") from None
        raise
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])  # its write may be carried out all the same; a cancellation of this task passes
        with suppress(Conflict, Unavailable):  # a lease that cannot be given back ends by itself
            await store.records.delete(key, expected=await _version_of(store, key, holder))
        if not renewing.cancelled():
            renewing.result()  # raises what ended the renewal unexpectedly


async def is_leased(store: Store, owner: str, what: str, *, now: Callable[[], datetime] = utc_now) -> bool:
    record = await store.records.get(Key(owner, KIND, what))
    return record is not None and datetime.fromisoformat(record.document["until"]) > now()


@asynccontextmanager
async def mark_execution(
    store: Store, owner: str, run: str, *, seconds: float = MARK_SECONDS, now: Callable[[], datetime] = utc_now
) -> AsyncGenerator[None]:
    """Mark `run` as executed by this process, without excluding another; that of a killed process expires."""
    key, holder = Key(owner, KIND, f"{run}.{MARK}"), uuid.uuid4().hex

    async def write() -> None:
        with suppress(Conflict, Unavailable):  # another process has just written it, or the next time will do
            record = await store.records.get(key)
            await store.records.put(key, _lease(holder, seconds, now), expected=record.version if record else 0)

    async def renew() -> None:
        while True:
            await asyncio.sleep(seconds / 3)
            await write()

    await write()
    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.wait([renewing])  # a cancellation of this task passes through, unlike one of `renewing`
        with suppress(Conflict, Unavailable):
            await store.records.delete(key, expected=await _version_of(store, key, holder))
        if not renewing.cancelled():
            renewing.result()


async def is_executed(store: Store, owner: str, run: str, *, now: Callable[[], datetime] = utc_now) -> bool:
    """Whether a process executes `run`: a worker, by its lease, or another, by its mark."""
    return await is_leased(store, owner, run, now=now) or await is_leased(store, owner, f"{run}.{MARK}", now=now)


async def _acquire(store: Store, key: Key, holder: str, seconds: float, now: Callable[[], datetime]) -> int:
    record = await store.records.get(key)
    if record is not None and datetime.fromisoformat(record.document["until"]) > now():
        raise LeaseHeld(f"{key.id}: another process executes it; try again once that has ended")
    try:
        return await store.records.put(key, _lease(holder, seconds, now), expected=record.version if record else 0)
    except Conflict as error:
        raise LeaseHeld(f"{key.id}: another process executes it; try again once that has ended") from error


async def _renew(
    store: Store, key: Key, holder: str, version: int, seconds: float, now: Callable[[], datetime]
) -> tuple[int, float]:
    """The version of the lease that is written anew, and when it ends; what passes is waited for."""
    clock = asyncio.get_running_loop().time
    sure = True
    while True:
        end = clock() + seconds
        try:
            if not sure:  # an earlier try may have been carried out, and its answer lost
                version = await _version_of(store, key, holder)
            return await store.records.put(key, _lease(holder, seconds, now), expected=version), end
        except Unavailable:
            sure = False
            await asyncio.sleep(min(RETRY_SECONDS, seconds / 12))


async def _version_of(store: Store, key: Key, holder: str) -> int:
    record = await store.records.get(key)
    if record is None or record.document["holder"] != holder:
        raise Conflict(f"{key.id}: another process holds it")
    return record.version


def _lease(holder: str, seconds: float, now: Callable[[], datetime]) -> dict[str, str]:
    return {"holder": holder, "until": (now() + timedelta(seconds=seconds)).isoformat()}
