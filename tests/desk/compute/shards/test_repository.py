"""Shards in the store: a lost write raises, and unused shards expire."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from desk.compute.local import LocalRunner
from desk.compute.shards.repository import (
    KIND,
    MAX_SHARDS_PER_RECORD,
    WRITERS,
    BlobShardStore,
    delete_unused_shards,
    record_use,
)
from desk.compute.shards.sharded_search import ShardedSimulator
from desk.compute.shards.shards import compute
from desk.optimization.jobs import JobStatus
from store.embedded import open_store
from store.errors import Unavailable
from store.keys import SYSTEM
from store.records import iterate_records
from store.store import Store

pytestmark = pytest.mark.anyio
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)


class Failing:
    """`Blobs` whose n-th put fails after a delay."""

    def __init__(self, inner, nth: int) -> None:
        self._inner = inner
        self._remaining = nth
        self.write_count = 0

    def __getattr__(self, name: str):
        return getattr(self._inner, name)

    async def put(self, key: str, data: bytes) -> None:
        if "/shards/" in key:
            self._remaining -= 1
            if self._remaining == 0:
                await asyncio.sleep(0.02)
                raise Unavailable("the disk is full")
        await self._inner.put(key, data)
        self.write_count += 1


class Here:
    """An `Engine` that computes in this process."""

    def __init__(self, world) -> None:
        self._world = world

    def compute(self, tasks):
        for task in tasks:
            yield task.shard.id(), compute(self._world, task, workers=1)


def shelf_of(store: Store, now: datetime = BEGIN) -> BlobShardStore:
    return BlobShardStore(store, asyncio.get_running_loop(), lambda: now)


async def in_thread(work: Callable[[], object]) -> None:
    """Run in a thread, as a search does."""
    await asyncio.to_thread(work)


async def existing(store: Store, *ids: str) -> list[bool]:
    return [await store.blobs.exists(f"{SYSTEM}/shards/{id_}") for id_ in ids]


async def uses(store: Store) -> int:
    return len([record async for record in iterate_records(store.records, SYSTEM, KIND)])


async def run_to_end(store: Store, world, job, nth: int) -> tuple[JobStatus, Failing]:
    """Run a search in which the n-th put of a shard fails."""
    blobs = Failing(store.blobs, nth)
    failing = replace(store, blobs=blobs)

    async def load(owner, request):
        return world.market

    def simulator(world, happened):
        return ShardedSimulator(world, Here(world), shelf_of(failing))

    runner = LocalRunner(store, load, simulator=simulator)
    await runner.submit(job)
    while (status := await runner.status(job.id())).state in ("queued", "running"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    return status, blobs


async def test_a_storage_that_fails_fails_the_search(world, job, tmp_path):
    search_job = job(world.request, budget=4)
    async with open_store(tmp_path) as store:
        status, blobs = await run_to_end(store, world, search_job, nth=1000)
        assert (status.state, blobs.write_count) == ("completed", 4)  # of two rounds in two scenarios
        assert await uses(store) == 2
    async with open_store(tmp_path / "failing") as store:
        status, _ = await run_to_end(store, world, search_job, nth=4)
        assert (status.state, status.unavailable, status.error) == ("failed", True, "the disk is full")


async def test_stored_shards_are_complete_when_the_work_ends_or_fails(tmp_path):
    ids = [f"{n:064x}" for n in range(WRITERS // 2)]

    def put(shards: BlobShardStore, error: Exception | None = None) -> None:
        with shards.using(ids):
            for id_ in ids:
                shards.put(id_, b"file")
            if error is not None:
                raise error

    async with open_store(tmp_path) as store:
        with pytest.raises(InterruptedError):
            await in_thread(partial(put, shelf_of(store), InterruptedError()))
        assert await existing(store, *ids) == [True] * len(ids)

        for error in (None, InterruptedError()):
            blobs = Failing(store.blobs, 2)
            shards = shelf_of(replace(store, blobs=blobs))
            with pytest.raises(Unavailable, match="the disk is full"):
                await in_thread(partial(put, shards, error))
            assert blobs.write_count == len(ids) - 1, "the others are written"


async def test_a_search_whose_event_loop_is_closed_does_not_wait(tmp_path):
    started = threading.Event()

    class Loop(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(self, callback, *args, context=None):
            handle = super().call_soon_threadsafe(callback, *args, context=context)
            started.set()
            return handle

    async with open_store(tmp_path) as store:
        loop = Loop()
        asking = asyncio.create_task(asyncio.to_thread(BlobShardStore(store, loop, lambda: BEGIN).get, "a"))
        await asyncio.to_thread(started.wait)
        with pytest.warns(RuntimeWarning, match="never awaited"):
            loop.close()
        with pytest.raises(InterruptedError):
            await asking


async def test_shards_expire_thirty_days_after_their_last_use(tmp_path):
    async with open_store(tmp_path) as store:
        for now, ids in ((BEGIN, ("a", "b")), (BEGIN + DAY, ("b", "c")), (BEGIN + DAY, ("never-computed",))):

            def work(shards: BlobShardStore, ids: tuple[str, ...]) -> None:
                with shards.using(ids):
                    for id_ in ids:
                        if id_ != "never-computed" and shards.get(id_) is None:
                            shards.put(id_, id_.encode())

            await in_thread(partial(work, shelf_of(store, now), ids))
        assert await uses(store) == 3

        assert await delete_unused_shards(store, BEGIN + 30 * DAY - timedelta(seconds=1), dry_run=False) == 0
        assert await delete_unused_shards(store, BEGIN + 30 * DAY, dry_run=True) == 1
        assert await existing(store, "a", "b", "c") == [True, True, True]
        assert await delete_unused_shards(store, BEGIN + 30 * DAY, dry_run=False) == 1
        assert await existing(store, "a", "b", "c") == [False, True, True]
        assert await uses(store) == 2
        assert await delete_unused_shards(store, BEGIN + 31 * DAY, dry_run=False) == 3
        assert await existing(store, "b", "c") == [False, False]
        assert (await uses(store), await delete_unused_shards(store, BEGIN + 99 * DAY, dry_run=False)) == (0, 0)


async def test_an_interrupted_deletion_is_completed_by_the_next(tmp_path):
    class Cut:
        def __init__(self, inner) -> None:
            self._inner = inner
            self.remaining = 3

        async def delete(self, key: str) -> None:
            self.remaining -= 1
            if self.remaining < 0:
                raise Unavailable("throttled")
            await self._inner.delete(key)

    ids = [f"{n}" for n in range(MAX_SHARDS_PER_RECORD + 1)]
    async with open_store(tmp_path) as store:
        await record_use(store, ids, now=BEGIN)
        assert await uses(store) == 2
        await store.blobs.put(f"{SYSTEM}/shards/9", b"file")
        with pytest.raises(Unavailable):
            await delete_unused_shards(replace(store, blobs=Cut(store.blobs)), BEGIN + 31 * DAY, dry_run=False)  # pyright: ignore[reportArgumentType]
        assert await delete_unused_shards(store, BEGIN + 31 * DAY, dry_run=False) == len(ids)
        assert (await existing(store, "9"), await uses(store)) == ([False], 0)
