"""A tear sheet as one self-contained HTML page; equal documents give equal bytes."""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from jinja2 import Template

from api.export.drawing import figure_element
from api.export.formatting import percent, series_statistic
from api.export.tearsheet.charts import charts
from api.export.templates import load_template
from desk.base.text import number, plural, sentence_case
from desk.tearsheets.schemas import MonthRow, StatisticRow, TearsheetDocument

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
RECENT = ("month_to_date", "three_months", "six_months", "year_to_date", "one_year", "three_years", "five_years",
    "ten_years")  # fmt: skip
COMPARED = ("beta", "alpha", "correlation", "tracking_error", "information_ratio", "upside_capture", "downside_capture")
SHAPE = ("best", "worst", "value_at_risk", "expected_shortfall", "skewness", "kurtosis", "tail_ratio")
"""Statistics beside the charts."""
_SHADES = 4
"""Depths of colour of the heat map, on each side of zero."""


class HeatCell(NamedTuple):
    """A month of the heat map: its return as text and its colour class; both empty without a return."""

    text: str
    shade: str


def render(document: TearsheetDocument) -> str:
    """The whole page."""
    groups = groupby(document.statistics, key=lambda row: row.group)
    return _page().render(
        d=document,
        charts=charts(document),
        headlines=[row for row in document.statistics if row.headline and row.value is not None],
        groups=[(group, shown) for group, rows in groups if (shown := [row for row in rows if row.value is not None])],
        pick=lambda names: [row for name in names if (row := document.statistic(name)).value is not None],
        recent=RECENT,
        compared=COMPARED,
        shape=SHAPE,
        heat=heat_map(document.months),
        years={row.year: row for row in document.years},
    )


def heat_map(months: Sequence[MonthRow]) -> Mapping[int, tuple[HeatCell, ...]]:
    """Twelve cells for each year; the darkest shade is that of the tenth most extreme month in a hundred."""
    sizes = sorted(abs(row.value) for row in months)
    full = sizes[int(0.9 * (len(sizes) - 1))] if sizes else 0.0
    cells: dict[int, list[HeatCell]] = {}
    for row in months:
        depth = min(_SHADES, int(_SHADES * abs(row.value) / full) + 1) if full > 0.0 else 1
        shade = "zero" if row.value == 0.0 else f"{'gain' if row.value > 0.0 else 'loss'}-{depth}"
        year = cells.setdefault(row.year, [HeatCell("", "")] * 12)
        year[row.month - 1] = HeatCell(number(100 * row.value, 1), shade)
    return {year: tuple(row) for year, row in cells.items()}


@cache
def _page() -> Template:
    folder = Path(__file__).parent
    return load_template(
        "tearsheet.html.j2",
        folder,
        folder.parent / "report",
        chart=figure_element,
        cell=_cell,
        months=MONTHS,
        number=number,
        percent=percent,
        plural=plural,
        sentence_case=sentence_case,
    )


def _cell(row: StatisticRow, value: float | None) -> str:
    return series_statistic(value, row.unit)
