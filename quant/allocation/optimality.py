"""How far a portfolio may be from the best under its constraints: first-order gaps, each one linear programme.

For a convex objective the gap bounds what any other portfolio gains (Frank and Wolfe 1956; Jaggi 2013, section 2.2).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.allocation.constraints import Constraints, Group, highest
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError

_NEARLY_NONE: Final = 1e-9
"""Floor of a variance, as a share of the assets' mean variance: below it differences are rounding."""


@checked_arguments
def variance_gap(
    weights: ArrayLike,
    cov: ArrayLike,
    *,
    mean: ArrayLike | None = None,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> float:
    r"""Bounds half the share of its variance that a portfolio could shed.

    .. math:: 1 - \min_v v' \Sigma w / w' \Sigma w \ge (\sigma^2_w - \sigma^2_{min}) / 2 \sigma^2_w

    over all v under the constraints and, if `mean` is given, with no less mean return than w.

    Parameters
    ----------
    weights : array_like, shape (N,)
        With sum 1, under the constraints.
    cov : array_like, shape (N, N)
        Covariance of returns, taken as valid.
    mean : array_like, shape (N,), optional
        Mean returns; by default any mean return will do.
    lower, upper, groups, turnover, current
        As in `quant.allocate.minimum_variance`.

    Returns
    -------
    float
        0 for the least variance, to rounding; relative to a billionth of the assets' mean variance where the
        portfolio's is less.

    Raises
    ------
    DataError
        If a shape does not fit.
    Infeasible
        If no weights satisfy the constraints.

    Examples
    --------
    >>> cov = [[0.01, 0.0], [0.0, 0.04]]
    >>> round(abs(variance_gap([0.8, 0.2], cov)), 12), round(variance_gap([0.5, 0.5], cov), 12)
    (0.0, 0.6)
    """
    w, matrix = _checked(weights, cov)
    pull = matrix @ w
    variance = float(w @ pull)
    size = max(variance, _NEARLY_NONE * float(np.diag(matrix).mean()))
    if not size > 0.0:
        return 0.0
    constraints = Constraints.checked(w.size, lower, upper, groups, turnover, current)
    if mean is not None:
        means = np.asarray(mean, dtype=np.float64)
        unit = float(np.abs(means).max()) or 1.0
        # the programme meets its rows to 1e-10, which must not decide whether w itself does
        target = float(means @ w) / unit - 1e-10
        constraints = replace(constraints, mean=means / unit, target=target)
    return (variance + highest(-pull, constraints)) / size


@checked_arguments
def sharpe_gap(
    weights: ArrayLike,
    mean: ArrayLike,
    cov: ArrayLike,
    *,
    rate: float = 0.0,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> float:
    r"""What the logarithm of the Sharpe ratio could gain, to first order.

    .. math:: \max_v \frac{(\mu - r)' v}{(\mu - r)' w} - \frac{v' \Sigma w}{w' \Sigma w}

    over all v under the constraints.

    Parameters
    ----------
    weights : array_like, shape (N,)
        With sum 1, under the constraints, a mean return above `rate`, and a variance.
    mean : array_like, shape (N,)
        Mean returns, of the period of `cov`.
    cov : array_like, shape (N, N)
        Covariance of returns, taken as valid.
    rate : float
        Risk-free return, of the same period.
    lower, upper, groups, turnover, current
        As in `quant.allocate.maximum_sharpe`.

    Returns
    -------
    float
        0 for the highest ratio, to rounding.

    Raises
    ------
    DataError
        If a shape does not fit, or the portfolio has no variance or no excess return.
    Infeasible
        If no weights satisfy the constraints.

    Examples
    --------
    >>> round(abs(sharpe_gap([2 / 3, 1 / 3], [0.05, 0.10], [[0.01, 0.0], [0.0, 0.04]])), 12)
    0.0
    """
    w, matrix = _checked(weights, cov)
    excess = np.asarray(mean, dtype=np.float64) - rate
    if excess.shape != w.shape:
        raise DataError(f"`mean` must have shape {w.shape}, as `weights`; got {excess.shape}")
    pull = matrix @ w
    variance, excess_return = float(w @ pull), float(excess @ w)
    if not (variance > 0.0 and excess_return > 0.0):
        raise DataError(f"`weights` must have a variance and an excess return; got {variance:g} and {excess_return:g}")
    constraints = Constraints.checked(w.size, lower, upper, groups, turnover, current)
    return highest(excess / excess_return - pull / variance, constraints)


def _checked(weights: ArrayLike, cov: ArrayLike) -> tuple[Floats, Floats]:
    w, matrix = np.asarray(weights, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    if w.ndim != 1 or matrix.shape != (w.size, w.size):
        raise DataError(f"`weights` and `cov` must have shapes (N,) and (N, N); got {w.shape} and {matrix.shape}")
    return w, matrix
