"""Reads delimited text as rows: its encoding and delimiter are detected."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from desk.market.files.tables import FORMATS, MAX_CELLS, Row, Table, too_many_cells

_DELIMITERS = ("\t", ";", "|", ",")
_SAMPLE_LINES = 200
_POOL = 100_000
_LINES = re.compile(r"\r\n|\r|\n")
_MARKUP = re.compile(r"\s*<(?!\w+>[,;|\t])")
"""A web page or XML; a first column named `<TICKER>` is neither."""
_EXCEL_HINT = re.compile(r"\s*sep=(.)\s*(?:\r\n|\r|\n)")


def text_table(bare: Table, content: bytes) -> Table:
    """The rows of delimited text; raises `InvalidInput` if it is not text."""
    text = _decode(bare, content)
    if "\0" in text:
        raise bare.error("is not a text file", allowed=FORMATS, code="encoding")
    if _MARKUP.match(text):
        raise bare.error("is a web page or XML, not a table", allowed=FORMATS, code="file_unreadable")
    hint = _EXCEL_HINT.match(text)
    delimiter = hint[1] if hint else _delimiter(text)
    _check_size(bare, text, delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows = _rows(bare, reader)
    if hint:
        next(rows, None)
    return Table(bare.name, [], rows, point_decimal=delimiter != ";")


def _check_size(bare: Table, text: str, delimiter: str) -> None:
    """Refuse a file with too many cells before it is split, which takes seconds and most of a gigabyte."""
    most = MAX_CELLS * (2 if '"' in text else 1)  # quoted numbers may contain the delimiter once
    if text.count(delimiter) + text.count("\n") > most:
        raise too_many_cells(bare)


def _decode(bare: Table, content: bytes) -> str:
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise bare.error("is damaged UTF-16", allowed=FORMATS, code="encoding") from error
        line = content.count(b"\n", 0, error.start) + 1
        raise bare.error(
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            row=line,
            allowed="a CSV file in UTF-8 or UTF-16, or Parquet",
            code="encoding",
        ) from error


def _delimiter(text: str) -> str:
    """The first delimiter that splits most lines into the same number of cells."""
    lines = [line for line in _LINES.split(text[:200_000]) if line.strip()][:_SAMPLE_LINES]
    for delimiter in _DELIMITERS:
        widths = Counter(line.count(delimiter) for line in lines)
        (width, count), *_ = widths.most_common(1) or [(0, 0)]
        if width and count * 2 >= len(lines):
            return delimiter
    return max(reversed(_DELIMITERS), key=text[:200_000].count)


def _rows(bare: Table, reader: Any) -> Iterator[Row]:
    pool: dict[str, str] = {}  # dates and symbols repeat, and each object of a text takes fifty bytes
    cells: list[str]
    try:
        for cells in reader:
            if len(pool) < _POOL:
                yield reader.line_num, [pool.setdefault(cell, cell) for cell in cells]
            else:
                yield reader.line_num, [pool.get(cell, cell) for cell in cells]
    except csv.Error as error:
        raise bare.error(
            f"is not well-formed CSV: {error}",
            row=reader.line_num,
            allowed="cells between commas, quotes in pairs",
            code="file_unreadable",
        ) from error
