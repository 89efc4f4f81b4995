import asyncio
import os
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

from store.errors import Conflict, Invalid
from store.events import Event, Events, follow
from store.store import Store
from tests.store.openers import Opener

pytestmark = pytest.mark.anyio

LARGE = {"noise": os.urandom(100_000).hex()}
"""Large enough to be stored in a blob on AWS."""


async def test_events_are_numbered_from_one(store: Store) -> None:
    assert isinstance(store.events, Events)
    assert await store.events.last("ann", "r") == 0
    assert await store.events.read("ann", "r") == []
    assert [await store.events.append("ann", "r", f"e{n}", {"n": n}) for n in range(3)] == [1, 2, 3]
    assert await store.events.last("ann", "r") == 3
    assert await store.events.read("ann", "r", 1) == [
        Event(2, "e1", {"n": 1}),
        Event(3, "e2", {"n": 2}),
    ]
    assert [event.number for event in await store.events.read("ann", "r", limit=2)] == [1, 2]


async def test_the_same_event_is_written_once(store: Store) -> None:
    await store.events.append("ann", "r", "first", {})
    assert await store.events.append("ann", "r", "same", {"try": 1}) == 2
    assert await store.events.append("ann", "r", "same", {"try": 2}) == 2
    assert await store.events.append_many("ann", "r", [("same", {}), ("new", {}), ("new", {}), ("first", {})]) == [
        2,
        3,
        3,
        1,
    ]
    events = await store.events.read("ann", "r")
    assert [event.event_id for event in events] == ["first", "same", "new"]
    assert events[1].payload == {"try": 1}
    assert await store.events.append_many("ann", "r", []) == []


async def test_events_are_appended_only_after_the_expected_number(store: Store) -> None:
    append = store.events.append_many
    assert await append("ann", "r", [(f"e{n}", {}) for n in range(60)], expected=0) == list(range(1, 61))
    for wrong in (0, 59, 61, 10**9):
        with pytest.raises(Conflict, match=f"'r' ends at 60; the writer expected {wrong}"):
            await append("ann", "r", [("new", {}), ("newer", {})], expected=wrong)
        assert await store.events.last("ann", "r") == 60
        assert await append("ann", "r", [("e3", {})], expected=wrong) == [4]  # nothing new
    assert await append("ann", "r", [("e59", {}), ("new", {})], expected=60) == [60, 61]
    assert await append("ann", "r", [("newer", {})]) == [62]


async def test_a_batch_with_a_bad_event_writes_none(store: Store) -> None:
    with pytest.raises(Invalid, match="payload of event 'e2' is not JSON"):
        await store.events.append_many("ann", "r", [("e1", {}), ("e2", {"x": object()})])
    assert await store.events.last("ann", "r") == 0


@pytest.mark.parametrize("payload", [{}, {"t": "株 🚀 \x00 \ud800"}, {"t": ["x" * 1000] * 1000}])
async def test_a_payload_comes_back_equal(store: Store, payload: dict[str, object]) -> None:
    await store.events.append("ann", "r", "e", payload)
    (event,) = await store.events.read("ann", "r")
    assert event.payload == payload


async def test_logs_of_other_owners_and_runs_are_apart(store: Store) -> None:
    await store.events.append("ann", "r", "e", {"secret": 1})
    for owner, run_id in [("bob", "r"), ("Ann", "r"), ("ann", "R"), ("ann", "r ")]:
        assert await store.events.read(owner, run_id) == []
        assert await store.events.last(owner, run_id) == 0
        assert await store.events.append(owner, run_id, "e", {}) == 1
    assert await store.events.last("ann", "r") == 1


async def test_a_read_has_bounds(store: Store) -> None:
    for after, limit, message in (
        (-1, 1, "`after` is -1"), (2**63, 1, "`after`"), (0, 0, "`limit` is 0"), (0, 1001, "`limit`")
    ):  # fmt: skip
        with pytest.raises(Invalid, match=message):
            await store.events.read("ann", "r", after, limit)
    assert await store.events.read("ann", "r", 2**63 - 1) == []


async def collect(events: Events, count: int, after: int = 0) -> list[int]:
    numbers: list[int] = []
    async with aclosing(follow(events, "ann", "r", after=after)) as following:
        async for event in following:
            numbers.append(event.number)
            if len(numbers) == count:
                break
    return numbers


async def test_followers_see_all_events_after_their_start(store: Store, adapter: str) -> None:
    count = 1200 if adapter == "embedded" else 120  # more than a page, or more than a transaction
    await store.events.append_many("ann", "r", [(f"e{n}", {}) for n in range(count)])
    readers = [asyncio.create_task(collect(store.events, count + 10 - n, after=n)) for n in (0, 7, count - 1)]
    for n in range(count, count + 10):
        await asyncio.sleep(0.005)
        await store.events.append("ann", "r", f"e{n}", {})
    async with asyncio.timeout(60):
        followed = await asyncio.gather(*readers)
    assert followed == [list(range(n + 1, count + 11)) for n in (0, 7, count - 1)]


async def test_an_append_wakes_a_waiter_at_once(store: Store) -> None:
    clock = asyncio.get_running_loop().time
    delays: list[float] = []
    for n in range(5):
        waiter = asyncio.create_task(store.events.wait("ann", "r", n, timeout=30))
        await asyncio.sleep(0.02)
        start = clock()
        await store.events.append("ann", "r", f"e{n}", {})
        assert await waiter
        delays.append(clock() - start)
    assert min(delays) < 0.2  # below the polling interval
    assert await store.events.wait("ann", "r", 0, timeout=0)


async def test_a_wait_ends_after_its_timeout(store: Store) -> None:
    await store.events.append("ann", "other", "e", {})
    assert not await store.events.wait("ann", "r", 0, timeout=0)
    assert not await store.events.wait("ann", "r", 0, timeout=0.05)


async def test_events_of_another_connection_are_followed(store: Store, opener: Opener, tmp_path: Path) -> None:
    reader = asyncio.create_task(collect(store.events, 2))
    async with opener(tmp_path) as other:
        for n in range(2):
            await asyncio.sleep(0.05)
            await other.events.append("ann", "r", f"e{n}", {})
    async with asyncio.timeout(60):
        assert await reader == [1, 2]


async def test_a_cancelled_follower_leaves_the_log_usable(store: Store) -> None:
    reader = asyncio.create_task(collect(store.events, 1))
    await asyncio.sleep(0.05)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await store.events.append("ann", "r", "e", {}) == 1


async def test_threads_with_loops_of_their_own_share_one_store(store: Store, adapter: str) -> None:
    count = 25 if adapter == "embedded" else 5
    numbers: list[int] = []

    async def write(name: int) -> None:
        for n in range(count):
            numbers.append(await store.events.append("ann", "r", f"{name}-{n}", {}))
            await store.events.append("ann", "r", f"shared-{n}", {})

    threads = [threading.Thread(target=lambda n=n: asyncio.run(write(n))) for n in range(4)]
    following = asyncio.create_task(collect(store.events, 5 * count))
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    async with asyncio.timeout(60):
        assert await following == list(range(1, 5 * count + 1))
    assert len(set(numbers)) == 4 * count
    ids = [event.event_id for event in await store.events.read("ann", "r")]
    assert len(set(ids)) == len(ids) == 5 * count


async def test_a_deleted_log_starts_again_at_one(store: Store, adapter: str) -> None:
    count = 1200 if adapter == "embedded" else 120  # more than a page, or more than a transaction
    await store.events.append_many("ann", "r", [(f"e{n}", LARGE if n == 0 else {}) for n in range(count)])
    for owner, run_id in (("ann", "r2"), ("bob", "r")):
        await store.events.append(owner, run_id, "e", {"kept": 1})
    assert await store.events.delete("ann", "r") == count
    assert await store.events.delete("ann", "r") == 0
    assert (await store.events.read("ann", "r"), await store.events.last("ann", "r")) == ([], 0)
    assert not await store.events.wait("ann", "r", 0, timeout=0)
    assert await store.events.append("ann", "r", "e7", {"new": 1}) == 1
    assert await store.events.read("ann", "r") == [Event(1, "e7", {"new": 1})]
    for owner, run_id in (("ann", "r2"), ("bob", "r")):
        assert await store.events.read(owner, run_id) == [Event(1, "e", {"kept": 1})]


async def test_a_log_that_another_connection_deletes_ends_no_wait(store: Store, opener: Opener, tmp_path: Path) -> None:
    await store.events.append("ann", "r", "e", {})
    async with opener(tmp_path) as other:
        assert await other.events.delete("ann", "r") == 1
    assert await store.events.read("ann", "r") == []
    assert not await store.events.wait("ann", "r", 0, timeout=0)


async def test_the_deletion_of_a_missing_log_is_validated_too(store: Store) -> None:
    assert await store.events.delete("ann", "r") == 0
    with pytest.raises(Invalid, match="`run_id`"):
        await store.events.delete("ann", "")
