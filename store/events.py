"""What happened, in order: one append-only log per owner and run."""

from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from store.errors import Conflict
from store.serialization import Document

__all__ = ["Document", "Event", "Events", "conflict", "follow"]

MAX_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Event:
    number: int
    """1, 2, 3, ... within its log, without gaps."""
    event_id: str
    payload: Document


@runtime_checkable
class Events(Protocol):
    """Port. Adapters: `store.sqlite.database.SqliteEvents`, `store.aws.events.DynamoEvents`."""

    async def append(self, owner: str, run_id: str, event_id: str, payload: Document) -> int:
        """The event's number; an id that the log already has keeps its number and payload."""
        ...

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        """Like `append` of each (event_id, payload) in turn, in one transaction (DynamoDB: one for every 50).

        New ones come right after number `expected`, or it is a `Conflict` and none is written.
        """
        ...

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = MAX_PAGE) -> list[Event]:
        """The events numbered `after` + 1 and on; an unknown log is empty."""
        ...

    async def last(self, owner: str, run_id: str) -> int:
        """The highest number, 0 for an unknown log."""
        ...

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        """True as soon as the log goes beyond `after`, False after `timeout` seconds."""
        ...

    async def delete(self, owner: str, run_id: str) -> int:
        """How many events there were; what is appended afterwards begins at 1.

        One that is cut off leaves the first of them, without gaps, and may be repeated.
        """
        ...


def conflict(run_id: str, last: int, expected: int) -> Conflict:
    return Conflict(f"the log of {run_id!r} ends at {last}, expected was {expected}")


async def follow(events: Events, owner: str, run_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
    """Every event beyond `after`, then each new one as it comes; it ends only with its reader.

    Close it (`contextlib.aclosing`) when leaving the loop early.
    """
    while True:
        for event in await events.read(owner, run_id, after):
            yield event
            after = event.number
        await events.wait(owner, run_id, after, timeout=3600)
