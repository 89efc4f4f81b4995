"""Versions, markers and adjustments of data sets, below the HTTP interface."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.market.datasets.events import read_events
from desk.market.datasets.freshness import measure_freshness
from desk.market.datasets.ingestion import MAX_FLAGS_PER_WRITE, import_file
from desk.market.datasets.markers import LIFETIME, all_markers, mark
from desk.market.datasets.repository import PIN, OwnedPrices, blob_key, find_head, read_head
from desk.market.datasets.schemas import NewMarker, Terms
from desk.market.datasets.version_changes import read_stale
from desk.market.price_history import PriceQuery, price_series
from store.embedded import open_store
from store.errors import Conflict
from store.records import Key, Put, Records
from store.store import Store

pytestmark = pytest.mark.anyio

NOW = datetime(2024, 2, 1, 12, tzinfo=UTC)
FILE = "date,A,B\n2024-01-02,1.5,10\n2024-01-03,1.6,11\n2024-01-04,1.7,12\n"


@pytest.fixture
async def store(home):
    async with open_store(home) as opened_store:
        yield opened_store


async def import_prices(store: Store, content: str = FILE, owner: str = "ann", at: datetime = NOW, **terms):
    return await import_file(store, owner, "mydata", content.encode(), Terms(**terms), commit=True, now=at)


async def events(store: Store) -> list[str]:
    return [event.event for event in await read_events(store, "ann", after=0, limit=100)]


async def test_a_marker_expires_with_one_event(store):
    new = NewMarker(symbol="A", reason="a wrong tick")
    await import_prices(store)
    await mark(store, "ann", new, NOW)
    before = OwnedPrices(store, "ann", BundledPrices(), lambda: NOW + LIFETIME - timedelta(seconds=1))
    with pytest.raises(InvalidInput, match="A is marked as bad data"):
        await before.pin("mydata")
    assert (await before.pin("mydata:B")).endswith(":B")
    after = replace(before, now=lambda: NOW + LIFETIME)
    for _ in range(2):
        assert (await after.pin("mydata")).startswith("mydata@")
    assert [marker.state for marker in await all_markers(store, "ann", NOW + LIFETIME)] == ["expired"]
    assert await events(store) == ["imported", "marker_set", "marker_expired"]


async def test_a_mark_of_one_data_set_leaves_the_others(store):
    await import_prices(store)
    await mark(store, "ann", NewMarker(symbol="A", reason="a wrong tick", dataset="another"), NOW)
    await OwnedPrices(store, "ann", BundledPrices(), lambda: NOW).pin("mydata")
    await mark(store, "ann", NewMarker(symbol="AAPL", reason="a wrong tick", dataset="stocks"), NOW)
    with pytest.raises(InvalidInput, match="AAPL in stocks is marked as bad data"):
        await OwnedPrices(store, "ann", BundledPrices(), lambda: NOW).pin("stocks:AAPL,MSFT")


async def test_a_mark_is_removed_only_by_data_that_pass_on_their_own(store):
    new = NewMarker.model_validate({"symbol": "A", "reason": "a wrong tick", "start": "2024-01-03"})
    await import_prices(store)
    marker = await mark(store, "ann", new, NOW)
    gap = "date,A,B\n2024-01-02,1.5,10\n2024-01-04,1.7,12\n2024-01-05,1.7,12\n"
    report = await import_prices(store, gap, accept={"missing_sessions": "as it came"})
    assert (report.committed, report.markers_cleared) == (True, ())
    report = await import_prices(store, FILE.replace("1.6", "1.61"))
    assert report.markers_cleared == (marker.id,)
    assert (await events(store))[-2:] == ["marker_cleared", "imported"]


async def test_a_mark_stays_on_days_that_were_not_given_again(store):
    await import_prices(store)
    marked = [{"start": "2024-01-03", "end": "2024-01-03"}, {"start": "2024-01-04", "end": "2024-01-04"}, {}]
    imports = [
        await mark(store, "ann", NewMarker.model_validate({"symbol": "A", "reason": "a wrong tick"} | days), NOW)
        for days in marked
    ]
    later = "date,A,B\n2024-01-04,1.71,12\n2024-01-05,1.7,12\n"
    report = await import_prices(store, later, mode="extend")
    assert (report.committed, report.markers_cleared) == (True, (imports[1].id,))
    assert sum(marker.state == "active" for marker in await all_markers(store, "ann", NOW)) == 2


class Dying:
    """Records of a process that ends before its second transaction."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.records, name)

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        if self.written:
            raise KeyboardInterrupt
        self.written += 1
        return await self.records.put_many(puts)


async def test_every_run_on_changed_closes_is_stale_after_a_crash_and_a_retry(store):
    first = await import_prices(store)
    universe = f"mydata@{first.version.hash[:PIN]}"
    for n in range(2 * MAX_FLAGS_PER_WRITE):
        await store.records.put(Key("ann", "run", f"r{n:03}"), {"request": {"universe": universe}})
    changed, dying = FILE.replace("1.7", "1.8"), cast("Records", Dying(store.records))
    with pytest.raises(KeyboardInterrupt):
        await import_prices(replace(store, records=dying), changed)
    assert (await import_prices(store, changed)).version.changes.stale_count == 2 * MAX_FLAGS_PER_WRITE
    assert all([await read_stale(store, "ann", f"r{n:03}") for n in range(2 * MAX_FLAGS_PER_WRITE)])


async def test_the_terms_are_part_of_the_version(store):
    terms = [{}, {"currency": "EUR"}, {"total_return": False}, {"calendar": "none"}, {"mapping": {"date": "date"}}]
    hashes = [
        (await import_file(store, "ann", "mydata", FILE.encode(), Terms.model_validate(one), commit=False)).version.hash
        for one in terms
    ]
    assert hashes[0] == hashes[-1]
    assert len(set(hashes)) == 4


async def test_a_restored_strategy_is_the_stored_version(store):
    first = await import_prices(store)
    second = await import_prices(store, FILE.replace("1.7", "1.8"), at=NOW + timedelta(hours=1))
    third = await import_prices(store, at=NOW + timedelta(hours=2))
    head = await read_head(store, "ann", "mydata")
    assert [commit.hash for commit in head.history] == [v.version.hash for v in (first, second, third)]
    assert third.version.hash == first.version.hash
    assert third.version.changes.adjustments[0].symbol == "A"
    assert len(await events(store)) == 3


async def test_one_of_two_concurrent_imports_raises_a_conflict(store):
    await import_prices(store)
    files = [FILE.replace("1.7", f"1.{n}") for n in (71, 72, 73)]
    outcomes = await asyncio.gather(*(import_prices(store, file) for file in files), return_exceptions=True)
    errors = [one for one in outcomes if isinstance(one, BaseException)]
    assert all(isinstance(one, Conflict) for one in errors)
    head, _ = await find_head(store, "ann", "mydata")
    assert head is not None
    assert len(head.history) == 1 + len(files) - len(errors)


async def test_a_change_of_half_a_percent_is_rounding(store):
    await import_prices(store)
    report = await import_prices(store, FILE.replace("10\n", "10.05\n"))
    assert report.version.changes.adjustments == ()
    report = await import_prices(store, FILE.replace("10\n", "10.11\n"))
    assert [one.symbol for one in report.version.changes.adjustments] == ["B"]
    assert await read_stale(store, "ann", "nothing") is None


async def test_assets_of_different_lives_are_used_where_they_share_days(store):
    text = "date,symbol,close\n" + "".join(
        f"{day},{name},{close}\n"
        for name, days in (("A", (2, 3, 4, 5)), ("B", (4, 5, 8)), ("C", (8, 9)))
        for day, close in ((f"2024-01-{n:02}", 10 + n) for n in days)
    )
    errors = await import_file(store, "ann", "mydata", text.encode(), Terms(), commit=False)
    assert not errors.usable
    short = text.replace("2024-01-09,C,19\n", "").replace("2024-01-08,C,18\n", "")
    await import_prices(store, short)
    owned = OwnedPrices(store, "ann", BundledPrices())
    assert [str(day) for day in (await owned.load("mydata")).dates] == ["2024-01-04", "2024-01-05"]
    assert len((await owned.load("mydata:A")).dates) == 4
    assert await owned.universes() == ("sp500", "stocks", "mydata")


async def test_prices_are_read_from_the_data_sets_that_have_them(store):
    await import_prices(store)
    other = await import_file(store, "ann", "other", FILE.replace(",A,B", ",C,D").encode(), Terms(), commit=True)
    await store.blobs.delete(blob_key("ann", other.version.hash))
    query = PriceQuery(symbols=("A", "B"), start=date(2024, 1, 2), end=date(2024, 1, 4))
    response = json.loads(await price_series(OwnedPrices(store, "ann", BundledPrices()), query, "day"))
    assert {name: one["close"] for name, one in response.items()} == {"A": [1.5, 1.6, 1.7], "B": [10.0, 11.0, 12.0]}


async def test_how_fresh_data_are():
    friday = date(2024, 1, 12)
    for today, behind in (("2024-01-12", 0), ("2024-01-16", 0), ("2024-01-17", 1), ("2024-01-18", 2)):
        response = measure_freshness(friday, "XNYS", date.fromisoformat(today))
        assert (response.sessions_behind, response.fresh) == (behind, behind <= 1)
    assert measure_freshness(friday, "none", date(2024, 1, 15)).fresh
    assert not measure_freshness(friday, "none", date(2024, 1, 16)).fresh
    assert measure_freshness(friday, "XNYS", date(2026, 1, 12)).sessions_behind == 499
