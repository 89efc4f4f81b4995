"""Events in DynamoDB: each is one item under its number and one under its id, written in one transaction."""

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from store.aws.item_documents import Body, ItemDocuments
from store.aws.tables import CONTENDED_PAUSE, ConditionFailed, Item, Place, Tables, delete_action, put_action
from store.errors import OutcomeUnknown, StoreError, Unavailable
from store.events import MAX_PAGE, Event, Events, conflict, encode_events
from store.keys import LARGEST, check_log, check_range
from store.listeners import Listeners
from store.serialization import Document

POLL_SECONDS = 0.5
PAGE, LOGS = 100, 200
"""Items that a look at a log's end reads and a process keeps of it, and the logs of which it keeps them."""
BATCH = 50  # two items per event, at most 100 items per transaction
TRUSTED_SECONDS = 30.0
"""For how long after its own append a process knows the end of a log; logs are deleted only where none is written."""
ABSENT = {"ConditionExpression": "attribute_not_exists(#pk)", "ExpressionAttributeNames": {"#pk": "pk"}}


class DynamoEvents(Events):
    """Adapter of `store.events.Events`."""

    def __init__(self, tables: Tables, documents: ItemDocuments) -> None:
        self._tables = tables
        self._table = tables.events
        self._documents = documents
        self._listeners = Listeners()
        self._last_numbers: dict[tuple[str, str], tuple[int, float]] = {}
        """The last known number of each log, and when this process last queried it."""
        self._written: dict[tuple[str, str], tuple[int, float]] = {}
        """The number of the last event that this process has appended to each log, and when."""
        self._recent = RecentItems()

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        check_log(owner, run_id)
        texts = encode_events(events)
        text_by_id = dict(reversed(texts))  # the first text of each id
        ids = list(dict.fromkeys(event_id for event_id, _ in texts))
        numbers: dict[str, int] = {}
        for first in range(0, len(ids), BATCH):
            batch = {event_id: text_by_id[event_id] for event_id in ids[first : first + BATCH]}
            numbers |= await self._append(owner, run_id, batch, expected)
            expected = None if expected is None else max(expected, *numbers.values())
        if numbers:
            self._note_last(owner, run_id, max(numbers.values()))
        return [numbers[event_id] for event_id, _ in texts]

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = MAX_PAGE) -> list[Event]:
        check_log(owner, run_id)
        check_range("after", after, 0, LARGEST)
        check_range("limit", limit, 1, MAX_PAGE)
        items = self._recent.after((owner, run_id), after, limit)
        if not items:
            items = await self._items(owner, run_id, after, limit)
            self._recent.note((owner, run_id), items)
        events: list[Event] = []
        for item in items:
            number = after + len(events) + 1
            if item["sk"]["S"] != _sort_key(number):
                break  # a query may see a part of a transaction; the next query returns the rest
            events.append(Event(number, item["event_id"]["S"], await self._documents.read(item)))
        if events:
            number, checked_at = self._last_numbers.get((owner, run_id), (0, 0.0))
            self._last_numbers[owner, run_id] = (max(number, events[-1].number), checked_at)
        else:
            self._last_numbers.pop((owner, run_id), None)  # another process may have deleted the log
        if not events and not after:
            self._forget(owner, run_id)
        return events

    async def last(self, owner: str, run_id: str) -> int:
        check_log(owner, run_id)
        latest = await self._latest(owner, run_id, ("sk",), 1)
        return number_of(latest[0]) if latest else 0

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        check_log(owner, run_id)
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        while True:
            # listen before the check, so that an append between the two is not missed
            with self._listeners.listen(owner, run_id) as appended:
                last_check = (remaining := deadline - clock()) <= 0
                if await self._goes_beyond(owner, run_id, after, at_once=last_check):
                    return True
                if last_check:
                    return False
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(appended), min(remaining, POLL_SECONDS))

    async def delete(self, owner: str, run_id: str) -> int:
        check_log(owner, run_id)
        deleted = 0
        while items := await self._latest(owner, run_id, ("sk", "event_id", "blob"), BATCH):
            keys = [key for item in items for key in (item["sk"]["S"], f"i#{item['event_id']['S']}")]
            await self._tables.write([delete_action(self._place(owner, run_id, key)) for key in keys])
            await self._documents.discard(*items)
            deleted += len(items)
        self._forget(owner, run_id)
        return deleted

    def _forget(self, owner: str, run_id: str) -> None:
        self._last_numbers.pop((owner, run_id), None)
        self._written.pop((owner, run_id), None)
        self._recent.forget((owner, run_id))

    async def _goes_beyond(self, owner: str, run_id: str, after: int, *, at_once: bool) -> bool:
        """Whether the log has an event after number `after`.

        The tasks of this process that wait for the same log share one query per `POLL_SECONDS`.
        """
        number, checked_at = self._last_numbers.get((owner, run_id), (0, 0.0))
        if number > after:
            return True
        if not at_once and time.monotonic() - checked_at < POLL_SECONDS:
            return False
        self._last_numbers[owner, run_id] = (number, time.monotonic())
        if number:
            news = await self._items(owner, run_id, number, PAGE)
            self._recent.note((owner, run_id), news)  # the next read returns them
            number = number_of(news[-1]) if news else number
        else:
            number = await self.last(owner, run_id)
        self._note_last(owner, run_id, number)
        return self._last_numbers[owner, run_id][0] > after

    def _note_last(self, owner: str, run_id: str, number: int) -> None:
        last, _ = self._last_numbers.get((owner, run_id), (0, 0.0))
        self._last_numbers[owner, run_id] = (max(last, number), time.monotonic())
        if number > last:
            self._listeners.notify(owner, run_id)

    async def _append(self, owner: str, run_id: str, texts: dict[str, str], expected: int | None) -> dict[str, int]:
        bodies: dict[str, Body] = {}
        try:
            return await self._append_numbered(owner, run_id, texts, bodies, expected)
        except StoreError as error:
            if not isinstance(error, OutcomeUnknown):  # otherwise the events may exist and need their blobs
                await self._documents.discard(*bodies.values())
            raise

    async def _append_numbered(
        self, owner: str, run_id: str, texts: dict[str, str], bodies: dict[str, Body], expected: int | None
    ) -> dict[str, int]:
        """Append the events whose ids the log does not have; the transaction fails if a number or an id exists."""
        log = {"S": _log(owner, run_id)}
        backoff = self._tables.backoff(CONTENDED_PAUSE)
        unanswered = False
        known = self._known_end(owner, run_id, expected)
        while True:
            last, numbers = known or 0, dict[str, int]()
            if known is None:
                try:
                    last = await self.last(owner, run_id)
                    places = [self._place(owner, run_id, f"i#{id_}") for id_ in texts] if last else []
                    stored = await self._tables.find(places, ("number",))
                except Unavailable as error:
                    raise (OutcomeUnknown(str(error)) if unanswered else error) from error
                numbers = {place.sk.removeprefix("i#"): int(item["number"]["N"]) for place, item in stored.items()}
            new = [id_ for id_ in texts if id_ not in numbers]
            if not new:
                break
            if expected not in (None, last):
                raise conflict(run_id, last, expected)
            items: list[Item] = []
            for number, id_ in enumerate(new, last + 1):
                bodies[id_] = bodies.get(id_) or await self._documents.write(owner, texts[id_])
                items.append({"pk": log, "sk": {"S": _sort_key(number)}, "event_id": {"S": id_}} | bodies[id_])
                items.append({"pk": log, "sk": {"S": f"i#{id_}"}, "number": {"N": str(number)}})
                numbers[id_] = number
            try:
                await self._tables.write([put_action(self._table, item, ABSENT) for item in items])
                self._written[owner, run_id] = (last + len(new), time.monotonic())
                self._recent.note((owner, run_id), items[::2])
                break
            except ConditionFailed as error:
                unanswered = unanswered or error.may_have_applied
                self._written.pop((owner, run_id), None)
                if known is not None and not unanswered:
                    known = None
                    continue
                known = None
                kind = OutcomeUnknown if unanswered else Unavailable
                await backoff.wait(kind(f"the log of {run_id!r} is unavailable (other writers append all the time)"))
        if not unanswered:
            await self._documents.discard(*(body for id_, body in bodies.items() if id_ not in new))
        return numbers

    def _known_end(self, owner: str, run_id: str, expected: int | None) -> int | None:
        """The end of the log, if this process has just written it; the conditions of the next write verify it."""
        number, at = self._written.get((owner, run_id), (0, 0.0))
        fresh = number and time.monotonic() - at < TRUSTED_SECONDS
        return number if fresh and expected in (None, number) else None

    def _place(self, owner: str, run_id: str, key: str) -> Place:
        return Place(self._table, _log(owner, run_id), key)

    async def _latest(self, owner: str, run_id: str, attributes: tuple[str, ...], limit: int) -> list[Item]:
        """The last items of the log, in descending order of their numbers."""
        names = {f"#{name}": name for name in attributes}
        answer = await self._tables.call(
            "query",
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="#pk = :pk AND #sk BETWEEN :low AND :high",
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames={"#pk": "pk"} | names,
            ExpressionAttributeValues=_between(owner, run_id, 0),
            ScanIndexForward=False,
            Limit=limit,
        )
        return answer["Items"]

    async def _items(self, owner: str, run_id: str, after: int, limit: int) -> list[Item]:
        request = {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": "#pk = :pk AND #sk BETWEEN :low AND :high",
            "ExpressionAttributeNames": {"#pk": "pk", "#sk": "sk"},
            "ExpressionAttributeValues": _between(owner, run_id, after + 1),
        }
        items: list[Item] = []
        while True:
            answer = await self._tables.call("query", Limit=limit - len(items), **request)
            items += answer["Items"]
            if len(items) == limit or "LastEvaluatedKey" not in answer:
                return items
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


class RecentItems:
    """The newest items of the logs that were read or written last; readers of a log's end need no query for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[tuple[str, str], list[Item]] = OrderedDict()

    def note(self, log: tuple[str, str], items: Sequence[Item]) -> None:
        """Items with consecutive numbers; they extend those before them, and replace any others."""
        if not items:
            return
        with self._lock:
            before = self._items.pop(log, [])
            follows = before and number_of(before[-1]) + 1 == number_of(items[0])
            self._items[log] = [*(before if follows else ()), *items][-PAGE:]
            if len(self._items) > LOGS:
                self._items.popitem(last=False)

    def after(self, log: tuple[str, str], number: int, limit: int) -> list[Item]:
        """The items from `number` + 1 on; none for a reader from the first, to whom a deleted log is empty."""
        with self._lock:
            items = self._items.get(log, [])
        first = number_of(items[0]) if items else 0
        return items[number + 1 - first :][:limit] if 0 < first <= number + 1 and number else []

    def forget(self, log: tuple[str, str]) -> None:
        with self._lock:
            self._items.pop(log, None)


def number_of(item: Item) -> int:
    return int(item["sk"]["S"].removeprefix("n#"))


def _log(owner: str, run_id: str) -> str:
    return f"{owner}#e#{run_id}"


def _sort_key(number: int) -> str:
    return f"n#{number:019d}"


def _between(owner: str, run_id: str, low: int) -> dict[str, Item]:
    return {
        ":pk": {"S": _log(owner, run_id)},
        ":low": {"S": _sort_key(low)},
        ":high": {"S": _sort_key(10**19 - 1)},
    }
