"""Places of jobs at work: how many jobs of all owners are executed or computed elsewhere at once.

A place is a record with a number below the limit, which its job keeps until it ends, waits for a person, or returns to
the queue.
"""

from collections.abc import AsyncGenerator
from datetime import datetime

from desk.runs.repository import KIND as RUN
from desk.runs.repository import Run
from desk.runs.states import STOPPED_STATES
from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.keys import SYSTEM
from store.records import Key, Record, iterate_records
from store.store import Store

KIND = "place"
UNLIMITED = 0


class Place(Frozen):
    owner: str
    job: str
    at: datetime


async def take_place(store: Store, limit: int, owner: str, job: str, now: datetime) -> bool:
    """Whether the job has a place; it keeps one that an earlier execution took."""
    if limit == UNLIMITED:
        return True
    while True:
        records = [record async for record in _records(store)]
        if any(_holds(record, owner, job) for record in records):
            return True
        numbers = {int(record.key.id) for record in records}
        free = next((number for number in range(limit) if number not in numbers), None)
        if free is None or len(records) >= limit:
            return False
        try:
            document = Place(owner=owner, job=job, at=now).model_dump(mode="json")
            await store.records.put(Key(SYSTEM, KIND, f"{free:06d}"), document, expected=0)
        except Conflict:  # another worker has taken it
            continue
        return True


async def leave_place(store: Store, limit: int, owner: str, job: str) -> int | None:
    """Free the place of the job, if it has one; returns how many places are free then, None without a limit."""
    if limit == UNLIMITED:
        return None
    taken = 0
    async for record in _records(store):
        if _holds(record, owner, job):
            await _free(store, record)
        else:
            taken += 1
    return max(limit - taken, 0)


async def free_abandoned_places(store: Store, limit: int) -> int | None:
    """Free the places of jobs that have ended without doing so; returns the same as `leave_place`."""
    if limit == UNLIMITED:
        return None
    taken = 0
    async for record in _records(store):
        place = Place.model_validate(record.document)
        run = await store.records.get(Key(place.owner, RUN, place.job))
        if run is None or Run.model_validate(run.document).state in (*STOPPED_STATES, "waiting"):
            await _free(store, record)
        else:
            taken += 1
    return max(limit - taken, 0)


async def count_free_places(store: Store, limit: int) -> int | None:
    """How many places are free; None without a limit."""
    if limit == UNLIMITED:
        return None
    return max(limit - len([record async for record in _records(store)]), 0)


def _holds(record: Record, owner: str, job: str) -> bool:
    return (record.document["owner"], record.document["job"]) == (owner, job)


async def _free(store: Store, record: Record) -> None:
    try:
        await store.records.delete(record.key, expected=record.version)
    except Conflict:  # freed by another process
        return


def _records(store: Store) -> AsyncGenerator[Record]:
    return iterate_records(store.records, SYSTEM, KIND)
