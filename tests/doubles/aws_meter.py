"""Counts the requests, bytes and units of DynamoDB and S3 as AWS bills them, by table and by partition key."""

import base64
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]
Place = tuple[str, str, str]
"""Table, partition key and sort key of an item."""
READ_UNIT, WRITE_UNIT = 4096, 1024
ITEM_OF = {"Put": "Item", "Update": "Key", "Delete": "Key"}


@dataclass
class Usage:
    """What one table, or one partition key of it, has taken."""

    reads: float = 0.0
    """Read units."""
    writes: float = 0.0
    """Write units, those of its indexes included."""
    stored: int = 0
    """Bytes of its items, those of its indexes included."""


@dataclass
class Meter:
    """Receives each request with its answer; the sizes of items are those of the requests that wrote them."""

    requests: Counter[str] = field(default_factory=Counter[str])
    """By service and operation, such as `dynamodb:Query`."""
    tables: defaultdict[str, Usage] = field(default_factory=lambda: defaultdict[str, Usage](Usage))
    partitions: defaultdict[tuple[str, str], Usage] = field(
        default_factory=lambda: defaultdict[tuple[str, str], Usage](Usage)
    )
    uploaded: int = 0
    """Bytes sent to S3."""
    downloaded: int = 0
    _keys: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    _indexes: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    _items: dict[Place, Item] = field(default_factory=dict[Place, Item])

    @property
    def total(self) -> int:
        return self.requests.total()

    def clear(self) -> None:
        """Forget what was counted, but not the tables and items."""
        self.requests.clear()
        self.tables.clear()
        self.partitions.clear()
        self.uploaded = self.downloaded = 0

    def object(self, method: str, *, sent: int = 0, received: int = 0) -> None:
        """A request to S3 for one object."""
        self.requests[f"s3:{method}"] += 1
        self.uploaded += sent
        self.downloaded += received

    def call(self, operation: str, request: Item, answer: Item) -> None:
        """A request to DynamoDB; one that was refused changed nothing."""
        self.requests[f"dynamodb:{operation}"] += 1
        if "__type" in answer:
            return
        if operation == "CreateTable":
            self._declare(request)
        elif operation == "Query":
            self._query(request, answer)
        elif operation in ("GetItem", "BatchGetItem"):
            wanted = request.get("RequestItems") or {request["TableName"]: request | {"Keys": [request["Key"]]}}
            for table, options in wanted.items():
                self._read(table, options["Keys"], options)
        else:
            for kind, table, item, factor in _writes(operation, request):
                self._write(kind, table, item, factor)

    def _declare(self, request: Item) -> None:
        table = request["TableName"]
        self._keys[table] = tuple(key["AttributeName"] for key in request["KeySchema"])
        indexes = [*request.get("LocalSecondaryIndexes", ()), *request.get("GlobalSecondaryIndexes", ())]
        self._indexes[table] = [index["KeySchema"][-1]["AttributeName"] for index in indexes]

    def _query(self, request: Item, answer: Item) -> None:
        items = answer["Items"]
        sizes = sum(size_of(self._items.get(place, item)) for place, item in self._places(request["TableName"], items))
        share = answer.get("ScannedCount", len(items)) / max(1, len(items))
        values = request.get("ExpressionAttributeValues", {})
        partition = next((v["S"] for k, v in values.items() if k.lower() in (":pk", ":key", ":p")), "")
        units = max(1, math.ceil(sizes * share / READ_UNIT)) * (1 if request.get("ConsistentRead") else 0.5)
        self._count(request["TableName"], partition, reads=units)

    def _read(self, table: str, items: Iterable[Item], options: Item) -> None:
        for place, item in self._places(table, items):
            size = size_of(self._items.get(place, item))
            units = max(1, math.ceil(size / READ_UNIT)) * (1 if options.get("ConsistentRead") else 0.5)
            self._count(table, place[1], reads=units)

    def _write(self, kind: str, table: str, item: Item, factor: int) -> None:
        if kind == "ConditionCheck":
            return
        [(place, _)] = self._places(table, [item])
        before = self._items.get(place)
        if kind == "Put":
            self._items[place] = item
        elif kind == "Delete":
            self._items.pop(place, None)
        after = self._items.get(place)
        units, stored = _units(before, after), _stored(after) - _stored(before)
        for attribute in self._indexes.get(table, ()):
            old, new = _within(before, attribute), _within(after, attribute)
            moved = old is not None and new is not None and old[attribute] != new[attribute]
            units += _units(old, None) + _units(None, new) if moved else _units(old, new) if old or new else 0
            stored += _stored(new) - _stored(old)
        self._count(table, place[1], writes=factor * units, stored=stored)

    def _count(self, table: str, partition: str, *, reads: float = 0.0, writes: float = 0.0, stored: int = 0) -> None:
        for usage in (self.tables[table], self.partitions[table, partition]):
            usage.reads += reads
            usage.writes += writes
            usage.stored += stored

    def _places(self, table: str, items: Iterable[Item]) -> Iterator[tuple[Place, Item]]:
        names = self._keys.get(table, ("pk", "sk"))
        for item in items:
            partition, sort = (next(iter(item[name].values())) if name in item else "" for name in names)
            yield (table, partition, sort), item


def _writes(operation: str, request: Item) -> Iterator[tuple[str, str, Item, int]]:
    """The kind of each write of a request, its table, its item or key, and the units that it takes for each unit."""
    if operation == "TransactWriteItems":
        for each in request["TransactItems"]:
            for kind, write in each.items():
                yield kind, write["TableName"], write.get(ITEM_OF.get(kind, "Key"), {}), 2
    elif operation == "BatchWriteItem":
        for table, writes in request["RequestItems"].items():
            for each in writes:
                for name, write in each.items():
                    kind = name.removesuffix("Request")
                    yield kind, table, write[ITEM_OF[kind]], 1
    elif operation in ("PutItem", "UpdateItem", "DeleteItem"):
        kind = operation.removesuffix("Item")
        yield kind, request["TableName"], request[ITEM_OF[kind]], 1


def size_of(item: Item) -> int:
    """Bytes of an item, as DynamoDB counts them: names and values, numbers at two digits a byte."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Item) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    if kind == "B":  # text in a request over HTTP
        return len(base64.b64decode(content)) if isinstance(content, str) else len(content)
    if kind == "L":
        return 3 + sum(1 + _value_size(each) for each in content)
    if kind == "M":
        return 3 + sum(1 + len(name) + _value_size(each) for name, each in content.items())
    return 1


def _units(before: Item | None, after: Item | None) -> int:
    return max(1, *(math.ceil(size_of(item) / WRITE_UNIT) for item in (before, after) if item))


def _stored(item: Item | None) -> int:
    return 0 if item is None else size_of(item)


def _within(item: Item | None, attribute: str) -> Item | None:
    """The item if an index of this attribute holds it."""
    return item if item is not None and attribute in item else None
