"""Growth of wealth under a series of total returns, its drawdowns, and its calendar years."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Dates, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_series
from quant.numeric.returns import Returns


@dataclass(frozen=True)
class Drawdown:
    """A fall of wealth from a peak; indices into the series, None where it never recovered."""

    depth: float
    start: int
    """First session of the fall; the peak is the close before it."""
    trough: int
    recovery: int | None
    """First session that ends at or above the old peak."""


def checked_total(values: ArrayLike | Returns, *, name: str = "total", shortest: int = 1) -> Floats:
    """`values` as a contiguous array of shape (T,) of returns that leave some wealth.

    Raises
    ------
    DataError
        If `values` is not one-dimensional, shorter than `shortest`, not finite, or not above -1.
    """
    total = checked_series(values, name=name, shortest=shortest)
    if (total <= -1.0).any():
        row = int(np.argmax(total <= -1.0))
        raise DataError(f"`{name}` must stay above -1 (a loss of everything); row {row} is {total[row]}")
    return total


def checked_days(dates: ArrayLike | Sequence[date], observations: int) -> Dates:
    """`dates` as days of shape (T,).

    Raises
    ------
    DataError
        If there is not one for each observation, one is missing, or they do not ascend.
    """
    days = np.asarray(dates, dtype="datetime64[D]")
    if days.shape != (observations,):
        raise DataError(f"`dates` of shape {days.shape} do not fit {observations} returns")
    if np.isnat(days).any() or (days[1:] <= days[:-1]).any():
        row = int(np.argmax(np.isnat(days) | np.append(False, days[1:] <= days[:-1])))
        raise DataError(f"`dates` must ascend without repetition or gaps; row {row} is {days[row]}")
    return days


@compiled
def _drawdowns(total: Floats, out: Floats) -> None:
    ratio = 1.0
    for t in range(total.size):
        ratio = min(1.0, ratio * (1.0 + total[t]))
        out[t] = 1.0 - ratio


def drawdowns(total: ArrayLike | Returns) -> Floats:
    """Fall of wealth from its peak at the end of each session; the start counts as a peak.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    ndarray, shape (T,)
        Fractions in [0, 1): 0.2 is 20% below the peak.

    Raises
    ------
    DataError
        If `total` is empty, not a finite vector, or holds a loss of everything.

    Examples
    --------
    >>> drawdowns([0.1, -0.5, 0.5, 1.0]).tolist()
    [0.0, 0.5, 0.25, 0.0]
    """
    returns = checked_total(total)
    out = np.empty(returns.size)
    _drawdowns(returns, out)
    return out


def worst_drawdown(total: ArrayLike | Returns) -> Drawdown | None:
    """Deepest fall of wealth, the earliest of equals; None for a series that never fell.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    Drawdown or None

    Raises
    ------
    DataError
        If `total` is empty, not a finite vector, or holds a loss of everything.

    Examples
    --------
    >>> worst_drawdown([0.1, -0.5, 0.5, 1.0])
    Drawdown(depth=0.5, start=1, trough=1, recovery=3)
    """
    falls = drawdowns(total)
    trough = int(np.argmax(falls))
    if falls[trough] == 0.0:
        return None
    start = trough
    while start > 0 and falls[start - 1] > 0.0:
        start -= 1
    recovered = np.flatnonzero(falls[trough:] == 0.0)
    recovery = trough + int(recovered[0]) if recovered.size else None
    return Drawdown(float(falls[trough]), start, trough, recovery)


@compiled
def log_growth(total: Floats) -> Floats:
    """ln(1 + r) of each session, shape (T,)."""
    out = np.empty(total.size)
    for t in range(total.size):
        out[t] = log(1.0 + total[t])
    return out


@compiled
def compounded(total: Floats) -> float:
    """Growth of wealth over the whole series, as a fraction."""
    wealth = 1.0
    for t in range(total.size):
        wealth *= 1.0 + total[t]
    return wealth - 1.0


def calendar_years(dates: ArrayLike | Sequence[date], total: ArrayLike | Returns) -> tuple[tuple[int, float], ...]:
    """Compounded return of each calendar year; the first and last may be parts of a year.

    Parameters
    ----------
    dates : array_like of datetime64 or date, shape (T,)
        Sessions in ascending order.
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    tuple of (int, float)
        Year and return, in order.

    Raises
    ------
    DataError
        If the lengths differ, dates do not ascend, or `total` breaks the rules of `drawdowns`.

    Examples
    --------
    >>> calendar_years(["2020-12-30", "2020-12-31", "2021-01-04"], [0.5, 0.5, -0.25])
    ((2020, 1.25), (2021, -0.25))
    """
    returns = checked_total(total)
    days = checked_days(dates, returns.size)
    years = [int(y) for y in days.astype("datetime64[Y]").astype(np.int64) + 1970]
    result: list[tuple[int, float]] = []
    first = 0
    for year, sessions in groupby(years):
        last = first + len(list(sessions))
        result.append((year, compounded(returns[first:last])))
        first = last
    return tuple(result)
