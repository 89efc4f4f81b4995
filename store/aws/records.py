"""Records in DynamoDB: an item each, and one for its place in every list; every read is strongly consistent.

A record is in the list of its kind by creation, and in one for each of its labels. These items are written in the
transaction of the record and hold its id only. Kinds of the audit log are in no list.
"""

import math
import re
import secrets
import threading
import time
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any

from store.aws.item_documents import Body, ItemDocuments
from store.aws.known_items import WRITE_ATTRIBUTES, KnownItems
from store.aws.tables import (
    CONTENDED_PAUSE,
    MAX_FOUND,
    ConditionFailed,
    Item,
    Place,
    Tables,
    delete_action,
    put_action,
)
from store.errors import Conflict, InvalidCursor, Missing, OutcomeUnknown, StoreError, Unavailable
from store.keys import ABOVE_EVERY_ID, LABELS, Key, check_id, is_audit_kind
from store.records import MAX_PAGE, Page, PageQuery, Put, Record, Records, check_batch, check_writes
from store.serialization import encode

LEAST_ID = " "  # the smallest printable character
STAMP = re.compile(r"\d{28}", re.ASCII)
LAST_STAMP = "9" * 28


class DynamoRecords(Records):
    """Adapter of `store.records.Records`; a write replaces exactly the item that was read, or is retried."""

    def __init__(self, tables: Tables, documents: ItemDocuments) -> None:
        self._tables = tables
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
        backoff = self._tables.backoff(CONTENDED_PAUSE)
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
            actions = [
                action
                for put, before, item in zip(puts, current, items, strict=True)
                for action in put_actions(self._tables, put.key, before, item)
            ]
            check_writes(len(actions))
            try:
                await self._tables.write(actions)
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
        place = record_place(self._tables, key)
        for _ in range(3):
            answer = await self._tables.call("get_item", TableName=place.table, Key=place.key, ConsistentRead=True)
            item = answer.get("Item")
            if _expired(item):
                self._known.forget([key])
                return None
            self._known.note(key, item)
            with suppress(Missing):  # a writer has replaced the item since and deleted its blob
                return Record(key, await self._documents.read(item), _version(item))
        raise Unavailable(f"the document of {key} is missing from the bucket")

    async def get_many(self, keys: Sequence[Key]) -> tuple[Record | None, ...]:
        places = [record_place(self._tables, key) for key in keys]
        items = await self._tables.find(places)
        found = [items.get(place) for place in places]
        return tuple(
            [
                None if item is None or _expired(item) else await self._record(key, item)
                for key, item in zip(keys, found, strict=True)
            ]
        )

    async def read_page(self, query: PageQuery) -> Page:
        listed = query.newest_first or query.label is not None
        records: list[Record] = []
        last: Item | None = None
        async with aclosing(self._listed_items(query) if listed else self._items_by_id(query)) as items:
            async for item in items:
                if last is not None and len(records) == query.limit:
                    return Page(tuple(records), last["created" if query.newest_first else "sk"]["S"])
                record = await self._record(Key(query.owner, query.kind, item["sk"]["S"]), item)
                if record is not None:
                    records.append(record)
                    last = item
        return Page(tuple(records), None)

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        backoff = self._tables.backoff(CONTENDED_PAUSE)
        place = record_place(self._tables, key)
        known = self._known.get(key)
        if _expired(known) or expected not in (None, _version(known)):
            known = None
        self._known.forget([key])
        while True:
            item = (await self._tables.find([place], WRITE_ATTRIBUTES)).get(place) if known is None else known
            known = None
            _expect(key, item, expected)
            if item is None or _expired(item):
                return False
            try:
                await self._delete(key, item)
            except ConditionFailed as error:
                await backoff.wait(_contended(key, unanswered=error.may_have_applied))
                continue
            return True

    async def sweep(self) -> int:
        """Nothing: DynamoDB deletes expired items by their time to live, and S3 their blobs by its lifecycle rules."""
        return 0

    async def _delete(self, key: Key, item: Item) -> None:
        place = record_place(self._tables, key)
        lists = [delete_action(each) for each in list_places(self._tables, key, item)]
        try:
            await self._tables.write([delete_action(place, _unchanged(item)), *lists])
        except ConditionFailed as error:
            if not error.may_have_applied or await self._tables.find([place], WRITE_ATTRIBUTES):
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
        places = [record_place(self._tables, put.key) for put in puts]
        items = await self._tables.find(places, WRITE_ATTRIBUTES)
        return [items.get(place) for place in places]

    async def _items_by_id(self, query: PageQuery) -> AsyncGenerator[Item]:
        if query.after is not None:
            check_id("after", query.after)
        first = max(query.prefix, query.after or LEAST_ID)
        place = record_place(self._tables, Key(query.owner, query.kind, first))
        async with aclosing(self._query(place, query.prefix + ABOVE_EVERY_ID, "expires", query.limit + 2)) as pages:
            async for page in pages:
                for item in page:
                    if item["sk"]["S"] != query.after:
                        yield item

    async def _listed_items(self, query: PageQuery) -> AsyncGenerator[Item]:
        """The records of a list, newest first or by id; an item of a list whose record has changed is passed over."""
        chunk = min(query.limit + 1, MAX_FOUND)
        async with aclosing(self._newest(query) if query.newest_first else self._sorted_ids(query)) as pages:
            async for page in pages:
                for first in range(0, len(page), chunk):
                    ids: dict[str, Item] = {}
                    for entry in page[first : first + chunk]:
                        ids.setdefault(entry["id"]["S"], entry["sk"])
                    places = [record_place(self._tables, Key(query.owner, query.kind, id_)) for id_ in ids]
                    items = await self._tables.find(places)
                    for place in places:
                        item = items.get(place)
                        if item is not None and not _expired(item) and _is_listed(item, ids[place.sk], query):
                            yield item

    async def _newest(self, query: PageQuery) -> AsyncGenerator[Sequence[Item]]:
        if query.after is not None and not STAMP.fullmatch(query.after):
            raise InvalidCursor(query.after)
        last = LAST_STAMP if query.after is None else f"{max(int(query.after) - 1, 0):028d}"
        limit = MAX_PAGE if query.prefix else query.limit + 1
        async with aclosing(self._query(self._list_start(query), last, "ttl", limit, newest_first=True)) as pages:
            async for page in pages:
                yield [entry for entry in page if entry["id"]["S"].startswith(query.prefix)]

    async def _sorted_ids(self, query: PageQuery) -> AsyncGenerator[Sequence[Item]]:
        """The whole list of a label, which is ordered by creation, by id."""
        if query.after is not None:
            check_id("after", query.after)
        entries: dict[str, Item] = {}
        async with aclosing(self._query(self._list_start(query), LAST_STAMP, "ttl", MAX_PAGE)) as pages:
            async for page in pages:
                entries |= {entry["id"]["S"]: entry for entry in page}
        after = query.after or ""
        yield [entries[id_] for id_ in sorted(entries) if id_ > after and id_.startswith(query.prefix)]

    def _list_start(self, query: PageQuery) -> Place:
        lists = _list_keys(Key(query.owner, query.kind, LEAST_ID), dict([query.label] if query.label else []))
        return Place(self._tables.records, lists[-1], "0" * 28)

    async def _query(
        self, first: Place, last: str, expiry: str, limit: int, *, newest_first: bool = False
    ) -> AsyncGenerator[Sequence[Item]]:
        """Pages of the items from a place to a sort key, without those whose attribute `expiry` is past."""
        if first.sk > last:
            return  # an empty range, which DynamoDB refuses
        request: dict[str, Any] = {
            "TableName": first.table,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
            "Limit": min(limit, MAX_PAGE),
            "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
            "FilterExpression": "(attribute_not_exists(#expiry) OR #expiry > :now)",
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk", "#expiry": expiry},
            "ExpressionAttributeValues": {
                ":pk": {"S": first.pk},
                ":low": {"S": first.sk},
                ":high": {"S": last},
                ":now": {"N": repr(time.time())},
            },
        }
        while True:
            answer = await self._tables.call("query", **request)
            yield answer["Items"]
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
        place = record_place(self._tables, put.key)
        replaced = None if _expired(before) else before
        created = replaced["created"]["S"] if replaced else self._stamps.next()
        item: Item = (
            place.key
            | {
                "created": {"S": created},
                "version": {"N": str((_version(replaced) if replaced else 0) + 1)},
                "write": {"S": write},
            }
            | body
        )
        for name, value in put.labels.items():
            item[name] = {"S": value}
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


def record_place(tables: Tables, key: Key) -> Place:
    return Place(tables.audit if is_audit_kind(key.kind) else tables.records, f"{key.owner}#r#{key.kind}", key.id)


def list_places(tables: Tables, key: Key, item: Item) -> Sequence[Place]:
    """The places of a record in the lists of its kind."""
    if is_audit_kind(key.kind):
        return ()
    labels = {name: item[name]["S"] for name in LABELS if name in item}
    return [Place(tables.records, pk, item["created"]["S"]) for pk in _list_keys(key, labels)]


def put_actions(tables: Tables, key: Key, before: Item | None, item: Item) -> list[Item]:
    """What replaces the item of a record, if it has not changed since it was read, and its places in lists."""
    old = () if before is None else list_places(tables, key, before)
    new = list_places(tables, key, item)
    kept = () if before is None or before.get("ttl") != item.get("ttl") else old
    ttl = {"ttl": item["ttl"]} if "ttl" in item else {}
    return [
        put_action(record_place(tables, key).table, item, _unchanged(before)),
        *(put_action(place.table, place.key | {"id": {"S": key.id}} | ttl) for place in new if place not in kept),
        *(delete_action(place) for place in old if place not in new),
    ]


def _list_keys(key: Key, labels: Mapping[str, str]) -> list[str]:
    """The partition keys of the lists of a record: the one by creation, and those of its labels."""
    return [f"{key.owner}#c#{key.kind}", *(f"{key.owner}#l#{key.kind}#{n}#{v}" for n, v in labels.items())]


def _is_listed(item: Item, created: Item, query: PageQuery) -> bool:
    """Whether the record is still at its place in the list."""
    return item["created"] == created and (query.label is None or item.get(query.label[0]) == {"S": query.label[1]})


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
