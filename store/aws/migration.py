"""Copies the single table of earlier versions into the tables of this one.

That table held records and events, with four local indexes, which limit each partition key to 10 GB. A copy leaves it
as it is, may be interrupted and repeated, and replaces nothing that was written to the new tables later.
"""

import base64
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, NamedTuple

from store.aws.records import WRITE_ATTRIBUTES, put_actions, record_place
from store.aws.tables import MAX_FOUND, ConditionFailed, Item, Tables, place_of, put_action
from store.errors import Conflict, Corrupted
from store.keys import LABELS, Key
from store.records import MAX_WRITES

MODULUS = 2**256


class Content(NamedTuple):
    """What a table holds, whatever the order of its items: their number, and the sum of their digests."""

    items: int = 0
    sum: int = 0

    def with_item(self, item: Item) -> "Content":
        digest = hashlib.sha256(json.dumps(item, sort_keys=True, default=_base64).encode()).digest()
        return Content(self.items + 1, (self.sum + int.from_bytes(digest)) % MODULUS)

    @property
    def digest(self) -> str:
        return f"{self.sum:064x}"


@dataclass(frozen=True, slots=True)
class TableCopy:
    """A table: what the source demands of it, and what it holds."""

    name: str
    expected: Content
    present: Content


@dataclass(frozen=True, slots=True)
class Copied:
    items: int = 0
    """Items of the source that were copied, or would be."""
    newer: int = 0
    """Items of the source whose record was written to the new tables later, and stays."""


class Migration:
    """Reads the source by `Scan`, which is billed by what it reads: twice for a copy with its verification."""

    def __init__(self, tables: Tables, source: str) -> None:
        self._tables = tables
        self._source = source
        self._now = time.time()

    async def copy(self, *, dry_run: bool = False) -> Copied:
        """Copy what the new tables lack; stop the program first. Raises `Conflict` if it writes meanwhile."""
        copied = Copied()
        async for items in self._pages(self._source):
            new_items = [self._converted(item) for item in items]
            places = [place_of(table, item) for table, item in new_items]
            existing = await self._tables.find(places, WRITE_ATTRIBUTES)
            actions: list[Item] = []
            for (table, item), place in zip(new_items, places, strict=True):
                before = existing.get(place)
                state = _compare(before, item)
                copied = Copied(copied.items + (state == "older"), copied.newer + (state == "newer"))
                if state != "older" or dry_run:
                    continue
                more = self._actions(table, item, before)
                if len(actions) + len(more) > MAX_WRITES:
                    await self._write(actions)
                    actions = []
                actions += more
            if actions:
                await self._write(actions)
        return copied

    async def verify(self) -> list[TableCopy]:
        """Compare number and digest of the items, lists included, between the source and the new tables."""
        expected: defaultdict[str, Content] = defaultdict(Content)
        async for items in self._pages(self._source):
            for table, item in map(self._converted, items):
                expected[table] = expected[table].with_item(item)
                for action in self._list_actions(table, item):
                    expected[action["TableName"]] = expected[action["TableName"]].with_item(action["Item"])
        copies: list[TableCopy] = []
        for name in (self._tables.records, self._tables.events, self._tables.audit):
            present = Content()
            async for items in self._pages(name):
                for item in items:
                    present = present.with_item(item)
            copies.append(TableCopy(name, expected[name], present))
        return copies

    async def _pages(self, table: str) -> AsyncGenerator[list[Item]]:
        """All items that have not expired; DynamoDB deletes the others at any time."""
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "Limit": MAX_FOUND}
        while True:
            answer = await self._tables.call("scan", **request)
            yield [item for item in answer["Items"] if "ttl" not in item or int(item["ttl"]["N"]) > self._now]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _converted(self, item: Item) -> tuple[str, Item]:
        """The item as this version stores it, and its table; a label was stored with the time of creation."""
        key = _record_key(item)
        if key is None:
            return self._tables.events, item
        labels = {name: {"S": item[name]["S"].rpartition("#")[0]} for name in LABELS if name in item}
        return record_place(self._tables, key).table, item | labels

    def _actions(self, table: str, item: Item, before: Item | None) -> list[Item]:
        key = _record_key(item)
        if key is None:
            absent = {"ConditionExpression": "attribute_not_exists(#pk)", "ExpressionAttributeNames": {"#pk": "pk"}}
            return [put_action(table, item, absent)]
        return put_actions(self._tables, key, before, item)

    def _list_actions(self, table: str, item: Item) -> list[Item]:
        """The puts of a record's places in lists."""
        return [action["Put"] for action in self._actions(table, item, None)[1:]]

    async def _write(self, actions: list[Item]) -> None:
        try:
            await self._tables.write(actions)
        except ConditionFailed as error:
            if not error.may_have_applied:
                raise Conflict("another process writes to the tables; stop it, and repeat the migration") from error
            raise Conflict("a response was lost; repeat the migration") from error


def _compare(before: Item | None, item: Item) -> str:
    """`older` if the new tables lack the item or hold an earlier state of it, `newer` for a later one, else `same`."""
    if before is None:
        return "older"
    if "write" not in item or before["write"] == item["write"]:
        return "same"
    return "older" if _age(before) < _age(item) else "newer"


def _age(item: Item) -> tuple[str, int]:
    return item["created"]["S"], int(item["version"]["N"])


def _record_key(item: Item) -> Key | None:
    """The key of a record; None for an event."""
    owner, separator, rest = item["pk"]["S"].partition("#")
    sort, _, name = rest.partition("#")
    if not separator or sort not in ("r", "e"):
        raise Corrupted(f"the source has the partition key {item['pk']['S']!r}, which no store writes")
    return None if sort == "e" else Key(owner, name, item["sk"]["S"])


def _base64(value: object) -> str:
    assert isinstance(value, bytes)
    return base64.b64encode(value).decode()
