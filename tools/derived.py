"""Answers that take long to make, kept for a day: the same bytes whether they were kept or made anew."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from store.errors import Missing
from store.records import Key

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
    key, blob = Key(owner, KIND, f"{run}.{what}"), f"{owner}/derived/{run}/{what}"
    address = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    record = await store.records.get(key)
    if record is not None and record.document["made_of"] == address:
        content = await _kept(store, blob)
        if content is not None and _digest(content) == record.document["digest"]:
            return Derived(content, record.document["digest"], hit=True)
    content = await make()
    await store.blobs.put(blob, content)
    document = {"made_of": address, "digest": _digest(content)}
    await store.records.put(key, document, expires=now + KEPT_FOR)
    return Derived(content, document["digest"], hit=False)


async def _kept(store: "Store", blob: str) -> bytes | None:
    try:
        return await store.blobs.get(blob)
    except Missing:
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
