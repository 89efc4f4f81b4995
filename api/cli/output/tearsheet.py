"""A tear sheet on a terminal."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from api.cli.terminal import plain
from api.export.formatting import percent, series_statistic
from desk.base.text import number
from desk.tearsheets.schemas import TearsheetDocument


def show_tearsheet(console: Console, document: TearsheetDocument) -> None:
    """Print all statistics by group, drawdowns, years and crises."""
    count = f"{number(len(document.series.dates))} {document.frequency} returns"
    against = f", against {document.benchmark}" if document.benchmark else ""
    console.print()
    console.print(plain(document.title), style="bold")
    console.print(plain(f"{document.first_day} to {document.last_day}, {count}{against}; {document.source}"))
    console.print(_statistics(document))
    if document.falls:
        console.print(_falls(document))
    if document.years:
        years = [(f"{y.year}{' (part)' if y.partial else ''}", y.value, y.benchmark) for y in document.years]
        console.print(_returns("Calendar year", years, document))
    if document.crises:
        console.print(_returns("Crisis", [(c.name, c.value, c.benchmark) for c in document.crises], document))
    console.print(plain(f"Excess returns are above {document.cash}."))
    for caveat in document.caveats:
        console.print(plain(f"- {caveat}"))


def _statistics(document: TearsheetDocument) -> Table:
    table = _table("Statistic", *_columns(document))
    for group, rows in groupby(document.statistics, key=lambda row: row.group):
        known = [row for row in rows if row.value is not None]
        if known:
            table.add_row("")
            table.add_row(group, style="bold")
        for row in known:
            other = (series_statistic(row.benchmark, row.unit),) if document.benchmark else ()
            table.add_row(row.label, series_statistic(row.value, row.unit), *other)
    return table


def _falls(document: TearsheetDocument) -> Table:
    table = _table("Deepest drawdowns", "Peak", "Bottom", "Regained", "Days")
    for fall in document.falls:
        days = (str(fall.peak or "start"), str(fall.trough), str(fall.recovery or "not yet"))
        table.add_row(percent(-fall.depth), *days, number(fall.days))
    return table


def _returns(head: str, rows: Sequence[tuple[str, float, float | None]], document: TearsheetDocument) -> Table:
    table = _table(head, *_columns(document))
    for name, value, benchmark in rows:
        other = ("–" if benchmark is None else percent(benchmark, signed=True),) if document.benchmark else ()
        table.add_row(name, percent(value, signed=True), *other)
    return table


def _columns(document: TearsheetDocument) -> tuple[str, ...]:
    return ("Series", "Benchmark") if document.benchmark else ("Series",)


def _table(*heads: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(plain(head), justify="right" if place else "left", no_wrap=bool(place))
    return table
