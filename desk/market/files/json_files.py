"""Reads JSON as rows: records, columns, the forms of pandas, lines, and the answer of the prices route."""

import json
import re
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NoReturn, cast

from desk.market.files.tables import A_HEADER, MAX_CELLS, Cell, Table, quote, too_many_cells, unreadable

MAX_JSON = 40_000_000
_DATE = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:[T ].*)?|-?\d{9,19}|\d{1,2}[./-]\d{1,2}[./-]\d{4}", re.ASCII)
_SHAPES = "a list of records, an object of columns, a form of pandas' to_json, or an object of symbols with dates"


def json_table(bare: Table, content: bytes) -> Table:
    """Raises `InvalidInput` for JSON of another shape, and for a name that stands twice in one object."""
    if len(content) > MAX_JSON:
        allowed = f"at most {MAX_JSON:,} bytes of JSON; Parquet or CSV beyond"
        raise bare.error(f"holds {len(content):,} bytes", allowed=allowed, code="file_too_large")
    if content.count(b"{") + content.count(b"[") > MAX_CELLS:
        raise too_many_cells(bare)
    try:
        document = _parse(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise unreadable(bare, "JSON", error) from error
    if document == []:
        raise bare.error("is empty", allowed=A_HEADER, code="empty")
    table = _table(bare, document)
    if table is None:
        raise bare.error("is JSON of another shape", allowed=_SHAPES, code="file_unreadable")
    return table


def _parse(text: str) -> Any:
    options: dict[str, Any] = {"parse_constant": _no_constant, "object_pairs_hook": _distinct}
    lines = text.strip().splitlines()
    if len(lines) > 1 and lines[0].strip().startswith("{") and lines[0].strip().endswith("}"):
        return [json.loads(line, **options) for line in lines if line.strip()]
    return json.loads(text, **options)


def _table(bare: Table, document: Any) -> Table | None:
    if _all(document, dict) and isinstance(document, list):
        return _of_records(bare, cast("list[dict[str, Any]]", document))
    if not isinstance(document, dict) or not document:
        return None
    fields = cast("dict[str, Any]", document)
    records: list[Any] = [
        value for value in fields.values() if isinstance(value, list) and _all(cast("Any", value), dict)
    ]
    if len(records) == 1 and (set(fields) == {"schema", "data"} or not _all(fields, list) or len(fields) == 1):
        return _of_records(bare, records[0])
    if {"columns", "data"} <= set(fields) <= {"columns", "data", "index"}:
        return _of_split(bare, fields)
    if _all(fields, list):
        return _of_columns(bare, fields)
    if not _all(fields, dict):
        return None
    if any(isinstance(value, list) for series in fields.values() for value in series.values()):
        return _of_series(bare, fields)
    return _of_objects(bare, fields)


def _all(document: Any, kind: type) -> bool:
    """Whether a list or an object holds values, all of this type."""
    if isinstance(document, dict):
        document = [*cast("dict[str, Any]", document).values()]
    if not isinstance(document, list) or not document:
        return False
    return all(isinstance(value, kind) for value in cast("list[Any]", document))


def _of_records(bare: Table, records: list[dict[str, Any]]) -> Table:
    header = list(dict.fromkeys(chain.from_iterable(records)))
    if len(header) * len(records) > MAX_CELLS:
        raise too_many_cells(bare)
    rows = ((n, [_cell(record.get(name)) for name in header]) for n, record in enumerate(records, start=1))
    return Table(bare.name, header, rows, row="record")


def _of_columns(bare: Table, columns: Mapping[str, list[Any]]) -> Table:
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        reason = f"columns have {min(lengths.values())} to {max(lengths.values())} values"
        raise bare.error(reason, allowed="columns of one length", code="ragged_row")
    if len(columns) * max(lengths.values()) > MAX_CELLS:
        raise too_many_cells(bare)
    rows = ((n, [_cell(cell) for cell in row]) for n, row in enumerate(zip(*columns.values(), strict=True), start=1))
    return Table(bare.name, list(columns), rows, row="record")


def _of_split(bare: Table, fields: Mapping[str, Any]) -> Table | None:
    """The form `split` of pandas."""
    columns, data = fields["columns"], fields["data"]
    if not isinstance(columns, list) or not isinstance(data, list) or not _all(cast("Any", data), list):
        return None
    index: Any = fields.get("index", range(len(cast("Any", data))))
    names = [_name(name) for name in cast("list[Any]", columns)]
    rows = cast("list[list[Any]]", data)
    if not isinstance(index, list | range) or len(cast("Any", index)) != len(rows):
        raise bare.error("has an index of another length than its data", allowed="one length", code="ragged_row")
    if any(len(row) != len(names) for row in rows):
        raise bare.error("has rows of several lengths", allowed="one cell a column", code="ragged_row")
    if len(rows) * (len(names) + 1) > MAX_CELLS:
        raise too_many_cells(bare)
    keys = cast("Iterable[Any]", index)
    cells = ((n, [_cell(key), *map(_cell, row)]) for n, (key, row) in enumerate(zip(keys, rows, strict=True), start=1))
    return Table(bare.name, ["", *names], cells, row="record")


def _of_objects(bare: Table, outer: Mapping[str, dict[str, Any]]) -> Table:
    """The forms `index` and `columns` of pandas: dates outside and columns inside, or the reverse."""
    dates_outside = sum(bool(_DATE.fullmatch(key)) for key in outer) * 2 > len(outer)
    inner = list(dict.fromkeys(chain.from_iterable(outer.values())))
    if (len(inner) + 1) * (len(outer) + 1) > MAX_CELLS:
        raise too_many_cells(bare)
    if not dates_outside and not any(_DATE.fullmatch(key) for key in inner) and all(map(str.isdigit, outer)):
        return _of_records(bare, list(outer.values()))  # by row number
    if dates_outside:
        rows = (
            (n, [key, *(_cell(record.get(name)) for name in inner)])
            for n, (key, record) in enumerate(outer.items(), start=1)
        )
        return Table(bare.name, ["", *inner], rows, row="record")
    rows = ((n, [key, *(_cell(c.get(key)) for c in outer.values())]) for n, key in enumerate(inner, start=1))
    return Table(bare.name, ["", *outer], rows, row="record")


def _of_series(bare: Table, series: Mapping[str, dict[str, Any]]) -> Table:
    """The JSON that the prices route returns."""
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


def _name(cell: object) -> str:
    """A column name; pandas writes those of several levels as a list."""
    if isinstance(cell, list):
        return str(tuple(str(part) for part in cast("list[Any]", cell)))
    return str(cell)


def _cell(cell: object) -> Cell:
    if cell is None:
        return ""
    if isinstance(cell, str | float | int) and not isinstance(cell, bool):
        return cell
    return json.dumps(cell)[:80]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{quote(next(name for name in names if names.count(name) > 1))} stands twice in one object")
    return fields


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
