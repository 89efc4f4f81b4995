"""Reads the visible sheets of Excel workbooks as rows; sizes and XML tags are checked before unpacking."""

import io
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date
from importlib import import_module
from typing import IO, Any

from desk.market.files.tables import (
    MAX_CELLS,
    MAX_UNPACKED,
    Cell,
    Row,
    Table,
    is_blank,
    quote,
    too_many_cells,
    unreadable,
)

MAX_PARTS = 1_000
MAX_ROWS = 1_048_576
"""Excel's limit; rows may declare any number, and openpyxl generates all rows before it."""
MAX_BLANK_CELLS = 1_000_000
"""Blank cells of a sheet beyond as many as have a content; reading ten million takes a minute."""
DAMAGE_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, SyntaxError, RuntimeError, AssertionError),
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
)
"""Exceptions that zipfile and openpyxl raise for damaged workbooks; XML errors are `SyntaxError`."""
_SHEETS = "xl/worksheets/"
MAX_TAGS = {
    _SHEETS: 400_000,
    "xl/styles.xml": 400_000,
    "xl/workbook.xml": 100_000,
    "xl/sharedStrings": 4_000_000,
}
"""Largest number of XML tags by part, per row for sheets, because openpyxl keeps them in memory."""
MAX_SHEET_TAGS = 6 * MAX_CELLS
_ROW = re.compile(rb"<(?:\w+:)?row\b")
_A_WORKBOOK = "an Excel workbook (.xlsx) without macros, or CSV"


def sheets(bare: Table, content: bytes) -> list[Table]:
    """The visible sheets; their rows are read when iterated."""
    openpyxl: Any = import_module("openpyxl")  # incomplete type hints
    _check_parts(bare, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about styles and extensions, which are not read
            book: Any = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        visible: list[Any] = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
        if not visible:
            raise bare.error("has no visible sheet", allowed=_A_WORKBOOK, code="file_unreadable")
        for sheet in visible:
            sheet.reset_dimensions()  # the file may declare any size
        from_1904 = book.epoch.year == 1904
    except DAMAGE_ERRORS as e:
        raise unreadable(bare, "an Excel workbook", e) from e  # raised by openpyxl for damaged parts
    return [
        Table(f"sheet {quote(str(sheet.title))}", [], _SheetRows(bare, sheet), excel_1904=from_1904)
        for sheet in visible
    ]


class _SheetRows:
    """The rows of a sheet, which can be iterated again."""

    def __init__(self, bare: Table, sheet: Any) -> None:
        self._bare = bare
        self._sheet = sheet

    def __iter__(self) -> Iterator[Row]:
        blank = 0
        try:
            for number, values in enumerate(self._sheet.iter_rows(values_only=True), start=1):
                blank += 2 * values.count(None) - len(values)
                if number > MAX_ROWS:
                    raise too_many_cells(self._bare)
                if blank > MAX_BLANK_CELLS:
                    raise self._bare.error(
                        f"has more than {MAX_BLANK_CELLS:,} blank cells",
                        allowed="a sheet without formatted cells beside and below its table",
                        code="file_too_large",
                    )
                cells = [_cell(value) for value in values]
                while cells and is_blank(cells[-1]):
                    cells.pop()
                if cells:
                    yield number, cells
        except DAMAGE_ERRORS as e:
            raise unreadable(self._bare, "an Excel workbook", e) from e


def _cell(value: object) -> Cell:
    if value is None:
        return ""
    if isinstance(value, str | int | float | date) and not isinstance(value, bool):
        return value
    return str(value)


def archive_parts(bare: Table, content: bytes) -> list[zipfile.ZipInfo]:
    """The parts of a zip archive, whose declared sizes are checked; unpacking cannot exceed them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except DAMAGE_ERRORS as error:
        raise unreadable(bare, "an Excel workbook or a zip archive", error) from error
    size = sum(int(part.file_size) for part in parts)
    if len(parts) > MAX_PARTS or size > MAX_UNPACKED:
        reason = f"unpacks to {len(parts):,} parts of {size:,} bytes"
        allowed = f"at most {MAX_PARTS:,} parts of {MAX_UNPACKED:,} bytes"
        raise bare.error(reason, allowed=allowed, code="file_too_large")
    return parts


def _check_parts(bare: Table, content: bytes) -> None:
    names = {part.filename for part in archive_parts(bare, content)}
    if any("vbaproject" in name.lower() for name in names):
        raise bare.error("holds macros", allowed=_A_WORKBOOK, code="macros")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in names:
                for start, most in MAX_TAGS.items():
                    if name.startswith(start):
                        with archive.open(name) as part:
                            _check_tags(bare, part, most, in_rows=start == _SHEETS)
    except DAMAGE_ERRORS as error:
        raise unreadable(bare, "an Excel workbook", error) from error


def _check_tags(bare: Table, part: IO[bytes], most: int, *, in_rows: bool) -> None:
    """Limit XML tags, because a few kilobytes can unpack to millions of tags and gigabytes of memory."""
    count, total, end = 0, 0, b""
    while text := part.read(1_000_000):
        if b"<!DOCTYPE" in end + text or b"\0" in text:  # null bytes: UTF-16 would hide it
            raise bare.error("declares XML entities, or is not UTF-8", allowed=_A_WORKBOOK, code="file_unreadable")
        end = text[-8:]
        total += text.count(b"<")
        for n, between in enumerate(_ROW.split(text) if in_rows else [text]):
            count = between.count(b"<") + (0 if n else count)
            if count > most or total > MAX_SHEET_TAGS:
                reason = f"has more than {most if count > most else MAX_SHEET_TAGS:,} XML tags in one place"
                raise bare.error(reason, allowed=_A_WORKBOOK, code="file_too_large")
