"""Prices out of a user's file: CSV or Parquet, wide or long.

Both kinds are read as rows of text and judged by the same rules, so that one message serves both.
"""

import asyncio
import csv
import io
import json
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import InvalidInput
from tools.prices import Prices
from tools.universe import split_universe

MAX_BYTES = 100_000_000
MAX_CELLS = 5_000_000

_DATE_COLUMNS = ("date", "datetime", "timestamp", "day", "session", "__index_level_0__", "")
_SYMBOL_COLUMNS = ("symbol", "ticker", "asset")
_PRICE_COLUMNS = ("adj close", "adj_close", "adjclose", "close", "price")
_BAR_COLUMNS = {"open", "high", "low", "volume", *_PRICE_COLUMNS}
_MISSING = {"", "na", "n/a", "nan", "null", "none", "nat", "-", "#n/a"}

_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)

_A_DATE = "a date as 2024-01-31, from 1800 to 2199"
_A_PRICE = "a positive decimal number"
_A_HEADER = "date and one column an asset, or date, symbol and close"
_EVERY_DATE = "one price of every asset on every date"


class PriceFile:
    """A file of daily closes: `date` and one column an asset, or `date`, `symbol` and `close`.

    `file` is the universe of all its assets; `file:A,B`, or just `A,B`, are some of them.
    """

    def __init__(self, path: Path | str, *, price_index: bool = False) -> None:
        self._path = Path(path)
        self._price_index = price_index

    async def universes(self) -> tuple[str, ...]:
        prices = await self.load("file")
        return ("file", *prices.assets)

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
        return prices if assets == ("file",) else prices.only(assets)

    def _read(self) -> Prices:
        sheet = _open(self._path)
        layout = _layout(sheet)
        series = _long(sheet, layout) if layout.symbol is not None else _wide(sheet, layout)
        dates, assets, closes = series
        if len(dates) < 2:
            raise sheet.refuse(
                f"has {_count(len(dates), 'date')} of prices",
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
class _Sheet:
    """A file as text: its header, and its rows with the number by which a reader finds them."""

    name: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    row: str = "row"

    def refuse(
        self,
        reason: str,
        *,
        allowed: str,
        code: str,
        row: int | None = None,
        column: str | None = None,
        value: object = None,
    ) -> InvalidInput:
        place = self.name
        if row is not None:
            place += f" {self.row} {row}"
        if column is not None:
            place += f", column {_quoted(column)}"
        return InvalidInput(place, value, reason=reason, allowed=allowed, code=code)


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


def _open(path: Path) -> _Sheet:
    name = _printable(path.name or str(path))
    bare = _Sheet(name, [], iter(()))
    allowed = "the path of a CSV or Parquet file"
    try:
        if not path.exists():
            raise bare.refuse("there is no such file", allowed=allowed, code="file_missing")
        if not path.is_file():
            raise bare.refuse("is not a regular file", allowed=allowed, code="file_unreadable")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise bare.refuse(f"holds {size:,} bytes", allowed=f"at most {MAX_BYTES:,}", code="file_too_large")
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise bare.refuse(f"cannot be read: {reason}", allowed=allowed, code="file_unreadable") from error
    if not content.strip():
        raise bare.refuse("is empty", allowed=_A_HEADER, code="empty")
    if content.startswith(b"PAR1") or path.suffix.lower() in {".parquet", ".pq"}:
        return _parquet(bare, content)
    return _csv(bare, content)


def _csv(bare: _Sheet, content: bytes) -> _Sheet:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise bare.refuse(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            row=line,
            allowed="a CSV file in UTF-8, or Parquet",
            code="encoding",
        ) from error
    if "\0" in text or content.startswith(b"PK\x03\x04"):
        raise bare.refuse("is not a text file", allowed="a CSV file in UTF-8, or Parquet", code="encoding")
    lines = text.lstrip("\r\n").splitlines()
    first = lines[0] if lines else ""
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = _csv_rows(bare, reader)
    _, header = next(rows, (0, None))
    if header is None:
        raise bare.refuse("is empty", allowed=_A_HEADER, code="empty")
    return _Sheet(bare.name, header, rows)


def _csv_rows(bare: _Sheet, reader: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise bare.refuse(
            f"is not well-formed CSV: {error}",
            row=reader.line_num,
            allowed="cells between commas, quotes in pairs",
            code="file_unreadable",
        ) from error


def _parquet(bare: _Sheet, content: bytes) -> _Sheet:
    arrow: Any = import_module("pyarrow")  # it has no types
    parquet: Any = import_module("pyarrow.parquet")

    try:
        file: Any = parquet.ParquetFile(io.BytesIO(content))
        cells: int = file.metadata.num_rows * file.metadata.num_columns
        if cells > MAX_CELLS:
            raise _too_many(bare)
        columns: list[list[Any]] = [column.to_pylist() for column in file.read().columns]
        names: list[str] = file.schema_arrow.names
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise bare.refuse(
            f"cannot be read as Parquet: {str(error).splitlines()[0][:120]}",
            allowed="a Parquet file with plain columns, or CSV",
            code="file_unreadable",
        ) from error
    rows = (
        (number, ["" if cell is None else str(cell) for cell in row])
        for number, row in enumerate(zip(*columns, strict=True), start=1)
    )
    return _Sheet(bare.name, names, rows, row="record")


def _layout(sheet: _Sheet) -> _Layout:
    names = [name.strip() for name in sheet.header]
    folded = [name.casefold() for name in names]
    for index, name in enumerate(folded):
        if name in folded[:index]:
            raise sheet.refuse(
                f"two columns are named {_quoted(names[index])}",
                allowed="distinct column names",
                code="duplicate_column",
                value=names[index],
            )
    date = next((folded.index(name) for name in _DATE_COLUMNS if name in folded), None)
    if date is None:
        raise sheet.refuse(
            f"has no date column, but {', '.join(map(_quoted, names[:8]))}",
            allowed=_A_HEADER,
            code="no_date_column",
        )
    symbol = next((folded.index(name) for name in _SYMBOL_COLUMNS if name in folded), None)
    others = tuple(i for i in range(len(names)) if i not in {date, symbol})
    bars = symbol is not None or all(folded[i] in _BAR_COLUMNS for i in others)
    if bars:
        price = next((folded.index(name) for name in _PRICE_COLUMNS if name in folded), None)
        others = () if price is None else (price,)
    if not others:
        raise sheet.refuse("has no price column", allowed=_A_HEADER, code="no_price_column")
    for i in others:
        _check_name(sheet, names[i], row=None, column=f"{i + 1}")
    return _Layout(date, symbol, others)


def _wide(sheet: _Sheet, layout: _Layout) -> tuple[list[str], tuple[str, ...], np.ndarray[Any, np.dtype[np.float64]]]:
    assets = tuple(sheet.header[i].strip() for i in layout.prices)
    days: list[str] = []
    numbers: list[int] = []
    closes = array("d")
    for number, cells in _cells(sheet):
        day = _day(sheet, layout, number, cells)
        _check_order(sheet, layout, day, number, days, numbers)
        days.append(day)
        numbers.append(number)
        closes.extend(_close(sheet, number, i, cells[i]) for i in layout.prices)
    return days, assets, np.array(closes).reshape(len(days), len(assets))


def _long(sheet: _Sheet, layout: _Layout) -> tuple[list[str], tuple[str, ...], np.ndarray[Any, np.dtype[np.float64]]]:
    assert layout.symbol is not None
    (price,) = layout.prices
    table: dict[str, _Series] = {}
    for number, cells in _cells(sheet):
        day = _day(sheet, layout, number, cells)
        asset = cells[layout.symbol].strip()
        if asset not in table:
            _check_name(sheet, asset, row=number, column=sheet.header[layout.symbol])
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


def _hole(sheet: _Sheet, asset: str, table: dict[str, _Series]) -> InvalidInput:
    """Some two assets of a long file do not have the same dates: name one date of one of them."""
    first, series = next(iter(table.items()))
    ours, theirs = table[asset], series
    day = min(set(ours.days).symmetric_difference(theirs.days))
    lacking, having = (asset, first) if day in theirs.days else (first, asset)
    row = table[having].rows[table[having].days.index(day)]
    return sheet.refuse(
        f"{_quoted(lacking)} has no price on {day}, {_quoted(having)} has: a hole",
        row=row,
        allowed=_EVERY_DATE,
        code="hole",
        value=day,
    )


def _cells(sheet: _Sheet) -> Iterator[tuple[int, list[str]]]:
    width = len(sheet.header)
    for count, (number, cells) in enumerate(sheet.rows, start=1):
        if len(cells) != width:
            raise sheet.refuse(
                f"has {_count(len(cells), 'cell')}, the header has {width}",
                row=number,
                allowed="as many cells as the header; a decimal point, no thousands separator",
                code="ragged_row",
            )
        if count * width > MAX_CELLS:
            raise _too_many(sheet)
        yield number, cells


def _day(sheet: _Sheet, layout: _Layout, number: int, cells: list[str]) -> str:
    text = cells[layout.date].strip()
    match = _DATE.fullmatch(text)
    if match and "1800" <= match[1] < "2200" and _exists(match[1]):
        return match[1]
    raise sheet.refuse(
        f"{_quoted(text)} is not a date" if text else "the date is missing",
        row=number,
        column=sheet.header[layout.date],
        allowed=_A_DATE,
        code="date",
        value=text,
    )


def _exists(day: str) -> bool:
    try:
        np.datetime64(day, "D")
    except ValueError:
        return False
    return True


def _check_order(
    sheet: _Sheet,
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
    whose = "" if asset is None else f" of {_quoted(asset)}"
    if day in days:
        reason, code = (
            f"{day}{whose} stands already in {sheet.row} {rows[days.index(day)]}",
            "duplicate_date",
        )
    else:
        reason, code = f"{day}{whose} comes after {days[-1]} ({sheet.row} {rows[-1]})", "date_order"
    raise sheet.refuse(
        reason,
        row=number,
        column=sheet.header[layout.date],
        allowed="each date once, in increasing order",
        code=code,
        value=day,
    )


def _close(sheet: _Sheet, number: int, column: int, cell: str) -> float:
    text = cell.strip()
    if _NUMBER.fullmatch(text):
        value = float(text)
        if 1e-12 < value < 1e15:
            return value
        fault = "is not positive" if value <= 0.0 else "is too far from any price"
        reason, allowed, code = f"{text[:40]} {fault}", _A_PRICE, "price"
    elif text.casefold() in _MISSING:
        shown = f"{_quoted(text)} is a missing price" if text else "the price is missing"
        reason, allowed, code = f"{shown}: a hole", _EVERY_DATE, "hole"
    else:
        reason, allowed, code = f"{_quoted(text)} is not a number", _A_PRICE, "not_a_number"
    raise sheet.refuse(reason, row=number, column=sheet.header[column], allowed=allowed, code=code, value=text)


def _check_name(sheet: _Sheet, name: str, *, row: int | None, column: str) -> None:
    if 0 < len(name) <= 64 and name.isprintable() and not set(name) & set(",:"):
        return
    raise sheet.refuse(
        f"{_quoted(name)} is not the name of an asset" if name else "the name of an asset is missing",
        row=row,
        column=column,
        allowed="1 to 64 printable characters without comma and colon",
        code="asset_name",
        value=name,
    )


def _too_many(sheet: _Sheet) -> InvalidInput:
    return sheet.refuse(
        f"has more than {MAX_CELLS:,} cells",
        allowed=f"at most {MAX_CELLS:,}",
        code="file_too_large",
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _quoted(text: str) -> str:
    """In double quotes, shortened, and without characters that could move a terminal's cursor."""
    return json.dumps(_printable(text if len(text) <= 40 else text[:37] + "..."), ensure_ascii=False)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
