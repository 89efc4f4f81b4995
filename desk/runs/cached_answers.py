"""Answers that take long to make, kept for a day: the same bytes whether they were kept or made anew."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from store.errors import Missing
from store.records import Key, Record, iterate_records

if TYPE_CHECKING:
    from store.store import Store

KIND = "derived"
KEPT_FOR = timedelta(hours=24)


class Derived(NamedTuple):
    content: bytes
    digest: str
    hit: bool


async def derived(
    store: "Store",
    owner: str,
    run: str,
    what: str,
    made_of: Sequence[str],
    make: Callable[[], Awaitable[bytes]],
    *,
    now: datetime,
) -> Derived:
    """What `make` makes of `made_of`; of each `what` of a run the newest is kept."""
    key, blob = Key(owner, KIND, f"{run}.{what}"), _blob(owner, run, what)
    address = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    record = await store.records.get(key)
    if record is not None and record.document["made_of"] == address and not _is_old(record, now):
        content = await _kept(store, blob)
        if content is not None and _digest(content) == record.document["digest"]:
            return Derived(content, record.document["digest"], hit=True)
    content = await make()
    await store.blobs.put(blob, content)
    document = {"made_of": address, "digest": _digest(content), "until": (now + KEPT_FOR).isoformat()}
    await store.records.put(key, document)  # it does not expire by itself: it tells `forget_derived` of the blob
    return Derived(content, document["digest"], hit=False)


async def forget_derived(
    store: "Store", owner: str, now: datetime, *, run: str | None = None, dry_run: bool = False
) -> int:
    """Delete what is older than a day, of a run everything; how many there were."""
    found = 0
    async for record in iterate_records(store.records, owner, KIND, prefix="" if run is None else f"{run}."):
        if run is None and not _is_old(record, now):
            continue
        found += 1
        if not dry_run:
            name, _, what = record.key.id.partition(".")
            await store.blobs.delete(_blob(owner, name, what))
            await store.records.delete(record.key)
    return found


def _is_old(record: Record, now: datetime) -> bool:
    until = record.document.get("until")  # one without it was kept by an earlier version
    return until is None or datetime.fromisoformat(until) <= now


def _blob(owner: str, run: str, what: str) -> str:
    return f"{owner}/derived/{run}/{what}"


async def _kept(store: "Store", blob: str) -> bytes | None:
    try:
        return await store.blobs.get(blob)
    except Missing:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
