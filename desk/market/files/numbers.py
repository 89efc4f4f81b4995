"""Reads numbers as texts and values: the decimal mark, thousands, currencies, missing values."""

import math
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from desk.base.errors import InvalidInput
from desk.market.files.tables import Cell, Table, quote, text_of

Mark: TypeAlias = Literal[".", ","]

MISSING = frozenset(
    {
        *("", "na", "n/a", "nan", "null", "none", "nat", "-", "--", "\u2013", "\u2014", "n.a.", "nd", "n/d", "<na>"),
        *("#n/a", "#na", "#n/a n/a", "nil"),
    }
)
MAX_NUMBER = 1e15
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SPACES = "[ \u00a0\u202f\u2009]"
_MARKS: tuple[tuple[Mark, Mark], ...] = ((".", ","), (",", "."))
_GROUPED: dict[Mark, re.Pattern[str]] = {
    mark: re.compile(
        rf"[+-]?(?:\d{{1,3}}(?:(?P<group>{_SPACES}|['\u2019]|{re.escape(group)})\d{{3}}(?:(?P=group)\d{{3}})*)?|\d+)?"
        rf"(?:{re.escape(mark)}\d*)?(?:[eE][+-]?\d+)?",
        re.ASCII,
    )
    for mark, group in _MARKS
}
_BRACKETS = re.compile(r"\((.+)\)")
_CODES = ("USD", "EUR", "GBP", "CHF", "JPY", "CAD", "AUD", "SEK", "NOK", "DKK", "HKD", "CNY", "INR", "KRW", "SGD")
_CURRENCY = r"(?:(?:US|C|A|HK|S)?[$€£¥₹₩₽]|" + "|".join(_CODES) + r"|Fr\.|kr\.?|zł)"
_WITH_CURRENCY = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{_CURRENCY})?{_SPACES}*(?P<number>[+-]?[\d.,'\u2019 \u00a0\u202f\u2009]*\d[\d.,]*)"
    rf"{_SPACES}*(?P<after>{_CURRENCY})?"
)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9}
_ENDS = re.compile(r"[eE][+-]?\d+$")


@dataclass(frozen=True)
class Notation:
    """How a file writes its numbers."""

    mark: Mark
    proven: bool
    """Whether a number of the file shows the mark; otherwise 1,234 can be one or a thousand."""


@dataclass
class Column:
    """The numbers of one column; NaN where a value is missing."""

    values: "array[float]"
    currency: str = ""


def detect_notation(columns: Iterable[Iterable[Cell]]) -> Notation:
    """The decimal mark that the texts of all columns show."""
    proven: set[Mark] = set()
    for column in columns:
        for cell in column:
            if isinstance(cell, str) and ("," in cell or "." in cell):
                if "." in proven and "," not in cell:
                    continue
                mark = _evidence(cell.strip())
                if mark:
                    proven.add(mark)
    if len(proven) == 1:
        return Notation(next(iter(proven)), proven=True)
    return Notation(".", proven=bool(proven))


def _evidence(text: str) -> Mark | None:
    """The decimal mark that a text proves: 99,81 and 1.234,5 prove a comma, 1.234 proves nothing."""
    match = _WITH_CURRENCY.fullmatch(_ENDS.sub("", text).strip("()"))
    if match is None:
        return None
    number = match["number"].lstrip("+-")
    points, commas = number.count("."), number.count(",")
    if points and commas:
        last: Mark = "." if number.rfind(".") > number.rfind(",") else ","
        return last if number.count(last) == 1 else None
    if points + commas > 1:
        return "," if points else "."
    if not points + commas:
        return None
    mark: Mark = "." if points else ","
    whole, _, decimals = number.partition(mark)
    grouped = any(not c.isdigit() for c in whole)
    if len(decimals) == 3 and 1 <= len(whole) <= 3 and not grouped and not whole.startswith("0"):
        return None
    return mark


def parse_numbers(
    table: Table, column: int, cells: Sequence[tuple[int, Cell]], notation: Notation, *, volume: bool = False
) -> Column:
    """Raises `InvalidInput` for the first cell that is neither a number nor a sign for a missing value.

    A volume may be in thousands (K), millions (M) or billions (B).
    """
    parsed = Column(array("d"))
    values, mark = parsed.values, notation.mark
    certain = notation.proven or table.point_decimal
    for row, cell in cells:
        if not isinstance(cell, str):
            values.append(_typed(table, row, column, cell))
            continue
        if mark == "." and certain and _PLAIN.fullmatch(cell):
            value = float(cell)
            if -MAX_NUMBER < value < MAX_NUMBER:
                values.append(value)
                continue
        text = cell.strip()
        unit = _UNITS.get(text[-1:].upper(), 1.0) if volume else 1.0
        values.append(unit * _parse(table, row, column, text[:-1] if unit > 1.0 else text, notation, parsed))
    return parsed


def _typed(table: Table, row: int, column: int, cell: float | date) -> float:
    if isinstance(cell, date):
        raise _error(table, row, column, cell)
    try:
        value = float(cell)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise _error(table, row, column, cell)
    if abs(value) >= MAX_NUMBER:
        raise _too_large(table, row, column, text_of(cell))
    return value


def _parse(table: Table, row: int, column: int, text: str, notation: Notation, parsed: Column) -> float:
    if text.casefold() in MISSING:
        return math.nan
    plain = _without_currency(table, row, column, text, parsed)
    brackets = _BRACKETS.fullmatch(plain)
    if brackets:
        plain = f"-{brackets[1]}"
    if not any(c.isdigit() for c in plain) or not _GROUPED[notation.mark].fullmatch(plain):
        raise _error(table, row, column, text)
    if not notation.proven and _ambiguous(plain, table):
        reason = f"{quote(text)} can be {_value(plain, '.'):g} or {_value(plain, ','):g}, and no other number decides"
        raise _error(table, row, column, text, reason)
    value = _value(plain, notation.mark)
    if abs(value) >= MAX_NUMBER:
        raise _too_large(table, row, column, text)
    return value


def _ambiguous(plain: str, table: Table) -> bool:
    mark = "," if "," in plain else "." if "." in plain else None
    return mark is not None and not (mark == "." and table.point_decimal)


def _value(plain: str, mark: Mark) -> float:
    """The number with this decimal mark; other separators group thousands."""
    number, exponent = plain, ""
    if match := _ENDS.search(plain):
        number, exponent = plain[: match.start()], match[0]
    whole, _, decimals = number.partition(mark)
    digits = re.sub(r"[^\d+-]", "", whole) or "0"
    if digits in "+-":
        digits += "0"
    return float(f"{digits}.{re.sub(r'[^0-9]', '', decimals) or '0'}{exponent}")


def _without_currency(table: Table, row: int, column: int, text: str, parsed: Column) -> str:
    """The number without its currency; a column has one currency."""
    if text.isascii() and not any(c.isalpha() or c == "$" for c in text):
        return text
    match = _WITH_CURRENCY.fullmatch(text)
    if match is None or (match["before"] and match["after"]):
        return text
    currency = match["before"] or match["after"] or ""
    if currency:
        if parsed.currency and currency != parsed.currency:
            reason = f"{quote(text)} is in another currency than {parsed.currency} above"
            raise _error(table, row, column, text, reason)
        parsed.currency = currency
    return match["sign"] + match["number"].strip()


def _error(table: Table, row: int, column: int, cell: Cell, reason: str | None = None) -> InvalidInput:
    text = text_of(cell)
    return table.error(
        reason or f"{quote(text)} is not a number",
        row=row,
        column=table.header[column],
        allowed="a decimal number such as 1234.5, or nothing where there is none",
        code="not_a_number",
        value=text[:80],
    )


def _too_large(table: Table, row: int, column: int, text: str) -> InvalidInput:
    return table.error(
        f"{text[:40]} is too far from any price",
        row=row,
        column=table.header[column],
        allowed="a decimal number below 1e15",
        code="price",
        value=text[:80],
    )
