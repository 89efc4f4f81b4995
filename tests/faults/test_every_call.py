"""Every AWS call under every fault: transient faults are retried, lasting ones raise, nothing is partial or doubled."""

import os
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest

import store
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.checkpoints.table import DynamoTable
from store.aws.clients import connect, open_bucket
from store.aws.queue import SqsQueue
from store.aws.store import aws_store, create_tables
from store.aws.tables import table_names
from store.errors import Unavailable
from store.object_storage import ObjectBlobs
from store.records import Key, Put, iterate_records
from store.store import Store
from tests.doubles.aws import CREDENTIALS, REGION, Aws, moto, point_at
from tests.doubles.faulty_aws import (
    CUT,
    EXPIRED,
    HALF,
    IN_CONFLICT,
    INTERNAL,
    LOST,
    S3_EXPIRED,
    S3_INTERNAL,
    SECRET,
    SILENT,
    SLOW_DOWN,
    THROTTLED,
    WIRE,
    Fault,
    Proxy,
    start_proxy,
)
from tests.graphs.checkpoints.interrupted_graph import KEYS, THREAD, graph_with_interrupt, run_to_end

pytestmark = pytest.mark.anyio

PATIENT, IMPATIENT = 20.0, 0.2
KEY = Key("ann", "run", "r1")
OTHERS = [Key("ann", "run", f"o{n}") for n in range(2)]


@dataclass(frozen=True)
class World:
    store: Store
    queue: SqsQueue


# ---- a function per operation, with a deterministic response


async def put(world: World) -> Any:
    return await world.store.records.put(KEY, {"n": 2}, expected=1)


async def put_many(world: World) -> Any:
    return await world.store.records.put_many([Put(key, {"n": 1}, expected=0) for key in OTHERS])


async def get(world: World) -> Any:
    record = await world.store.records.get(KEY)
    return record and (record.document, record.version)


async def list_records(world: World) -> Any:
    return [record.document async for record in iterate_records(world.store.records, "ann", "run")]


async def append(world: World) -> Any:
    return await world.store.events.append_many("ann", "log", [("e2", {"n": 2}), ("e3", {"n": 3})])


async def forget(world: World) -> Any:
    return await world.store.events.delete("ann", "log")


async def delete(world: World) -> Any:
    return await world.store.records.delete(KEY, expected=1)


async def send(world: World) -> Any:
    return bool(await world.queue.send({"job": "j2"}))


async def receive(world: World) -> Any:
    """A message whose response is lost is received again after its lease."""
    delivery = await world.queue.receive(lease=1.0, wait=4.0)
    return delivery and delivery.body


async def finish(world: World) -> Any:
    delivery = await world.queue.receive(lease=30.0, wait=1.0)
    assert delivery is not None
    await world.queue.finish(delivery)
    return await world.queue.depth()


async def extend(world: World) -> Any:
    delivery = await world.queue.receive(lease=30.0, wait=1.0)
    assert delivery is not None
    return await world.queue.extend(delivery, lease=60.0)


async def depth(world: World) -> Any:
    return await world.queue.depth()


async def put_blob(world: World) -> Any:
    await world.store.blobs.put("ann/new", b"bytes" * 1_000)
    return await world.store.blobs.exists("ann/new")


async def get_blob(world: World) -> Any:
    return await world.store.blobs.get("ann/blob")


async def has_blob(world: World) -> Any:
    return await world.store.blobs.exists("ann/blob")


async def delete_blob(world: World) -> Any:
    await world.store.blobs.delete("ann/blob")
    return await world.store.blobs.exists("ann/blob")


@dataclass(frozen=True)
class Call:
    operation: str
    sends: Callable[[World], Awaitable[Any]]
    passing: tuple[Fault, ...]
    lasting: tuple[Fault, ...]


def dynamodb(operation: str, sends: Callable[[World], Awaitable[Any]], *besides: Fault) -> Call:
    passing = (THROTTLED, INTERNAL, Fault(503, "ServiceUnavailable"), *WIRE, *besides)
    return Call(operation, sends, passing, (EXPIRED, Fault(400, "AccessDeniedException"), THROTTLED, INTERNAL, CUT))


def sqs(operation: str, sends: Callable[[World], Awaitable[Any]]) -> Call:
    throttled, internal = Fault(400, "RequestThrottled"), Fault(500, "InternalError")
    passing = (throttled, internal, Fault(503, "ServiceUnavailable"), *WIRE)
    return Call(operation, sends, passing, (EXPIRED, Fault(403, "AccessDenied"), throttled, internal, CUT))


def s3(operation: str, sends: Callable[[World], Awaitable[Any]]) -> Call:
    passing = (
        SLOW_DOWN,
        S3_INTERNAL,
        CUT,
        LOST,
        *((HALF,) if operation == "GET" else ()),
    )  # other operations read no body
    return Call(operation, sends, passing, (S3_EXPIRED, Fault(403, "AccessDenied"), SLOW_DOWN, S3_INTERNAL, CUT))


CALLS = (
    dynamodb("PutItem", put),
    dynamodb("TransactWriteItems", put_many, IN_CONFLICT),
    dynamodb("TransactWriteItems", append, IN_CONFLICT),
    dynamodb("TransactWriteItems", forget, IN_CONFLICT),
    dynamodb("GetItem", get),
    dynamodb("BatchGetItem", put_many),
    dynamodb("Query", list_records),
    dynamodb("Query", append),
    dynamodb("TransactWriteItems", delete, IN_CONFLICT),
    sqs("SendMessage", send),
    sqs("ReceiveMessage", receive),
    sqs("DeleteMessage", finish),
    sqs("ChangeMessageVisibility", extend),
    sqs("GetQueueAttributes", depth),
    s3("PUT", put_blob),
    s3("GET", get_blob),
    s3("HEAD", has_blob),
    s3("POST", delete_blob),
)


LASTING_IN_BRIEF = {"TransactWriteItems", "Query", "SendMessage", "ReceiveMessage", "PUT", "GET"}
"""Every service with a call that reads and one that writes."""


def cases(kind: str) -> list[Any]:
    """In `make test` a transient fault per operation and a lasting one for some; all pairs in `make soak`."""
    parameters: list[Any] = []
    operations: set[str] = set()
    for place, call in enumerate(CALLS):
        faults = getattr(call, kind)
        brief_fault = faults[place % len(faults)]
        for fault in faults:
            brief = fault is brief_fault and fault is not SILENT and call.operation not in operations
            brief = brief and (kind == "passing" or call.operation in LASTING_IN_BRIEF)
            mark = () if brief else (pytest.mark.soak,)
            name = f"{call.operation}-{call.sends.__name__}-{fault.status} {fault.code}"
            parameters.append(pytest.param(call, fault, id=name, marks=mark))
        operations.add(call.operation)
    return parameters


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with moto() as server:
        create_tables(server.dynamodb, "calls")
        server.bucket("calls")
        yield server


@pytest.fixture(scope="module")
def before(aws: Aws) -> Iterator[Proxy]:
    with start_proxy(aws.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(before: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    point_at(monkeypatch, before.url)
    before.heal()
    before.request_counts.clear()
    yield before
    before.heal()


@cache
def client_of(url: str, service: str) -> Any:
    """A cached client for the endpoint in the environment."""
    assert url == os.environ[f"AWS_ENDPOINT_URL_{service.upper()}"]
    return connect(service)


@cache
def bucket_of(url: str, retry_seconds: float) -> ObjectBlobs:
    """A cached bucket for the endpoint in the environment."""
    assert url == os.environ["AWS_ENDPOINT_URL_S3"]
    return open_bucket("calls", retry_seconds=retry_seconds)


def empty(aws: Aws) -> list[str]:
    """URLs of two new queues."""
    for table in table_names("calls"):
        for item in aws.items(table):
            aws.dynamodb.delete_item(TableName=table, Key={name: item[name] for name in ("pk", "sk")})
    for key in aws.objects("calls"):
        aws.s3.delete_object(Bucket="calls", Key=key)
    sqs = queues_of(aws.url)
    for url in sqs.list_queues().get("QueueUrls", ()):
        sqs.delete_queue(QueueUrl=url)
    return [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead")]


@cache
def queues_of(url: str) -> Any:
    return boto3.client("sqs", endpoint_url=url, region_name=REGION, **CREDENTIALS)


@pytest.fixture
def open_world(aws: Aws, proxy: Proxy) -> Callable[[float], Any]:
    urls = [url.replace(aws.url, proxy.url) for url in empty(aws)]

    @asynccontextmanager
    async def world(retry_seconds: float) -> AsyncGenerator[World]:
        blobs = bucket_of(proxy.url, retry_seconds)
        queue = SqsQueue(client_of(proxy.url, "sqs"), urls[0], urls[1], retry_seconds=retry_seconds)
        async with aws_store(client_of(proxy.url, "dynamodb"), "calls", blobs, retry_seconds=retry_seconds) as store:
            yield World(store, queue)
        queue.close()

    return world


async def prepare(world: World) -> None:
    await world.store.records.put(KEY, {"n": 1})
    await world.store.events.append("ann", "log", "e1", {"n": 1})
    await world.store.blobs.put("ann/blob", b"bytes" * 1_000)
    await world.queue.send({"job": "j1"})


async def state(world: World) -> Any:
    """All stored state."""
    return (
        [
            (record.key, record.version, record.document)
            async for record in iterate_records(world.store.records, "ann", "run")
        ],
        [(event.number, event.event_id, event.payload) for event in await world.store.events.read("ann", "log")],
        [await world.store.blobs.exists(f"ann/{name}") for name in ("blob", "new")],
    )


EXPECTED: dict[str, Any] = {}
"""By operation: the response and the stored state before and after it without faults."""


@pytest.fixture
async def expected(
    anyio_backend: str, request: pytest.FixtureRequest, aws: Aws, open_world: Callable[[float], Any]
) -> Any:
    call = request.getfixturevalue("call")
    if call.sends.__name__ not in EXPECTED:
        async with open_world(PATIENT) as world:
            await prepare(world)
            before_call = await state(world)
            EXPECTED[call.sends.__name__] = (before_call, await call.sends(world), await state(world))
        empty(aws)
    return EXPECTED[call.sends.__name__]


@pytest.mark.parametrize(("call", "fault"), cases("passing"))
async def test_transient_faults_are_retried_and_take_effect_once(
    call: Call, fault: Fault, open_world: Callable[[float], Any], proxy: Proxy, expected: Any
) -> None:
    _, answer, after = expected
    async with open_world(PATIENT) as world:
        await prepare(world)
        proxy.request_counts.clear()
        proxy.fail(call.operation, fault, times=1)
        assert await call.sends(world) == answer
        assert proxy.request_counts[call.operation] >= 2
        proxy.heal()
        assert await state(world) == after


@pytest.mark.parametrize(("call", "fault"), cases("lasting"))
async def test_lasting_faults_raise_and_change_nothing(
    call: Call, fault: Fault, open_world: Callable[[float], Any], proxy: Proxy, expected: Any
) -> None:
    before_call, answer, after = expected
    async with open_world(PATIENT) as patient, open_world(IMPATIENT) as world:
        await prepare(patient)
        proxy.fail(call.operation, fault)
        with pytest.raises(Unavailable) as unavailable:
            await call.sends(world)
        assert SECRET not in str(unavailable.value)
        proxy.heal()
        assert await state(patient) == before_call
        if call.sends not in (finish, extend):  # the lost response leaves their message leased
            assert await call.sends(patient) == answer
            assert await state(patient) == after


PLACE = "checkpoints-of-calls"
OF_CHECKPOINTS = ("PutItem", "Query")
BRIEF = (("PutItem", LOST), ("Query", HALF))


@pytest.fixture
def place(aws: Aws) -> Iterator[DynamoTable]:
    yield DynamoTable(aws.table(PLACE, KEYS))
    aws.dynamodb.delete_table(TableName=PLACE)


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        pytest.param(operation, fault, marks=() if (operation, fault) in BRIEF else (pytest.mark.soak,))
        for operation in OF_CHECKPOINTS
        for fault in (THROTTLED, INTERNAL, CUT, LOST, HALF, EXPIRED)
    ],
)
async def test_a_graph_resumes_from_its_checkpoints(
    operation: str, fault: Fault, place: DynamoTable, proxy: Proxy
) -> None:
    failures: list[Unavailable] = []
    async with open_checkpoints(place) as checkpointer:
        graph, result = graph_with_interrupt(checkpointer), None
        proxy.request_counts.clear()
        proxy.fail(operation, fault, times=1)
        while result is None:
            try:
                result = await run_to_end(graph, THREAD)
            except Unavailable as error:
                failures.append(error)
    assert proxy.request_counts[operation] >= 2
    assert len(failures) <= 1
    assert SECRET not in str(failures)
    assert result["done"] == result["also"] == ["first", "yes"]


SENT = re.compile(r"""(?:client\.|call\(\s*["'])(batch_\w+|[a-z]+(?:_[a-z]+)*)(?:["']|\()""")
ELSEWHERE = {
    "describe_time_to_live": "tests/store/test_resources.py: what a deployment lacks",
    "get_bucket_lifecycle_configuration": "tests/store/test_resources.py: what a deployment lacks",
    "delete_item": "tests/store/test_resources.py: what a deployment lacks",
    "get_object": "tests/store/test_resources.py: what a deployment lacks",
    "put_object": "tests/store/test_resources.py: what a deployment lacks",
    "delete_object": "tests/store/test_resources.py: what a deployment lacks",
    "send_message_batch": "tests/store/test_resources.py: what a deployment lacks",
    "scan": "operators migrate tables, the service does not",
    "create_table": "tests and installations make tables, the service does not",
    "update_time_to_live": "tests and installations make tables, the service does not",
    "put_bucket_lifecycle_configuration": "installations make buckets, the service does not",
    "describe_table": "tests/store/test_faults.py: errors at the start",
    "head_bucket": "tests/store/test_faults.py: errors at the start",
    "get_waiter": "tests and installations make tables, the service does not",
}


def test_no_call_is_missing_here() -> None:
    """Compare with the names of operations in the source."""
    names = {name for file in Path(*store.__path__).rglob("*.py") for name in SENT.findall(file.read_text())}
    called = {re.sub("(?<!^)([A-Z])", r"_\1", call.operation).lower() for call in CALLS if not call.operation.isupper()}
    assert names - {"close"} - ELSEWHERE.keys() == called
