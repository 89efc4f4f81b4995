"""Who may go next: each owner has few places, so a queue that holds only who has one is fair.

The turnstile of an owner is one record: the jobs that have a place, each with a ticket, and those that wait for one.
A ticket is a message in the queue. It is noted as sent afterwards, so what a crash kept from being sent is found.
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
OVERDUE = timedelta(seconds=10)


class TooManyJobs(Conflicting):
    """The owner has as many jobs as may wait."""

    code = "too_many_jobs"


class Ticket(Frozen):
    """A place that a job has; a message with another number is an old one."""

    job: str
    number: int
    at: datetime
    sent: bool = False
    begun: int = 0
    """Workers that began with it and were not heard of again."""

    def message(self, owner: str) -> Document:
        return {"owner": owner, "job": self.job, "number": self.number}


class Turnstile(Frozen):
    count: int = 0
    """Tickets given so far."""
    places: tuple[Ticket, ...] = ()
    waiting: tuple[str, ...] = ()

    def entered(self, job: str) -> "Turnstile":
        if job in self.waiting:
            return self
        if len(self.waiting) >= MAX_WAITING:
            raise TooManyJobs(f"jobs: {len(self.waiting)} of yours wait already; expected {MAX_WAITING} at a time")
        return self.model_copy(update={"waiting": (*self.waiting, job)})

    def left(self, job: str, number: int | None = None) -> "Turnstile":
        """Without the ticket, or with no ticket and no wait of the job."""
        places = tuple(t for t in self.places if t.job != job or number not in (None, t.number))
        waiting = self.waiting if number is not None else tuple(name for name in self.waiting if name != job)
        return self.model_copy(update={"places": places, "waiting": waiting})

    def filled(self, limit: int, now: datetime) -> "Turnstile":
        """Those who wait longest take the places that are free."""
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

    def again(self, job: str, now: datetime) -> "Turnstile":
        """With a new ticket in the place of the job, if it has one; the old one is worth nothing any more."""
        new = Ticket(job=job, number=self.count + 1, at=now)
        places = tuple(new if ticket.job == job else ticket for ticket in self.places)
        return self if places == self.places else self.model_copy(update={"count": new.number, "places": places})

    def changed(self, tickets: Sequence[Ticket]) -> "Turnstile":
        """With these instead of those of the same number."""
        by_number = {ticket.number: ticket for ticket in tickets}
        return self.model_copy(update={"places": tuple(by_number.get(t.number, t) for t in self.places)})

    def new_since(self, earlier: "Turnstile") -> list[Ticket]:
        return [ticket for ticket in self.places if ticket.number > earlier.count]


Change: TypeAlias = Callable[[Turnstile], Turnstile]


async def read(store: Store, owner: str) -> tuple[Turnstile, int]:
    """The owner's turnstile and its version."""
    record = await store.records.get(_key(owner))
    return (Turnstile(), 0) if record is None else (Turnstile.model_validate(record.document), record.version)


def kept(owner: str, turnstile: Turnstile, version: int) -> Put:
    unsent = any(not ticket.sent for ticket in turnstile.places)
    return Put(
        _key(owner), turnstile.model_dump(mode="json"), version, labels={"state": "unsent" if unsent else "sent"}
    )


async def change(store: Store, owner: str, by: Change) -> tuple[Turnstile, Turnstile]:
    """The turnstile before and after."""
    while True:
        before, version = await read(store, owner)
        after = by(before)
        if after == before:
            return before, after
        try:
            await store.records.put_many([kept(owner, after, version)])
        except Conflict:
            continue
        return before, after


async def entering(store: Store, owner: str, job: str, limit: int, now: datetime) -> tuple[Put, list[Ticket]]:
    """The write that lets a job in, and the tickets to send once it is done."""
    before, version = await read(store, owner)
    after = before.entered(job).filled(limit, now)
    return kept(owner, after, version), after.new_since(before)


async def send(store: Store, queue: Queue, owner: str, tickets: Sequence[Ticket]) -> None:
    """Tickets that are written will come to the queue: what it cannot take now is sent by a sweep."""
    try:
        await _send(store, queue, owner, tickets)
    except Unavailable as error:
        logger: Any = structlog.get_logger()
        logger.warning("tickets_unsent", jobs=[ticket.job for ticket in tickets], reason=str(error))


async def _send(store: Store, queue: Queue, owner: str, tickets: Sequence[Ticket]) -> None:
    if not tickets:
        return
    for ticket in tickets:
        await queue.send(ticket.message(owner))
    numbers = {ticket.number for ticket in tickets}

    def noted(turnstile: Turnstile) -> Turnstile:
        held = [ticket for ticket in turnstile.places if ticket.number in numbers]
        return turnstile.changed([ticket.model_copy(update={"sent": True}) for ticket in held])

    await change(store, owner, noted)


async def sweep(store: Store, queue: Queue, now: datetime) -> int:
    """Send what a process that died has left unsent; how many were."""
    found = 0
    # in this order the index of labels is read, not every turnstile
    async for record in iterate_records(store.records, SYSTEM, KIND, label=("state", "unsent"), newest_first=True):
        turnstile = Turnstile.model_validate(record.document)
        overdue = [t for t in turnstile.places if not t.sent and t.at < now - OVERDUE]
        await _send(store, queue, record.key.id, overdue)
        found += len(overdue)
    return found


def _key(owner: str) -> Key:
    return Key(SYSTEM, KIND, owner)
