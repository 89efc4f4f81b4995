"""Shards in the store, for all runs of all owners, as long as searches use them."""

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
KEPT = timedelta(days=30)
"""After they were last used."""
WRITERS = 16
"""Files that are written or deleted at a time."""
LOOK = 0.5
"""Seconds between two looks at whether the loop is still there."""
MOST = 1000
"""Shards of a record."""

T = TypeVar("T")


class Use(Frozen):
    """That a search asked for these shards, which may be there or not."""

    at: AwareDatetime
    shards: tuple[str, ...]


class BlobShelf:
    """A `desk.compute.shards.sharded_search.Shelf` of the store's blobs, usable from the thread of a search."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, now: Callable[[], datetime]) -> None:
        self._store = store
        self._loop = loop
        self._now = now
        self._writing: deque[Future[None]] = deque()

    def get(self, id_: str) -> bytes | None:
        try:
            return self._done(self._begun(self._store.blobs.get(_key(id_))))
        except Missing:
            return None

    def put(self, id_: str, content: bytes) -> None:
        """It is waited for after a few more, so that a search is not as slow as its storage."""
        self._writing.append(self._begun(self._store.blobs.put(_key(id_), content)))
        if len(self._writing) > WRITERS:
            self._done(self._writing.popleft())

    @contextmanager
    def using(self, ids: Collection[str]) -> Generator[None]:
        """They are noted first, so that a search that is killed leaves none of which nobody knows."""
        self._done(self._begun(note_use(self._store, ids, now=self._now())))
        try:
            yield
        except Exception:  # one that is only dropped, perhaps by the thread of the loop, must not wait for it
            self._flush()
            raise
        self._flush()

    def _flush(self) -> None:
        """All are waited for, and the first that failed is told."""
        writing = list(self._writing)
        self._writing.clear()
        for each in writing:
            self._wait(each)
        for each in writing:
            each.result()

    def _begun(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _done(self, begun: "Future[T]") -> T:
        self._wait(begun)
        return begun.result()

    def _wait(self, begun: "Future[Any]") -> None:
        """In a loop that was closed nothing ends."""
        while not wait([begun], LOOK).done:
            if self._loop.is_closed():
                raise InterruptedError


async def note_use(store: Store, ids: Collection[str], *, now: datetime) -> None:
    shards = tuple(ids)
    for first in range(0, len(shards), MOST):
        use = Use(at=now, shards=shards[first : first + MOST])
        key = Key(SYSTEM, KIND, f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{uuid.uuid4().hex}")
        await store.records.put(key, use.model_dump(mode="json"), expected=0)


async def forget_shards(store: Store, now: datetime, *, dry_run: bool) -> int:
    """Delete those that no search of the last 30 days used; how many."""
    unused: set[str] = set()
    past: list[Key] = []
    async for record in iterate_records(store.records, SYSTEM, KIND):  # the oldest first
        use = Use.model_validate(record.document)
        if use.at > now - KEPT:
            unused.difference_update(use.shards)
        else:
            unused.update(use.shards)
            past.append(record.key)
    if dry_run:
        return len(unused)
    ids = sorted(unused)
    for first in range(0, len(ids), WRITERS):
        await asyncio.gather(*(store.blobs.delete(_key(id_)) for id_ in ids[first : first + WRITERS]))
    for key in past:  # last, so that whoever is cut off is followed by one who finds the rest
        await store.records.delete(key)
    return len(ids)


def _key(id_: str) -> str:
    return f"{SYSTEM}/shards/{id_}"
