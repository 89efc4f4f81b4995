"""Drawdowns of wealth: depth, length and frequency, and the ratios that use them as risk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.distribution import entropic_at_risk
from quant.performance.growth import checked_days, checked_total
from quant.performance.historical_tail import TAIL_LEVEL, tail_of
from quant.performance.ratios import Growth, Sample, over

TABLE_LENGTH = 10
_REGAINED = 1.0 - 1e-12
"""Share of the peak that counts as the peak, since returns computed from prices are rounded."""
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Fall:
    """A fall of wealth from a peak until it is regained. Indices of sessions, and dates where the series has them."""

    depth: float
    start: int
    """First session of the fall; the peak is the close before it."""
    trough: int
    recovery: int | None
    """First session that ends at or above the peak; None if there is none yet."""
    length: int
    """Sessions from the peak to the recovery, or to the end of the series."""
    peak_date: date | None = None
    """None also where the peak is the start of the series, before its first session."""
    start_date: date | None = None
    trough_date: date | None = None
    recovery_date: date | None = None

    @property
    def ongoing(self) -> bool:
        """Whether the peak has not been regained."""
        return self.recovery is None

    @property
    def sessions_down(self) -> int:
        """From the peak to the trough."""
        return self.trough - self.start + 1

    @property
    def sessions_to_recover(self) -> int | None:
        """From the trough to the recovery; None if there is none yet."""
        return None if self.recovery is None else self.recovery - self.trough


@dataclass(frozen=True, kw_only=True)
class Underwater:
    """Drawdowns, as positive fractions of the peak; the start of the series counts as a peak.

    None where wealth never fell, or where the days are not known.
    """

    max_drawdown: float
    """Deepest fall."""
    mean_drawdown: float
    """Mean over all periods, 0 at a peak."""
    drawdown_at_risk: float
    """k-th deepest of all periods, k = ceil(5% of T)."""
    conditional_drawdown_at_risk: float
    """Mean of the deepest 5% of the periods, the boundary one counted in part (Chekhlov, Uryasev and Zabarankin)."""
    entropic_drawdown_at_risk: float
    """min over z > 0 of ln(E[exp(z drawdown)] / 5%) / z."""
    ulcer_index: float
    """Root of the mean square over all T periods (Martin)."""
    time_under_water: float
    """Share of the periods that end below a peak."""
    falls: int
    """Number of falls, the open one included."""
    average_drawdown: float | None
    """Mean depth of the falls."""
    average_drawdown_length: float | None
    """Mean `Fall.length`."""
    average_drawdown_days: float | None
    """Mean calendar days from peak to recovery, or to the end."""
    longest_drawdown: int
    """Longest `Fall.length`."""
    longest_drawdown_days: int | None
    """Most calendar days from a peak to its recovery, or to the end."""
    recovery_periods: int | None
    """`Fall.length` of the deepest fall; None if it is open."""
    worst_falls: tuple[Fall, ...]
    """The ten deepest, deepest first."""
    calmar: float | None
    """`cagr` / `max_drawdown`, over the whole series."""
    recovery_factor: float | None
    """`cumulative_return` / `max_drawdown`."""
    ulcer_performance: float | None
    """`annual_excess` / `ulcer_index` (Martin)."""
    serenity: float | None
    """`annual_excess` / (`ulcer_index` x `conditional_drawdown_at_risk` / `volatility`) (KeyQuant)."""


@compiled
def _falls(
    r: Floats,
    regained: float,
    below: Floats,
    rows: Ints,
    depths: Floats,
) -> tuple[int, float, float]:
    """Write the drawdown of each session and start, trough, recovery (-1 if open) of each fall; sums of both powers."""
    ratio = 1.0
    count = 0
    inside = False
    total = 0.0
    squares = 0.0
    for t in range(r.size):
        ratio *= 1.0 + r[t]
        if ratio > regained:
            ratio = 1.0
        fall = 1.0 - ratio
        below[t] = fall
        total += fall
        squares += fall * fall
        if fall > 0.0:
            if not inside:
                inside = True
                rows[0, count] = t
                rows[2, count] = -1
                depths[count] = -1.0
                count += 1
            if fall > depths[count - 1]:
                depths[count - 1] = fall
                rows[1, count - 1] = t
        elif inside:
            inside = False
            rows[2, count - 1] = t
    return count, total, squares


def _date(days: Ints | None, row: int | None) -> date | None:
    return None if days is None or row is None else date.fromordinal(EPOCH + int(days[row]))


def _table(
    rows: Ints,
    depths: Floats,
    lengths: Ints,
    days: Ints | None,
    count: int = TABLE_LENGTH,
) -> tuple[Fall, ...]:
    falls: list[Fall] = []
    for i in np.argsort(-depths, kind="stable")[:count]:
        start, trough, end = (int(row) for row in rows[:, i])
        recovery = end if end >= 0 else None
        falls.append(
            Fall(
                depth=float(depths[i]),
                start=start,
                trough=trough,
                recovery=recovery,
                length=int(lengths[i]),
                peak_date=_date(days, start - 1 if start > 0 else None),
                start_date=_date(days, start),
                trough_date=_date(days, trough),
                recovery_date=_date(days, recovery),
            )
        )
    return tuple(falls)


def _days(rows: Ints, days: Ints) -> Ints:
    """Calendar days from peak to recovery; a peak at the very start is taken to be the first session's own day."""
    peaks = days[np.maximum(rows[0] - 1, 0)]
    return days[np.where(rows[2] < 0, days.size - 1, rows[2])] - peaks


def _deepest(below: Floats) -> tuple[float, float]:
    """Drawdown at the boundary of the deepest 5% of the periods, and the mean there."""
    count = min(below.size, math.ceil((1.0 - TAIL_LEVEL) * below.size) + 1)
    depths = np.partition(-below, count - 1)[:count]
    depths.sort()
    return tail_of(depths, below.size, TAIL_LEVEL)


def _walk(
    r: Floats,
) -> tuple[Floats, Ints, Floats, Ints, tuple[float, float]]:
    """Drawdown of each session; rows, depths and lengths of the falls; sums of the drawdowns and of their squares."""
    below = np.empty(r.size)
    places = np.empty((3, (r.size + 1) // 2 + 1), dtype=np.int64)
    depths = np.empty(places.shape[1])
    count, total, squares = _falls(r, _REGAINED, below, places, depths)
    rows = places[:, :count]
    lengths = np.where(rows[2] < 0, r.size - 1, rows[2]) - rows[0] + 1
    return below, rows, depths[:count], lengths, (total, squares)


@checked_arguments
def drawdown_table(
    returns: ArrayLike | Returns, dates: ArrayLike | Sequence[date] | None = None, *, count: int = 5
) -> tuple[Fall, ...]:
    """The deepest falls of wealth below a peak, deepest first, the earlier of equals first.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily simple returns, above -1; the start counts as a peak.
    dates : array_like of datetime64 or date, shape (T,), optional
        Ascending; those of `returns` where it is a `Returns`. Without them sessions are numbered only.
    count : int
        Largest number of rows, at least 1.

    Returns
    -------
    tuple of Fall
        No two overlap; empty for a series that never fell. Wealth within 1e-12 of its peak has regained it.

    Raises
    ------
    DataError
        If `returns` is not a finite vector above -1, `dates` does not fit or ascend, or `count` is below 1.

    Examples
    --------
    >>> rows = drawdown_table([0.1, -0.5, 0.5, 1.0, -0.2])
    >>> [(round(row.depth, 9), row.start, row.trough, row.recovery) for row in rows]
    [(0.5, 1, 1, 3), (0.2, 4, 4, None)]
    """
    if count < 1:
        raise DataError(f"`count` must be at least 1; got {count!r}")
    if dates is None and isinstance(returns, Returns):
        dates = returns.dates
    r = checked_total(returns, name="returns")
    days = None if dates is None else checked_days(dates, r.size).astype(np.int64)
    _, rows, depths, lengths, _ = _walk(r)
    return _table(rows, depths, lengths, days, count)


def underwater(sample: Sample, earnings: Growth, volatility: float) -> Underwater:
    """`Underwater` of checked returns; `volatility` is annual."""
    r, days = sample.returns, sample.days
    below, rows, depths, lengths, (total, squares) = _walk(r)
    count = depths.size
    spans = _days(rows, days) if days is not None and count else None
    deepest = int(np.argmax(depths)) if count else 0
    depth = float(depths[deepest]) if count else 0.0
    at_risk, conditional = _deepest(below)
    ulcer = math.sqrt(squares / r.size)
    pitfall = over(conditional, volatility)
    return Underwater(
        max_drawdown=depth,
        mean_drawdown=total / r.size,
        drawdown_at_risk=at_risk,
        conditional_drawdown_at_risk=conditional,
        entropic_drawdown_at_risk=entropic_at_risk(below, 1.0 - TAIL_LEVEL),
        ulcer_index=ulcer,
        time_under_water=int(np.count_nonzero(below)) / r.size,
        falls=count,
        average_drawdown=over(math.fsum(depths), count),
        average_drawdown_length=over(int(lengths.sum()), count),
        average_drawdown_days=None if spans is None else int(spans.sum()) / count,
        longest_drawdown=int(lengths.max()) if count else 0,
        longest_drawdown_days=None if spans is None else int(spans.max()),
        recovery_periods=int(lengths[deepest]) if count and rows[2, deepest] >= 0 else None,
        worst_falls=_table(rows, depths, lengths, days),
        calmar=over(earnings.cagr, depth),
        recovery_factor=over(earnings.cumulative_return, depth),
        ulcer_performance=over(earnings.annual_excess, ulcer),
        serenity=over(earnings.annual_excess, ulcer * pitfall) if pitfall else None,
    )
