"""Replays recorded activities of many users through the store's own classes, on DynamoDB in memory.

Every request takes 4 to 14 ms of simulated time, and a partition key takes 1,000 write units and 3,000 read units a
second, as on AWS; beyond them requests are refused, and the store tries again.
"""

import asyncio
import json
import random
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from desk.governance.audit_log import AuditLog
from store.aws.store import aws_store, create_tables
from store.errors import Conflict, Missing
from store.records import Key, PageQuery, Put
from store.store import Store
from tests.desk.governance.audit_samples import entry
from tests.doubles.aws_meter import Meter, Usage
from tests.doubles.memory_dynamodb import MemoryDynamoDB
from tests.doubles.simulated_time import SimulatedLoop, latencies

MAX_WRITES, MAX_READS = 1_000, 3_000
"""Units of one partition key in a second."""
PREFIX = "desk"
PER_DAY = {"job": 5, "turn": 20, "change": 50}
"""Activities of a user."""
BUSY_SECONDS = 8 * 3600 / 3
"""Seconds in which the activities of a day would happen at the rate of the simulated peak: three times the mean of
eight hours."""
OPERATIONS = {
    "get_item": "GetItem",
    "batch_get_item": "BatchGetItem",
    "put_item": "PutItem",
    "delete_item": "DeleteItem",
    "transact_write_items": "TransactWriteItems",
    "query": "Query",
}
SERIES = re.compile(r'((?:"series", "|/series/(?:shared/)?)[0-9a-f]{58})[0-9a-f]{6}')
"""Addresses of series, which are those of their content, and differ between jobs."""
NAME, DAY = re.compile(r"[0-9a-f]{12,}"), re.compile(r"\d{4}-?\d\d-?\d\d")


class PeakMeter(Meter):
    """Also counts the write and read units of each partition key in each second."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self.seconds: defaultdict[tuple[int, str], Usage] = defaultdict(Usage)
        self.refused = 0
        self._clock = clock

    def _count(self, table: str, partition: str, *, reads: float = 0.0, writes: float = 0.0, stored: int = 0) -> None:
        super()._count(table, partition, reads=reads, writes=writes, stored=stored)
        usage = self.seconds[int(self._clock()), partition]
        usage.reads += reads
        usage.writes += writes

    def admit(self, request: dict[str, Any]) -> None:
        """Refuse a request to a partition key that has taken its units of this second."""
        second = int(self._clock())
        for partition in set(_partitions(request)):
            usage = self.seconds[second, partition]
            if usage.writes >= MAX_WRITES or usage.reads >= MAX_READS:
                self.refused += 1
                answer: Any = {
                    "Error": {"Code": "ProvisionedThroughputExceededException"},
                    "ResponseMetadata": {"HTTPStatusCode": 400},
                }
                raise ClientError(answer, "Request")


def _partitions(value: Any) -> Iterator[str]:
    """The partition keys in a request."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            if name in ("pk", ":pk") and isinstance(each, Mapping):
                yield each["S"]
            else:
                yield from _partitions(each)
    elif isinstance(value, list):
        for each in value:
            yield from _partitions(each)


class MeteredDynamoDB:
    """A client like boto3's that counts what it passes on; a request that is refused changes nothing."""

    def __init__(self, meter: PeakMeter) -> None:
        self.memory = MemoryDynamoDB()
        self._meter = meter

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.memory, name)

        def measured(**request: Any) -> Any:
            self._meter.admit(request)
            answer = call(**request)
            self._meter.call(OPERATIONS[name], request, answer)
            return answer

        return measured

    def create_table(self, **request: Any) -> None:
        self._meter.call("CreateTable", request, {})

    def get_waiter(self, _: str) -> "MeteredDynamoDB":
        return self

    def wait(self, **_: Any) -> None:
        """A table exists at once."""

    def update_time_to_live(self, **_: Any) -> None:
        """Items do not expire within the simulated time."""


@dataclass
class MemoryBlobs:
    meter: Meter
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    stored: int = 0

    async def put(self, key: str, data: bytes) -> None:
        self.meter.object("PUT", sent=len(data))
        self.stored += len(data) - self.sizes.get(key, 0)
        self.sizes[key] = len(data)

    async def get(self, key: str) -> bytes:
        if key not in self.sizes:
            raise Missing(f"there is no blob {key!r}")
        self.meter.object("GET", received=self.sizes[key])
        return bytes(self.sizes[key])

    async def exists(self, key: str) -> bool:
        return key in self.sizes

    async def delete(self, key: str) -> None:
        self.meter.object("DELETE")
        self.stored -= self.sizes.pop(key, 0)


@dataclass(frozen=True)
class Load:
    """What a group of activities has taken."""

    requests: int
    reads: float
    writes: float
    stored: int
    """Bytes in DynamoDB."""
    objects: int
    """Requests that write to S3."""
    downloads: int
    uploaded: int
    """Bytes that S3 keeps."""
    keys: Mapping[str, Usage]
    """By partition key, with names of users, jobs and days replaced."""
    peak_writes: Mapping[str, float]
    """Write units in a second of the busiest partition key under each name of `keys`, without its table."""
    refused: int
    seconds: float
    """The longest activity, in simulated time."""


def measure_one(recorded: Mapping[str, Any], activity: str) -> Load:
    """One activity of a user, after one of the same kind."""
    return _simulate(recorded, [(0.0, activity)], before=1)


def measure_peak(recorded: Mapping[str, Any], users: int, seconds: float) -> Load:
    """The activities of so many users in some seconds of the peak."""
    source = random.Random(users)
    schedule = [
        (source.uniform(0.0, seconds), activity)
        for activity, number in PER_DAY.items()
        for _ in range(max(1, round(users * number * seconds / BUSY_SECONDS)))
    ]
    return _simulate(recorded, sorted(schedule))


def _simulate(recorded: Mapping[str, Any], schedule: list[tuple[float, str]], before: int = 0) -> Load:
    """Execute the schedule; that many of its activities are executed before the count begins, by the same users."""
    loop = SimulatedLoop(latencies(0.004, 0.014))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(_run(recorded, schedule, before))


async def _run(recorded: Mapping[str, Any], schedule: list[tuple[float, str]], before: int) -> Load:
    clock = asyncio.get_running_loop().time
    meter = PeakMeter(clock)
    client, blobs = MeteredDynamoDB(meter), MemoryBlobs(meter)
    create_tables(client, PREFIX)
    longest = 0.0

    async with aws_store(client, PREFIX, blobs) as store:
        logs = [AuditLog(store) for _ in range(10)]

        def calls_of(number: int, activity: str, ordinal: int) -> tuple[str, list[list[Any]]]:
            id_ = uuid.UUID(int=1_000_000 * ordinal + number).hex
            text = json.dumps(recorded[activity]["calls"]).replace("{owner}", f"user-{number}")
            text = SERIES.sub(rf"\g<1>{ordinal:06x}", text.replace("{id}", id_))
            return id_, json.loads(text)

        async def act(number: int, at: float, activity: str, ordinal: int = 0) -> None:
            nonlocal longest
            await asyncio.sleep(at)
            id_, calls = calls_of(number, activity, ordinal)
            start = clock()
            for _ in range(recorded[activity]["audited"] // 2):
                begun = await logs[number % len(logs)].append(entry(number))
                await logs[number % len(logs)].append(entry(number, begun=begun, outcome="201"))
            for call in calls:
                await asyncio.sleep(max(0.0, start + call[1] - clock()))
                await _call(store, call, id_)
            longest = max(longest, clock() - start - (calls[-1][1] if calls else 0.0))

        for number, (_, activity) in enumerate(schedule):  # what was stored before the recorded activity
            for ordinal in range(before + 1):
                for key, document in _earlier(calls_of(number, activity, ordinal)[1]):
                    await store.records.put(key, document)
        for log in logs:
            await log.append(entry(0))  # opens its chain
        for number, (at, activity) in enumerate(schedule[:before]):
            await act(number, at, activity, 1)
        longest = 0.0
        meter.clear()
        meter.seconds.clear()
        blobs.stored = 0
        await asyncio.gather(*(act(number, at, activity) for number, (at, activity) in enumerate(schedule)))
    return _load(meter, blobs, longest)


def _load(meter: PeakMeter, blobs: MemoryBlobs, longest: float) -> Load:
    keys: defaultdict[str, Usage] = defaultdict(Usage)
    for (table, partition), usage in meter.partitions.items():
        key = keys[f"{table}: {_template(partition)}"]
        key.reads, key.writes, key.stored = (
            key.reads + usage.reads,
            key.writes + usage.writes,
            key.stored + usage.stored,
        )
    peaks: defaultdict[str, float] = defaultdict(float)
    for (_, partition), usage in meter.seconds.items():
        if usage.writes:
            name = _template(partition)
            peaks[name] = max(peaks[name], usage.writes)
    return Load(
        requests=meter.total,
        reads=sum(usage.reads for usage in meter.tables.values()),
        writes=sum(usage.writes for usage in meter.tables.values()),
        stored=sum(usage.stored for usage in meter.tables.values()),
        objects=meter.requests["s3:PUT"],
        downloads=meter.requests["s3:GET"],
        uploaded=blobs.stored,
        keys=dict(keys),
        peak_writes=dict(peaks),
        refused=meter.refused,
        seconds=longest,
    )


def _template(partition: str) -> str:
    text = DAY.sub("{day}", NAME.sub("{id}", re.sub(r"user-\d+", "{user}", partition)))
    return re.sub(r"(audit[a-z-]*-\{day\})-\d+", r"\1-{shard}", text)


async def _call(store: Store, call: list[Any], id_: str) -> None:
    name, _, *arguments = call
    match name, arguments:
        case "put", [puts]:
            with suppress(Conflict):
                await store.records.put_many([_put(put, id_) for put in puts])
        case "get", [key, _]:
            await store.records.get(Key(*key))
        case "get_many", [keys]:
            await store.records.get_many([Key(*key) for key in keys])
        case "list", [owner, kind, prefix, label, limit, newest_first]:
            label = None if label is None else tuple(label)
            await store.records.read_page(PageQuery(owner, kind, prefix, label, None, limit, newest_first))
        case "delete", [key]:
            await store.records.delete(Key(*key))
        case "append", [owner, run, events]:
            await store.events.append_many(owner, run, [(id_, _document(*sizes)) for id_, sizes in events])
        case "read", [owner, run, after]:
            await store.events.read(owner, run, after)
        case "store", [key, size]:
            await store.blobs.put(key, bytes(size))
        case "load", [key, _]:
            with suppress(Missing):
                await store.blobs.get(key)
        case _:
            raise ValueError(f"{name} is not recorded")


def _put(recorded: list[Any], id_: str) -> Put:
    key, sizes, expected, labels, expiring = recorded
    expected = 0 if expected == 0 and id_ in key[2] else None
    expires = datetime.now(UTC) + timedelta(days=1) if expiring else None
    return Put(Key(*key), _document(*sizes), expected, labels, expires)


def _earlier(calls: list[list[Any]]) -> Iterator[tuple[Key, dict[str, str]]]:
    """The records that the activity finds: those that it reads before it writes them."""
    seen: set[tuple[str, ...]] = set()
    for name, _, *arguments in calls:
        if name == "get" and tuple(arguments[0]) not in seen and arguments[1] is not None:
            yield Key(*arguments[0]), _document(*arguments[1])
        if name == "get":
            seen.add(tuple(arguments[0]))
        if name == "put":
            seen.update(tuple(put[0]) for put in arguments[0])


@cache
def _document(length: int, compressed: int) -> dict[str, str]:
    """A document of about this length as text and compressed."""
    random_digits = min(length, round(compressed / 0.57))
    digits = random.Random(length).randbytes(random_digits // 2 + 1).hex()[:random_digits]
    return {"": digits + "a" * max(0, length - random_digits - 7)}
