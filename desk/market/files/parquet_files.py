"""Reads Parquet files as rows; sizes are checked before records are unpacked."""

import io
from decimal import Decimal
from importlib import import_module
from typing import Any

from desk.base.errors import InvalidInput
from desk.market.files.tables import MAX_CELLS, MAX_TEXT, MAX_UNPACKED, Cell, Table, quote, too_many_cells


def parquet_table(bare: Table, content: bytes) -> Table:
    """The columns of a Parquet file, those of a pandas index included."""
    arrow: Any = import_module("pyarrow")  # without type hints
    parquet: Any = import_module("pyarrow.parquet")

    try:
        names, columns = _columns(bare, parquet, content)
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as error:
        raise bare.error(
            f"cannot be read as Parquet: {(str(error).splitlines() or [''])[0][:120]}",
            allowed="a Parquet file with plain columns, or CSV",
            code="file_unreadable",
        ) from error
    rows = ((number, [_cell(value) for value in row]) for number, row in enumerate(zip(*columns, strict=True), start=1))
    return Table(bare.name, names, rows, row="record")


def _cell(value: Any) -> Cell:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, bool | bytes) else value


def _columns(bare: Table, parquet: Any, content: bytes) -> tuple[list[str], list[list[Any]]]:
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
        decimal = str(leaf.logical_type).startswith("Decimal")
        if leaf.physical_type == "FIXED_LEN_BYTE_ARRAY" and leaf.length > MAX_TEXT:
            raise _long_texts(bare)
        if leaf.physical_type == "BYTE_ARRAY" and not decimal:
            texts.append(leaf.name)
    file: Any = parquet.ParquetFile(io.BytesIO(content), read_dictionary=texts)
    columns: list[Any] = file.read().columns
    for column in columns:
        for chunk in column.chunks if str(column.type).startswith("dictionary") else ():
            if any(isinstance(text, str | bytes) and len(text) > MAX_TEXT for text in chunk.dictionary.to_pylist()):
                raise _long_texts(bare)
    return file.schema_arrow.names, [column.to_pylist() for column in columns]


def _long_texts(bare: Table) -> InvalidInput:
    return bare.error("holds long texts", allowed=f"texts of {MAX_TEXT} characters", code="file_unreadable")
