"""Requests to DynamoDB that the store makes: none for what this process knows and a condition verifies."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from store.aws.store import aws_store
from store.errors import Conflict
from store.local_files import FileBlobs
from store.records import Key, Put, batches, iterate_records
from store.store import Store
from tests.doubles.memory_dynamodb import MemoryDynamoDB

pytestmark = pytest.mark.anyio
KEY = Key("ann", "run", "r1")


@pytest.fixture
def client() -> MemoryDynamoDB:
    return MemoryDynamoDB()


@pytest.fixture
async def store(anyio_backend: str, client: MemoryDynamoDB, tmp_path: Path) -> AsyncIterator[Store]:
    async with aws_store(client, "desk", FileBlobs(tmp_path)) as store:
        yield store


@pytest.fixture
async def other(anyio_backend: str, client: MemoryDynamoDB, tmp_path: Path) -> AsyncIterator[Store]:
    """The store of another process."""
    async with aws_store(client, "desk", FileBlobs(tmp_path)) as store:
        yield store


async def test_a_record_is_created_read_and_replaced_in_a_request_each(store: Store, client: MemoryDynamoDB) -> None:
    assert await store.records.put(KEY, {"n": 1}, expected=0) == 1
    record = await store.records.get(KEY)
    assert record is not None
    assert await store.records.put(KEY, {"n": 2}, expected=record.version) == 2
    assert await store.records.put_many([Put(KEY, {"n": 3}), Put(Key("ann", "run", "r2"), {}, 0)]) == (3, 1)
    assert client.requests == {"PutItem": 1, "GetItem": 1, "TransactWriteItems": 2}  # a new record is also in a list


async def test_a_writer_notices_what_another_process_has_written(store: Store, other: Store) -> None:
    await store.records.put(KEY, {"n": 1}, expected=0)
    with pytest.raises(Conflict):
        await other.records.put(KEY, {}, expected=0)
    assert await other.records.put(KEY, {"n": 2}, expected=1) == 2
    with pytest.raises(Conflict):
        await store.records.put(KEY, {}, expected=1)
    assert await store.records.put(KEY, {"n": 3}) == 3
    assert await other.records.put(KEY, {"n": 4}) == 4
    record = await store.records.get(KEY)
    assert record is not None
    assert record.document == {"n": 4}


async def test_many_records_are_read_in_one_request(store: Store, client: MemoryDynamoDB) -> None:
    keys = [Key("ann", "run", f"r{n}") for n in range(3)]
    await store.records.put_many([Put(key, {"key": key.id}) for key in keys[:2]])
    client.requests.clear()
    records = await store.records.get_many([keys[2], keys[1], keys[0], keys[1]])
    assert [record and record.document["key"] for record in records] == [None, "r1", "r0", "r1"]
    assert client.requests == {"BatchGetItem": 1}


async def test_the_newest_records_with_a_prefix_are_found_without_the_older_ones(
    store: Store, client: MemoryDynamoDB
) -> None:
    for run in ("r1", "r2"):
        for batch in batches(Put(Key("ann", "trial", f"{run}.{n:04}"), {"n": n}) for n in range(600)):
            await store.records.put_many(batch)
    client.requests.clear()
    numbers: list[int] = []
    records = iterate_records(store.records, "ann", "trial", prefix="r2.", newest_first=True, limit=5)
    async with aclosing(records):
        async for record in records:
            if record.document["n"] < 595:
                break
            numbers.append(record.document["n"])
    assert numbers == [599, 598, 597, 596, 595]
    assert client.requests == {"Query": 2, "BatchGetItem": 2}


async def test_an_event_is_appended_in_one_request(store: Store, other: Store, client: MemoryDynamoDB) -> None:
    await store.events.append("ann", "r", "e1", {})
    client.requests.clear()
    assert await store.events.append("ann", "r", "e2", {}) == 2
    assert client.requests == {"TransactWriteItems": 1}
    assert await other.events.append("ann", "r", "e3", {}) == 3
    assert await store.events.append_many("ann", "r", [("e3", {}), ("e4", {})]) == [3, 4]
    assert await other.events.append("ann", "r", "e2", {}) == 2
    assert [event.event_id for event in await other.events.read("ann", "r")] == ["e1", "e2", "e3", "e4"]


async def test_a_reader_of_new_events_needs_one_request(store: Store, other: Store, client: MemoryDynamoDB) -> None:
    await store.events.append("ann", "r", "e1", {"n": 1})
    assert await other.events.wait("ann", "r", 0, timeout=0)
    assert [event.number for event in await other.events.read("ann", "r")] == [1]
    await store.events.append("ann", "r", "e2", {"n": 2})
    client.requests.clear()
    assert await other.events.wait("ann", "r", 1, timeout=0)
    assert [event.payload for event in await other.events.read("ann", "r", 1)] == [{"n": 2}]
    assert [event.payload for event in await store.events.read("ann", "r", 1)] == [{"n": 2}]
    assert client.requests == {"Query": 1}
