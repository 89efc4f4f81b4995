"""Data that were marked as bad: no new run uses them until they are mended or unmarked, or the mark expires."""

import uuid
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from desk.base.errors import InvalidInput, NotFound
from desk.market.datasets.events import MarketEvent, publish
from desk.market.datasets.schemas import Marker, NewMarker
from store.records import Key, iterate_records
from store.store import Store

KIND = "marker"
LIFE = timedelta(days=30)


async def mark(store: Store, owner: str, new: NewMarker, now: datetime) -> Marker:
    if new.start and new.end and new.end < new.start:
        raise InvalidInput("end", str(new.end), allowed=f"a day from {new.start} on")
    marker = Marker(**new.model_dump(), id=uuid.uuid4().hex, at=now, by=owner, expires_at=now + LIFE, state="active")
    await store.records.put(Key(owner, KIND, marker.id), marker.model_dump(mode="json"), expected=0)
    await _tell(store, owner, marker, "marker_set", now, f"{describe(marker)} was marked as bad: {marker.reason}")
    return marker


async def all_markers(store: Store, owner: str, now: datetime) -> list[Marker]:
    """All of them; those whose time is over are said to have expired, once."""
    found = [Marker.model_validate(record.document) async for record in iterate_records(store.records, owner, KIND)]
    return [await _aged(store, owner, marker, now) for marker in found]


async def list_markers(
    store: Store, owner: str, now: datetime, *, limit: int, after: str | None
) -> tuple[list[Marker], str | None]:
    found = await store.records.list(owner, KIND, limit=limit, after=after)
    kept = [Marker.model_validate(record.document) for record in found.records]
    return [await _aged(store, owner, marker, now) for marker in kept], found.after


async def unmark(store: Store, owner: str, marker_id: str, now: datetime) -> None:
    record = await store.records.get(Key(owner, KIND, marker_id))
    if record is None:
        raise NotFound(f"marker: there is no marker {marker_id!r}; expected the id of one of your markers")
    marker = Marker.model_validate(record.document)
    await store.records.delete(record.key)
    await _tell(store, owner, marker, "marker_removed", now, f"the mark on {describe(marker)} was removed by {owner}")


async def clear(store: Store, owner: str, marker: Marker, now: datetime, version: str) -> None:
    """The data that it marked have been replaced."""
    await store.records.delete(Key(owner, KIND, marker.id))
    text = f"the mark on {describe(marker)} was lifted: version {version[:12]} has these days and passes every gate"
    await _tell(store, owner, marker, "marker_cleared", now, text)


def require_unmarked(found: Iterable[Marker], dataset: str, assets: Collection[str], first: date, last: date) -> None:
    """Raises `InvalidInput` where an active marker names one of `assets` on the days from `first` to `last`."""
    for marker in found:
        if marker.state != "active" or marker.symbol not in assets or marker.dataset not in (None, dataset):
            continue
        if (marker.start or first) <= last and (marker.end or last) >= first:
            raise InvalidInput(
                "universe",
                marker.symbol,
                reason=f"{describe(marker)} is marked as bad data ({marker.reason})",
                allowed=f"{dataset} without {marker.symbol}, a new version that mends it, or removing the marker "
                f"{marker.id}",
                code="bad_data",
            )


def describe(marker: Marker) -> str:
    where = f" in {marker.dataset}" if marker.dataset else ""
    if marker.start is None and marker.end is None:
        return f"{marker.symbol}{where}"
    return f"{marker.symbol}{where} from {marker.start or 'the beginning'} to {marker.end or 'the end'}"


async def _aged(store: Store, owner: str, marker: Marker, now: datetime) -> Marker:
    if marker.expires_at > now:
        return marker
    text = f"the mark on {describe(marker)} has expired without new data; runs may use it again"
    await _tell(store, owner, marker, "marker_expired", marker.expires_at, text)
    return marker.model_copy(update={"state": "expired"})


async def _tell(store: Store, owner: str, marker: Marker, event: str, at: datetime, text: str) -> None:
    told = MarketEvent.model_validate(
        {"event": event, "at": at, "text": text, "dataset": marker.dataset, "marker": marker.id}
    )
    await publish(store, owner, f"{event}-{marker.id}", told)
