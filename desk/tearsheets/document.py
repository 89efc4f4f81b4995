"""Builds the tear sheet of a series: statistics, tables and the series behind the charts."""

import asyncio
import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import OptimizationResult
from desk.tearsheets.levels import Levels, cash_returns, frequency_of
from desk.tearsheets.schemas import (
    CrisisRow,
    Distribution,
    FallRow,
    MonthRow,
    StatisticRow,
    TearsheetDocument,
    TearsheetRequest,
    TearsheetSeries,
    YearRow,
)
from desk.tearsheets.subjects import SubjectSeries, load_benchmark, load_subject
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.performance.drawdown_periods import drawdown_table
from quant.performance.growth import drawdowns
from quant.performance.rolling_windows import rolling
from quant.performance.statistics import STATISTICS
from quant.performance.summary import Tearsheet, tearsheet

if TYPE_CHECKING:
    from desk.market.prices import PriceSource
    from store.store import Store

TOOL = "show_tearsheet"
DEEPEST = 5
"""Drawdowns that the table lists."""
LEAST_WINDOW = 6
_BINS = 41
"""Bars of the histogram, over the range of its returns without the most extreme in a thousand on each side."""


@dataclass(frozen=True)
class Sample:
    """Series on the same T periods; `days` (T + 1,) begin with the start, before the first period."""

    days: Any
    returns: Floats
    rate: Floats
    benchmark: Floats | None
    weights: Floats | None

    @property
    def dates(self) -> tuple[date, ...]:
        return tuple(self.days[1:].tolist())


async def make_tearsheet(
    store: "Store",
    prices: "PriceSource",
    owner: str,
    request: TearsheetRequest,
    result: OptimizationResult | None = None,
) -> TearsheetDocument:
    """The tear sheet that `request` describes; `result` is that of its job, if it names one.

    Raises `InvalidInput` if the subject or the benchmark does not exist, or is too short.
    """
    subject = await load_subject(store, prices, owner, request, result)
    benchmark, caveats = await load_benchmark(prices, request, subject)
    return await asyncio.to_thread(_build, request, subject, benchmark, caveats)


def _build(
    request: TearsheetRequest, subject: SubjectSeries, benchmark: Levels | None, benchmark_caveats: tuple[str, ...]
) -> TearsheetDocument:
    periods, frequency = frequency_of(subject.levels.dates[1:], request.periods)
    sample, cash, cut = _sample(request, subject, benchmark, periods)
    window = min(request.window or max(periods // 2, LEAST_WINDOW), sample.returns.size)
    try:
        sheet = tearsheet(
            sample.returns,
            benchmark=sample.benchmark,
            rate=sample.rate,
            dates=sample.days[1:],
            periods=periods,
            weights=sample.weights,
        )
        other = None
        if sample.benchmark is not None:
            other = tearsheet(sample.benchmark, rate=sample.rate, dates=sample.days[1:], periods=periods)
    except DataError as error:
        allowed = "two returns above -1, and a benchmark that varies over three"
        raise InvalidInput(request.subject, subject.title, reason=str(error), allowed=allowed) from error
    name = None if benchmark is None else benchmark.name
    return TearsheetDocument(
        title=subject.title,
        subject=request.subject,
        source=subject.source,
        benchmark=name,
        cash=cash,
        first_day=sample.dates[0],
        last_day=sample.dates[-1],
        periods=periods,
        frequency=frequency,
        window=window,
        train_end=subject.train_end,
        statistics=_statistics(sheet, other),
        falls=_falls(sample),
        years=_years(sheet, sample),
        months=tuple(MonthRow(year=y, month=m, value=value) for y, m, value in sheet.months),
        crises=tuple(
            CrisisRow(name=c.name, first=c.start, last=c.end, value=c.value, benchmark=c.benchmark)
            for c in sheet.crises
        ),
        distribution=_distribution(sample.returns),
        series=_series(sample, window, periods),
        caveats=(*cut, *subject.caveats, *benchmark_caveats),
        figures=_figures(sheet, sample, subject, name),
    )


def _sample(
    request: TearsheetRequest, subject: SubjectSeries, benchmark: Levels | None, periods: int
) -> tuple[Sample, str, tuple[str, ...]]:
    """The subject on the requested days that its benchmark covers, the cash rate in words, and caveats."""
    whole = subject.levels
    rate, cash = (
        (subject.cash, "the cash rate of the job")
        if subject.cash is not None and request.cash_rate is None
        else cash_returns(whole.dates, request.cash_rate, periods)
    )
    first = None if request.first_day is None else np.datetime64(request.first_day, "D")
    last = None if request.last_day is None else np.datetime64(request.last_day, "D")
    part = whole.between(first, last)
    caveats: tuple[str, ...] = ()
    if benchmark is not None and part.dates.size > 1:
        known = part.dates[benchmark.covered(part.dates)]
        if known.size < part.dates.size:
            begin, end = (known[1], known[-1]) if known.size > 1 else (part.dates[-1] + 1, part.dates[0])
            part = part.between(begin, end)
            caveats = (f"Only the days that the benchmark covers are used: {part.dates[0]} to {part.dates[-1]}.",)
    if part.dates.size < 3:
        days = f"{request.first_day or whole.dates[1]} to {request.last_day or whole.dates[-1]}"
        field = "benchmark" if caveats else "first_day" if request.first_day else "last_day"
        raise InvalidInput(
            field,
            days,
            reason=f"fewer than two returns lie within {days}" + (", where the benchmark is known" if caveats else ""),
            allowed=f"days within {whole.dates[1]} to {whole.dates[-1]}",
        )
    start = int(np.flatnonzero(whole.dates == part.dates[0])[0])
    rows = slice(start, start + part.dates.size - 1)
    levels = None if benchmark is None else benchmark.at(part.dates)
    return (
        Sample(
            days=part.dates,
            returns=part.returns,
            rate=rate[rows],
            benchmark=None if levels is None else levels[1:] / levels[:-1] - 1.0,
            weights=None if subject.weights is None else subject.weights[rows],
        ),
        cash,
        caveats,
    )


def _statistics(sheet: Tearsheet, other: Tearsheet | None) -> tuple[StatisticRow, ...]:
    rows: list[StatisticRow] = []
    for row in STATISTICS:
        value = getattr(sheet, row.name)
        compared = None if other is None else getattr(other, row.name)
        rows.append(StatisticRow(**row._asdict(), value=value, benchmark=compared))
    return tuple(rows)


def _falls(sample: Sample) -> tuple[FallRow, ...]:
    rows: list[FallRow] = []
    for fall in drawdown_table(sample.returns, sample.days[1:], count=DEEPEST):
        end = fall.recovery_date or sample.dates[-1]
        peak = fall.peak_date or sample.days[0].item()
        assert fall.trough_date is not None, "the sample has dates"
        rows.append(
            FallRow(
                depth=fall.depth,
                peak=fall.peak_date,
                trough=fall.trough_date,
                recovery=fall.recovery_date,
                days=(end - peak).days,
            )
        )
    return tuple(rows)


def _years(sheet: Tearsheet, sample: Sample) -> tuple[YearRow, ...]:
    others = dict(sheet.benchmark_years)
    start, end = sample.days[0].item(), sample.dates[-1]
    partial = {
        *({sample.dates[0].year} if start.year == sample.dates[0].year and start > date(start.year, 1, 7) else ()),
        *({end.year} if end < date(end.year, 12, 25) else ()),
    }
    return tuple(
        YearRow(year=year, value=value, benchmark=others.get(year), partial=year in partial)
        for year, value in sheet.calendar_years
    )


def _distribution(returns: Floats) -> Distribution:
    """Bars of equal width; the first and the last one also count what lies beyond them."""
    low, high = (float(np.quantile(returns, share)) for share in (0.001, 0.999))
    if high <= low:
        low, high = low - 1e-6, high + 1e-6
    edges: Floats = np.linspace(low, high, _BINS + 1)
    counts, _ = np.histogram(np.clip(returns, low, high), edges)
    return Distribution(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _series(sample: Sample, window: int, periods: int) -> TearsheetSeries:
    rows = rolling(sample.returns, window=window, benchmark=sample.benchmark, rate=sample.rate, periods=periods)
    other = sample.benchmark
    return TearsheetSeries(
        dates=sample.dates,
        returns=tuple(sample.returns.tolist()),
        benchmark_returns=None if other is None else tuple(other.tolist()),
        wealth=tuple(np.cumprod(1.0 + sample.returns).tolist()),
        benchmark_wealth=None if other is None else tuple(np.cumprod(1.0 + other).tolist()),
        drawdown=tuple(drawdowns(sample.returns).tolist()),
        benchmark_drawdown=None if other is None else tuple(drawdowns(other).tolist()),
        rolling_volatility=_optional(rows.volatility),
        rolling_sharpe=_optional(rows.sharpe),
        rolling_beta=None if rows.beta is None else _optional(rows.beta),
    )


def _optional(values: Floats) -> tuple[float | None, ...]:
    return tuple(None if value != value else value for value in values.tolist())


def _figures(sheet: Tearsheet, sample: Sample, subject: SubjectSeries, benchmark: str | None) -> tuple[Figure, ...]:
    figures = Sheet(TOOL, "tearsheet")
    figures.add("title", "series that the tear sheet describes", subject.title, "text")
    figures.add("first_day", "first day of the tear sheet", str(sample.dates[0]), "date")
    figures.add("last_day", "last day of the tear sheet", str(sample.dates[-1]), "date")
    figures.add("source", "prices behind the tear sheet", subject.source, "text")
    if benchmark is not None:
        figures.add("benchmark", "benchmark of the tear sheet", benchmark, "text")
    for row in STATISTICS:
        value = getattr(sheet, row.name)
        if value is not None and row.name in _SPOKEN:
            figures.add(row.name, f"{_SPOKEN[row.name]} of the series", value, row.unit)
    for n, fall in enumerate(_falls(sample), 1):
        figures.add(f"fall_{n}_depth", f'depth of the drawdown "in place {n}" of the series', fall.depth, "percent")
        for name, words, day in (("trough", "bottom", fall.trough), ("recovery", "recovery", fall.recovery)):
            if day is not None:
                quantity = f'{words} of the drawdown "in place {n}" of the series'
                figures.add(f"fall_{n}_{name}", quantity, str(day), "date")
    for year, value in sheet.calendar_years:
        figures.add(f"year_{year}", f'return of the series in the calendar year "{year}"', value, "percent")
    for year, month, value in _extremes(sheet.months):
        quantity = f'return of the series in "{calendar.month_name[month]} {year}"'
        figures.add(f"month_{year}_{month}", quantity, value, "percent")
    for n, crisis in enumerate(sheet.crises, 1):
        figures.add(f"crisis_{n}_name", "name of a past crisis", crisis.name, "text")
        figures.add(
            f"crisis_{n}_return", f'return of the series in the crisis "{crisis.name}"', crisis.value, "percent"
        )
    return figures.figures


def _extremes(months: Sequence[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    """The worst and the best month."""
    if not months:
        return []
    return list(dict.fromkeys((min(months, key=lambda row: row[2]), max(months, key=lambda row: row[2]))))


_SPOKEN = {
    "cumulative_return": "total return",
    "cagr": "growth a year",
    "volatility": "yearly volatility",
    "sharpe": "Sharpe ratio",
    "max_drawdown": "maximum drawdown",
    "longest_drawdown_days": "longest drawdown in calendar days",
    "value_at_risk": "value at risk at 95% confidence of a period",
    "expected_shortfall": "expected shortfall at 95% confidence of a period",
    "skewness": "skewness",
    "kurtosis": "kurtosis, three for the normal law,",
    "win_month": "share of months with a gain",
    "best_year": "best calendar year",
    "worst_year": "worst calendar year",
    "beta": "beta to the benchmark",
    "alpha": "alpha a year against the benchmark",
    "tracking_error": "tracking error against the benchmark",
    "information_ratio": "information ratio against the benchmark",
}
"""Statistics that a conversation may cite, and how it names them."""
