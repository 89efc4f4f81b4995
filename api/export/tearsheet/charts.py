"""The charts of a tear sheet."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from api.export.drawing import INK, MUTED, OURS, THEIRS, THIRD, Chart, draw, draw_key
from api.export.formatting import percent
from desk.base.text import number
from desk.optimization.reading.charts import downsample
from desk.tearsheets.schemas import TearsheetDocument

_LOGARITHMIC_FROM = 3.0
"""Ratio of the highest to the lowest wealth from which growth is drawn on a logarithmic scale."""
_POINTS = 900
"""Points that a line keeps, its extremes among them."""
_MANY_YEARS = 12
"""Calendar years from which every second or later one is labelled."""


def charts(document: TearsheetDocument) -> dict[str, Chart]:
    """Every chart that `document` has the data for, by id."""
    drawings = [_growth(document), _drawdown(document)]
    if document.years:
        drawings.append(_years(document))
    drawings.append(_distribution(document))
    series = document.series
    drawings.append(
        _rolling(document, "volatility", "Rolling volatility", series.rolling_volatility, percent_axis=True)
    )
    drawings.append(_rolling(document, "sharpe", "Rolling Sharpe ratio", series.rolling_sharpe))
    if series.rolling_beta is not None:
        drawings.append(_rolling(document, "beta", f"Rolling beta to {document.benchmark}", series.rolling_beta))
    return {chart.id: chart for chart in drawings}


def _names(document: TearsheetDocument, sign: str = "-") -> list[tuple[str, str, str]]:
    benchmark = [(_short(document.benchmark), THEIRS, sign)] if document.benchmark else []
    return [(_short(document.title), OURS, sign), *benchmark]


def _short(name: str | None) -> str:
    text = name or ""
    return text if len(text) <= 30 else text[:29] + "…"


def _dates(document: TearsheetDocument) -> np.ndarray:
    return np.array(document.series.dates, dtype="datetime64[D]")


def _line(axes: Axes, dates: np.ndarray, values: np.ndarray, colour: str, width: float) -> None:
    keep = downsample(values, _POINTS)
    axes.plot(dates[keep], values[keep], color=colour, linewidth=width)


def _growth(document: TearsheetDocument) -> Chart:
    dates = _dates(document)
    own = np.array(document.series.wealth)
    other = None if document.series.benchmark_wealth is None else np.array(document.series.benchmark_wealth)
    everything = np.concatenate([own, [1.0], *([other] if other is not None else [])])
    low, high = float(everything.min()), float(everything.max())
    logarithmic = high > _LOGARITHMIC_FROM * low

    def paint(axes: Axes) -> None:
        if other is not None:
            _line(axes, dates, other, THEIRS, 1.3)
        _line(axes, dates, own, OURS, 1.6)
        axes.axhline(1.0, color=MUTED, linewidth=0.8)
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(FixedLocator(_round_levels(low, high)))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylabel("Wealth, start = 1" + (", log scale" if logarithmic else ""))
        _mark_training(axes, document)
        draw_key(axes, _names(document))

    caption = f"1 became {number(float(own[-1]), 2)} from {document.first_day} to {document.last_day}"
    if other is not None:
        caption += f"; {document.benchmark} {number(float(other[-1]), 2)}"
    return draw("growth", "Growth", f"{caption}. Returns are reinvested.", paint)


def _round_levels(low: float, high: float) -> list[float]:
    """Levels of 1, 2 and 5 times powers of ten between `low` and `high`, at most eight."""
    first, last = int(np.floor(np.log10(low))), int(np.ceil(np.log10(high)))
    for steps in ((1, 2, 5), (1, 3), (1,)):
        levels = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        inside = [level for level in levels if low * 0.95 <= level <= high * 1.05]
        if 2 <= len(inside) <= 8:
            break
    return inside


def _drawdown(document: TearsheetDocument) -> Chart:
    dates = _dates(document)
    own = -100 * np.array(document.series.drawdown)
    other = document.series.benchmark_drawdown

    def paint(axes: Axes) -> None:
        keep = downsample(own, _POINTS)
        axes.fill_between(dates[keep], own[keep], 0.0, color=OURS, alpha=0.18, linewidth=0)
        _line(axes, dates, own, OURS, 1.1)
        if other is not None:
            _line(axes, dates, -100 * np.array(other), THEIRS, 1.1)
        axes.set_ylabel("Below the peak, %")
        axes.set_ylim(None, 0.0)
        _mark_training(axes, document)
        draw_key(axes, _names(document))

    caption = f"Deepest fall of wealth from a peak: {percent(-document.falls[0].depth) if document.falls else 'none'}"
    if other is not None:
        caption += f"; {document.benchmark} {percent(-max(other))}"
    return draw("drawdown", "Drawdown", f"{caption}.", paint)


def _years(document: TearsheetDocument) -> Chart:
    rows = document.years
    years = np.array([row.year for row in rows])
    others = [row.benchmark for row in rows if row.benchmark is not None]
    both = len(others) == len(rows)

    def paint(axes: Axes) -> None:
        width = 0.4 if both else 0.7
        axes.bar(years - (0.2 if both else 0.0), [100 * row.value for row in rows], width=width, color=OURS)
        if both:
            axes.bar(years + 0.2, [100 * value for value in others], width=width, color=THEIRS)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.grid(visible=False, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=_MANY_YEARS))
        axes.set_ylabel("Return, %")
        draw_key(axes, _names(document, "s") if both else _names(document, "s")[:1])

    gains = sum(row.value > 0.0 for row in rows)
    caption = f"{gains} of {len(rows)} calendar years brought a gain"
    if both:
        caption += f"; {sum(row.value > (row.benchmark or 0.0) for row in rows)} were better than the benchmark"
    return draw("years", "Calendar years", f"{caption}.", paint)


def _distribution(document: TearsheetDocument) -> Chart:
    edges = 100 * np.array(document.distribution.edges)
    counts = np.array(document.distribution.counts)
    at_risk, shortfall = (document.statistic(name).value for name in ("value_at_risk", "expected_shortfall"))

    def paint(axes: Axes) -> None:
        middle = 0.5 * (edges[1:] + edges[:-1])
        tail = middle <= -100 * (at_risk or 0.0)
        axes.bar(middle, counts, width=0.92 * np.diff(edges), color=np.where(tail, THIRD, OURS).tolist())
        if at_risk is not None:
            axes.axvline(-100 * at_risk, color=INK, linewidth=1, linestyle=(0, (3, 3)))
        axes.grid(visible=False, axis="x")
        axes.set(xlabel=f"Return of a period ({document.frequency}), %", ylabel="Periods")
        draw_key(axes, [("Returns", OURS, "s"), ("Worst 5%", THIRD, "s"), ("Value at risk, 95%", INK, "-")])

    caption = "The outermost bars count what lies beyond them"
    if at_risk is not None and shortfall is not None:
        caption = (
            f"One period in twenty lost {percent(at_risk, 2)} or more, {percent(shortfall, 2)} on average. {caption}"
        )
    return draw("distribution", "Distribution of returns", f"{caption}.", paint)


def _rolling(
    document: TearsheetDocument,
    id_: str,
    heading: str,
    values: Sequence[float | None],
    *,
    percent_axis: bool = False,
) -> Chart:
    dates = _dates(document)
    scale = 100.0 if percent_axis else 1.0
    line = scale * np.array([np.nan if value is None else value for value in values])
    full = ~np.isnan(line)
    known = line[full]

    def paint(axes: Axes) -> None:
        _line(axes, dates[full], line[full], OURS, 1.2)
        if percent_axis:
            axes.set_ylim(0.0, None)
        else:
            axes.axhline({"beta": 1.0}.get(id_, 0.0), color=MUTED, linewidth=0.8)
        axes.set_ylabel({"volatility": "% a year", "beta": "Beta"}.get(id_, "Sharpe ratio"))
        axes.set_xlim(dates[0], dates[-1])
        _mark_training(axes, document)

    span = f"{number(document.window)} periods that end on each day"
    caption = f"Over the {span}; the window was never full."
    if known.size:
        unit, digits = ("%", 1) if percent_axis else ("", 2)
        ends = " to ".join(number(float(value), digits) + unit for value in (known.min(), known.max()))
        caption = f"Over the {span}: {ends}."
    return draw(id_, heading, caption, paint, height=220)


def _mark_training(axes: Axes, document: TearsheetDocument) -> None:
    """Mark the end of the days that a search was fitted on."""
    if document.train_end is None:
        return
    end: Any = document.train_end
    axes.axvline(end, color=INK, linewidth=1, linestyle=(0, (3, 3)))
    axes.annotate(" validate", (end, 1.0), xycoords=("data", "axes fraction"), va="top", fontsize=9.5, color=MUTED)
