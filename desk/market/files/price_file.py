"""Loads prices from a user's file: CSV or Parquet, wide or long.

Both formats are read as rows of text and checked by the same rules, with the same messages.
"""

import asyncio
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.files.tables import (
    A_HEADER,
    MAX_BYTES,
    MISSING,
    NUMBER,
    Table,
    check_name,
    count_noun,
    csv_table,
    escape_unprintable,
    iterate_rows,
    parquet_table,
    parse_day,
    quote,
)
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices
from desk.market.universe import split_universe

_DATE_COLUMNS = ("date", "datetime", "timestamp", "day", "session", "__index_level_0__", "")
_SYMBOL_COLUMNS = ("symbol", "ticker", "asset")
_PRICE_COLUMNS = ("adj close", "adj_close", "adjclose", "close", "price")
_BAR_COLUMNS = {"open", "high", "low", "volume", *_PRICE_COLUMNS}
_A_PRICE = "a positive decimal number"
_EVERY_DATE = "one price of every asset on every date"


class PriceFile:
    """A file of daily closes: `date` and one column per asset, or `date`, `symbol` and `close`.

    The universe `file` contains all assets; `file:A,B` or `A,B` contain some of them.
    """

    def __init__(self, path: Path | str, *, price_index: bool = False) -> None:
        self._path = Path(path)
        self._price_index = price_index

    async def universes(self) -> tuple[str, ...]:
        prices = await self.load("file")
        return ("file", *prices.assets)

    async def facts(self, universe: str) -> PriceFacts | None:  # noqa: ARG002
        return None  # the file may change at any time

    async def load(self, universe: str) -> Prices:
        name, assets = split_universe(universe if ":" in universe else f"file:{universe}")
        if name != "file":
            raise InvalidInput(
                "universe",
                universe,
                allowed="file, or assets of the file, as file:A,B",
                code="unknown_universe",
            )
        prices = await asyncio.to_thread(self._read)
        return prices if assets == ("file",) else prices.select(assets)

    def _read(self) -> Prices:
        sheet = _open(self._path)
        layout = _layout(sheet)
        series = _long(sheet, layout) if layout.symbol is not None else _wide(sheet, layout)
        dates, assets, closes = series
        if len(dates) < 2:
            raise sheet.error(
                f"has {count_noun(len(dates), 'date')} of prices",
                allowed="at least two dates: one price has no return",
                code="too_short",
            )
        dividends = "without dividends" if self._price_index else "taken as including dividends"
        return Prices(
            dates=np.array(dates, dtype="datetime64[D]"),
            assets=assets,
            closes=closes,
            price_index=self._price_index,
            survivors=False,
            source=f"file {sheet.name}",
            notes=(f"prices of the file {sheet.name}, {dividends}, as its owner states",),
        )


@dataclass(frozen=True)
class _Layout:
    date: int
    symbol: int | None
    prices: tuple[int, ...]


@dataclass
class _Series:
    """The closes of one asset in a long file, in the order of its rows."""

    days: list[str] = field(default_factory=list[str])
    rows: "array[int]" = field(default_factory=lambda: array("q"))
    closes: "array[float]" = field(default_factory=lambda: array("d"))


def _open(path: Path) -> Table:
    name = escape_unprintable(path.name or str(path))
    bare = Table(name, [], iter(()))
    allowed = "the path of a CSV or Parquet file"
    try:
        if not path.exists():
            raise bare.error("there is no such file", allowed=allowed, code="file_missing")
        if not path.is_file():
            raise bare.error("is not a regular file", allowed=allowed, code="file_unreadable")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise bare.error(f"holds {size:,} bytes", allowed=f"at most {MAX_BYTES:,}", code="file_too_large")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise bare.error(f"cannot be read: {reason}", allowed=allowed, code="file_unreadable") from error
    if not content.strip():
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    if content.startswith(b"PAR1") or path.suffix.lower() in {".parquet", ".pq"}:
        return parquet_table(bare, content)
    return csv_table(bare, content)


def _layout(sheet: Table) -> _Layout:
    names = [name.strip() for name in sheet.header]
    folded = [name.casefold() for name in names]
    for index, name in enumerate(folded):
        if name in folded[:index]:
            raise sheet.error(
                f"two columns are named {quote(names[index])}",
                allowed="distinct column names",
                code="duplicate_column",
                value=names[index],
            )
    date = next((folded.index(name) for name in _DATE_COLUMNS if name in folded), None)
    if date is None:
        raise sheet.error(
            f"has no date column, but {', '.join(map(quote, names[:8]))}",
            allowed=A_HEADER,
            code="no_date_column",
        )
    symbol = next((folded.index(name) for name in _SYMBOL_COLUMNS if name in folded), None)
    others = tuple(i for i in range(len(names)) if i not in {date, symbol})
    bars = symbol is not None or all(folded[i] in _BAR_COLUMNS for i in others)
    if bars:
        price = next((folded.index(name) for name in _PRICE_COLUMNS if name in folded), None)
        others = () if price is None else (price,)
    if not others:
        raise sheet.error("has no price column", allowed=A_HEADER, code="no_price_column")
    for i in others:
        check_name(sheet, names[i], row=None, column=f"{i + 1}")
    return _Layout(date, symbol, others)


def _wide(sheet: Table, layout: _Layout) -> tuple[list[str], tuple[str, ...], np.ndarray[Any, np.dtype[np.float64]]]:
    assets = tuple(sheet.header[i].strip() for i in layout.prices)
    days: list[str] = []
    numbers: list[int] = []
    closes = array("d")
    for number, cells in iterate_rows(sheet):
        day = parse_day(sheet, number, layout.date, cells[layout.date])
        _check_order(sheet, layout, day, number, days, numbers)
        days.append(day)
        numbers.append(number)
        closes.extend(_close(sheet, number, i, cells[i]) for i in layout.prices)
    return days, assets, np.array(closes).reshape(len(days), len(assets))


def _long(sheet: Table, layout: _Layout) -> tuple[list[str], tuple[str, ...], np.ndarray[Any, np.dtype[np.float64]]]:
    assert layout.symbol is not None
    (price,) = layout.prices
    table: dict[str, _Series] = {}
    for number, cells in iterate_rows(sheet):
        day = parse_day(sheet, number, layout.date, cells[layout.date])
        asset = cells[layout.symbol].strip()
        if asset not in table:
            check_name(sheet, asset, row=number, column=sheet.header[layout.symbol])
        series = table.setdefault(asset, _Series())
        _check_order(sheet, layout, day, number, series.days, series.rows, asset=asset)
        series.days.append(day)
        series.rows.append(number)
        series.closes.append(_close(sheet, number, price, cells[price]))
    days = next(iter(table.values())).days if table else []
    for asset, series in table.items():
        if series.days != days:
            raise _hole(sheet, asset, table)
    closes = [np.array(series.closes) for series in table.values()]
    return days, tuple(table), np.column_stack(closes) if closes else np.empty((0, 0))


def _hole(sheet: Table, asset: str, table: dict[str, _Series]) -> InvalidInput:
    """The error for assets with different dates; it names one missing date."""
    first, series = next(iter(table.items()))
    own, other = table[asset], series
    day = min(set(own.days).symmetric_difference(other.days))
    without_price, with_price = (asset, first) if day in other.days else (first, asset)
    row = table[with_price].rows[table[with_price].days.index(day)]
    return sheet.error(
        f"{quote(without_price)} has no price on {day}, {quote(with_price)} has: a hole",
        row=row,
        allowed=_EVERY_DATE,
        code="hole",
        value=day,
    )


def _check_order(
    sheet: Table,
    layout: _Layout,
    day: str,
    number: int,
    days: list[str],
    rows: "list[int] | array[int]",
    *,
    asset: str | None = None,
) -> None:
    if not days or day > days[-1]:
        return
    whose = "" if asset is None else f" of {quote(asset)}"
    if day in days:
        reason, code = (
            f"{day}{whose} stands already in {sheet.row} {rows[days.index(day)]}",
            "duplicate_date",
        )
    else:
        reason, code = f"{day}{whose} comes after {days[-1]} ({sheet.row} {rows[-1]})", "date_order"
    raise sheet.error(
        reason,
        row=number,
        column=sheet.header[layout.date],
        allowed="each date once, in increasing order",
        code=code,
        value=day,
    )


def _close(sheet: Table, number: int, column: int, cell: str) -> float:
    text = cell.strip()
    if NUMBER.fullmatch(text):
        value = float(text)
        if 1e-12 < value < 1e15:
            return value
        fault = "is not positive" if value <= 0.0 else "is too far from any price"
        reason, allowed, code = f"{text[:40]} {fault}", _A_PRICE, "price"
    elif text.casefold() in MISSING:
        description = f"{quote(text)} is a missing price" if text else "the price is missing"
        reason, allowed, code = f"{description}: a hole", _EVERY_DATE, "hole"
    else:
        reason, allowed, code = f"{quote(text)} is not a number", _A_PRICE, "not_a_number"
    raise sheet.error(reason, row=number, column=sheet.header[column], allowed=allowed, code=code, value=text)
