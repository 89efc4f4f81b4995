"""Prices and returns by symbol, between two days, per day, week or month."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import Bars, Field
from desk.market.datasets.repository import OwnedPrices, read_bars, read_head, read_version, resolve_commit
from desk.market.datasets.schemas import Version
from desk.market.periods import Period, partial_periods, period_numbers, period_returns, resample
from quant.numeric.arrays import Floats

MAX_SYMBOLS = 100
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
    """The bars of one symbol and their data set."""

    symbol: str
    bars: Bars
    dataset: str
    version: Version | None
    """None for bundled prices, which have no versions."""

    @property
    def calendar(self) -> str:
        return "XNYS" if self.version is None else self.version.calendar


@dataclass(frozen=True, kw_only=True)
class Window:
    first: date
    last: date
    notes: tuple[str, ...] = ()


async def price_series(source: OwnedPrices, query: PriceQuery, period: Period) -> bytes:
    """JSON by symbol: dates, the five columns (null if missing), and the source."""
    symbol_bars = await _find(source, query)
    window = _window(query, symbol_bars)
    return await asyncio.to_thread(
        lambda: _json(
            {bars_of_symbol.symbol: _series(bars_of_symbol, window, period, query) for bars_of_symbol in symbol_bars}
        ),
    )


async def return_series(
    source: OwnedPrices, query: PriceQuery, period: Period, *, inner: bool, logarithmic: bool
) -> bytes:
    """JSON lists of returns by symbol, aligned with `dates`: the last session of each period from the second on."""
    reserved = sorted({"dates", "partial", "notes"}.intersection(query.symbols))
    if reserved:
        raise InvalidInput(
            "symbols", reserved[0], allowed="symbols other than the response keys dates, partial and notes"
        )
    symbol_bars = await _find(source, query)
    for bars_of_symbol in symbol_bars:
        if bars_of_symbol.version is not None and bars_of_symbol.version.kind == "curve":
            raise InvalidInput(
                "dataset", bars_of_symbol.dataset, reason="a curve has no returns", allowed="prices or an index"
            )
    window = _window(query, symbol_bars)
    return await asyncio.to_thread(
        lambda: _json(_aligned_returns(symbol_bars, window, period, inner=inner, logarithmic=logarithmic))
    )


async def _find(source: OwnedPrices, query: PriceQuery) -> list[SymbolBars]:
    _check(query)
    if query.dataset is not None:
        locations = [await _locate(source, query.dataset, query.as_of)]
    else:
        shared = await source.shared.universes()
        locations = [await _locate(source, name, None) for name in shared]
        own = [name for name in await source.universes() if name not in shared]
        locations += [location for name in own if (location := await _location_at(source, name, query.as_of))]
        locations.reverse()
    locations_by_symbol = {symbol: _location_of(locations, symbol) for symbol in query.symbols}
    locations_by_name = {location.name: location for location in locations_by_symbol.values()}
    bars = {name: await _read_bars(source, location) for name, location in locations_by_name.items()}
    return [
        SymbolBars(
            symbol=symbol, bars=bars[location.name].select([symbol]), dataset=location.name, version=location.version
        )
        for symbol, location in locations_by_symbol.items()
    ]


def _check(query: PriceQuery) -> None:
    if not query.symbols or not all(query.symbols) or len(query.symbols) > MAX_SYMBOLS:
        reason = f"{len(query.symbols)} symbols" if all(query.symbols) else "a symbol is empty"
        raise InvalidInput("symbols", query.symbols, reason=reason, allowed=f"1 to {MAX_SYMBOLS}, as AAPL,MSFT")
    if len(set(query.symbols)) < len(query.symbols):
        raise InvalidInput("symbols", ",".join(query.symbols), allowed="each symbol once")
    if query.start and query.end and query.start > query.end:
        raise InvalidInput("startDate", str(query.start), allowed=f"a day up to endDate, {query.end}")
    if query.as_of is not None and "@" in (query.dataset or ""):
        raise InvalidInput(
            "asOf", str(query.as_of), allowed="no asOf for a data set with a hash, which names one version"
        )


@dataclass(frozen=True, kw_only=True)
class _Location:
    """A data set and its assets; bars are read when needed."""

    name: str
    assets: tuple[str, ...]
    version: Version | None


async def _location_at(source: OwnedPrices, name: str, as_of: datetime | None) -> _Location | None:
    """None for a data set that did not exist at `as_of`."""
    head = await read_head(source.store, source.owner, name)
    if as_of is not None and head.history[0].at > _with_time_zone(as_of):
        return None
    return await _locate(source, name, as_of)


async def _locate(source: OwnedPrices, dataset: str, as_of: datetime | None) -> _Location:
    if dataset in await source.shared.universes():
        return _Location(name=dataset, assets=(await source.shared.load(dataset)).assets, version=None)
    name, _, hash_ = dataset.partition("@")
    head = await read_head(source.store, source.owner, name)
    commit = resolve_commit(head, hash_ or None, _with_time_zone(as_of) if as_of else None)
    version = await read_version(source.store, source.owner, name, commit.hash)
    return _Location(name=name, assets=version.assets, version=version)


async def _read_bars(source: OwnedPrices, location: _Location) -> Bars:
    if location.version is not None:
        return await read_bars(source.store, source.owner, location.version)
    prices = await source.shared.load(location.name)
    return Bars(dates=prices.dates, assets=prices.assets, fields={"close": prices.closes})


def _location_of(locations: Sequence[_Location], symbol: str) -> _Location:
    for location in locations:
        if symbol in location.assets:
            return location
    assets = [asset for location in locations for asset in location.assets]
    allowed = ", ".join(assets[:40]) + (", ..." if len(assets) > 40 else "")
    raise InvalidInput("symbols", symbol, reason=f"no data set has prices of {symbol!r}", allowed=allowed)


def _window(query: PriceQuery, symbol_bars: Sequence[SymbolBars]) -> Window:
    """The requested days, by default the last year; the last year of the data if they end before."""
    today = datetime.now(UTC).date()
    end = query.end or max(today, query.start or today)
    start = query.start or _year_before(end)
    if query.start is None and query.end is None:
        last = max(_to_date(bars_of_symbol.bars.dates[-1]) for bars_of_symbol in symbol_bars)
        if last < start:
            note = f"the data end on {last}, more than a year ago: their last year is shown"
            return Window(first=_year_before(last), last=last, notes=(note,))
    return Window(first=start, last=end)


def _year_before(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - YEAR, 1))


def _series(bars_of_symbol: SymbolBars, window: Window, period: Period, query: PriceQuery) -> dict[str, Any]:
    bars = bars_of_symbol.bars.between(np.datetime64(window.first), np.datetime64(window.last))
    keys = period_numbers(bars.dates, period)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))) if keys.size else np.arange(0)
    stops = np.append(starts[1:], keys.size) - 1 if starts.size else starts
    columns = resample(bars, starts, stops)
    dates = bars.dates[stops]
    notes = list(window.notes)
    if not dates.size:
        span = f"{bars_of_symbol.bars.dates[0]} to {bars_of_symbol.bars.dates[-1]}"
        notes.append(f"no prices from {window.first} to {window.last}; {bars_of_symbol.symbol} is known from {span}")
    missing = [name for name in COLUMNS if name not in bars.fields]
    if missing:
        notes.append(f"{bars_of_symbol.dataset} has no {', '.join(missing)}: null")
    return {
        "dates": [str(day) for day in dates],
        **{name: _plain(columns[name]) if name in columns else [None] * dates.size for name in COLUMNS},
        "partial": partial_periods(bars.dates, dates, period, bars_of_symbol.calendar),
        "dataset": bars_of_symbol.dataset,
        "version": None if bars_of_symbol.version is None else bars_of_symbol.version.hash,
        "currency": "USD" if bars_of_symbol.version is None else bars_of_symbol.version.currency,
        "asOf": None if bars_of_symbol.version is None else (query.as_of or bars_of_symbol.version.at).isoformat(),
        "notes": notes,
    }


def _aligned_returns(
    symbol_bars: Sequence[SymbolBars],
    window: Window,
    period: Period,
    *,
    inner: bool,
    logarithmic: bool,
) -> dict[str, Any]:
    first, last = np.datetime64(window.first), np.datetime64(window.last)
    parts = [bars_of_symbol.bars.between(first, last) for bars_of_symbol in symbol_bars]
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
    returns: dict[str, Any] = {
        bars_of_symbol.symbol: _plain(period_returns(closes[:, n], keys, stops, logarithmic=logarithmic)[1:])
        for n, bars_of_symbol in enumerate(symbol_bars)
    }
    partial = partial_periods(days, ends, period, symbol_bars[0].calendar)
    return {
        **returns,
        "dates": [str(day) for day in ends[1:]],
        "partial": [day for day in partial if day in {str(end) for end in ends[1:]}],
        "notes": notes,
    }


def _plain(values: Floats) -> list[float | None]:
    """Missing and infinite values as null."""
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _json(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer, allow_nan=False, separators=(",", ":")).encode()


def _with_time_zone(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _to_date(value: object) -> date:
    return date.fromisoformat(str(value))
