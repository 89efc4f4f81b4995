"""A tear sheet as a file: JSON, CSV, a workbook or the HTML page; equal documents give equal bytes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel

from api.export.job_files import Format
from desk.tearsheets.schemas import TearsheetDocument, TearsheetTable

Rows: TypeAlias = Iterator[Sequence[Any]]


def as_file(document: TearsheetDocument, format_: Format, table: TearsheetTable = "statistics") -> bytes:
    """The content of a file; `table` is that of a CSV file."""
    match format_:
        case "json":
            return (document.model_dump_json(indent=2) + "\n").encode()
        case "csv":
            from api.export.formats import to_csv

            return to_csv(_TABLES[table](document)).encode()
        case "xlsx":
            from api.export.workbook import write_workbook

            sheets: dict[str, Rows] = {"Tear sheet": _summary(document)}
            sheets |= {name.capitalize(): rows(document) for name, rows in _TABLES.items()}
            return write_workbook(sheets)
        case "html":
            from api.export.tearsheet.page import render  # matplotlib

            return render(document).encode()


_FACTS = ("title", "subject", "source", "benchmark", "cash", "first_day", "last_day", "periods", "frequency", "window")


def _summary(document: TearsheetDocument) -> Rows:
    yield "field", "value"
    for name in _FACTS:
        value = getattr(document, name)
        yield name, value if isinstance(value, int | str) or value is None else str(value)
    for caveat in document.caveats:
        yield "caveat", caveat


def _series(document: TearsheetDocument) -> Rows:
    columns = document.series.columns()
    yield "date", *columns
    for day, *values in zip(document.series.dates, *columns.values(), strict=True):
        yield day.isoformat(), *values


def _rows(rows: Sequence[BaseModel], kind: type[BaseModel]) -> Rows:
    names = tuple(kind.model_fields)
    yield names
    for row in rows:
        yield tuple(row.model_dump(mode="json").values())


def _table(name: str) -> Any:
    kind, *_ = get_args(TearsheetDocument.model_fields[name].annotation)
    return lambda document: _rows(getattr(document, name), kind)


_TABLES: Mapping[TearsheetTable, Any] = {
    "statistics": _table("statistics"),
    "series": _series,
    "drawdowns": _table("falls"),
    "months": _table("months"),
    "years": _table("years"),
    "crises": _table("crises"),
}
