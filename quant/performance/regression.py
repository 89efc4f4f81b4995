"""A strategy against a market: alpha, beta and tracking error. 252 days a year."""

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.moments import checked_series, moments, same_length
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS


@dataclass(frozen=True)
class AlphaBeta:
    """Regression on the market's excess return; alpha a year, White's standard errors."""

    alpha: Measured
    beta: Measured


@compiled
def least_squares(y: Floats, x: Floats) -> tuple[float, float, float, float]:
    """Intercept, slope and their heteroskedasticity-robust (HC0) errors."""
    n = x.size
    mean_x = 0.0
    mean_y = 0.0
    for t in range(n):
        mean_x += x[t]
        mean_y += y[t]
    mean_x /= n
    mean_y /= n
    xx = 0.0
    xy = 0.0
    for t in range(n):
        xx += (x[t] - mean_x) * (x[t] - mean_x)
        xy += (x[t] - mean_x) * (y[t] - mean_y)
    slope = xy / xx
    intercept = mean_y - slope * mean_x
    slope_squares = 0.0
    intercept_squares = 0.0
    for t in range(n):
        residual = y[t] - intercept - slope * x[t]
        slope_part = (x[t] - mean_x) * residual / xx
        intercept_part = residual / n - mean_x * slope_part
        slope_squares += slope_part * slope_part
        intercept_squares += intercept_part * intercept_part
    return intercept, slope, math.sqrt(intercept_squares), math.sqrt(slope_squares)


def alpha_beta(excess: ArrayLike | Returns, market_excess: ArrayLike | Returns) -> AlphaBeta:
    """Least squares of a strategy's excess return on the market's.

    Parameters
    ----------
    excess, market_excess : array_like of shape (T,), or Returns of one asset
        Daily simple returns over cash, T > 2.

    Returns
    -------
    AlphaBeta
        Alpha a year (252 x the intercept) and beta, each with White's standard error (HC0).

    Raises
    ------
    DataError
        If the series differ in length, are not finite, or the market does not vary.

    References
    ----------
    White (1980), "A heteroskedasticity-consistent covariance matrix estimator and a direct test
    for heteroskedasticity", Econometrica 48(4).
    """
    y = checked_series(excess, name="excess", shortest=3)
    x = checked_series(market_excess, name="market_excess", shortest=3)
    same_length(excess=y, market_excess=x)
    if not moments(x).varies:
        raise DataError("`market_excess` does not vary: it explains nothing")
    intercept, slope, intercept_error, slope_error = least_squares(y, x)
    return AlphaBeta(
        alpha=Measured(value=DAYS * intercept, error=DAYS * intercept_error),
        beta=Measured(value=slope, error=slope_error),
    )


def tracking_error(excess: ArrayLike | Returns, benchmark_excess: ArrayLike | Returns) -> float:
    """Annual deviation of the daily difference of two strategies.

    Parameters
    ----------
    excess, benchmark_excess : array_like of shape (T,), or Returns of one asset
        Daily simple returns over cash.

    Returns
    -------
    float
        Annual fraction.

    Raises
    ------
    DataError
        If the series differ in length or are not finite vectors of two or more.
    """
    a = checked_series(excess, name="excess")
    b = checked_series(benchmark_excess, name="benchmark_excess")
    same_length(excess=a, benchmark_excess=b)
    return math.sqrt(DAYS) * moments(a - b).deviation
