"""Reads a price file of any accepted format as bars, with its interpretation, and reports faults of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import FIELDS, Bars, Field, rescale
from desk.market.checks.report import Gate
from desk.market.files.columns import Layout, Plan, Role, plan_columns
from desk.market.files.dates import parse_dates
from desk.market.files.formats import Format, Source, read_source
from desk.market.files.headers import has_prices, with_header
from desk.market.files.numbers import detect_notation, parse_numbers
from desk.market.files.tables import A_HEADER, Cell, ColumnCells, Table, check_name, is_blank, quote, text_of
from quant.numeric.arrays import Dates, Flags, Floats, Ints

MAX_ASSETS = 2_000
MAX_COLUMNS = 2_500
MAX_TABLE = 40_000_000
"""Largest number of days x assets x fields, empty ones included."""
MAX_ROWS_SHOWN = 20
SMALLEST = 1e-12
A_PRICE = "a positive decimal number"
EVERY_DATE = "one price of every asset on every date"
IN_ORDER = "each date once, in increasing or decreasing order"
_SHUFFLED_STEPS = 10
_SHUFFLED_SHARE = 0.2
"""A file with at least so many steps back, and this share of them, is in no order; fewer are errors in dates."""
_RETURNS_ROWS = 10
_GROSS_ROWS = 30
_RETURNS_SHARE = 0.1
"""Share of negative values of a column from which it holds returns, not prices with a wrong sign."""
_PRICE_SHEETS = ("prices", "price", "closes", "close", "data", "kurse")
_PRICE_ROLES: tuple[Role, ...] = ("open", "high", "low", "close", "adjusted")
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
class Interpretation:
    """How a file was understood; the fields of `desk.market.datasets.schemas.Understood`."""

    format: Format
    layout: Layout
    columns: Mapping[str, str]
    ignored: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Parsed:
    bars: Bars
    interpretation: Interpretation
    gates: tuple[Gate, ...]
    """Gates that need the rows of the file: duplicates and order."""
    faults: tuple[InvalidInput, ...]
    """Faults of rows that only gates of an import judge, each with its place: order, holes, prices not above 0."""


@dataclass
class _Asset:
    """The rows of one asset, in the order of the file."""

    days: Dates
    rows: Ints
    places: Ints | None
    """Positions of the rows in the file; None for all of them."""
    values: dict[Role, Floats]
    columns: dict[Role, int]

    @property
    def closes(self) -> tuple[Floats, int]:
        role: Role = "adjusted" if "adjusted" in self.values else "close"
        return self.values[role], self.columns[role]


def parse_bars(
    content: bytes,
    *,
    symbol: str,
    name: str = "file",
    mapping: Mapping[Role, str] | None = None,
    positive: bool = True,
) -> Parsed:
    """Parse a file; `symbol` names the asset if the file does not, `name` the file in errors.

    With `positive` the values are prices, which returns are not. Raises `InvalidInput` for unreadable content.
    """
    roles = mapping or {}
    source = read_source(content, name)
    table, notes = _price_table(source, roles.get("date"))
    if len(table.header) > MAX_COLUMNS:
        reason = f"has {len(table.header):,} columns"
        raise table.error(reason, allowed=f"at most {MAX_COLUMNS:,}", code="file_too_large")
    plan = plan_columns(table, roles)
    if not table.rows:
        raise table.error("has no price", allowed=A_HEADER, code="empty")
    assets, reading_notes = _assets(table, plan, symbol, positive=positive)
    _check_size(table, assets)
    bars = _bars(assets)
    if not bars.dates.size:
        raise table.error("has no price", allowed=A_HEADER, code="empty")
    if positive:
        _check_returns(table, assets)
    backwards, gates = _row_gates(assets, dates_named=plan.layout == "long")
    if backwards:
        notes.append("the newest day came first; the days were put in order")
    if any("adjusted" in asset.values and "close" in asset.values for asset in assets.values()):
        notes.append("the adjusted closes are the closes; open, high and low were adjusted in proportion")
    interpretation = Interpretation(
        format=source.format,
        layout=plan.layout,
        columns=plan.names(table),
        ignored=tuple(table.header[i] for i in plan.ignored),
        notes=(*notes, *reading_notes),
    )
    faults = tuple(_faults(table, plan, assets, positive=positive))
    return Parsed(bars=bars, interpretation=interpretation, gates=gates, faults=faults)


def _price_table(source: Source, date_name: str | None) -> tuple[Table, list[str]]:
    """The table of prices, the only one of a workbook or the one that its name identifies."""
    candidates = source.tables
    if len(candidates) > 1:
        candidates = [table for table in source.tables if has_prices(table, date_name)]
        named = [
            table for table in candidates if table.name.removeprefix("sheet ").strip('"').casefold() in _PRICE_SHEETS
        ]
        candidates = named if len(candidates) > 1 and len(named) == 1 else candidates
        if len(candidates) > 1:
            names = " and ".join(table.name for table in candidates[:5])
            reason = f"holds several tables with dates: {names}"
            raise candidates[0].error(reason, allowed="one sheet of prices, or one named Prices", code="several_sheets")
    table, notes = with_header((candidates or source.tables)[0], date_name)
    result = [*source.notes, *notes]
    if source.format == "xlsx":
        sheet = table.name.removeprefix("sheet ")
        result.insert(0, f"the first visible sheet with prices was read: {sheet}; formulas count as stored")
    return table, result


def _assets(table: Table, plan: Plan, symbol: str, *, positive: bool) -> tuple[dict[str, _Asset], tuple[str, ...]]:
    rows: list[tuple[int, list[Cell]]] = list(table.rows)
    numbers = np.array([number for number, _ in rows], dtype=np.int64)
    owners = _owners(table, plan, rows)
    dates = parse_dates(table, plan.date, ColumnCells(rows, plan.date), owners)
    days = np.array(dates.days, dtype="datetime64[D]")
    notation = detect_notation((cells[one.column] for _, cells in rows) for one in plan.series)
    if plan.layout == "wide":
        for one in plan.series:
            check_name(table, one.asset or "", row=None, column=f"{one.column + 1}")
        if len(plan.series) > MAX_ASSETS:
            raise _too_many_assets(table)
    columns: dict[int, Floats] = {}
    for one in plan.series:
        cells = ColumnCells(rows, one.column)
        values = np.frombuffer(
            parse_numbers(table, one.column, cells, notation, volume=one.role == "volume").values, dtype=np.float64
        )
        _check_values(table, one.column, one.role, values, cells, positive=positive)
        columns[one.column] = values
    if owners is not None:
        places_by_asset: dict[str, list[int]] = {}
        for n, owner in enumerate(owners):
            places_by_asset.setdefault(owner, []).append(n)
        assets: dict[str, _Asset] = {}
        roles: dict[Role, int] = {one.role: one.column for one in plan.series}
        for asset, own in places_by_asset.items():
            places = np.array(own, dtype=np.int64)
            own_values: dict[Role, Floats] = {role: columns[i][places] for role, i in roles.items()}
            assets[asset] = _Asset(days[places], numbers[places], places, own_values, roles)
        return assets, dates.notes
    assets = {}
    for one in plan.series:
        asset = one.asset or symbol
        if asset not in assets:
            check_name(table, asset, row=None, column=table.header[one.column])
            assets[asset] = _Asset(days, numbers, None, {}, {})
        assets[asset].values[one.role] = columns[one.column]
        assets[asset].columns[one.role] = one.column
    return assets, dates.notes


def _owners(table: Table, plan: Plan, rows: Sequence[tuple[int, list[Cell]]]) -> list[str] | None:
    """The asset of each row of a long file."""
    if plan.symbol is None:
        return None
    owners: list[str] = []
    known: dict[str, str] = {}
    for number, cells in rows:
        asset = text_of(cells[plan.symbol])
        if asset not in known:
            check_name(table, asset, row=number, column=table.header[plan.symbol])
            if len(known) == MAX_ASSETS:
                raise _too_many_assets(table)
            known[asset] = asset
        owners.append(known[asset])
    return owners


def _too_many_assets(table: Table) -> InvalidInput:
    return table.error(f"has more than {MAX_ASSETS:,} assets", allowed=f"at most {MAX_ASSETS:,}", code="file_too_large")


def _check_values(
    table: Table, column: int, role: Role, values: Floats, cells: Sequence[tuple[int, Cell]], *, positive: bool
) -> None:
    """Raises `InvalidInput` for a value that no price file holds."""
    if not positive:
        return
    if role in ("dividend", "volume"):
        wrong, fault, allowed, code = values < 0.0, "is negative", "numbers from 0", "negative"
    elif role in _PRICE_ROLES:
        tiny: Flags = (np.abs(values) <= SMALLEST) & (values != 0.0)
        wrong, fault, allowed, code = tiny, "is too far from any price", A_PRICE, "price"
    else:
        return
    if wrong.any():
        row, cell = cells[int(wrong.argmax())]
        text = text_of(cell)[:40]
        raise table.error(f"{text} {fault}", row=row, column=table.header[column], allowed=allowed, code=code)


def _check_size(table: Table, assets: Mapping[str, _Asset]) -> None:
    shared = {id(asset.days): asset.days for asset in assets.values()}
    days = np.unique(np.concatenate(list(shared.values()))).size
    if days * sum(len(asset.values) for asset in assets.values()) > MAX_TABLE:
        reason = f"has {len(assets):,} assets with hardly a day in common"
        raise table.error(reason, allowed="assets that trade on the same days", code="file_too_large")


def _check_returns(table: Table, assets: Mapping[str, _Asset]) -> None:
    for name, asset in assets.items():
        closes, column = asset.closes
        if _are_gross_returns(closes):
            raise table.error(
                f"the values of {quote(name)} scatter around 1 from day to day: 1 + return, not prices",
                column=table.header[column],
                allowed="prices or index levels",
                code="returns",
            )
        negative = closes < 0.0
        count = int(np.isfinite(closes).sum())
        if count >= _RETURNS_ROWS and int(negative.sum()) >= _RETURNS_SHARE * count:
            place = int(negative.argmax())
            raise table.error(
                f"{int(negative.sum())} of {count} values of {quote(name)} are negative, such as {closes[place]:g}: "
                "returns, not prices",
                row=int(asset.rows[place]),
                column=table.header[column],
                allowed="prices or index levels, all positive",
                code="returns",
                value=float(closes[place]),
            )


def _are_gross_returns(closes: Floats) -> bool:
    """Whether values scatter around 1 without memory, as 1 + return does; the steps of prices are uncorrelated."""
    values = closes[np.isfinite(closes)]
    if values.size < _GROSS_ROWS or abs(float(np.median(values)) - 1.0) > 0.02 or float(values.std()) < 0.002:
        return False
    steps = np.diff(values)
    spread = float(steps @ steps)
    return spread > 0.0 and float(steps[1:] @ steps[:-1]) < -0.35 * spread


def _is_shuffled(days: Dates) -> bool:
    back = int((days[1:] < days[:-1]).sum())
    return back >= _SHUFFLED_STEPS and back >= _SHUFFLED_SHARE * (days.size - 1)


def _row_gates(assets: Mapping[str, _Asset], *, dates_named: bool) -> tuple[bool, tuple[Gate, ...]]:
    """Whether dates decrease throughout the file, and the gates of its rows."""
    duplicates: list[str] = []
    unordered_dates: list[str] = []
    seen_days: set[int] = set()
    backwards = shuffled = False
    for asset, series in assets.items():
        if id(series.days) in seen_days:  # the assets of a wide file share their days
            continue
        seen_days.add(id(series.days))
        days = series.days
        unique, counts = np.unique(days, return_counts=True)
        suffix = f" {asset}" if dates_named and series.places is not None else ""
        duplicates += [f"{day}{suffix}" for day in unique[counts > 1][: MAX_ROWS_SHOWN - len(duplicates)]]
        if days.size > 1 and (days[1:] < days[:-1]).all():
            backwards = True
            continue
        if _is_shuffled(days):
            shuffled = True
            continue
        unordered = np.flatnonzero(days[1:] < days[:-1]) + 1
        unordered_dates += [
            f"{days[i]} after {days[i - 1]}{suffix}" for i in unordered[: MAX_ROWS_SHOWN - len(unordered_dates)]
        ]
    detail = "dates increase, or all decrease"
    if shuffled:
        detail = "the rows are in no order of dates; they were put in order"
    if unordered_dates:
        detail = "dates are out of order in the file"
    gates = (
        Gate(
            name="duplicate_dates",
            status="FAIL" if duplicates else "PASS",
            detail="dates stand more than once" if duplicates else "each date once",
            rows=tuple(duplicates),
        ),
        Gate(
            name="date_order",
            status="FAIL" if unordered_dates else "WARN" if shuffled else "PASS",
            detail=detail,
            rows=tuple(unordered_dates),
        ),
    )
    return backwards, gates


def _bars(assets: Mapping[str, _Asset]) -> Bars:
    """Bars on days with at least one close; of duplicate days the last row counts."""
    dates = np.unique(np.concatenate([asset.days for asset in assets.values()]))
    places = [np.searchsorted(dates, asset.days) for asset in assets.values()]
    tables: dict[Role, Floats] = {}
    roles: dict[Role, None] = dict.fromkeys(role for asset in assets.values() for role in asset.values)
    for role in roles:
        values = np.full((dates.size, len(assets)), np.nan)
        for n, asset in enumerate(assets.values()):
            if role in asset.values:
                values[places[n], n] = asset.values[role]
        tables[role] = values
    quoted_closes = tables.get("close", tables.get("adjusted"))
    assert quoted_closes is not None
    fields = {_FIELD[role]: values for role, values in tables.items() if role in _FIELD}
    fields["close"] = quoted_closes
    has_quote = ~np.isnan(quoted_closes).all(axis=1)
    bars = Bars(
        dates=dates[has_quote],
        assets=tuple(assets),
        fields={name: fields[name][has_quote] for name in FIELDS if name in fields},
    )
    if "adjusted" not in tables or "close" not in tables:
        return bars
    with np.errstate(divide="ignore", invalid="ignore"):
        return rescale(bars, tables["adjusted"][has_quote])


def _faults(table: Table, plan: Plan, assets: Mapping[str, _Asset], *, positive: bool) -> list[InvalidInput]:
    """The first fault of each asset's order and prices, in the order of the file, and of days that assets lack."""
    faults: list[tuple[int, InvalidInput]] = []
    seen_days: set[int] = set()
    for name, asset in assets.items():
        if id(asset.days) not in seen_days:
            seen_days.add(id(asset.days))
            faults += _order_fault(table, plan, name if asset.places is not None else None, asset)
        if positive:
            faults += _price_fault(table, asset)
    faults.sort(key=lambda fault: fault[0])
    if not faults:
        faults += _missing_day(table, assets)
    return [fault for _, fault in faults]


def _order_fault(table: Table, plan: Plan, name: str | None, asset: _Asset) -> list[tuple[int, InvalidInput]]:
    days, whose = asset.days, "" if name is None else f" of {quote(name)}"
    _, first, inverse = np.unique(days, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(days.size))
    back = np.flatnonzero(days[1:] < days[:-1]) + 1
    if back.size == days.size - 1 or _is_shuffled(days):
        back = back[:0]
    if not again.size and not back.size:
        return []
    n = int(min([*again[:1], *back[:1]]))
    day, row = days[n], int(asset.rows[n])
    if n in again:
        before = int(asset.rows[first[inverse[n]]])
        reason, code = f"{day}{whose} stands already in {table.row} {before}", "duplicate_date"
    else:
        reason, code = f"{day}{whose} comes after {days[n - 1]} ({table.row} {asset.rows[n - 1]})", "date_order"
    column = table.header[plan.date]
    error = table.error(reason, row=row, column=column, allowed=IN_ORDER, code=code, value=str(day))
    return [(row, error)]


def _price_fault(table: Table, asset: _Asset) -> list[tuple[int, InvalidInput]]:
    closes, column = asset.closes
    wrong = np.flatnonzero(np.isnan(closes) | (closes <= 0.0))
    if not wrong.size:
        return []
    n = int(wrong[0])
    row = int(asset.rows[n])
    cell = _cell(table, n if asset.places is None else int(asset.places[n]), column)
    text = text_of(cell)[:80]
    if np.isnan(closes[n]):
        description = "the price is missing" if is_blank(cell) else f"{quote(text)} is a missing price"
        reason, allowed, code = f"{description}: a hole", EVERY_DATE, "hole"
    else:
        reason, allowed, code = f"{text[:40]} is not positive", A_PRICE, "price"
    return [(row, table.error(reason, row=row, column=table.header[column], allowed=allowed, code=code, value=text))]


def _cell(table: Table, place: int, column: int) -> Cell:
    rows = table.rows
    assert isinstance(rows, list)
    cell = rows[place][1][column]
    return "" if isinstance(cell, float) and cell != cell else cell


def _missing_day(table: Table, assets: Mapping[str, _Asset]) -> list[tuple[int, InvalidInput]]:
    """The first day that only some assets of a long file have."""
    (first, series), *others = assets.items()
    for asset, own in others:
        if own.days.size == series.days.size and (np.sort(own.days) == np.sort(series.days)).all():
            continue
        day = np.setxor1d(own.days, series.days)[0]
        has_price = day in own.days
        without_price, with_price, rows = (first, asset, own) if has_price else (asset, first, series)
        row = int(rows.rows[int((rows.days == day).argmax())])
        reason = f"{quote(without_price)} has no price on {day}, {quote(with_price)} has: a hole"
        return [(row, table.error(reason, row=row, allowed=EVERY_DATE, code="hole", value=str(day)))]
    return []
