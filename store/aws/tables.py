"""The DynamoDB tables of a store: calls that retry transient errors and translate the others."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.backoff import RETRY_SECONDS, Backoff
from store.aws.client_errors import is_condition_failure, is_invalid_request, is_transient, is_unanswered, reason
from store.aws.clients import MAX_CONNECTIONS
from store.errors import OutcomeUnknown, StoreError, Unavailable

Item: TypeAlias = dict[str, Any]

KEYS = ("pk", "sk")
LONGEST_PAUSE = 1.0
CONTENDED_PAUSE = 0.1
MAX_FOUND = 100
"""Keys of one BatchGetItem."""


@dataclass(frozen=True, slots=True)
class TableKind:
    name: str
    """What follows the prefix of the store in the name of the table."""
    actions: tuple[str, ...]
    """What a store does with its items."""
    time_to_live: str | None = None
    """Attribute by which DynamoDB deletes expired items."""


TABLE_KINDS = (
    TableKind("records", ("GetItem", "BatchGetItem", "Query", "PutItem", "DeleteItem"), "ttl"),
    TableKind("events", ("BatchGetItem", "Query", "PutItem", "DeleteItem")),
    TableKind("audit", ("GetItem", "BatchGetItem", "Query", "PutItem")),
)
"""The tables of a store: string keys `pk` and `sk`, and no index, so that no partition key has a limit of size."""


class Place(NamedTuple):
    """Where an item is."""

    table: str
    pk: str
    sk: str

    @property
    def key(self) -> Item:
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


class ConditionFailed(StoreError):
    """A condition of a write did not hold.

    `may_have_applied` is true if an earlier attempt got no response: it may itself have made the condition fail.
    """

    def __init__(self, *, may_have_applied: bool) -> None:
        super().__init__("a condition did not hold")
        self.may_have_applied = may_have_applied


class Tables:
    """Runs boto3's blocking calls in a dedicated thread pool, so that numeric work does not delay them."""

    def __init__(self, client: Any, prefix: str, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.records, self.events, self.audit = table_names(prefix)
        self._client = client
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(MAX_CONNECTIONS, thread_name_prefix="dynamodb")

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def backoff(self, longest: float = LONGEST_PAUSE) -> Backoff:
        return Backoff(self._retry_seconds, longest)

    async def call(self, operation: str, **request: Any) -> Any:
        """The response; throttling and transport errors are retried until the deadline.

        Raises `ConditionFailed`, or `Unavailable` (`OutcomeUnknown` if an attempt got no response).
        """
        work = partial(getattr(self._client, operation), **request)
        backoff = self.backoff()
        unanswered = False
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
            except (ClientError, BotoCoreError) as error:
                if is_condition_failure(error):
                    raise ConditionFailed(may_have_applied=unanswered) from error
                if is_invalid_request(error):
                    raise
                unanswered = unanswered or is_unanswered(error)
                kind = OutcomeUnknown if unanswered else Unavailable
                unavailable = kind(f"{_tables_of(request)} is unavailable ({reason(error)})")
                if not is_transient(error):
                    raise unavailable from error
                await backoff.wait(unavailable)

    async def write(self, actions: list[Item]) -> None:
        """Execute at most 100 actions, all or none; each is a `Put` or a `Delete` of a transaction."""
        if len(actions) == 1 and "Put" in actions[0]:
            await self.call("put_item", **actions[0]["Put"])
        else:
            await self.call("transact_write_items", TransactItems=actions)

    async def find(self, places: Iterable[Place], attributes: tuple[str, ...] = ()) -> dict[Place, Item]:
        """The items that exist at any number of places, with their keys and these attributes, or with all."""
        items: dict[Place, Item] = {}
        rest = list(dict.fromkeys(places))
        for first in range(0, len(rest), MAX_FOUND):
            items |= await self._find(rest[first : first + MAX_FOUND], attributes)
        return items

    async def _find(self, places: list[Place], attributes: tuple[str, ...]) -> dict[Place, Item]:
        options: Item = {"ConsistentRead": True}
        if attributes:
            names = {f"#{name}": name for name in (*KEYS, *attributes)}
            options |= {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
        wanted: Item = {}
        for place in places:
            wanted.setdefault(place.table, {"Keys": []} | options)["Keys"].append(place.key)
        items: dict[Place, Item] = {}
        backoff = self.backoff()
        while wanted:
            answer = await self.call("batch_get_item", RequestItems=wanted)
            for table, read in answer["Responses"].items():
                items |= {place_of(table, item): item for item in read}
            wanted = answer.get("UnprocessedKeys") or {}
            if wanted:
                await backoff.wait(Unavailable(f"{_named(wanted)} is unavailable (throttled)"))
        return items


def table_names(prefix: str) -> tuple[str, ...]:
    """The names of the tables, in the order of `TABLE_KINDS`."""
    return tuple(f"{prefix}-{kind.name}" for kind in TABLE_KINDS)


def place_of(table: str, item: Item) -> Place:
    return Place(table, item["pk"]["S"], item["sk"]["S"])


def put_action(table: str, item: Item, condition: Item | None = None) -> Item:
    return {"Put": {"TableName": table, "Item": item} | (condition or {})}


def delete_action(place: Place, condition: Item | None = None) -> Item:
    return {"Delete": {"TableName": place.table, "Key": place.key} | (condition or {})}


def _tables_of(request: Item) -> str:
    if "TableName" in request:
        return _named([request["TableName"]])
    if "RequestItems" in request:
        return _named(request["RequestItems"])
    return _named(each["TableName"] for action in request["TransactItems"] for each in action.values())


def _named(tables: Iterable[str]) -> str:
    return " or ".join(f"the table {name!r}" for name in dict.fromkeys(tables))
