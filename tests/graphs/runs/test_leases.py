"""Leases survive storage faults, and are given up if they cannot be renewed in time."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from graphs.runs.leases import LeaseHeld, hold_lease, is_executed, is_leased, mark_execution
from store.embedded import open_store
from store.errors import OutcomeUnknown, Unavailable
from store.records import Key
from store.store import Store
from tests.graphs.dependencies import OWNER

pytestmark = pytest.mark.anyio

JOB = "job"
SECONDS = 0.8


class Faulty:
    """Records whose puts fail, before they are written or after."""

    def __init__(self, records, faults: list[Unavailable]) -> None:
        self._records = records
        self.faults = faults

    def __getattr__(self, name):
        return getattr(self._records, name)

    async def put(self, key, document, **options):
        version, fault = 0, self.faults.pop() if self.faults else None
        if fault is None or isinstance(fault, OutcomeUnknown):
            version = await self._records.put(key, document, **options)
        if fault is not None:
            raise fault
        return version


@pytest.fixture
async def store(home) -> AsyncGenerator[Store]:
    async with open_store(home) as opened:
        object.__setattr__(opened, "records", Faulty(opened.records, []))
        yield opened


async def hold(store: Store, faults: list[Unavailable], seconds: float) -> None:
    async with hold_lease(store, OWNER, JOB, seconds=SECONDS):
        store.records.faults[:] = faults  # pyright: ignore[reportAttributeAccessIssue]
        await asyncio.sleep(seconds)
        with pytest.raises(LeaseHeld):
            async with hold_lease(store, OWNER, JOB):
                pass


@pytest.mark.parametrize("fault", [Unavailable("disk full"), OutcomeUnknown("connection lost")])
async def test_a_fault_of_the_storage_does_not_lose_it(store, fault):
    await hold(store, [fault, fault], 1.25 * SECONDS)
    assert not await is_leased(store, OWNER, JOB)


async def test_a_holder_that_cannot_renew_stops_before_the_lease_expires(store):
    with pytest.raises(LeaseHeld, match="its lease was lost"):
        await hold(store, [Unavailable("disk full")] * 100, 10.0)


async def test_a_holder_that_lost_the_lease_stops_and_does_not_release_it(store):
    other = {"holder": "other", "until": "2999-01-01T00:00:00+00:00"}

    async def robbed() -> None:
        async with hold_lease(store, OWNER, JOB, seconds=SECONDS):
            await store.records.put(Key(OWNER, "lease", JOB), other)
            await asyncio.sleep(10.0)

    with pytest.raises(LeaseHeld, match="its lease was lost"):
        await robbed()
    record = await store.records.get(Key(OWNER, "lease", JOB))
    assert record is not None
    assert record.document == other


async def test_a_mark_lasts_as_long_as_its_process_and_excludes_no_other(store):
    async with mark_execution(store, OWNER, JOB, seconds=SECONDS):
        assert await is_executed(store, OWNER, JOB)
        async with mark_execution(store, OWNER, JOB, seconds=SECONDS), hold_lease(store, OWNER, JOB):
            pass
        await asyncio.sleep(0.5 * SECONDS)  # the first process marks it anew
        assert await is_executed(store, OWNER, JOB)
    assert not await is_executed(store, OWNER, JOB)
    async with hold_lease(store, OWNER, JOB):
        assert await is_executed(store, OWNER, JOB)


async def test_the_mark_of_a_killed_process_expires(store):
    now = datetime(2026, 1, 5, tzinfo=UTC)
    marking = mark_execution(store, OWNER, JOB, seconds=30.0, now=lambda: now)
    await marking.__aenter__()  # left open, as by a killed process
    assert await is_executed(store, OWNER, JOB, now=lambda: now + timedelta(seconds=29))
    assert not await is_executed(store, OWNER, JOB, now=lambda: now + timedelta(seconds=30))
    await marking.__aexit__(None, None, None)


async def test_a_cancellation_while_the_mark_ends_is_not_lost(store):
    async def execute() -> None:
        async with mark_execution(store, OWNER, JOB):
            asyncio.get_running_loop().call_soon(task.cancel)  # arrives while the renewal is being stopped
        await asyncio.sleep(3600)

    task = asyncio.create_task(execute())
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(10):
            await task
