"""Reads CSV and Parquet files as tables of text, with the row numbers that errors refer to."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from importlib import import_module
from typing import Any

from desk.base.errors import InvalidInput

MAX_BYTES = 100_000_000
MAX_CELLS = 5_000_000
MAX_UNPACKED = 500_000_000
MAX_TEXT = 1_000

MISSING = {"", "na", "n/a", "nan", "null", "none", "nat", "-", "#n/a"}
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_A_DATE = "a date as 2024-01-31, from 1800 to 2199"
A_HEADER = "date and one column an asset, or date, symbol and close"


@dataclass(frozen=True)
class Table:
    """A file as text: its header, and its rows with their numbers in the file."""

    name: str
    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    row: str = "row"

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


def csv_table(bare: Table, content: bytes) -> Table:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise bare.error(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            row=line,
            allowed="a CSV file in UTF-8, or Parquet",
            code="encoding",
        ) from error
    if "\0" in text or content.startswith(b"PK\x03\x04"):
        raise bare.error("is not a text file", allowed="a CSV file in UTF-8, or Parquet", code="encoding")
    lines = text.lstrip("\r\n").splitlines()
    first = lines[0] if lines else ""
    delimiter = max((",", ";", "\t"), key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = _csv_rows(bare, reader)
    _, header = next(rows, (0, None))
    if header is None:
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    return Table(bare.name, header, rows)


def _csv_rows(bare: Table, reader: Any) -> Iterator[tuple[int, list[str]]]:
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise bare.error(
            f"is not well-formed CSV: {error}",
            row=reader.line_num,
            allowed="cells between commas, quotes in pairs",
            code="file_unreadable",
        ) from error


def parquet_table(bare: Table, content: bytes) -> Table:
    arrow: Any = import_module("pyarrow")  # without type hints
    parquet: Any = import_module("pyarrow.parquet")

    try:
        names, columns = _parquet_columns(bare, parquet, content)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise bare.error(
            f"cannot be read as Parquet: {str(error).splitlines()[0][:120]}",
            allowed="a Parquet file with plain columns, or CSV",
            code="file_unreadable",
        ) from error
    rows = (
        (number, ["" if cell is None else str(cell) for cell in row])
        for number, row in enumerate(zip(*columns, strict=True), start=1)
    )
    return Table(bare.name, names, rows, row="record")


def _parquet_columns(bare: Table, parquet: Any, content: bytes) -> tuple[list[str], list[list[Any]]]:
    """Check dictionaries before records, because a small file can refer to one long text from every record."""
    metadata: Any = parquet.ParquetFile(io.BytesIO(content)).metadata
    leaves: Any = metadata.schema
    groups = range(metadata.num_row_groups)
    if metadata.num_rows * metadata.num_columns > MAX_CELLS:
        raise too_many_cells(bare)
    size = sum(int(metadata.row_group(i).total_byte_size) for i in groups)
    if size > MAX_UNPACKED:
        raise bare.error(f"unpacks to {size:,} bytes", allowed=f"at most {MAX_UNPACKED:,}", code="file_too_large")
    leaf: Any
    texts: list[str] = []
    for leaf in map(leaves.column, range(metadata.num_columns)):
        if leaf.max_repetition_level:  # one record may contain a million numbers
            reason = f"column {quote(leaf.path)} holds lists"
            raise bare.error(reason, allowed="one number, text or date a cell", code="file_unreadable")
        if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length > MAX_TEXT:
            raise _long_texts(bare)
        if leaf.physical_type == "BYTE_ARRAY":
            texts.append(leaf.name)
    file: Any = parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts)
    columns: list[Any] = file.read().columns
    for column in columns:
        for chunk in column.chunks if str(column.type).startswith("dictionary") else ():
            if any(len(text) > MAX_TEXT for text in chunk.dictionary.to_pylist() if text is not None):
                raise _long_texts(bare)
    return file.schema_arrow.names, [column.to_pylist() for column in columns]


def _long_texts(bare: Table) -> InvalidInput:
    return bare.error("holds long texts", allowed=f"texts of {MAX_TEXT} characters", code="file_unreadable")


def iterate_rows(sheet: Table) -> Iterator[tuple[int, list[str]]]:
    width = len(sheet.header)
    for count, (number, cells) in enumerate(sheet.rows, start=1):
        if len(cells) != width:
            raise sheet.error(
                f"has {count_noun(len(cells), 'cell')}, the header has {width}",
                row=number,
                allowed="as many cells as the header; a decimal point, no thousands separator",
                code="ragged_row",
            )
        if count * width > MAX_CELLS:
            raise too_many_cells(sheet)
        yield number, cells


def parse_day(sheet: Table, row: int, column: int, cell: str) -> str:
    text = cell.strip()
    match = _DATE.fullmatch(text)
    if match and "1800" <= match[1] < "2200" and _exists(match[1]):
        return match[1]
    raise sheet.error(
        f"{quote(text)} is not a date" if text else "the date is missing",
        row=row,
        column=sheet.header[column],
        allowed=_A_DATE,
        code="date",
        value=text,
    )


def _exists(day: str) -> bool:
    try:
        date.fromisoformat(day)
    except ValueError:
        return False
    return True


def check_name(sheet: Table, name: str, *, row: int | None, column: str) -> None:
    if 0 < len(name) <= 64 and name.isprintable() and not set(name) & set(",:"):
        return
    raise sheet.error(
        f"{quote(name)} is not the name of an asset" if name else "the name of an asset is missing",
        row=row,
        column=column,
        allowed="1 to 64 printable characters without comma and colon",
        code="asset_name",
        value=name,
    )


def too_many_cells(sheet: Table) -> InvalidInput:
    return sheet.error(
        f"has more than {MAX_CELLS:,} cells",
        allowed=f"at most {MAX_CELLS:,}",
        code="file_too_large",
    )


def count_noun(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def quote(text: str) -> str:
    """The text in double quotes, shortened, with control characters escaped."""
    return json.dumps(escape_unprintable(text if len(text) <= 40 else text[:37] + "..."), ensure_ascii=False)


def escape_unprintable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
