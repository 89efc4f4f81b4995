"""Markers for bad data: new runs cannot use them until they are replaced or unmarked, or the marker expires."""

import uuid
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta

from desk.base.errors import InvalidInput, NotFound
from desk.market.datasets.events import MarketEvent, publish
from desk.market.datasets.schemas import Marker, NewMarker
from store.records import Key, iterate_records
from store.store import Store

KIND = "marker"
LIFETIME = timedelta(days=30)


async def mark(store: Store, owner: str, new: NewMarker, now: datetime) -> Marker:
    if new.start and new.end and new.end < new.start:
        raise InvalidInput("end", str(new.end), allowed=f"a day from {new.start} on")
    marker = Marker(
        **new.model_dump(), id=uuid.uuid4().hex, at=now, by=owner, expires_at=now + LIFETIME, state="active"
    )
    await store.records.put(Key(owner, KIND, marker.id), marker.model_dump(mode="json"), expected=0)
    await _publish(store, owner, marker, "marker_set", now, f"{describe(marker)} was marked as bad: {marker.reason}")
    return marker


async def all_markers(store: Store, owner: str, now: datetime) -> list[Marker]:
    """All markers of an owner; publishes an event once for each expired one."""
    markers = [Marker.model_validate(record.document) async for record in iterate_records(store.records, owner, KIND)]
    return [await _check_expiry(store, owner, marker, now) for marker in markers]


async def list_markers(
    store: Store, owner: str, now: datetime, *, limit: int, after: str | None
) -> tuple[list[Marker], str | None]:
    page = await store.records.list(owner, KIND, limit=limit, after=after)
    markers = [Marker.model_validate(record.document) for record in page.records]
    return [await _check_expiry(store, owner, marker, now) for marker in markers], page.after


async def unmark(store: Store, owner: str, marker_id: str, now: datetime) -> None:
    record = await store.records.get(Key(owner, KIND, marker_id))
    if record is None:
        raise NotFound(f"Marker {marker_id!r} does not exist; expected the id of one of your markers.")
    marker = Marker.model_validate(record.document)
    await store.records.delete(record.key)
    await _publish(
        store, owner, marker, "marker_removed", now, f"the mark on {describe(marker)} was removed by {owner}"
    )


async def clear(store: Store, owner: str, marker: Marker, now: datetime, version: str) -> None:
    """Remove a marker whose data have been replaced."""
    await store.records.delete(Key(owner, KIND, marker.id))
    text = f"the mark on {describe(marker)} was lifted: version {version[:12]} has these days and passes every gate"
    await _publish(store, owner, marker, "marker_cleared", now, text)


def require_unmarked(markers: Iterable[Marker], dataset: str, assets: Collection[str], first: date, last: date) -> None:
    """Raises `InvalidInput` if an active marker covers one of `assets` between `first` and `last`."""
    for marker in markers:
        if marker.state != "active" or marker.symbol not in assets or marker.dataset not in (None, dataset):
            continue
        if (marker.start or first) <= last and (marker.end or last) >= first:
            raise InvalidInput(
                "universe",
                marker.symbol,
                reason=f"{describe(marker)} is marked as bad data ({marker.reason})",
                allowed=f"{dataset} without {marker.symbol}, a new version that corrects it, or removing the marker "
                f"{marker.id}",
                code="bad_data",
            )


def describe(marker: Marker) -> str:
    where = f" in {marker.dataset}" if marker.dataset else ""
    if marker.start is None and marker.end is None:
        return f"{marker.symbol}{where}"
    return f"{marker.symbol}{where} from {marker.start or 'the beginning'} to {marker.end or 'the end'}"


async def _check_expiry(store: Store, owner: str, marker: Marker, now: datetime) -> Marker:
    if marker.expires_at > now:
        return marker
    text = f"the mark on {describe(marker)} has expired without new data; runs may use it again"
    await _publish(store, owner, marker, "marker_expired", marker.expires_at, text)
    return marker.model_copy(update={"state": "expired"})


async def _publish(store: Store, owner: str, marker: Marker, event: str, at: datetime, text: str) -> None:
    market_event = MarketEvent.model_validate(
        {"event": event, "at": at, "text": text, "dataset": marker.dataset, "marker": marker.id}
    )
    await publish(store, owner, f"{event}-{marker.id}", market_event)
