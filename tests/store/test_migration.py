"""Samples of the version before: a home opens, and its single table is copied into the tables of this version."""

import base64
import gzip
import json
import tarfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from desk.governance.audit_verification import verify
from desk.optimization.result import OptimizationResult
from desk.runs.repository import Run
from store.aws.clients import connect, open_bucket
from store.aws.migration import Copied, Migration
from store.aws.store import aws_store, create_tables
from store.aws.tables import Tables, table_names
from store.embedded import open_store
from store.errors import Corrupted
from store.records import Key, iterate_records
from store.store import Store
from tests.doubles.aws import Aws, point_at

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parent / "samples"
SOURCE = "migrated"
DIGEST = "205b7d6b6839ba71f8daddd151d65f162691a0d4b8466cd7fd35a8dc670f97e3"
"""Of the job in both samples, as the version before printed it."""
RECORDS, EVENTS, AUDIT = table_names(SOURCE)


def decoded(value: Any) -> Any:
    """With binary values, which the sample has as base64."""
    if not isinstance(value, dict):
        return value
    if set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    return {name: decoded(each) for name, each in value.items()}


@pytest.fixture(scope="module")
def sample() -> dict[str, Any]:
    stored = json.loads(gzip.decompress((SAMPLES / "table.json.gz").read_bytes()))
    return stored | {"items": [decoded(item) for item in stored["items"]]}


@pytest.fixture
def aws(servers: dict[str, Aws], sample: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An account with the sample as its table and bucket, and new tables."""
    aws = servers["moto"]
    point_at(monkeypatch, aws.url)
    aws.dynamodb.create_table(TableName=SOURCE, BillingMode="PAY_PER_REQUEST", **sample["table"])
    for first in range(0, len(sample["items"]), 25):
        puts = [{"PutRequest": {"Item": item}} for item in sample["items"][first : first + 25]]
        aws.dynamodb.batch_write_item(RequestItems={SOURCE: puts})
    create_tables(aws.dynamodb, SOURCE)
    aws.bucket(SOURCE)
    for key, content in sample["objects"].items():
        aws.s3.put_object(Bucket=SOURCE, Key=key, Body=base64.b64decode(content))
    yield aws
    for name in (SOURCE, *table_names(SOURCE)):
        aws.dynamodb.delete_table(TableName=name)
    for key in aws.objects(SOURCE):
        aws.s3.delete_object(Bucket=SOURCE, Key=key)
    aws.s3.delete_bucket(Bucket=SOURCE)


@pytest.fixture
def tables(aws: Aws) -> Iterator[Tables]:
    with closing(connect("dynamodb")) as client, closing(Tables(client, SOURCE)) as tables:
        yield tables


@pytest.fixture
async def migrated(anyio_backend: str, tables: Tables) -> AsyncIterator[Store]:
    await Migration(tables, SOURCE).copy()
    async with aws_store(connect("dynamodb"), SOURCE, open_bucket(SOURCE)) as store:
        yield store


async def check_content(store: Store) -> None:
    """What both samples contain: a job, a conversation, a portfolio, their audit log, and records of every form."""
    [record] = [each async for each in iterate_records(store.records, "local", "run", newest_first=True)]
    run = Run.model_validate(record.document)
    completed = (await store.records.list("local", "run", label=("state", "completed"), newest_first=True)).records
    assert completed == (record,)
    assert len([each async for each in iterate_records(store.records, "local", "trial", prefix=f"{run.id}.")]) == 10
    events = await store.events.read("local", run.id)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert run.result_digest == DIGEST
    result = OptimizationResult.model_validate_json(await store.blobs.get(f"local/results/{run.id}/final"))
    assert result.digest() == DIGEST
    verification = await verify(store)
    assert (verification.fault, verification.entries, verification.chains) == (None, 16, 1)

    async def ids(**options: Any) -> list[str]:
        return [each.key.id async for each in iterate_records(store.records, "ann", "draft", **options)]

    assert await ids() == ["d0", "d1", "d2"]
    assert await ids(newest_first=True) == ["d0", "d2", "d1"]
    assert await ids(label=("state", "sent")) == ["d1", "d2"]
    assert await ids(label=("state", "open"), newest_first=True) == ["d0"]
    assert await ids(label=("content", "c")) == ["d2"]
    draft = await store.records.get(Key("ann", "draft", "d1"))
    assert draft is not None
    assert (draft.document, draft.version) == ({"n": 2}, 3)
    large, packed = [await store.records.get(Key("ann", "document", id_)) for id_ in ("large", "packed")]
    assert large is not None
    assert packed is not None
    assert packed.document == {"text": "x" * 5000}
    assert [event.payload for event in await store.events.read("ann", "log")] == [
        *({"n": n} for n in range(3)),
        large.document,
    ]
    assert await store.records.put(draft.key, {"n": 3}, expected=3, labels={"state": "done"}) == 4
    assert await ids(label=("state", "sent")) == ["d2"]
    assert await ids(label=("state", "done")) == ["d1"]


async def test_a_home_of_the_version_before_opens(tmp_path: Path) -> None:
    with tarfile.open(SAMPLES / "home.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    async with open_store(tmp_path) as store:
        await check_content(store)


async def test_a_table_of_the_version_before_is_copied_and_then_used(migrated: Store) -> None:
    await check_content(migrated)


async def test_a_copy_is_verified_by_number_and_digest(aws: Aws, tables: Tables, sample: dict[str, Any]) -> None:
    source = aws.items(SOURCE)
    migration = Migration(tables, SOURCE)
    lasting = sum("ttl" not in item or int(item["ttl"]["N"]) > time.time() for item in sample["items"])
    assert lasting < len(sample["items"])
    assert await migration.copy(dry_run=True) == Copied(lasting, 0)
    assert aws.store_items(SOURCE) == []
    assert [copy.present.items for copy in await migration.verify()] == [0, 0, 0]
    assert await migration.copy() == Copied(lasting, 0)
    copies = await migration.verify()
    assert [copy.name for copy in copies] == [RECORDS, EVENTS, AUDIT]
    assert all(copy.expected == copy.present for copy in copies)
    records, events, audit = [copy.present.items for copy in copies]
    assert events == sum("#e#" in item["pk"]["S"] for item in source)
    assert audit == sum("#r#audit" in item["pk"]["S"] for item in source)
    assert records > lasting - events - audit  # with places in lists
    assert aws.items(SOURCE) == source
    assert not any("created" in item and item["created"]["S"] in str(item.get("state")) for item in aws.items(RECORDS))
    aws.dynamodb.delete_item(TableName=EVENTS, Key={name: aws.items(EVENTS)[0][name] for name in ("pk", "sk")})
    [_, damaged, _] = await migration.verify()
    assert damaged.expected.items == damaged.present.items + 1
    await migration.copy()
    [item] = [item for item in source if item["sk"]["S"] == "d2"]
    changed = item | {"version": {"N": "2"}, "write": {"S": "another"}, "text": {"S": '{"n":7}'}}
    changed["state"] = {"S": f"open#{item['created']['S']}"}
    aws.dynamodb.put_item(TableName=SOURCE, Item=changed)
    assert await migration.copy() == Copied(1, 0)  # with its new place in lists
    assert all(copy.expected == copy.present for copy in await migration.verify())
    aws.dynamodb.put_item(TableName=SOURCE, Item={"pk": {"S": "customer 1"}, "sk": {"S": "order"}})
    with pytest.raises(Corrupted, match="the source has the partition key 'customer 1', which no store writes"):
        await migration.copy(dry_run=True)


async def test_an_interrupted_copy_is_completed_and_newer_records_stay(aws: Aws, tables: Tables) -> None:
    migration = Migration(tables, SOURCE)
    await migration.copy()
    removed = [item for item in aws.items(EVENTS) if item["pk"]["S"] == "ann#e#log"]
    for item in removed:
        aws.dynamodb.delete_item(TableName=EVENTS, Key={name: item[name] for name in ("pk", "sk")})
    async with aws_store(connect("dynamodb"), SOURCE, open_bucket(SOURCE)) as store:
        await store.records.put(Key("ann", "draft", "d2"), {"n": 1}, labels={"state": "new"})
        assert await migration.copy() == Copied(len(removed), 1)
        assert await migration.copy() == Copied(0, 1)
        record = await store.records.get(Key("ann", "draft", "d2"))
        assert record is not None
        assert record.document == {"n": 1}
        assert (await store.records.list("ann", "draft", label=("state", "new"))).records == (record,)
    records, events, audit = await migration.verify()
    assert records.expected != records.present
    assert events.expected == events.present
    assert audit.expected == audit.present
