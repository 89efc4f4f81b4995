"""Reads a column of dates: one notation for the whole column, and no guess between day and month."""

import re
from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Literal, TypeAlias

from desk.base.errors import InvalidInput
from desk.market.files.tables import Cell, Table, quote, text_of

A_DATE = "a date as 2024-01-31, from 1800 to 2199"
Order: TypeAlias = Literal["dmy", "mdy", "ymd"]
ORDERS: tuple[Order, ...] = ("dmy", "mdy", "ymd")
_NAMES: dict[Order, str] = {"dmy": "day first", "mdy": "month first", "ymd": "year first"}

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january", "januar", "janv", "janvier"),
            ("feb", "february", "februar", "fev", "fév", "févr", "février"),
            ("mar", "march", "mär", "märz", "mrz", "mars"),
            ("apr", "april", "avr", "avril"),
            ("may", "mai"),
            ("jun", "june", "juni", "juin"),
            ("jul", "july", "juli", "juil", "juillet"),
            ("aug", "august", "août", "aout"),
            ("sep", "sept", "september", "septembre"),
            ("oct", "october", "okt", "oktober", "octobre"),
            ("nov", "november", "novembre"),
            ("dec", "december", "dez", "dezember", "déc", "décembre"),
        ),
        start=1,
    )
    for name in names
}
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_TIME = (
    r"(?:[Tt, ]\s*(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::\d{2}(?:[.,]\d+)?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?"
    r"\s*(?P<zone>Z|UTC|GMT|[A-Z]{3,4}|(?:UTC|GMT)?[+-]\d{2}(?::?\d{2})?)?)?"
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})" + _TIME, re.ASCII)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\.0+|T000000)?" + _TIME, re.ASCII)
_NUMERIC = re.compile(r"(\d{1,2})([-/. ])(\d{1,2})\2(\d{4}|\d{2})" + _TIME, re.ASCII)
_DAY_NAMED = re.compile(
    _WEEKDAY + r"(\d{1,2})(?:st|nd|rd|th|\.)?[-/. ]*([^\W\d]{3,9})\.?[-/., ]*(\d{4}|\d{2})" + _TIME, re.IGNORECASE
)
_MONTH_NAMED = re.compile(
    _WEEKDAY + r"([^\W\d]{3,9})\.?[-/ ]*(\d{1,2})(?:st|nd|rd|th)?[-/, ]+(\d{4})" + _TIME, re.IGNORECASE
)
_YEAR_NAMED = re.compile(r"(\d{4})[-/ ]([^\W\d]{3,9})[-/ ](\d{1,2})" + _TIME)
_COUNT = re.compile(r"-?\d{1,19}(?:\.0+)?", re.ASCII)
_NOON = 12 * 60
_EXCEL = {False: date(1899, 12, 30), True: date(1904, 1, 1)}
_SERIALS = range(10_000, 110_000)
"""Days from 1927 to 2201, as Excel counts them."""
_UNITS = ((range(9, 11), 1), (range(12, 14), 10**3), (range(15, 17), 10**6), (range(18, 20), 10**9))
"""Numbers of digits of a Unix time, and its units per second."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one cell can mean: a day, three numbers whose order is open, or a count of days or seconds."""

    day: date | None = None
    parts: tuple[int, int, int] | None = None
    separator: str = ""
    two_digit_year: bool = False
    count: int | None = None
    minutes: int | None = None
    """Minutes since midnight UTC, if the cell has a time in UTC."""

    @property
    def notation(self) -> str:
        return "parts" if self.parts else "count" if self.count is not None else "day"


@dataclass(frozen=True)
class Dates:
    days: list[str]
    notes: tuple[str, ...] = ()


def looks_like_date(cell: Cell) -> bool:
    """Whether a cell is a date in itself; counts of days, such as Excel's, are not."""
    reading = _read(cell)
    return reading is not None and (reading.count is None or len(str(abs(reading.count))) >= 9)


def parse_dates(
    table: Table, column: int, cells: Sequence[tuple[int, Cell]], assets: Sequence[str] | None = None
) -> Dates:
    """The days of a column, each with its row; `assets` names the asset of each row if several share dates.

    Raises `InvalidInput` for the first cell that is no date, and for dates whose day and month can be exchanged.
    """
    column_name = table.header[column]
    known: dict[Cell, _Reading] = {}
    readings: list[_Reading] = []
    for row, cell in cells:
        reading = known.get(cell)
        if reading is None:
            reading = _read(cell)
            if reading is None:
                raise _error(table, row, column_name, cell)
            known[cell] = reading
        readings.append(reading)
    notation = readings[0].notation if readings else "day"
    for (row, cell), reading in zip(cells, readings, strict=True):
        if reading.notation != notation:
            first_row, first = cells[0]
            reason = f"{quote(text_of(cell))} is written differently from {quote(text_of(first))} in row {first_row}"
            raise _error(table, row, column_name, cell, reason)
    if notation == "parts":
        return _ordered(table, column_name, cells, readings, assets)
    if notation == "count":
        return _counted(table, column_name, cells, readings)
    days, notes = _local_days(readings)
    return Dates(days, notes)


def _error(table: Table, row: int, column: str, cell: Cell, reason: str | None = None) -> InvalidInput:
    text = text_of(cell)
    default = f"{quote(text)} is not a date" if text else "the date is missing"
    return table.error(reason or default, row=row, column=column, allowed=A_DATE, code="date", value=text[:80])


def _read(cell: Cell) -> _Reading | None:
    if isinstance(cell, datetime):
        utc = cell.tzinfo is not None and cell.utcoffset() == timedelta(0) and str(cell.tzinfo).upper() in _UTC_NAMES
        return _day(cell.year, cell.month, cell.day, cell.hour * 60 + cell.minute if utc else None)
    if isinstance(cell, date):
        return _day(cell.year, cell.month, cell.day)
    if not isinstance(cell, str):
        if isinstance(cell, float) and not cell.is_integer():
            return None
        cell = str(int(cell))
    text = cell.strip()
    return _read_text(text) if len(text) <= 60 else None


_UTC_NAMES = ("UTC", "GMT", "Z", "ETC/UTC", "UTC+00:00")


def _read_text(text: str) -> _Reading | None:
    if match := _YEAR_FIRST.fullmatch(text):
        return _day(int(match[1]), int(match[3]), int(match[4]), *_utc_minutes(match))
    if (match := _COMPACT.fullmatch(text)) and (
        day := _day(int(match[1]), int(match[2]), int(match[3]), *_utc_minutes(match))
    ):
        return day
    if _COUNT.fullmatch(text):
        return _Reading(count=int(text.partition(".")[0]))
    if match := _NUMERIC.fullmatch(text):
        parts = (int(match[1]), int(match[3]), int(match[4]))
        return _Reading(parts=parts, separator=match[2], two_digit_year=len(match[4]) == 2)
    if match := _DAY_NAMED.fullmatch(text):
        year, month, number = match[3], match[2], match[1]
    elif match := _MONTH_NAMED.fullmatch(text):
        year, month, number = match[3], match[1], match[2]
    elif match := _YEAR_NAMED.fullmatch(text):
        year, month, number = match[1], match[2], match[3]
    else:
        return None
    month_number = _MONTHS.get(month.casefold())
    if month_number is None:
        return None
    return _day(_full_year(int(year)) if len(year) == 2 else int(year), month_number, int(number))


def _utc_minutes(match: re.Match[str]) -> tuple[int | None]:
    """The minutes of a time in UTC; None for local times, whose day is the day as written."""
    if match["zone"] not in ("Z", "UTC", "GMT", "+00:00", "+0000", "+00"):
        return (None,)
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "pP" else 0)
    return (hour * 60 + int(match["minute"]),)


def _day(year: int, month: int, number: int, minutes: int | None = None) -> _Reading | None:
    day = _existing(year, month, number)
    return None if day is None else _Reading(day=day, minutes=minutes)


def _existing(year: int, month: int, number: int) -> date | None:
    if 1800 <= year < 2200 and 1 <= month <= 12 and 1 <= number <= monthrange(year, month)[1]:
        return date(year, month, number)
    return None


def _full_year(year: int) -> int:
    return year + (2000 if year < 70 else 1900)


def _local_days(readings: Sequence[_Reading]) -> tuple[list[str], tuple[str, ...]]:
    """The days as written; instants in UTC that are midnight in a zone to the east belong to the next day.

    Midnight in Berlin is 22:00 or 23:00 UTC of the day before: such days run from Sunday to Thursday.
    """
    days = [reading.day for reading in readings if reading.day is not None]
    minutes = [reading.minutes for reading in readings]
    if len(set(days)) >= 10 and all(minute is not None for minute in minutes):
        shifted = [
            day + timedelta(days=1 if (minute or 0) >= _NOON else 0) for day, minute in zip(days, minutes, strict=True)
        ]
        if not _weekdays_only(days) and _weekdays_only(shifted) and shifted != days:
            note = "times are midnight in a zone east of UTC; each counts for the day that begins there"
            return _texts(shifted), (note,)
    return _texts(days), ()


def _texts(days: Sequence[date]) -> list[str]:
    """The days as texts, one object for equal days, because many assets share them."""
    texts = {day: day.isoformat() for day in set(days)}
    return [texts[day] for day in days]


def _weekdays_only(days: Sequence[date]) -> bool:
    return all(day.weekday() < 5 for day in days)


def _counted(table: Table, column: str, cells: Sequence[tuple[int, Cell]], readings: Sequence[_Reading]) -> Dates:
    """Serial numbers of Excel, or Unix times in seconds, milliseconds, microseconds or nanoseconds."""
    counts = [reading.count or 0 for reading in readings]
    if all(count in _SERIALS for count in counts):
        start = _EXCEL[table.excel_1904]
        days = _texts([start + timedelta(days=count) for count in counts])
        return Dates(days, (f"dates are serial numbers of Excel, counted from {start}",))
    digits = {len(str(abs(count))) for count in counts}
    unit = next((unit for lengths, unit in _UNITS if digits <= set(lengths)), None)
    if unit is None:
        place = next((n for n, count in enumerate(counts) if count not in _SERIALS), 0)
        if any(looks_like_date(cell) for _, cell in cells):
            place = next(n for n, (_, cell) in enumerate(cells) if not looks_like_date(cell))
        row, cell = cells[place]
        raise _error(table, row, column, cell)
    moments = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=count // unit) for count in counts]
    instants = [_Reading(day=moment.date(), minutes=moment.hour * 60 + moment.minute) for moment in moments]
    days, notes = _local_days(instants)
    return Dates(days, notes)


def _ordered(
    table: Table,
    column: str,
    cells: Sequence[tuple[int, Cell]],
    readings: Sequence[_Reading],
    assets: Sequence[str] | None,
) -> Dates:
    """Dates such as 01/02/2019, if the column itself shows which number is the day."""
    orders = _possible_orders(readings)
    if not orders:
        raise _contradiction(table, column, cells, readings)
    unique: dict[Order, list[date | None]] = {order: _days(readings, order) for order in orders}
    if all(None in days for days in unique.values()):
        order = orders[0]
        place = unique[order].index(None)
        row, cell = cells[place]
        reason = f"{quote(text_of(cell))} is not a date, {_NAMES[order]} as in the rest of the column"
        raise _error(table, row, column, cell, reason)
    unique = _only(unique, {order for order, days in unique.items() if None not in days})
    if len({tuple(days) for days in unique.values()}) > 1:
        increasing: set[Order] = {order for order, days in unique.items() if _one_direction(days, assets)}
        unique = _only(unique, increasing or set(unique))
    if len({tuple(days) for days in unique.values()}) > 1:
        raise _ambiguity(table, column, cells, unique)
    order, days = next(iter(unique.items()))
    return Dates(_texts([day for day in days if day is not None]), (f"dates are read {_NAMES[order]}",))


def _only(days: Mapping[Order, list[date | None]], orders: Set[Order]) -> dict[Order, list[date | None]]:
    return {order: days[order] for order in ORDERS if order in orders}


def _possible_orders(readings: Sequence[_Reading]) -> tuple[Order, ...]:
    """Orders that no number above 12 excludes; points stand for day first, as in German."""
    parts = [reading.parts for reading in readings if reading.parts is not None]
    day_first = any(first > 12 for first, _, _ in parts)
    month_first = any(second > 12 for _, second, _ in parts)
    points = all(reading.separator == "." for reading in readings)
    two_digits = any(reading.two_digit_year for reading in readings)
    year_first = two_digits and not points and all(1 <= last <= 31 and second <= 12 for _, second, last in parts)
    if any(first > 31 for first, _, _ in parts):
        return ("ymd",) if year_first else ()
    if day_first and month_first:
        return ()
    orders: tuple[Order, ...] = ("dmy",) if day_first or (points and not month_first) else ("mdy",)
    if not day_first and not month_first and not points:
        orders = ("dmy", "mdy")
    return (*orders, "ymd") if year_first else orders


def _days(readings: Sequence[_Reading], order: Order) -> list[date | None]:
    return [_in_order(reading, order) for reading in readings]


def _in_order(reading: _Reading, order: Order) -> date | None:
    if reading.parts is None:
        return None
    first, second, third = reading.parts
    year, month, day = {"dmy": (third, second, first), "mdy": (third, first, second), "ymd": reading.parts}[order]
    return _existing(_full_year(year) if reading.two_digit_year else year, month, day)


def _one_direction(days: Sequence[date | None], assets: Sequence[str] | None) -> bool:
    """Whether the dates of every asset increase, or all decrease."""
    steps = [later > earlier for earlier, later in _steps(days, assets) if later is not None and earlier is not None]
    return all(steps) or not any(steps)


def _steps(days: Sequence[date | None], assets: Sequence[str] | None) -> Iterator[tuple[date | None, date | None]]:
    if assets is None:
        yield from pairwise(days)
        return
    latest: dict[str, date | None] = {}
    for day, asset in zip(days, assets, strict=True):
        if asset in latest:
            yield latest[asset], day
        latest[asset] = day


def _contradiction(
    table: Table, column: str, cells: Sequence[tuple[int, Cell]], readings: Sequence[_Reading]
) -> InvalidInput:
    large = [n for n, reading in enumerate(readings) if reading.parts and max(reading.parts[:2]) > 12]
    day_first = [n for n in large if (readings[n].parts or (0, 0, 0))[0] > 12]
    other = next((n for n in large if (n in day_first) != (large[0] in day_first)), large[0])
    (first_row, first), (row, cell) = cells[large[0]], cells[other]
    reason = (
        f"{quote(text_of(cell))} and {quote(text_of(first))} in row {first_row} put day and month in different orders"
    )
    return _error(table, row, column, cell, reason)


def _ambiguity(
    table: Table, column: str, cells: Sequence[tuple[int, Cell]], readings: dict[Order, list[date | None]]
) -> InvalidInput:
    one, two = list(readings.values())[:2]
    place = next(n for n, (a, b) in enumerate(zip(one, two, strict=True)) if a != b)
    row, cell = cells[place]
    reason = f"{quote(text_of(cell))} can be {one[place]} or {two[place]}, and no other date decides"
    return _error(table, row, column, cell, reason)
