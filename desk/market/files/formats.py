"""Reads uploaded files as tables; the format is detected from the content, not the name."""

import io
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime
from importlib import import_module
from itertools import chain
from typing import IO, Any, Literal, NoReturn, TypeAlias

from desk.market.files.tables import (
    A_HEADER,
    MAX_BYTES,
    MAX_CELLS,
    MAX_UNPACKED,
    Table,
    csv_table,
    parquet_table,
    quote,
    too_many_cells,
)

Format: TypeAlias = Literal["csv", "xlsx", "parquet", "json"]

MAX_COLUMNS = 2_500
MAX_JSON = 40_000_000
MAX_PARTS = 1_000
MAX_ROWS = 1_048_576
"""Excel's limit; rows may declare any number, and openpyxl generates all rows before it."""
MAX_SHEET_CELLS = 2 * MAX_CELLS
"""Largest number of cells of a sheet, including blank ones that openpyxl generates."""
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
_FORMATS = "CSV in UTF-8, an Excel workbook (.xlsx), Parquet or JSON"
_A_WORKBOOK = "an Excel workbook (.xlsx) without macros, or CSV"


def read_table(content: bytes) -> tuple[Format, Table]:
    """Raises `InvalidInput` for an unsupported format or a file that is too large when unpacked."""
    bare = Table("file", [], iter(()))
    if not content.strip():
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    if len(content) > MAX_BYTES:
        raise bare.error(f"holds {len(content):,} bytes", allowed=f"at most {MAX_BYTES:,}", code="file_too_large")
    if content.startswith(b"PAR1"):
        kind, table = "parquet", parquet_table(bare, content)
    elif content.startswith(b"PK\x03\x04"):
        kind, table = "xlsx", _workbook(bare, content)
    elif content.startswith((b"\xd0\xcf\x11\xe0", b"%PDF")):
        raise bare.error("is an old Excel workbook, an encrypted one, or a PDF", allowed=_FORMATS, code="encoding")
    elif content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{"):
        kind, table = "json", _json(bare, content)
    else:
        kind, table = "csv", csv_table(bare, content)
    if len(table.header) > MAX_COLUMNS:
        reason = f"has {len(table.header):,} columns"
        raise bare.error(reason, allowed=f"at most {MAX_COLUMNS:,}", code="file_too_large")
    return kind, table


def _workbook(bare: Table, content: bytes) -> Table:
    openpyxl: Any = import_module("openpyxl")  # incomplete type hints
    _check_parts(bare, content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about styles and extensions, which are not read
            book: Any = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        sheet: Any = next((one for one in book.worksheets if one.sheet_state == "visible"), None)
        if sheet is None:
            raise bare.error("has no visible sheet", allowed=_A_WORKBOOK, code="file_unreadable")
        sheet.reset_dimensions()  # the file may declare any size
        rows = _sheet_rows(bare, sheet)
        _, header = next(rows, (0, None))
    except DAMAGE_ERRORS as e:
        raise _unreadable(bare, "an Excel workbook", e) from e  # raised by openpyxl for damaged parts
    if header is None:
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    return Table(f"sheet {quote(str(sheet.title))}", header, rows)


def _check_parts(bare: Table, content: bytes) -> None:
    """Check the declared sizes before unpacking, which cannot exceed them."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
            size = sum(int(part.file_size) for part in parts)
            if len(parts) > MAX_PARTS or size > MAX_UNPACKED:
                reason = f"unpacks to {len(parts):,} parts of {size:,} bytes"
                allowed = f"at most {MAX_PARTS:,} parts of {MAX_UNPACKED:,} bytes"
                raise bare.error(reason, allowed=allowed, code="file_too_large")
            names = {part.filename for part in parts}
            if any("vbaproject" in name.lower() for name in names):
                raise bare.error("holds macros", allowed=_A_WORKBOOK, code="macros")
            if "xl/workbook.xml" not in names:
                raise bare.error("is an archive, and no Excel workbook", allowed=_FORMATS, code="encoding")
            for name in names:
                for start, most in MAX_TAGS.items():
                    if name.startswith(start):
                        with archive.open(name) as part:
                            _check_tags(bare, part, most, in_rows=start == _SHEETS)
    except DAMAGE_ERRORS as error:
        raise _unreadable(bare, "an Excel workbook", error) from error


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


def _sheet_rows(bare: Table, sheet: Any) -> Iterator[tuple[int, list[str]]]:
    width = cell_count = 0
    try:
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            cell_count += len(cells)
            if number > MAX_ROWS or cell_count > MAX_SHEET_CELLS:
                raise too_many_cells(bare)
            texts = [_text(cell) for cell in cells]
            while texts and not texts[-1].strip():
                texts.pop()
            if not texts:
                continue
            width = width or len(texts)
            yield number, texts + [""] * (width - len(texts))
    except DAMAGE_ERRORS as e:
        raise _unreadable(bare, "an Excel workbook", e) from e


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date):
        return cell.isoformat()
    return repr(cell) if isinstance(cell, float) else str(cell)


def _json(bare: Table, content: bytes) -> Table:
    if len(content) > MAX_JSON:
        allowed = f"at most {MAX_JSON:,} bytes of JSON; Parquet or CSV beyond"
        raise bare.error(f"holds {len(content):,} bytes", allowed=allowed, code="file_too_large")
    if content.count(b"{") + content.count(b"[") > MAX_CELLS:
        raise too_many_cells(bare)
    try:
        document: Any = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable(bare, "JSON", error) from error
    match document:
        case [{}, *_] if all(isinstance(row, dict) for row in _values(document)):
            return _of_records(bare, _values(document))
        case {} if document and all(isinstance(column, list) for column in _values(document)):
            return _of_columns(bare, document)
        case {} if document and all(isinstance(series, dict) for series in _values(document)):
            return _of_series(bare, document)
        case _:
            pass
    allowed = "a list of records, an object of columns, or an object of symbols with dates and close"
    raise bare.error("is JSON of another shape", allowed=allowed, code="file_unreadable")


def _values(document: Any) -> list[Any]:
    return [*document] if isinstance(document, list) else [*document.values()]


def _of_records(bare: Table, records: list[dict[str, Any]]) -> Table:
    header = list(dict.fromkeys(chain.from_iterable(records)))
    if len(header) * len(records) > MAX_CELLS:
        raise too_many_cells(bare)
    rows = ((n, [_plain(record.get(name)) for name in header]) for n, record in enumerate(records, start=1))
    return Table(bare.name, header, rows, row="record")


def _of_columns(bare: Table, columns: dict[str, list[Any]]) -> Table:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        reason = f"columns have {min(lengths.values())} to {max(lengths.values())} values"
        raise bare.error(reason, allowed="columns of one length", code="ragged_row")
    if len(columns) * max(lengths.values()) > MAX_CELLS:
        raise too_many_cells(bare)
    rows = ((n, [_plain(cell) for cell in row]) for n, row in enumerate(zip(*columns.values(), strict=True), start=1))
    return Table(bare.name, list(columns), rows, row="record")


def _of_series(bare: Table, series: dict[str, dict[str, Any]]) -> Table:
    """A table from the JSON that the prices route returns."""
    fields = list(dict.fromkeys(f for one in series.values() for f, v in one.items() if isinstance(v, list)))
    if "dates" not in fields:
        raise bare.error("has symbols without dates", allowed="dates and close of each symbol", code="no_date_column")
    records: list[dict[str, Any]] = []
    for symbol, one in series.items():
        columns = {field: one[field] for field in fields if isinstance(one.get(field), list)}
        length = len(columns.get("dates", []))
        if any(len(column) not in (0, length) for column in columns.values()) or "dates" not in columns:
            reason = f"{quote(symbol)} has lists of several lengths"
            raise bare.error(reason, allowed="as many values as dates, or none", code="ragged_row")
        if (len(records) + length) * (len(fields) + 1) > MAX_CELLS:
            raise too_many_cells(bare)
        for n in range(length):
            row = {field: column[n] for field, column in columns.items() if column}
            records.append({"date": row.pop("dates"), "symbol": symbol, **row})
    if not records:
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    return _of_records(bare, records)


def _plain(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (str, float, int)) and not isinstance(cell, bool):
        return repr(cell) if isinstance(cell, float) else str(cell)
    return json.dumps(cell)[:80]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _unreadable(bare: Table, what: str, error: BaseException) -> Exception:
    reason = (str(error).splitlines() or [""])[0][:120] or type(error).__name__
    return bare.error(f"cannot be read as {what}: {reason}", allowed=_FORMATS, code="file_unreadable")
