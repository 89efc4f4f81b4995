"""Volatility, Sharpe ratio and beta over a moving window of one return series."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_series, same_length
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.performance.growth import checked_total

_MOST_AT_ONCE = 2_000_000
"""Values of windows that are in memory at once: all windows of a long series would take gigabytes."""


@dataclass(frozen=True)
class Rolling:
    """Statistics of the `window` periods that end with each period, shapes (T,).

    NaN before the first full window, and where a window has no variation to divide by.
    """

    window: int
    volatility: Floats
    """sqrt(A) times the sample deviation of the returns (T - 1), a year."""
    sharpe: Floats
    """sqrt(A) times mean over sample deviation of the excess returns."""
    beta: Floats | None
    """Least-squares slope of the excess return on the benchmark's; None without a benchmark."""


@checked_arguments
def rolling(
    returns: ArrayLike | Returns,
    *,
    window: int,
    benchmark: ArrayLike | Returns | None = None,
    rate: ArrayLike = 0.0,
    periods: int = DAYS,
) -> Rolling:
    """Compute volatility, Sharpe ratio and beta over a moving window.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Simple returns per period, above -1.
    window : int
        Periods of a window, in [2, T].
    benchmark : array_like of shape (T,), or Returns of one asset, optional
    rate : float or array_like, shape (T,)
        Riskless rate of each period.
    periods : int
        A, periods a year.

    Returns
    -------
    Rolling

    Raises
    ------
    DataError
        If a series is not finite, of another length, or `window` or `periods` lies outside its range.

    Examples
    --------
    >>> rows = rolling([0.01, -0.01, 0.03], window=2, periods=1)
    >>> rows.volatility.round(4).tolist()
    [nan, 0.0141, 0.0283]
    """
    r = checked_total(returns, name="returns", shortest=2)
    if not 2 <= window <= r.size:
        raise DataError(f"`window` must lie in [2, {r.size}]; got {window}")
    if periods < 1:
        raise DataError(f"`periods` must be 1 or more a year; got {periods!r}")
    riskless = np.asarray(rate, dtype=np.float64)
    if riskless.ndim:
        riskless = checked_series(riskless, name="rate")
        same_length(returns=r, rate=riskless)
    elif not np.isfinite(riskless):
        raise DataError(f"`rate` must be finite; got {riskless!r}")
    excess = r - riskless
    beta = None
    if benchmark is not None:
        market = checked_total(benchmark, name="benchmark", shortest=2)
        same_length(returns=r, benchmark=market)
        beta = _by_window(_slopes, window, excess, market - riskless)
    root = math.sqrt(periods)
    return Rolling(
        window=window,
        volatility=root * _by_window(_deviations, window, r),
        sharpe=root * _by_window(_ratios, window, excess),
        beta=beta,
    )


def _by_window(statistic: Callable[..., Floats], window: int, *series: Floats) -> Floats:
    """`statistic` of the windows that end with each period, NaN before the first full one."""
    views = [sliding_window_view(each, window) for each in series]
    count, rows = len(views[0]), max(1, _MOST_AT_ONCE // window)
    parts = [statistic(*(view[first : first + rows] for view in views)) for first in range(0, count, rows)]
    return np.concatenate([np.full(window - 1, np.nan), *parts])


def _deviations(x: Floats) -> Floats:
    return x.std(axis=1, ddof=1)


def _ratios(x: Floats) -> Floats:
    return _over(x.mean(axis=1), _deviations(x))


def _slopes(y: Floats, x: Floats) -> Floats:
    dx = x - x.mean(axis=1, keepdims=True)
    return _over((dx * y).sum(axis=1), (dx * dx).sum(axis=1))


def _over(reward: Floats, risk: Floats) -> Floats:
    out = np.full(reward.shape, np.nan)
    np.divide(reward, risk, out=out, where=risk > 0.0)
    return out
