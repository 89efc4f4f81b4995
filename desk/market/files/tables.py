"""Tables of cells with the row numbers that errors refer to, and the limits of their sizes."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeAlias, overload

from desk.base.errors import InvalidInput

MAX_BYTES = 100_000_000
MAX_CELLS = 5_000_000
MAX_UNPACKED = 500_000_000
MAX_TEXT = 1_000

A_HEADER = "date and one column an asset, or date, symbol and close"
FORMATS = "CSV in UTF-8 or UTF-16, an Excel workbook (.xlsx), Parquet or JSON, also gzipped, or one file in a zip"

Cell: TypeAlias = "str | int | float | date"
"""Text as it is written, or the value of a typed format; empty text where there is no value."""
Row: TypeAlias = "tuple[int, list[Cell]]"
"""The number of a row in the file, and its cells."""


@dataclass(frozen=True)
class Table:
    """A table of a file: its header, and its rows with their numbers in the file."""

    name: str
    header: list[str]
    rows: Iterable[Row]
    row: str = "row"
    point_decimal: bool = True
    """Whether a text such as 1.234 is a decimal number if no other text shows the decimal mark."""
    excel_1904: bool = False
    """Whether days are counted from 1904, as in workbooks of old Excel for Mac."""

    def with_rows(self, header: list[str], rows: Iterable[Row]) -> "Table":
        return replace(self, header=header, rows=rows)

    def error(
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
            place += f", column {quote(column)}"
        return InvalidInput(place, value, reason=reason, allowed=allowed, code=code)


class ColumnCells(Sequence["tuple[int, Cell]"]):
    """The cells of one column with the numbers of their rows, as a view of the rows."""

    def __init__(self, rows: Sequence[Row], column: int) -> None:
        self._rows = rows
        self._column = column

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> "tuple[int, Cell]": ...
    @overload
    def __getitem__(self, place: slice) -> "ColumnCells": ...
    def __getitem__(self, place: int | slice) -> "tuple[int, Cell] | ColumnCells":
        if isinstance(place, slice):
            return ColumnCells(self._rows[place], self._column)
        number, cells = self._rows[place]
        return number, cells[self._column]

    def __iter__(self) -> "Iterator[tuple[int, Cell]]":
        return ((number, cells[self._column]) for number, cells in self._rows)


def check_name(table: Table, name: str, *, row: int | None, column: str) -> None:
    if 0 < len(name) <= 64 and name.isprintable() and not set(name) & set(",:"):
        return
    raise table.error(
        f"{quote(name)} is not the name of an asset" if name else "the name of an asset is missing",
        row=row,
        column=column,
        allowed="1 to 64 printable characters without comma and colon",
        code="asset_name",
        value=name,
    )


def too_many_cells(table: Table) -> InvalidInput:
    return table.error(
        f"has more than {MAX_CELLS:,} cells",
        allowed=f"at most {MAX_CELLS:,}",
        code="file_too_large",
    )


def is_blank(cell: Cell) -> bool:
    return isinstance(cell, str) and (not cell or cell.isspace())


def text_of(cell: Cell) -> str:
    """The text of a cell, as names and errors show it; whole floats without their point."""
    if isinstance(cell, str):
        return cell.strip()
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else str(cell)


def count_noun(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quote(text: str) -> str:
    """The text in double quotes, shortened, with control characters escaped."""
    return json.dumps(escape_unprintable(text if len(text) <= 40 else text[:37] + "..."), ensure_ascii=False)


def escape_unprintable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def unreadable(table: Table, what: str, error: BaseException) -> InvalidInput:
    """The error for a file that its library cannot read, with the first line of the library's message."""
    reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
    return table.error(f"cannot be read as {what}: {reason}", allowed=FORMATS, code="file_unreadable")
