"""Parses a table into bars: detects the role of each column and reports invalid content."""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import FIELDS, Bars, Field, rescale
from desk.market.checks.report import Gate
from desk.market.datasets.schemas import Role, Terms, Understood
from desk.market.files.formats import Format, read_table
from desk.market.files.tables import A_HEADER, MISSING, NUMBER, Table, check_name, iterate_rows, parse_day, quote

MAX_ASSETS = 2_000
MAX_TABLE = 40_000_000
"""Largest number of days x assets x fields, empty ones included."""
MAX_ROWS_SHOWN = 20

ALIASES: dict[Role, tuple[str, ...]] = {
    "date": ("date", "dates", "datetime", "timestamp", "day", "session", "__index_level_0__", ""),
    "symbol": ("symbol", "ticker", "asset"),
    "open": ("open",),
    "high": ("high",),
    "low": ("low",),
    "close": ("close", "price", "last", "value"),
    "adjusted": ("adj close", "adj_close", "adjclose", "adjusted close", "adjusted"),
    "volume": ("volume",),
    "dividend": ("dividends", "dividend"),
    "split": ("stock splits", "splits", "split", "split ratio"),
}
_FIELD: dict[Role, Field] = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "dividend": "dividend",
    "split": "split",
}


@dataclass(frozen=True, kw_only=True)
class Parsed:
    bars: Bars
    interpretation: Understood
    gates: tuple[Gate, ...]
    """Gates that need the rows of the file: duplicates and order."""


@dataclass
class _Rows:
    """The rows of one asset, in the order of the file."""

    days: list[str] = field(default_factory=list[str])
    values: dict[Role, "array[float]"] = field(default_factory=dict[Role, "array[float]"])


def parse(content: bytes, terms: Terms, *, symbol: str) -> Parsed:
    """Parse a file; `symbol` names the asset if the file does not. Raises `InvalidInput` for unreadable content."""
    kind, table = read_table(content)
    columns = _columns(table, terms.mapping)
    if _is_wide(table, columns):
        layout, rows = "wide", _wide(table, columns)
        ignored: list[str] = []
    else:
        layout = "long" if "symbol" in columns else "one asset"
        rows = _long(table, columns, terms.symbol or symbol, positive=terms.kind != "curve")
        ignored = [name for i, name in enumerate(table.header) if i not in columns.values()]
    if len(rows) > MAX_ASSETS:
        raise _too_many_assets(table)
    days = len({day for series in {id(s.days): s.days for s in rows.values()}.values() for day in series})
    if days * sum(len(series.values) for series in rows.values()) > MAX_TABLE:
        reason = f"has {len(rows):,} assets with hardly a day in common"
        raise table.error(reason, allowed="assets that trade on the same days", code="file_too_large")
    bars = _bars(rows) if days else None
    if bars is None or not bars.dates.size:
        raise table.error("has no price", allowed=A_HEADER, code="empty")
    reverse, order = _order(rows, dates_named=layout == "long")
    interpretation = Understood(
        format=kind,
        layout=layout,
        columns={role: table.header[i] for role, i in columns.items()},
        ignored=tuple(ignored),
        notes=_notes(kind, table, rows, reverse=reverse),
    )
    return Parsed(bars=bars, interpretation=interpretation, gates=order)


def _too_many_assets(table: Table) -> InvalidInput:
    return table.error(f"has more than {MAX_ASSETS:,} assets", allowed=f"at most {MAX_ASSETS:,}", code="file_too_large")


def _columns(table: Table, mapping: Mapping[Role, str]) -> dict[Role, int]:
    names = [name.strip() for name in table.header]
    folded = [name.casefold() for name in names]
    for index, name in enumerate(folded):
        if name in folded[:index]:
            reason = f"two columns are named {quote(names[index])}"
            raise table.error(reason, allowed="distinct column names", code="duplicate_column", value=names[index])
    columns: dict[Role, int] = {}
    for role, name in mapping.items():
        if name.strip().casefold() not in folded:
            examples = ", ".join(map(quote, names[:20]))
            raise InvalidInput(
                f"mapping.{role}", name, reason=f"the file has no column {quote(name)}", allowed=examples
            )
        columns[role] = folded.index(name.strip().casefold())
    if len(set(columns.values())) < len(columns):
        raise InvalidInput("mapping", dict(mapping), allowed="each column in one role")
    for role, aliases in ALIASES.items():
        place = next((folded.index(alias) for alias in aliases if alias in folded), None)
        if role not in columns and place is not None and place not in columns.values():
            columns[role] = place
    if "date" not in columns:
        reason = f"has no date column, but {', '.join(map(quote, names[:8]))}"
        raise table.error(reason, allowed=f"{A_HEADER}; or a mapping of date", code="no_date_column")
    return columns


def _is_wide(table: Table, columns: Mapping[Role, int]) -> bool:
    """Whether every column besides the date is an asset, as without symbol and close columns."""
    if "symbol" in columns or "close" in columns or "adjusted" in columns:
        if "close" not in columns and "adjusted" not in columns:
            raise table.error("has no close column", allowed=f"{A_HEADER}; or a mapping", code="no_price_column")
        return False
    if len(columns) > 1 or len(table.header) < 2:
        raise table.error("has no close column", allowed=f"{A_HEADER}; or a mapping", code="no_price_column")
    return True


def _wide(table: Table, columns: Mapping[Role, int]) -> dict[str, _Rows]:
    places = [i for i in range(len(table.header)) if i != columns["date"]]
    for i in places:
        check_name(table, table.header[i].strip(), row=None, column=f"{i + 1}")
    rows = {table.header[i].strip(): _Rows(values={"close": array("d")}) for i in places}
    days: list[str] = []
    for number, cells in iterate_rows(table):
        days.append(parse_day(table, number, columns["date"], cells[columns["date"]]))
        for i, series in zip(places, rows.values(), strict=True):
            series.values["close"].append(_number(table, number, i, cells[i]))
    for series in rows.values():
        series.days = days
    return rows


def _long(table: Table, columns: Mapping[Role, int], symbol: str, *, positive: bool) -> dict[str, _Rows]:
    roles: dict[Role, int] = {role: i for role, i in columns.items() if role not in ("date", "symbol")}
    rows: dict[str, _Rows] = {}
    for number, cells in iterate_rows(table):
        day = parse_day(table, number, columns["date"], cells[columns["date"]])
        asset = cells[columns["symbol"]].strip() if "symbol" in columns else symbol
        if asset not in rows:
            check_name(table, asset, row=number, column=table.header[columns.get("symbol", 0)])
            if len(rows) == MAX_ASSETS:
                raise _too_many_assets(table)
            rows[asset] = _Rows(values={role: array("d") for role in roles})
        rows[asset].days.append(day)
        for role, i in roles.items():
            value = _number(table, number, i, cells[i])
            if positive and role in ("dividend", "volume") and value < 0.0:
                raise table.error(
                    f"{cells[i].strip()[:40]} is negative",
                    row=number,
                    column=table.header[i],
                    allowed="numbers from 0",
                    code="negative",
                )
            rows[asset].values[role].append(value)
    return rows


def _number(table: Table, row: int, column: int, cell: str) -> float:
    text = cell.strip()
    if NUMBER.fullmatch(text):
        value = float(text)
        if abs(value) < 1e15:
            return value
    elif text.casefold() in MISSING:
        return float("nan")
    raise table.error(
        f"{quote(text)} is not a number",
        row=row,
        column=table.header[column],
        allowed="a decimal number below 1e15, or nothing where there is none",
        code="not_a_number",
        value=text[:80],
    )


def _order(rows: Mapping[str, _Rows], *, dates_named: bool) -> tuple[bool, tuple[Gate, ...]]:
    """Whether dates decrease throughout the file, and the gates of its rows."""
    duplicates: list[str] = []
    unordered_dates: list[str] = []
    seen_days: set[int] = set()
    backwards = False
    for asset, series in rows.items():
        if id(series.days) in seen_days:  # the assets of a wide file share their days
            continue
        seen_days.add(id(series.days))
        days = np.array(series.days, dtype="datetime64[D]")
        unique, counts = np.unique(days, return_counts=True)
        suffix = f" {asset}" if dates_named else ""
        duplicates += [f"{day}{suffix}" for day in unique[counts > 1][: MAX_ROWS_SHOWN - len(duplicates)]]
        if days.size > 1 and (days[1:] < days[:-1]).all():
            backwards = True
            continue
        unordered = np.flatnonzero(days[1:] < days[:-1]) + 1
        unordered_dates += [
            f"{days[i]} after {days[i - 1]}{suffix}" for i in unordered[: MAX_ROWS_SHOWN - len(unordered_dates)]
        ]
    gates = (
        Gate(
            name="duplicate_dates",
            status="FAIL" if duplicates else "PASS",
            detail="dates stand more than once" if duplicates else "each date once",
            rows=tuple(duplicates),
        ),
        Gate(
            name="date_order",
            status="FAIL" if unordered_dates else "PASS",
            detail="dates are out of order in the file" if unordered_dates else "dates increase, or all decrease",
            rows=tuple(unordered_dates),
        ),
    )
    return backwards, gates


def _bars(rows: Mapping[str, _Rows]) -> Bars:
    """Bars on days with at least one close; of duplicate days the last row counts."""
    days = {asset: np.array(series.days, dtype="datetime64[D]") for asset, series in rows.items()}
    dates = np.unique(np.concatenate(list(days.values())))
    places = {asset: np.searchsorted(dates, own) for asset, own in days.items()}
    roles: dict[Role, None] = dict.fromkeys(role for series in rows.values() for role in series.values)
    tables: dict[Role, np.ndarray[tuple[int, int], np.dtype[np.float64]]] = {}
    for role in roles:
        table = np.full((dates.size, len(rows)), np.nan)
        for n, (asset, series) in enumerate(rows.items()):
            table[places[asset], n] = np.frombuffer(series.values[role], dtype=np.float64)
        tables[role] = table
    quoted_closes = tables.get("close", tables.get("adjusted"))
    assert quoted_closes is not None
    fields = {_FIELD[role]: table for role, table in tables.items() if role in _FIELD}
    fields["close"] = quoted_closes
    has_quote = ~np.isnan(quoted_closes).all(axis=1)
    bars = Bars(
        dates=dates[has_quote],
        assets=tuple(rows),
        fields={name: fields[name][has_quote] for name in FIELDS if name in fields},
    )
    if "adjusted" not in tables or "close" not in tables:
        return bars
    with np.errstate(divide="ignore", invalid="ignore"):
        return rescale(bars, tables["adjusted"][has_quote])


def _notes(kind: Format, table: Table, rows: Mapping[str, _Rows], *, reverse: bool) -> tuple[str, ...]:
    notes: list[str] = []
    if kind == "xlsx":
        notes.append(f"the first visible sheet was read: {table.name.removeprefix('sheet ')}; formulas count as stored")
    if reverse:
        notes.append("the newest day came first; the days were put in order")
    if any("adjusted" in series.values and "close" in series.values for series in rows.values()):
        notes.append("the adjusted closes are the closes; open, high and low were adjusted in proportion")
    return tuple(notes)
