"""Who executes what: of several processes one, and another one once the first has died."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from graphs.log import utc_now
from store.errors import Conflict
from store.records import Key
from store.store import Store
from tools.errors import Conflicting

KIND = "lease"
SECONDS = 60.0


class Held(Conflicting):
    """Another process executes it."""

    code = "held"


@asynccontextmanager
async def leased(
    store: Store, owner: str, what: str, *, seconds: float = SECONDS, now: Callable[[], datetime] = utc_now
) -> AsyncGenerator[None]:
    """Hold `what` of `owner` alone; `Held` where another process does. Who loses the lease is cancelled."""
    key, holder = Key(owner, KIND, what), uuid.uuid4().hex
    version = await _take(store, key, holder, seconds, now)
    task = asyncio.current_task()
    assert task is not None

    async def renew() -> None:
        nonlocal version
        while True:
            await asyncio.sleep(seconds / 3)
            try:
                version = await store.records.put(key, _lease(holder, seconds, now), expected=version)
            except Conflict:
                task.cancel(f"the lease of {what} was lost")
                return

    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        with suppress(asyncio.CancelledError):
            await renewing
        with suppress(Conflict):
            await store.records.delete(key, expected=version)


async def is_leased(store: Store, owner: str, what: str, *, now: Callable[[], datetime] = utc_now) -> bool:
    record = await store.records.get(Key(owner, KIND, what))
    return record is not None and datetime.fromisoformat(record.document["until"]) > now()


async def _take(store: Store, key: Key, holder: str, seconds: float, now: Callable[[], datetime]) -> int:
    record = await store.records.get(key)
    if record is not None and datetime.fromisoformat(record.document["until"]) > now():
        raise Held(f"{key.id}: another process executes it; allowed: once that has ended")
    try:
        return await store.records.put(key, _lease(holder, seconds, now), expected=record.version if record else 0)
    except Conflict as error:
        raise Held(f"{key.id}: another process executes it; allowed: once that has ended") from error


def _lease(holder: str, seconds: float, now: Callable[[], datetime]) -> dict[str, str]:
    return {"holder": holder, "until": (now() + timedelta(seconds=seconds)).isoformat()}
