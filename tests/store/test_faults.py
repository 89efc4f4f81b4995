"""Failing storage leads to a retried success or `Unavailable`, and never to a partial write."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from store.aws.clients import connect, open_bucket
from store.aws.store import aws_store, create_tables, open_aws_store
from store.aws.tables import table_names
from store.embedded import open_store
from store.errors import Conflict, Missing, OutcomeUnknown, Unavailable
from store.records import Key, Put, iterate_records
from store.sqlite.database import Database
from store.sqlite.events import SqliteEvents
from store.sqlite.records import SqliteRecords
from store.store import Store
from tests.doubles.aws import Aws, point_at
from tests.doubles.faulty_aws import (
    EXPIRED,
    IN_CONFLICT,
    INTERNAL,
    LOST,
    S3_EXPIRED,
    S3_INTERNAL,
    SECRET,
    SLOW_DOWN,
    THROTTLED,
    Fault,
    Proxy,
    start_proxy,
)
from tests.store.database_lock import start_locker
from tests.store.openers import clients

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
TABLE = BUCKET = "faulty"
KEY = Key("ann", "run", "r1")
LARGE = {"noise": os.urandom(100_000).hex()}
"""Large enough to be stored in a blob."""
IMPATIENT = 0.3
BUSY = "AWS returned ProvisionedThroughputExceededException"
GONE = "the credentials have expired"


@pytest.fixture(scope="module")
def before_moto(servers: dict[str, Aws]) -> Iterator[Proxy]:
    with start_proxy(servers["moto"].url) as proxy:
        yield proxy


@pytest.fixture
def proxy(before_moto: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    point_at(monkeypatch, before_moto.url)
    yield before_moto
    before_moto.heal()
    before_moto.request_counts.clear()


@pytest.fixture
def aws(servers: dict[str, Aws]) -> Iterator[Aws]:
    """The stored items and blobs, read without the proxy."""
    aws = servers["moto"]
    create_tables(aws.dynamodb, TABLE)
    aws.bucket(BUCKET)
    yield aws
    for name in table_names(TABLE):
        aws.dynamodb.delete_table(TableName=name)
    for key in aws.objects(BUCKET):
        aws.s3.delete_object(Bucket=BUCKET, Key=key)
    aws.s3.delete_bucket(Bucket=BUCKET)


@pytest.fixture
async def store(anyio_backend: str, aws: Aws, proxy: Proxy) -> AsyncIterator[Store]:
    async with aws_store(clients(proxy.url)[0], TABLE, open_bucket(BUCKET)) as store:
        yield store


@pytest.fixture
async def impatient(anyio_backend: str, aws: Aws, proxy: Proxy) -> AsyncIterator[Store]:
    blobs = open_bucket(BUCKET, retry_seconds=IMPATIENT)
    async with aws_store(clients(proxy.url)[0], TABLE, blobs, retry_seconds=IMPATIENT) as store:
        yield store


@pytest.mark.parametrize(
    "fault",
    [*(pytest.param(fault, marks=pytest.mark.soak) for fault in (THROTTLED, INTERNAL)), LOST],
    ids=lambda fault: fault.code,
)
async def test_a_write_that_fails_twice_is_applied_once(store: Store, aws: Aws, proxy: Proxy, fault: Fault) -> None:
    operations = ("PutItem", "TransactWriteItems", "GetItem", "BatchGetItem", "Query")
    for operation in operations:
        proxy.fail(operation, fault, times=2)
    assert await store.records.put(KEY, {"n": 1}, expected=0) == 1
    assert await store.records.put(KEY, {"n": 2}, expected=1) == 2
    others = [Put(Key("ann", "run", f"r{n}"), LARGE, expected=0) for n in (2, 3)]
    assert await store.records.put_many(others) == (1, 1)
    record = await store.records.get(KEY)
    assert record is not None
    assert record.version == 2
    assert [record.document async for record in iterate_records(store.records, "ann", "run")] == [
        {"n": 2},
        LARGE,
        LARGE,
    ]
    assert await store.events.append_many("ann", "r", [("e1", {}), ("e2", LARGE)]) == [1, 2]
    assert [event.number for event in await store.events.read("ann", "r")] == [1, 2]
    assert len(aws.objects(BUCKET)) == 3
    assert [one and one.version for one in await store.records.get_many([KEY, others[1].key])] == [2, 1]
    assert await store.records.delete(others[0].key, expected=1)
    assert len(aws.objects(BUCKET)) == 2
    assert await store.events.delete("ann", "r") == 2
    assert (await store.events.last("ann", "r"), len(aws.objects(BUCKET))) == (0, 1)
    assert all(proxy.request_counts[operation] >= 3 for operation in operations)


@pytest.mark.parametrize(
    ("operation", "fault", "message"),
    [
        ("PutItem", EXPIRED, GONE),
        ("TransactWriteItems", THROTTLED, BUSY),
        pytest.param("PutItem", THROTTLED, BUSY, marks=pytest.mark.soak),
        pytest.param("TransactWriteItems", EXPIRED, GONE, marks=pytest.mark.soak),
        pytest.param("BatchGetItem", THROTTLED, BUSY, marks=pytest.mark.soak),
        ("BatchGetItem", EXPIRED, GONE),
    ],
)
async def test_a_write_that_always_fails_leaves_nothing(
    impatient: Store, aws: Aws, proxy: Proxy, operation: str, fault: Fault, message: str
) -> None:
    proxy.fail(operation, fault)
    kind, count = ("audit", 1) if operation == "PutItem" else ("run", 2)  # other kinds are also in lists
    puts = [Put(Key("ann", kind, f"r{n}"), LARGE) for n in range(count)]
    with pytest.raises(Unavailable, match=message) as unavailable:
        await impatient.records.put_many(puts)
    assert SECRET not in str(unavailable.value)
    assert "the table 'faulty-" in str(unavailable.value)
    if operation == "TransactWriteItems":
        with pytest.raises(Unavailable, match=message):
            await impatient.events.append_many("ann", "r", [("e1", {}), ("e2", LARGE)])
    assert aws.store_items(TABLE) == []
    assert aws.objects(BUCKET) == []
    proxy.heal()
    assert set(await impatient.records.put_many(puts)) == {1}
    assert await impatient.events.append("ann", "r", "e2", LARGE) == 1


async def test_a_write_whose_responses_are_all_lost_is_applied_completely(
    impatient: Store, aws: Aws, proxy: Proxy
) -> None:
    await impatient.records.put(KEY, {"text": "before"})
    proxy.fail("PutItem", LOST)
    with pytest.raises(OutcomeUnknown):
        await impatient.records.put(KEY, LARGE, expected=1)
    proxy.heal()
    record = await impatient.records.get(KEY)
    assert record is not None
    assert (record.version, record.document) == (2, LARGE)
    assert len(aws.objects(BUCKET)) == 1
    with pytest.raises(Conflict):
        await impatient.records.put(KEY, LARGE, expected=1)
    assert len(aws.objects(BUCKET)) == 1


async def test_conflicting_transactions_are_retried(store: Store, proxy: Proxy) -> None:
    proxy.fail("TransactWriteItems", IN_CONFLICT, times=3)
    assert await store.records.put_many([Put(Key("ann", "run", f"r{n}"), {}) for n in range(2)]) == (1, 1)
    assert proxy.request_counts["TransactWriteItems"] == 4
    proxy.fail("TransactWriteItems", IN_CONFLICT, times=3)
    assert await store.events.append("ann", "r", "e1", {}) == 1


@pytest.mark.parametrize(
    "fault", [pytest.param(S3_INTERNAL, marks=pytest.mark.soak), SLOW_DOWN], ids=lambda fault: fault.code
)
async def test_a_bucket_that_fails_twice_is_retried(store: Store, aws: Aws, proxy: Proxy, fault: Fault) -> None:
    for method in ("PUT", "GET"):
        proxy.fail(method, fault, times=2)
    await store.records.put(KEY, LARGE)
    record = await store.records.get(KEY)
    assert record is not None
    assert record.document == LARGE
    await store.blobs.put("ann/x", b"bytes")
    assert await store.blobs.get("ann/x") == b"bytes"
    assert proxy.request_counts["PUT"] == 4


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (S3_INTERNAL, "500 InternalError"),
        pytest.param(S3_EXPIRED, "400 ExpiredToken", marks=pytest.mark.soak),
    ],
    ids=str,
)
async def test_a_bucket_that_always_fails_is_unavailable(
    impatient: Store, aws: Aws, proxy: Proxy, fault: Fault, message: str
) -> None:
    await impatient.records.put(KEY, {"n": 1})
    proxy.fail("PUT", fault)
    proxy.fail("GET", fault)
    for write in (
        impatient.records.put(KEY, LARGE, expected=1),
        impatient.records.put_many([Put(Key("ann", "run", "r2"), {}), Put(Key("ann", "run", "r3"), LARGE)]),
        impatient.events.append_many("ann", "r", [("e1", {}), ("e2", LARGE)]),
        impatient.blobs.put("ann/x", b"bytes"),
        impatient.blobs.get("ann/x"),
    ):
        with pytest.raises(Unavailable, match=message) as unavailable:
            await write
        assert SECRET not in str(unavailable.value)
        assert unavailable.value.__cause__ is None  # the cause would appear in a log
    assert aws.objects(BUCKET) == []
    assert [item["text"]["S"] for item in aws.store_items(TABLE) if "text" in item] == ['{"n":1}']
    proxy.heal()
    assert await impatient.records.put(KEY, LARGE, expected=1) == 2


async def test_a_document_that_is_refused_leaves_no_blob(store: Store, aws: Aws) -> None:
    await store.records.put(KEY, LARGE)
    with pytest.raises(Conflict):
        await store.records.put(KEY, LARGE, expected=5)
    assert len(aws.objects(BUCKET)) == 1
    await store.records.put(KEY, LARGE)
    assert len(aws.objects(BUCKET)) == 1
    await store.records.put(KEY, {})
    assert aws.objects(BUCKET) == []


async def test_readers_of_a_large_document_see_it_before_or_after_each_write(store: Store) -> None:
    documents = [{"n": n} | LARGE for n in range(3)]
    await store.records.put(KEY, documents[0])

    async def read() -> None:
        for _ in range(5):
            record = await store.records.get(KEY)
            assert record is not None
            assert record.document in documents
            assert len((await store.records.list("ann", "run")).records) == 1

    async def write() -> None:
        for document in documents:
            await store.records.put(KEY, document)

    await asyncio.gather(read(), read(), write())


async def test_a_missing_blob_of_a_record_is_reported(store: Store, aws: Aws) -> None:
    await store.records.put(KEY, LARGE)
    (blob,) = aws.objects(BUCKET)
    aws.s3.delete_object(Bucket=BUCKET, Key=blob)
    with pytest.raises(Unavailable, match=r"'r1'.* is missing from the bucket"):
        await store.records.get(KEY)


async def test_an_endpoint_that_refuses_connections_is_unavailable(
    servers: dict[str, Aws], monkeypatch: pytest.MonkeyPatch
) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match=r"the table 'nowhere-records' is unavailable \(it cannot be reached\)"):
        async with open_aws_store("nowhere", "nowhere"):
            pass
    async with aws_store(
        connect("dynamodb"), TABLE, open_bucket(BUCKET, retry_seconds=0.1), retry_seconds=0.1
    ) as store:
        with pytest.raises(Unavailable, match="it cannot be reached"):
            await store.records.put(KEY, {})
        with pytest.raises(Unavailable, match="blob storage failed at 'ann/x'"):
            await store.blobs.get("ann/x")


async def test_a_missing_table_or_bucket_is_reported_at_the_start(proxy: Proxy, aws: Aws) -> None:
    aws.table("plain-records", {"PK": "HASH"})
    for table, bucket, message in (
        ("nowhere", BUCKET, "the table 'nowhere-records' is unavailable .no resource has this name"),
        (TABLE, "nowhere", "the bucket 'nowhere' is unavailable .AWS returned 404"),
        ("plain", BUCKET, "the table 'plain-records' has other keys"),
    ):
        with pytest.raises(Unavailable, match=message):
            async with open_aws_store(table, bucket):
                pass
    async with open_aws_store(TABLE, BUCKET) as store:
        assert await store.records.put(KEY, {}) == 1
    aws.dynamodb.delete_table(TableName="plain-records")


async def test_without_credentials_or_region_the_store_does_not_open(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(Unavailable, match="NoRegion"):
        async with open_aws_store(TABLE, BUCKET):
            pass
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(Unavailable, match="no AWS credentials were found"):
        async with open_aws_store(TABLE, BUCKET):
            pass


async def test_a_file_that_another_process_locks_is_unavailable_and_then_written(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    database = await Database.open(path, busy_seconds=0.1)
    records, events = SqliteRecords(database), SqliteEvents(database)
    await records.put(KEY, {"n": 1})
    with start_locker(path) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        for write in (
            records.put(KEY, {"n": 2}),
            records.delete(KEY),
            records.sweep(),
            events.append("ann", "r", "e", {}),
        ):
            with pytest.raises(Unavailable, match="locked by another process"):
                await write
        record = await records.get(KEY)  # readers are not blocked
        assert record is not None
        assert record.document == {"n": 1}
        locker.communicate()
    assert await records.put(KEY, {"n": 2}, expected=1) == 2
    assert await events.append("ann", "r", "e", {}) == 1
    database.close()


FILLER = """
import asyncio, resource, signal, sys
from pathlib import Path
from store.errors import Unavailable
from store.records import Key
from store.embedded import open_store

async def main():
    async with open_store(Path(sys.argv[1])) as store:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        refused = []
        for n in range(40):
            try:
                await store.records.put(Key("ann", "run", f"{n:02}"), {"text": "x" * 100_000})
                await store.events.append("ann", "r", f"e{n}", {"text": "x" * 10_000})
                print(n, flush=True)
            except Unavailable as error:
                refused.append(str(error))
        try:
            await store.blobs.put("ann/large", b"x" * 3_000_000)
        except Unavailable as error:
            refused.append(str(error))
        print(refused[0], refused[-1], sep="\\n")

asyncio.run(main())
"""


def run_filler(home: Path) -> list[str]:
    process = subprocess.run(
        [sys.executable, "-c", FILLER, str(home)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


async def test_files_that_cannot_grow_hold_the_acknowledged_writes_only(tmp_path: Path) -> None:
    *acknowledged, of_records, of_blobs = run_filler(tmp_path)
    assert 0 < len(acknowledged) < 40
    assert "the database is unavailable (disk" in of_records
    assert "the blob storage failed at 'ann,/large'" in of_blobs
    async with open_store(tmp_path) as store:
        records = [record async for record in iterate_records(store.records, "ann", "run")]
        assert {f"{int(n):02}" for n in acknowledged} <= {record.key.id for record in records}
        assert all(record.document == {"text": "x" * 100_000} for record in records)
        events = await store.events.read("ann", "r")
        assert [event.number for event in events] == list(range(1, len(events) + 1))
        assert {f"e{n}" for n in acknowledged} <= {event.event_id for event in events}
        with pytest.raises(Missing):
            await store.blobs.get("ann/large")
        assert await store.records.put(Key("ann", "run", "after"), {}) == 1
