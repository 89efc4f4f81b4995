"""A fair queue: each owner has a few places, and only jobs with a place have a message in the queue.

The queue record of an owner holds the jobs that have a place, each with a ticket, and the jobs that wait for one. A
ticket is a message in the queue, marked as sent afterwards, so that a sweep finds and sends those a crash left unsent.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
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

    def new_since(self, earlier: "OwnerQueue") -> list[Ticket]:
        return [ticket for ticket in self.places if ticket.number > earlier.count]


Change: TypeAlias = Callable[[OwnerQueue], OwnerQueue]


async def load_queue(store: Store, owner: str) -> tuple[OwnerQueue, int]:
    """The queue record of the owner and its version."""
    record = await store.records.get(_key(owner))
    return (OwnerQueue(), 0) if record is None else (OwnerQueue.model_validate(record.document), record.version)


def queue_put(owner: str, owner_queue: OwnerQueue, version: int) -> Put:
    unsent = any(not ticket.sent for ticket in owner_queue.places)
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


async def send_unsent(store: Store, queue: Queue, now: datetime) -> int:
    """Send the tickets that a crashed process left unsent; returns their number."""
    count = 0
    # this order uses the index of labels instead of reading every queue record
    async for record in iterate_records(store.records, SYSTEM, KIND, label=("state", "unsent"), newest_first=True):
        owner_queue = OwnerQueue.model_validate(record.document)
        overdue = [t for t in owner_queue.places if not t.sent and t.at < now - UNSENT_AFTER]
        await _send_tickets(store, queue, record.key.id, overdue)
        count += len(overdue)
    return count


def _key(owner: str) -> Key:
    return Key(SYSTEM, KIND, owner)
