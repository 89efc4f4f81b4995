"""Prices and returns as they are asked for: by symbol, between two days, by day, week or month."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import Bars, Field, Floats
from desk.market.datasets.repository import OwnedPrices, read_bars, read_head, read_version, resolve_commit
from desk.market.datasets.schemas import Version
from desk.market.periods import Period, partial_periods, period_numbers, period_returns, resample

MOST_SYMBOLS = 100
YEAR = 365
PERIODS: dict[str, Period] = {
    "1d": "day",
    "1wk": "week",
    "1mo": "month",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
}
COLUMNS: tuple[Field, ...] = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, kw_only=True)
class PriceQuery:
    symbols: tuple[str, ...]
    start: date | None = None
    end: date | None = None
    dataset: str | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SymbolBars:
    """The bars of one symbol, and where they come from."""

    symbol: str
    bars: Bars
    dataset: str
    version: Version | None
    """None for the bundled prices, which never change."""

    @property
    def calendar(self) -> str:
        return "XNYS" if self.version is None else self.version.calendar


@dataclass(frozen=True, kw_only=True)
class Window:
    first: date
    last: date
    notes: tuple[str, ...] = ()


async def price_series(source: OwnedPrices, asked: PriceQuery, period: Period) -> bytes:
    """JSON by symbol: dates, the five columns (null where the data have none), and where they come from."""
    found = await _find(source, asked)
    window = _window(asked, found)
    return await asyncio.to_thread(
        lambda: _json({one.symbol: _series(one, window, period, asked) for one in found}),
    )


async def return_series(
    source: OwnedPrices, asked: PriceQuery, period: Period, *, inner: bool, logarithmic: bool
) -> bytes:
    """JSON lists by symbol, all as long as `dates`: the last session of each period, from the second on."""
    reserved = sorted({"dates", "partial", "notes"}.intersection(asked.symbols))
    if reserved:
        raise InvalidInput("symbols", reserved[0], allowed="symbols that are no key of the answer")
    found = await _find(source, asked)
    for one in found:
        if one.version is not None and one.version.kind == "curve":
            raise InvalidInput("dataset", one.dataset, reason="a curve has no returns", allowed="prices or an index")
    window = _window(asked, found)
    return await asyncio.to_thread(lambda: _json(_aligned(found, window, period, inner=inner, logarithmic=logarithmic)))


async def _find(source: OwnedPrices, asked: PriceQuery) -> list[SymbolBars]:
    _check(asked)
    if asked.dataset is not None:
        places = [await _place(source, asked.dataset, asked.as_of)]
    else:
        shared = await source.shared.universes()
        places = [await _place(source, name, None) for name in shared]
        own = [name for name in await source.universes() if name not in shared]
        places += [place for name in own if (place := await _known(source, name, asked.as_of))]
        places.reverse()
    chosen = {symbol: _of(places, symbol) for symbol in asked.symbols}
    wanted = {place.name: place for place in chosen.values()}
    bars = {name: await _bars(source, place) for name, place in wanted.items()}
    return [
        SymbolBars(symbol=symbol, bars=bars[place.name].select([symbol]), dataset=place.name, version=place.version)
        for symbol, place in chosen.items()
    ]


def _check(asked: PriceQuery) -> None:
    if not asked.symbols or not all(asked.symbols) or len(asked.symbols) > MOST_SYMBOLS:
        reason = f"{len(asked.symbols)} symbols" if all(asked.symbols) else "a symbol is empty"
        raise InvalidInput("symbols", asked.symbols, reason=reason, allowed=f"1 to {MOST_SYMBOLS}, as AAPL,MSFT")
    if len(set(asked.symbols)) < len(asked.symbols):
        raise InvalidInput("symbols", ",".join(asked.symbols), allowed="each symbol once")
    if asked.start and asked.end and asked.start > asked.end:
        raise InvalidInput("startDate", str(asked.start), allowed=f"a day up to endDate, {asked.end}")
    if asked.as_of is not None and "@" in (asked.dataset or ""):
        raise InvalidInput("asOf", str(asked.as_of), allowed="nothing beside a hash, which names one version")


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A data set by what it has; its bars are read where one of them is wanted."""

    name: str
    assets: tuple[str, ...]
    version: Version | None


async def _known(source: OwnedPrices, name: str, as_of: datetime | None) -> _Place | None:
    """None for a data set that did not exist then."""
    head = await read_head(source.store, source.owner, name)
    if as_of is not None and head.history[0].at > _aware(as_of):
        return None
    return await _place(source, name, as_of)


async def _place(source: OwnedPrices, dataset: str, as_of: datetime | None) -> _Place:
    if dataset in await source.shared.universes():
        return _Place(name=dataset, assets=(await source.shared.load(dataset)).assets, version=None)
    name, _, hash_ = dataset.partition("@")
    head = await read_head(source.store, source.owner, name)
    commit = resolve_commit(head, hash_ or None, _aware(as_of) if as_of else None)
    version = await read_version(source.store, source.owner, name, commit.hash)
    return _Place(name=name, assets=version.assets, version=version)


async def _bars(source: OwnedPrices, place: _Place) -> Bars:
    if place.version is not None:
        return await read_bars(source.store, source.owner, place.version)
    loaded = await source.shared.load(place.name)
    return Bars(dates=loaded.dates, assets=loaded.assets, fields={"close": loaded.closes})


def _of(places: Sequence[_Place], symbol: str) -> _Place:
    for place in places:
        if symbol in place.assets:
            return place
    known = [asset for place in places for asset in place.assets]
    allowed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    raise InvalidInput("symbols", symbol, reason=f"there are no prices of {symbol!r}", allowed=allowed)


def _window(asked: PriceQuery, found: Sequence[SymbolBars]) -> Window:
    """A year to today; where nobody named days and the data end before, their last year."""
    today = datetime.now(UTC).date()
    end = asked.end or max(today, asked.start or today)
    start = asked.start or _earlier(end)
    if asked.start is None and asked.end is None:
        last = max(_day(one.bars.dates[-1]) for one in found)
        if last < start:
            note = f"the data end on {last}, more than a year ago: their last year is shown"
            return Window(first=_earlier(last), last=last, notes=(note,))
    return Window(first=start, last=end)


def _earlier(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - YEAR, 1))


def _series(one: SymbolBars, window: Window, period: Period, asked: PriceQuery) -> dict[str, Any]:
    bars = one.bars.between(np.datetime64(window.first), np.datetime64(window.last))
    keys = period_numbers(bars.dates, period)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if keys.size else np.arange(0)
    stops = np.append(starts[1:], keys.size) - 1 if starts.size else starts
    columns = resample(bars, starts, stops)
    dates = bars.dates[stops]
    notes = list(window.notes)
    if not dates.size:
        known = f"{one.bars.dates[0]} to {one.bars.dates[-1]}"
        notes.append(f"no prices from {window.first} to {window.last}; {one.symbol} is known from {known}")
    missing = [name for name in COLUMNS if name not in bars.fields]
    if missing:
        notes.append(f"{one.dataset} has no {', '.join(missing)}: null")
    return {
        "dates": [str(day) for day in dates],
        **{name: _plain(columns[name]) if name in columns else [None] * dates.size for name in COLUMNS},
        "partial": partial_periods(bars.dates, dates, period, one.calendar),
        "dataset": one.dataset,
        "version": None if one.version is None else one.version.hash,
        "currency": "USD" if one.version is None else one.version.currency,
        "asOf": None if one.version is None else (asked.as_of or one.version.at).isoformat(),
        "notes": notes,
    }


def _aligned(
    found: Sequence[SymbolBars],
    window: Window,
    period: Period,
    *,
    inner: bool,
    logarithmic: bool,
) -> dict[str, Any]:
    first, last = np.datetime64(window.first), np.datetime64(window.last)
    parts = [one.bars.between(first, last) for one in found]
    days = np.unique(np.concatenate([part.dates for part in parts]))
    closes = np.full((days.size, len(parts)), np.nan)
    for n, part in enumerate(parts):
        closes[np.searchsorted(days, part.dates), n] = part.closes[:, 0]
    if inner:
        rows = ~np.isnan(closes).any(axis=1)
        days, closes = days[rows], closes[rows]
    keys = period_numbers(days, period)
    stops = np.append(np.flatnonzero(keys[1:] != keys[:-1]), keys.size - 1) if keys.size else np.arange(0)
    ends = days[stops]
    notes = list(window.notes)
    if ends.size < 2:
        notes.append(f"no return from {window.first} to {window.last}: {ends.size} {period}s have prices")
    elif period != "day":
        notes.append(f"the first return is of the {period} to {ends[1]}: the one before has no close to start from")
    answer: dict[str, Any] = {
        one.symbol: _plain(period_returns(closes[:, n], keys, stops, logarithmic=logarithmic)[1:])
        for n, one in enumerate(found)
    }
    partial = partial_periods(days, ends, period, found[0].calendar)
    return {
        **answer,
        "dates": [str(day) for day in ends[1:]],
        "partial": [day for day in partial if day in {str(end) for end in ends[1:]}],
        "notes": notes,
    }


def _plain(values: Floats) -> list[float | None]:
    """null for what is not known; a number as large as to overflow is not known either."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
