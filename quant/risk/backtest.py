"""Backtests of value-at-risk: frequency and independence of the exceedances.

Kupiec (1995), "Techniques for verifying the accuracy of risk measurement models", Journal of Derivatives 3(2);
Christoffersen (1998), "Evaluating interval forecasts", International Economic Review 39(4).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats
from quant.numeric.elementary import exp, log
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_series
from quant.numeric.returns import Returns
from quant.performance.growth import checked_total
from quant.risk.tails import Method, value_at_risk

OBSERVATIONS: Final = 500
"""Minimum number of observations: with fewer, the asymptotic laws of the tests do not hold."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood-ratio statistic and the chance of a larger one under a right model."""

    statistic: float
    p_value: float


@dataclass(frozen=True)
class Coverage:
    """Kupiec's test of the share of exceedances; `expected` is their number under a right model."""

    observations: int
    exceedances: int
    expected: float
    test: LikelihoodRatio


@dataclass(frozen=True)
class ConditionalCoverage:
    """Christoffersen's tests.

    Attributes
    ----------
    transitions : tuple of int
        Days without exceedance after one without, with after one without, without after one with, with after with.
    independence : LikelihoodRatio
        Whether an exceedance makes the next day's more likely; one degree of freedom.
    conditional : LikelihoodRatio
        Right share and independence together, Kupiec's statistic added; two degrees of freedom.
    """

    transitions: tuple[int, int, int, int]
    independence: LikelihoodRatio
    conditional: LikelihoodRatio


def _exceedances(returns: ArrayLike | Returns, value_at_risk: ArrayLike, level: float, observations: int) -> Flags:
    limits = np.asarray(value_at_risk, dtype=np.float64)
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")
    x = checked_series(returns, name="returns", shortest=max(observations, 2))
    if limits.shape not in ((), x.shape):
        raise DataError(f"`value_at_risk` must be a number or of shape {x.shape}; got {limits.shape}")
    checked_series(np.atleast_1d(limits), name="value_at_risk", shortest=1)
    return -x > limits


def _bernoulli(hits: int, misses: int, share: float) -> float:
    """Log-likelihood of Bernoulli outcomes, with 0 log 0 = 0."""
    return (hits * log(share) if hits else 0.0) + (misses * log(1.0 - share) if misses else 0.0)


def _best(hits: int, misses: int) -> float:
    return _bernoulli(hits, misses, hits / (hits + misses)) if hits + misses else 0.0


def _coverage(hits: Flags, level: float) -> float:
    count = int(np.count_nonzero(hits))
    ratio = 2.0 * (_best(count, hits.size - count) - _bernoulli(count, hits.size - count, 1.0 - level))
    return max(ratio, 0.0)


def _one_degree(statistic: float) -> LikelihoodRatio:
    return LikelihoodRatio(statistic, math.erfc(math.sqrt(0.5 * statistic)))


@checked_arguments
def kupiec(
    returns: ArrayLike | Returns, value_at_risk: ArrayLike, level: float, *, observations: int = OBSERVATIONS
) -> Coverage:
    """Test that a share ``1 - level`` of the losses exceeded the value-at-risk.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily returns as fractions; a loss exceeds where -return > value-at-risk.
    value_at_risk : float or array_like, shape (T,)
        Positive for a loss, announced before each day.
    level : float
        Confidence level in (0, 1) of the value-at-risk.
    observations : int
        Smallest T that is allowed.

    Returns
    -------
    Coverage
        Chi-squared with one degree of freedom under a right model.

    Raises
    ------
    DataError
        If there are fewer observations, the shapes do not fit, a number is not finite or `level` is outside (0, 1).

    Examples
    --------
    Ten exceedances of a 99% value-at-risk in 500 days.

    >>> coverage = kupiec([-0.03] * 10 + [0.01] * 490, 0.02, 0.99)
    >>> coverage.exceedances, round(coverage.test.statistic, 4), round(coverage.test.p_value, 4)
    (10, 3.9136, 0.0479)
    """
    hits = _exceedances(returns, value_at_risk, level, observations)
    count = int(np.count_nonzero(hits))
    return Coverage(hits.size, count, (1.0 - level) * hits.size, _one_degree(_coverage(hits, level)))


@checked_arguments
def christoffersen(
    returns: ArrayLike | Returns, value_at_risk: ArrayLike, level: float, *, observations: int = OBSERVATIONS
) -> ConditionalCoverage:
    """Test that exceedances of the value-at-risk come independently, and with the announced share.

    Parameters
    ----------
    returns, value_at_risk, level, observations
        As for `kupiec`; the order of the days matters.

    Returns
    -------
    ConditionalCoverage

    Raises
    ------
    DataError
        As for `kupiec`.

    Examples
    --------
    The same ten exceedances, all in a row: the share may pass, their clustering does not.

    >>> coverage = christoffersen([-0.03] * 10 + [0.01] * 490, 0.02, 0.99)
    >>> coverage.transitions, coverage.independence.p_value < 1e-6
    ((489, 0, 1, 9), True)
    """
    hits = _exceedances(returns, value_at_risk, level, observations)
    before, after = hits[:-1], hits[1:]
    n00, n01, n10, n11 = (
        int(np.count_nonzero((before == a) & (after == b))) for a, b in ((0, 0), (0, 1), (1, 0), (1, 1))
    )
    ratio = max(2.0 * (_best(n01, n00) + _best(n11, n10) - _best(n01 + n11, n00 + n10)), 0.0)
    both = ratio + _coverage(hits, level)
    return ConditionalCoverage((n00, n01, n10, n11), _one_degree(ratio), LikelihoodRatio(both, exp(-0.5 * both)))


@checked_arguments
def rolling_value_at_risk(
    returns: ArrayLike | Returns, level: float = 0.95, *, window: int = 250, method: Method = "historical"
) -> Floats:
    """One-day value-at-risk announced before each day, from the `window` days before it.

    Compare with ``returns[window:]`` in `kupiec` and `christoffersen`.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily simple returns as fractions, above -1.
    level : float
        Confidence level in (0, 1).
    window : int
        Days that each announcement looks back on, in [2, T - 1].
    method : str
        As for `value_at_risk`, but for ``filtered_garch``, which would be fitted anew each day.

    Returns
    -------
    ndarray, shape (T - window,)
        Positive for a loss.

    Raises
    ------
    DataError
        As for `value_at_risk` on any of the windows, or if `window` is outside [2, T - 1].

    Examples
    --------
    >>> rolling_value_at_risk([-0.02, 0.01, -0.01, 0.0], 0.5, window=2).round(6).tolist()
    [0.02, 0.01]
    """
    x = checked_total(returns, name="returns", shortest=3)
    if method == "filtered_garch":
        raise DataError("`method` filtered_garch is not fitted anew each day; use filtered_ewma")
    if not 2 <= window < x.size:
        raise DataError(f"`window` must lie in [2, T - 1], T = {x.size}; got {window!r}")
    return np.array([value_at_risk(x[t - window : t], level, 1, method) for t in range(window, x.size)])
