"""Records in DynamoDB: one item each, four local indexes, every read strongly consistent."""

import math
import re
import secrets
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Any

from store.aws.item_documents import Body, ItemDocuments
from store.aws.known_items import WRITE_ATTRIBUTES, KnownItems
from store.aws.table import CONTENDED_PAUSE, ConditionFailed, Item, Table
from store.errors import Conflict, InvalidCursor, Missing, OutcomeUnknown, StoreError, Unavailable
from store.keys import ABOVE_EVERY_ID, Key, check_id
from store.records import MAX_BATCH, MAX_PAGE, LabelName, Page, PageQuery, Put, Record, Records, check_batch
from store.serialization import encode

LEAST_ID = " "  # the smallest printable character
STAMP = re.compile(r"\d{28}", re.ASCII)
CREATION = "created"


class DynamoRecords(Records):
    """Adapter of `store.records.Records`; a write replaces exactly the item that was read, or is retried."""

    def __init__(self, table: Table, documents: ItemDocuments) -> None:
        self._table = table
        self._documents = documents
        self._stamps = CreationStamps()
        self._known = KnownItems()

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        check_batch(puts)
        texts = [encode(f"the document of {put.key}", put.document) for put in puts]
        if not puts:
            return ()
        bodies: list[Body] = []
        try:
            for put, text in zip(puts, texts, strict=True):
                bodies.append(await self._documents.write(put.key.owner, text, put.expires))
            return await self._put(puts, bodies)
        except StoreError as error:
            if not isinstance(error, OutcomeUnknown):  # otherwise the items may exist and need their blobs
                await self._documents.discard(*bodies)
            raise

    async def _put(self, puts: Sequence[Put], bodies: list[Body]) -> tuple[int, ...]:
        write = uuid.uuid4().hex
        backoff = self._table.backoff(CONTENDED_PAUSE)
        unanswered = False
        replaced: Sequence[Item | None] = ()
        known = self._expected_items(puts)
        while True:
            try:
                current = await self._current_items(puts) if known is None else known
            except Unavailable as error:
                raise (OutcomeUnknown(str(error)) if unanswered else error) from error
            if unanswered and all(item is not None and item["write"]["S"] == write for item in current):
                await self._documents.discard(*filter(None, replaced))
                return tuple(_version(item) for item in current)  # the write was applied, its response lost
            for put, item in zip(puts, current, strict=True):
                _expect(put.key, item, put.expected)
            relied, known = known is not None, None
            if unanswered:  # our write may have been applied and replaced, and its blob deleted
                raise OutcomeUnknown(
                    f"the response to a write of {puts[0].key} was lost, and others have written since"
                )
            items = [self._item(put, item, body, write) for put, item, body in zip(puts, current, bodies, strict=True)]
            try:
                await self._table.put(items, [_unchanged(item) for item in current])
            except ConditionFailed as failure:
                unanswered, replaced = failure.may_have_applied, current
                self._known.forget(put.key for put in puts)
                if relied and not unanswered:
                    continue
                await backoff.wait(_contended(puts[0].key, unanswered=unanswered))
                continue
            await self._documents.discard(*filter(None, current))
            for put, item in zip(puts, items, strict=True):
                self._known.note(put.key, item)
            return tuple(_version(item) for item in items)

    async def get(self, key: Key) -> Record | None:
        pk, sk = _primary_key(key)
        for _ in range(3):
            answer = await self._table.call(
                "get_item", TableName=self._table.name, Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
            )
            item = answer.get("Item")
            if _expired(item):
                self._known.forget([key])
                return None
            self._known.note(key, item)
            with suppress(Missing):  # a writer has replaced the item since and deleted its blob
                return Record(key, await self._documents.read(item), _version(item))
        raise Unavailable(f"the document of {key} is missing from the bucket")

    async def get_many(self, keys: Sequence[Key]) -> tuple[Record | None, ...]:
        found: dict[tuple[str, str], Item] = {}
        for first in range(0, len(keys), MAX_BATCH):
            places = [_primary_key(key) for key in keys[first : first + MAX_BATCH]]
            items = await self._table.find([{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in places])
            found |= {(item["pk"]["S"], item["sk"]["S"]): item for item in items}
        return tuple(
            [
                None
                if _expired(item := found.get(_primary_key(key))) or item is None
                else await self._record(key, item)
                for key in keys
            ]
        )

    async def read_page(self, query: PageQuery) -> Page:
        owner, kind, prefix, label, after = query.owner, query.kind, query.prefix, query.label, query.after
        condition = _newest(label, after) if query.newest_first else _by_id(prefix, label, after)
        if condition is None:
            return Page((), None)
        filtered = bool(prefix) if query.newest_first else label is not None
        records: list[Record] = []
        last: Item | None = None
        async with aclosing(self._query(owner, kind, condition, MAX_PAGE if filtered else query.limit + 2)) as items:
            async for item in items:
                id_ = item["sk"]["S"]
                if id_ == after or not id_.startswith(prefix):
                    continue
                if last is not None and len(records) == query.limit:
                    return Page(tuple(records), last["created" if query.newest_first else "sk"]["S"])
                record = await self._record(Key(owner, kind, id_), item)
                if record is not None:
                    records.append(record)
                    last = item
        return Page(tuple(records), None)

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        backoff = self._table.backoff(CONTENDED_PAUSE)
        known = self._known.get(key)
        if _expired(known) or expected not in (None, _version(known)):
            known = None
        self._known.forget([key])
        while True:
            (item,) = (await self._find([key]) or [None]) if known is None else [known]
            known = None
            _expect(key, item, expected)
            if item is None or _expired(item):
                return False
            try:
                await self._delete(item)
            except ConditionFailed as error:
                await backoff.wait(_contended(key, unanswered=error.may_have_applied))
                continue
            return True

    async def sweep(self) -> int:
        """Nothing: DynamoDB deletes expired items by their time to live, and S3 their blobs by its lifecycle rules."""
        return 0

    async def _delete(self, item: Item) -> None:
        key = {"pk": item["pk"], "sk": item["sk"]}
        try:
            await self._table.call("delete_item", TableName=self._table.name, Key=key, **_unchanged(item))
        except ConditionFailed as error:
            if not error.may_have_applied or await self._table.find([key], WRITE_ATTRIBUTES):
                raise
        await self._documents.discard(item)

    def _expected_items(self, puts: Sequence[Put]) -> Sequence[Item | None] | None:
        """The items that the writer expects, as far as this process knows them all; conditions verify them."""
        items = [self._known.get(put.key) for put in puts]
        for put, item in zip(puts, items, strict=True):
            version = 0 if _expired(item) else _version(item)
            if version != put.expected and (put.expected is not None or version == 0):
                return None
        return [None if _expired(item) else item for item in items]

    async def _current_items(self, puts: Sequence[Put]) -> Sequence[Item | None]:
        items = {(item["pk"]["S"], item["sk"]["S"]): item for item in await self._find([put.key for put in puts])}
        return [items.get(_primary_key(put.key)) for put in puts]

    async def _find(self, keys: Sequence[Key]) -> Sequence[Item]:
        places = [_primary_key(key) for key in keys]
        return await self._table.find([{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in places], WRITE_ATTRIBUTES)

    async def _query(self, owner: str, kind: str, condition: dict[str, Any], limit: int) -> AsyncGenerator[Item]:
        values = {":pk": {"S": f"{owner}#r#{kind}"}, ":now": _now()} | condition["ExpressionAttributeValues"]
        names = {"#pk": "pk", "#expires": "expires"} | condition["ExpressionAttributeNames"]
        unexpired = "(attribute_not_exists(#expires) OR #expires > :now)"
        request = condition | {
            "TableName": self._table.name,
            "ConsistentRead": True,
            "Limit": min(limit, MAX_PAGE),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
            "FilterExpression": " AND ".join(filter(None, [unexpired, condition.get("FilterExpression")])),
        }
        while True:
            answer = await self._table.call("query", **request)
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    async def _record(self, key: Key, item: Item) -> Record | None:
        self._known.note(key, item)
        try:
            return Record(key, await self._documents.read(item), _version(item))
        except Missing:
            return await self.get(key)

    def _item(self, put: Put, before: Item | None, body: Body, write: str) -> Item:
        pk, sk = _primary_key(put.key)
        replaced = None if _expired(before) else before
        created = replaced["created"]["S"] if replaced else self._stamps.next()
        item: Item = {
            "pk": {"S": pk},
            "sk": {"S": sk},
            "created": {"S": created},
            "version": {"N": str((_version(replaced) if replaced else 0) + 1)},
            "write": {"S": write},
        } | body
        for name, value in put.labels.items():
            item[name] = {"S": f"{value}#{created}"}
        if put.expires is not None:
            item["expires"] = {"N": repr(put.expires.timestamp())}
            item["ttl"] = {"N": str(math.ceil(put.expires.timestamp()))}
        return item


class CreationStamps:
    """Increasing creation times: strictly increasing in this process, with a random suffix against other processes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        with self._lock:
            self._last = max(self._last + 1, time.time_ns())
            return f"{self._last:019d}{secrets.randbelow(10**9):09d}"


def _primary_key(key: Key) -> tuple[str, str]:
    return f"{key.owner}#r#{key.kind}", key.id


def _now() -> dict[str, str]:
    return {"N": repr(time.time())}


def _version(item: Item | None) -> int:
    return 0 if item is None else int(item["version"]["N"])


def _expired(item: Item | None) -> bool:
    return item is None or ("expires" in item and float(item["expires"]["N"]) <= time.time())


def _expect(key: Key, item: Item | None, expected: int | None) -> None:
    version = 0 if _expired(item) else _version(item)
    if expected is not None and version != expected:
        raise Conflict(f"{key} is at version {version}; the writer expected {expected} (0: absent)")


def _contended(key: Key, *, unanswered: bool) -> Unavailable:
    kind = OutcomeUnknown if unanswered else Unavailable
    return kind(f"{key} is unavailable (other writers replace it all the time)")


def _unchanged(item: Item | None) -> dict[str, Any]:
    """The condition that the item has not changed since it was read."""
    if item is None:
        return {"ConditionExpression": "attribute_not_exists(#pk)", "ExpressionAttributeNames": {"#pk": "pk"}}
    return {
        "ConditionExpression": "#write = :write",
        "ExpressionAttributeNames": {"#write": "write"},
        "ExpressionAttributeValues": {":write": item["write"]},
    }


def _by_id(prefix: str, label: tuple[LabelName, str] | None, after: str | None) -> dict[str, Any] | None:
    """The query of a page by id; with a label it reads the whole kind: label indexes are ordered by creation."""
    if after is not None:
        check_id("after", after)
    low, high = max(prefix, after or LEAST_ID), prefix + ABOVE_EVERY_ID
    if low > high:
        return None  # an empty range, which DynamoDB refuses
    condition: dict[str, Any] = {
        "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
        "ExpressionAttributeNames": {"#sk": "sk"},
        "ExpressionAttributeValues": {
            ":low": {"S": low},
            ":high": {"S": high},
        },
    }
    if label is not None:
        name, value = label
        condition["FilterExpression"] = "begins_with(#label, :label)"
        condition["ExpressionAttributeNames"]["#label"] = name
        condition["ExpressionAttributeValues"][":label"] = {"S": f"{value}#"}
    return condition


def _newest(label: tuple[LabelName, str] | None, after: str | None) -> dict[str, Any]:
    if after is not None and not STAMP.fullmatch(after):
        raise InvalidCursor(after)
    name, value = (CREATION, "") if label is None else (label[0], f"{label[1]}#")
    before = 10**28 if after is None else int(after)
    return {
        "IndexName": f"by-{name}",
        "ScanIndexForward": False,
        "KeyConditionExpression": "#pk = :pk AND #place BETWEEN :low AND :high",
        "ExpressionAttributeNames": {"#place": name},
        "ExpressionAttributeValues": {
            ":low": {"S": f"{value}{0:028d}"},
            ":high": {"S": f"{value}{max(before - 1, 0):028d}"},
        },
    }
