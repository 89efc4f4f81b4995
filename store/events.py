"""Port of the event log: one append-only log per owner and run."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from store.errors import Conflict
from store.keys import check_id
from store.serialization import Document, encode

__all__ = ["Document", "Event", "Events", "conflict", "encode_events", "follow"]

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    """1, 2, 3, ... within its log, without gaps."""
    event_id: str
    payload: Document


@runtime_checkable
class Events(Protocol):
    """Adapters, which inherit `append`: `store.sqlite.events.SqliteEvents` and `store.aws.events.DynamoEvents`."""

    async def append(self, owner: str, run_id: str, event_id: str, payload: Document) -> int:
        """Append an event and return its number; an id already in the log keeps its number and payload."""
        (number,) = await self.append_many(owner, run_id, [(event_id, payload)])
        return number

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        """Append each (event_id, payload) in order, in one transaction (DynamoDB: one for every 50 events).

        With `expected`, raises `Conflict` and writes nothing unless the log ends at that number.
        """
        ...

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = MAX_PAGE) -> list[Event]:
        """At most `limit` events from number `after` + 1; an unknown log is empty."""
        ...

    async def last(self, owner: str, run_id: str) -> int:
        """The number of the last event, 0 for an unknown log."""
        ...

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        """True as soon as the log has an event after number `after`, False after `timeout` seconds."""
        ...

    async def delete(self, owner: str, run_id: str) -> int:
        """Delete the log and return the number of its events; the next event gets number 1.

        An interrupted deletion leaves the first events, without gaps, and may be repeated.
        """
        ...


def conflict(run_id: str, last: int, expected: int) -> Conflict:
    """The error for a log that does not end where the writer expected."""
    return Conflict(f"the log of {run_id!r} ends at {last}; the writer expected {expected}")


def encode_events(events: Iterable[tuple[str, Document]]) -> list[tuple[str, str]]:
    """The id of each event with its payload as text; raises `Invalid` for an id or a payload that is not allowed."""
    texts: list[tuple[str, str]] = []
    for event_id, payload in events:
        check_id("event_id", event_id)
        texts.append((event_id, encode(f"the payload of event {event_id!r}", payload)))
    return texts


async def follow(events: Events, owner: str, run_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
    """Yield every event after number `after`, then each new one, without end.

    Close the generator (`contextlib.aclosing`) when leaving the loop early.
    """
    while True:
        for event in await events.read(owner, run_id, after):
            yield event
            after = event.number
        await events.wait(owner, run_id, after, timeout=3600)
