"""Cache of expensive answers for a day; a cached answer has the same bytes as a computed one."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from store.errors import Missing
from store.records import Key, Record, iterate_records

if TYPE_CHECKING:
    from store.store import Store

KIND = "derived"
LIFETIME = timedelta(hours=24)


class CachedAnswer(NamedTuple):
    content: bytes
    digest: str
    hit: bool


async def load_or_compute(
    store: "Store",
    owner: str,
    run: str,
    name: str,
    inputs: Sequence[str],
    compute: Callable[[], Awaitable[bytes]],
    *,
    now: datetime,
) -> CachedAnswer:
    """Return the cached answer `name` of a run, or call `compute` if its `inputs` changed or it expired."""
    key, blob = Key(owner, KIND, f"{run}.{name}"), _blob(owner, run, name)
    address = hashlib.sha256("\n".join(inputs).encode()).hexdigest()
    record = await store.records.get(key)
    if record is not None and record.document["made_of"] == address and not _is_old(record, now):
        content = await _load_blob(store, blob)
        if content is not None and _digest(content) == record.document["digest"]:
            return CachedAnswer(content, record.document["digest"], hit=True)
    content = await compute()
    await store.blobs.put(blob, content)
    document = {"made_of": address, "digest": _digest(content), "until": (now + LIFETIME).isoformat()}
    await store.records.put(key, document)  # without expiry: `delete_cached_answers` finds the blob through it
    return CachedAnswer(content, document["digest"], hit=False)


async def delete_cached_answers(
    store: "Store", owner: str, now: datetime, *, run: str | None = None, dry_run: bool = False
) -> int:
    """Delete expired answers, or all of `run`; return their number."""
    count = 0
    async for record in iterate_records(store.records, owner, KIND, prefix="" if run is None else f"{run}."):
        if run is None and not _is_old(record, now):
            continue
        count += 1
        if not dry_run:
            run_id, _, name = record.key.id.partition(".")
            await store.blobs.delete(_blob(owner, run_id, name))
            await store.records.delete(record.key)
    return count


def _is_old(record: Record, now: datetime) -> bool:
    until = record.document.get("until")  # absent in records of an earlier version
    return until is None or datetime.fromisoformat(until) <= now


def _blob(owner: str, run: str, name: str) -> str:
    return f"{owner}/derived/{run}/{name}"


async def _load_blob(store: "Store", blob: str) -> bytes | None:
    try:
        return await store.blobs.get(blob)
    except Missing:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
