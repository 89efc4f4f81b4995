"""A fair queue: each owner has a few places, and only jobs with a place have a message in the queue.

The queue record of an owner holds the jobs that have a place, each with a ticket, and the jobs that wait for one. A
ticket is a message in the queue, marked as sent afterwards, so that a sweep finds and sends those a crash left unsent.
A job that finds every place at work taken is refused: its message is sent again when one is free.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

import structlog

from desk.base.errors import Conflicting
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Unavailable
from store.keys import SYSTEM
from store.queue import Document, Queue
from store.records import Key, Put, iterate_records
from store.store import Store

KIND = "turnstile"
MAX_WAITING = 5_000
UNSENT_AFTER = timedelta(seconds=10)


class TooManyJobs(Conflicting):
    """The owner has reached the limit of waiting jobs."""

    code = "too_many_jobs"


class Ticket(Frozen):
    """The place of a job; messages with another number are outdated."""

    job: str
    number: int
    at: datetime
    sent: bool = False
    begun: int = 0
    """Workers that started the job and did not report back."""
    refused: bool = False
    """Whether a worker has dropped the message because every place at work was taken."""

    def is_overdue(self, now: datetime) -> bool:
        """Whether the process that should have sent the message has stopped."""
        return not self.sent and self.at < now - UNSENT_AFTER

    def message(self, owner: str) -> Document:
        return {"owner": owner, "job": self.job, "number": self.number}


class OwnerQueue(Frozen):
    count: int = 0
    """Tickets issued so far."""
    places: tuple[Ticket, ...] = ()
    waiting: tuple[str, ...] = ()

    def with_job(self, job: str) -> "OwnerQueue":
        if job in self.waiting:
            return self
        if len(self.waiting) >= MAX_WAITING:
            raise TooManyJobs(f"jobs: {len(self.waiting)} of your jobs wait already; at most {MAX_WAITING} may wait")
        return self.model_copy(update={"waiting": (*self.waiting, job)})

    def without_job(self, job: str, number: int | None = None) -> "OwnerQueue":
        """Remove the ticket, or without a number every ticket and waiting entry of the job."""
        places = tuple(t for t in self.places if t.job != job or number not in (None, t.number))
        waiting = self.waiting if number is not None else tuple(name for name in self.waiting if name != job)
        return self.model_copy(update={"places": places, "waiting": waiting})

    def with_places_filled(self, limit: int, now: datetime) -> "OwnerQueue":
        """Give the free places to the jobs that have waited longest."""
        free = max(0, limit - len(self.places))
        new = [Ticket(job=job, number=self.count + k + 1, at=now) for k, job in enumerate(self.waiting[:free])]
        update = {
            "count": self.count + len(new),
            "places": (*self.places, *new),
            "waiting": self.waiting[len(new) :],
        }
        return self.model_copy(update=update)

    def ticket(self, job: str, number: int) -> Ticket | None:
        return next((t for t in self.places if (t.job, t.number) == (job, number)), None)

    def with_new_ticket(self, job: str, now: datetime) -> "OwnerQueue":
        """Replace the job's ticket with a new one, if it has a place; the old ticket becomes invalid."""
        new = Ticket(job=job, number=self.count + 1, at=now)
        places = tuple(new if ticket.job == job else ticket for ticket in self.places)
        return self if places == self.places else self.model_copy(update={"count": new.number, "places": places})

    def with_tickets(self, tickets: Sequence[Ticket]) -> "OwnerQueue":
        """Replace the tickets that have the same numbers."""
        by_number = {ticket.number: ticket for ticket in tickets}
        return self.model_copy(update={"places": tuple(by_number.get(t.number, t) for t in self.places)})

    def with_refused(self, job: str, number: int) -> "OwnerQueue":
        ticket = self.ticket(job, number)
        if ticket is None:
            return self
        return self.with_tickets([ticket.model_copy(update={"sent": True, "refused": True})])

    def with_admitted(self, job: str, number: int) -> "OwnerQueue":
        """Turn a refused ticket into one that is to be sent."""
        ticket = self.ticket(job, number)
        if ticket is None or not ticket.refused:
            return self
        return self.with_tickets([ticket.model_copy(update={"sent": False, "refused": False})])

    def new_since(self, earlier: "OwnerQueue") -> list[Ticket]:
        return [ticket for ticket in self.places if ticket.number > earlier.count]


Change: TypeAlias = Callable[[OwnerQueue], OwnerQueue]


async def load_queue(store: Store, owner: str) -> tuple[OwnerQueue, int]:
    """The queue record of the owner and its version."""
    record = await store.records.get(_key(owner))
    return (OwnerQueue(), 0) if record is None else (OwnerQueue.model_validate(record.document), record.version)


def queue_put(owner: str, owner_queue: OwnerQueue, version: int) -> Put:
    unsent = any(ticket.refused or not ticket.sent for ticket in owner_queue.places)
    return Put(
        _key(owner), owner_queue.model_dump(mode="json"), version, labels={"state": "unsent" if unsent else "sent"}
    )


async def change_queue(store: Store, owner: str, by: Change) -> tuple[OwnerQueue, OwnerQueue]:
    """Change the queue record of the owner; returns it before and after."""
    while True:
        before, version = await load_queue(store, owner)
        after = by(before)
        if after == before:
            return before, after
        try:
            await store.records.put_many([queue_put(owner, after, version)])
        except Conflict:
            continue
        return before, after


async def enter(store: Store, owner: str, job: str, limit: int, now: datetime) -> tuple[Put, list[Ticket]]:
    """The write that adds a job to the queue, and the tickets to send after it."""
    before, version = await load_queue(store, owner)
    after = before.with_job(job).with_places_filled(limit, now)
    return queue_put(owner, after, version), after.new_since(before)


async def send_tickets(store: Store, queue: Queue, owner: str, tickets: Sequence[Ticket]) -> None:
    """Send stored tickets; a sweep sends those that the queue cannot accept now."""
    try:
        await _send_tickets(store, queue, owner, tickets)
    except Unavailable as error:
        logger: Any = structlog.get_logger()
        logger.warning("tickets_unsent", jobs=[ticket.job for ticket in tickets], reason=str(error))


async def _send_tickets(store: Store, queue: Queue, owner: str, tickets: Sequence[Ticket]) -> None:
    if not tickets:
        return
    for ticket in tickets:
        await queue.send(ticket.message(owner))
    numbers = {ticket.number for ticket in tickets}

    def mark_sent(owner_queue: OwnerQueue) -> OwnerQueue:
        sent_tickets = [ticket for ticket in owner_queue.places if ticket.number in numbers]
        return owner_queue.with_tickets([ticket.model_copy(update={"sent": True}) for ticket in sent_tickets])

    await change_queue(store, owner, mark_sent)


async def send_unsent(store: Store, queue: Queue, now: datetime, free_places: int | None) -> int:
    """Send the tickets that a crashed process left unsent, and the refused ones that have a place now.

    Without a limit of places `free_places` is None. Returns the number of tickets.
    """
    refused: list[tuple[str, Ticket]] = []
    count = 0
    async for owner, owner_queue in _unsent_queues(store):
        overdue = [ticket for ticket in owner_queue.places if ticket.is_overdue(now)]
        await _send_tickets(store, queue, owner, overdue)
        count += len(overdue)
        refused += [(owner, ticket) for ticket in owner_queue.places if ticket.refused]
    return count + await _send_oldest(store, queue, refused, free_places)


async def send_refused(store: Store, queue: Queue, free_places: int) -> int:
    """Send the tickets that were refused, the oldest first, one for each free place; returns their number."""
    if not free_places:
        return 0
    queues = _unsent_queues(store)
    refused = [(owner, ticket) async for owner, each in queues for ticket in each.places if ticket.refused]
    return await _send_oldest(store, queue, refused, free_places)


async def _send_oldest(
    store: Store, queue: Queue, refused: Sequence[tuple[str, Ticket]], free_places: int | None
) -> int:
    count = 0
    for owner, ticket in sorted(refused, key=lambda each: each[1].at)[:free_places]:
        before, after = await change_queue(
            store, owner, partial(OwnerQueue.with_admitted, job=ticket.job, number=ticket.number)
        )
        if after != before:  # otherwise another process sends it
            await send_tickets(store, queue, owner, [ticket])
            count += 1
    return count


async def _unsent_queues(store: Store) -> AsyncGenerator[tuple[str, OwnerQueue]]:
    # this order uses the index of labels instead of reading every queue record
    async for record in iterate_records(store.records, SYSTEM, KIND, label=("state", "unsent"), newest_first=True):
        yield record.key.id, OwnerQueue.model_validate(record.document)


def _key(owner: str) -> Key:
    return Key(SYSTEM, KIND, owner)
