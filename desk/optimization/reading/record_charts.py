"""Charts of the strategy's record on history: months, rolling Sharpe ratio, falls and the distribution of returns."""

import numpy as np

from desk.base.text import number
from desk.optimization.reading import chart_schemas as charts
from desk.optimization.reading.history import History
from quant.numeric.arrays import Floats
from quant.numeric.units import DAYS
from quant.performance.drawdown_periods import drawdown_table
from quant.performance.rolling_windows import rolling

SHARPE_WINDOW = DAYS
MOST_FALLS = 10
_BINS = 41
_TAIL = 0.005
"""Share of days at either end that the outermost bins of the distribution hold."""


def monthly_returns(history: History) -> tuple[charts.MonthlyReturn, ...]:
    """Returns of strategy and benchmark by calendar month, cash included."""
    months = history.dates().astype("datetime64[M]")
    starts = np.flatnonzero(np.r_[True, months[1:] != months[:-1]])
    ours, theirs = (_by_part(history.total(excess), starts) for excess in (history.winner, history.benchmark))
    return tuple(
        charts.MonthlyReturn(year=month.year, month=month.month, strategy=own, constant_weight=other)
        for month, own, other in zip(months[starts].tolist(), ours, theirs, strict=True)
    )


def _by_part(total: Floats, starts: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> list[float]:
    return (np.multiply.reduceat(1.0 + total, starts) - 1.0).tolist()


def rolling_sharpe(history: History, train_end: str, points: int) -> charts.RollingSharpe | None:
    """Sharpe ratios of the last year at `points` days; None where a year has not passed, or all of it is in cash."""
    count = history.days.size - SHARPE_WINDOW + 1
    if count < 1:
        return None
    rows = SHARPE_WINDOW - 1 + np.unique(np.linspace(0, count - 1, min(points, count)).astype(np.int64))
    ours, theirs = (
        rolling(history.total(excess), window=SHARPE_WINDOW, rate=history.cash).sharpe[rows]
        for excess in (history.winner, history.benchmark)
    )
    known = np.isfinite(ours) & np.isfinite(theirs)
    if not known.any():
        return None
    return charts.RollingSharpe(
        window=SHARPE_WINDOW,
        dates=tuple(str(day) for day in history.dates()[rows][known]),
        strategy=tuple(map(float, ours[known])),
        constant_weight=tuple(map(float, theirs[known])),
        train_end=train_end,
    )


def falls(history: History) -> tuple[charts.Fall, ...]:
    """The deepest falls of the strategy from a peak, the deepest first."""
    return tuple(
        charts.Fall(
            depth=fall.depth,
            peak=None if fall.peak_date is None else str(fall.peak_date),
            trough=str(fall.trough_date),
            recovery=None if fall.recovery_date is None else str(fall.recovery_date),
            sessions=fall.length,
        )
        for fall in drawdown_table(history.total(history.winner), history.dates(), count=MOST_FALLS)
    )


def distribution(history: History) -> charts.ReturnDistribution:
    """Histograms of daily returns over the same bins; the outermost ones hold everything beyond."""
    ours, theirs = history.total(history.winner), history.total(history.benchmark)
    low, high = (float(edge) for edge in np.quantile(np.concatenate([ours, theirs]), (_TAIL, 1.0 - _TAIL)))
    edges: Floats = np.linspace(low, high if high > low else low + 1e-6, _BINS + 1)
    return charts.ReturnDistribution(
        edges=tuple(edges.tolist()), strategy=_counts(ours, edges), constant_weight=_counts(theirs, edges)
    )


def _counts(total: Floats, edges: Floats) -> tuple[int, ...]:
    counts, _ = np.histogram(np.clip(total, edges[0], edges[-1]), edges)
    return tuple(counts.tolist())


def describe_months(rows: tuple[charts.MonthlyReturn, ...]) -> str:
    gains, worst = sum(row.strategy > 0.0 for row in rows), min(rows, key=lambda row: row.strategy)
    return (
        f"The strategy gained in {gains} of {len(rows)} months; the worst, {worst.year}-{worst.month:02}, lost "
        f"{number(-100 * worst.strategy, 1)}%."
    )


def describe_sharpe(chart: charts.RollingSharpe) -> str:
    better = sum(own > other for own, other in zip(chart.strategy, chart.constant_weight, strict=True))
    share = number(100 * better / len(chart.strategy))
    return f"Over {chart.window} sessions the Sharpe ratio was above the constant weight's {share}% of the time."


def describe_falls(rows: tuple[charts.Fall, ...]) -> str:
    deepest, longest = rows[0], max(row.sessions for row in rows)
    return f"The deepest fall was {number(100 * deepest.depth, 1)}%; the longest of these took {longest:,} sessions."


def describe_distribution(chart: charts.ReturnDistribution) -> str:
    low, high = (number(100 * edge, 2) for edge in (chart.edges[0], chart.edges[-1]))
    return f"All but the rarest daily returns lie between {low}% and {high}%."
