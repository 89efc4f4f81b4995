"""Read queries of an owner's data sets."""

import asyncio
from datetime import UTC, datetime

from desk.market.datasets.freshness import measure_freshness
from desk.market.datasets.repository import HEAD, read_head, read_version, resolve_commit
from desk.market.datasets.schemas import Commit, Dataset, Head, Series, Stale, Version
from store.errors import InvalidCursor
from store.store import Store

MAX_COMMITS_SHOWN = 100


async def list_datasets(
    store: Store, owner: str, now: datetime, *, limit: int, after: str | None
) -> tuple[list[Dataset], str | None]:
    page = await store.records.list(owner, HEAD, limit=limit, after=after)
    heads = [Head.model_validate(record.document) for record in page.records]
    return [await _dataset(head, await _latest(store, owner, head), now) for head in heads], page.after


async def read_dataset(store: Store, owner: str, name: str, now: datetime, as_of: datetime | None) -> Series:
    """A data set with its commits, newest first, and its current version or the one at `as_of`."""
    head = await read_head(store, owner, name)
    at = as_of.replace(tzinfo=UTC) if as_of is not None and as_of.tzinfo is None else as_of
    current = await read_version(store, owner, name, resolve_commit(head, as_of=at).hash)
    latest = await _latest(store, owner, head)
    return Series(
        dataset=await _dataset(head, latest, now),
        versions=tuple(reversed(head.history))[:MAX_COMMITS_SHOWN],
        current=current,
    )


async def list_commits(
    store: Store, owner: str, name: str, *, limit: int, after: str | None
) -> tuple[list[Commit], str | None]:
    """Commits, newest first; the cursor is the number of the last commit on the page."""
    history = (await read_head(store, owner, name)).history
    if after is not None and not (after.isascii() and after.isdecimal() and len(after) < 10):
        raise InvalidCursor(after)
    stop = len(history) if after is None else min(int(after), len(history))
    start = max(stop - limit, 0)
    return list(reversed(history[start:stop])), str(start) if start else None


async def list_stale_runs(store: Store, owner: str, *, limit: int, after: str | None) -> tuple[list[Stale], str | None]:
    from desk.market.datasets.version_changes import KIND

    page = await store.records.list(owner, KIND, limit=limit, after=after)
    return [Stale.model_validate(record.document) for record in page.records], page.after


async def _latest(store: Store, owner: str, head: Head) -> Version:
    return await read_version(store, owner, head.name, head.history[-1].hash)


async def _dataset(head: Head, version: Version, now: datetime) -> Dataset:
    return Dataset(
        name=head.name,
        kind=head.kind,
        latest=version.hash,
        at=head.history[-1].at,
        first=version.first,
        last=version.last,
        assets=version.assets,
        currency=version.currency,
        freshness=await asyncio.to_thread(measure_freshness, version.last, version.calendar, now.date()),
    )
