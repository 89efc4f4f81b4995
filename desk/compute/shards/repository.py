"""Stores shards for all runs of all owners, and deletes those that no recent search used."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Generator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from pydantic import AwareDatetime

from quant.numeric.frozen import Frozen
from store.errors import Missing
from store.keys import SYSTEM
from store.records import Key, iterate_records
from store.store import Store

KIND = "shard_use"
RETENTION = timedelta(days=30)
"""Time for which a shard is stored after its last use."""
WRITERS = 16
"""Blobs that are written or deleted concurrently."""
POLL_SECONDS = 0.5
"""Seconds between two checks whether the event loop is closed."""
MAX_SHARDS_PER_RECORD = 1000
"""Shards listed in one record."""

T = TypeVar("T")


class ShardUse(Frozen):
    """Record of a search that uses these shards, stored or not."""

    at: AwareDatetime
    shards: tuple[str, ...]


class BlobShardStore:
    """A `desk.compute.shards.sharded_search.ShardStore` of blobs, called in the thread of a search."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, now: Callable[[], datetime]) -> None:
        self._store = store
        self._loop = loop
        self._now = now
        self._writes: deque[Future[None]] = deque()

    def get(self, id_: str) -> bytes | None:
        try:
            return self._result(self._schedule(self._store.blobs.get(_key(id_))))
        except Missing:
            return None

    def put(self, id_: str, content: bytes) -> None:
        """Start the write; wait for the oldest once `WRITERS` are pending, so that storage rarely delays the search."""
        self._writes.append(self._schedule(self._store.blobs.put(_key(id_), content)))
        if len(self._writes) > WRITERS:
            self._result(self._writes.popleft())

    @contextmanager
    def using(self, ids: Collection[str]) -> Generator[None]:
        """The use is recorded first, so that shards of a killed search are deleted later."""
        self._result(self._schedule(record_use(self._store, ids, now=self._now())))
        try:
            yield
        except Exception:  # GeneratorExit must not block: the loop's thread may raise it
            self._flush()
            raise
        self._flush()

    def _flush(self) -> None:
        """Wait for all writes and raise the first error."""
        writes = list(self._writes)
        self._writes.clear()
        for write in writes:
            self._wait(write)
        for write in writes:
            write.result()

    def _schedule(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _result(self, future: "Future[T]") -> T:
        self._wait(future)
        return future.result()

    def _wait(self, future: "Future[Any]") -> None:
        """Raises `InterruptedError` when the loop is closed, since the future then never completes."""
        while not wait([future], POLL_SECONDS).done:
            if self._loop.is_closed():
                raise InterruptedError


async def record_use(store: Store, ids: Collection[str], *, now: datetime) -> None:
    shards = tuple(ids)
    for first in range(0, len(shards), MAX_SHARDS_PER_RECORD):
        use = ShardUse(at=now, shards=shards[first : first + MAX_SHARDS_PER_RECORD])
        key = Key(SYSTEM, KIND, f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{uuid.uuid4().hex}")
        await store.records.put(key, use.model_dump(mode="json"), expected=0)


async def delete_unused_shards(store: Store, now: datetime, *, dry_run: bool) -> int:
    """Delete the shards that no search of the last 30 days used; their number."""
    unused: set[str] = set()
    expired: list[Key] = []
    async for record in iterate_records(store.records, SYSTEM, KIND):  # the oldest first
        use = ShardUse.model_validate(record.document)
        if use.at > now - RETENTION:
            unused.difference_update(use.shards)
        else:
            unused.update(use.shards)
            expired.append(record.key)
    if dry_run:
        return len(unused)
    ids = sorted(unused)
    for first in range(0, len(ids), WRITERS):
        await asyncio.gather(*(store.blobs.delete(_key(id_)) for id_ in ids[first : first + WRITERS]))
    for key in expired:  # last, so that an interrupted deletion is completed by the next
        await store.records.delete(key)
    return len(ids)


def _key(id_: str) -> str:
    return f"{SYSTEM}/shards/{id_}"
