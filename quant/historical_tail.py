"""Losses in the tail of one history, over overlapping windows; positive for a loss."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.compiled import compiled
from quant.errors import DataError
from quant.growth import checked_total
from quant.returns import Returns

TAIL_HORIZON = 21
TAIL_LEVEL = 0.95


@compiled
def _windows(total: NDArray[np.float64], horizon: int, out: NDArray[np.float64]) -> None:
    for i in range(out.size):
        wealth = 1.0
        for t in range(i, i + horizon):
            wealth *= 1.0 + total[t]
        out[i] = wealth - 1.0


@compiled
def tail_of(ordered: NDArray[np.float64], count: int, level: float) -> tuple[float, float]:
    """Loss at the boundary of the worst 1 - level of `count` returns, and the mean loss there.

    `ordered` holds them in ascending order, at least as far as the boundary.
    """
    share = (1.0 - level) * count
    whole = math.floor(share + 1e-9)
    part = max(share - whole, 0.0)
    total = 0.0
    for i in range(whole):
        total += ordered[i]
    boundary = whole if part > 1e-9 else whole - 1
    if part > 1e-9:
        total += part * ordered[whole]
    else:
        part = 0.0
    return -ordered[boundary], -total / (whole + part)


def tail_losses(total: ArrayLike | Returns, horizon: int, level: float) -> tuple[float, float]:
    """Value at risk and expected shortfall together; see `value_at_risk`."""
    if horizon < 1:
        raise DataError(f"`horizon` must be at least 1 session; got {horizon!r}")
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")
    returns = checked_total(total, shortest=horizon)
    windows = np.empty(returns.size - horizon + 1)
    _windows(returns, horizon, windows)
    return tail_of(np.sort(windows), windows.size, level)


def value_at_risk(total: ArrayLike | Returns, *, horizon: int = TAIL_HORIZON, level: float = TAIL_LEVEL) -> float:
    """Loss that overlapping windows exceed in a share ``1 - level`` of the cases at most.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    horizon : int
        Sessions of a window; returns within it are compounded.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss: the k-th worst window with
        k = ceil((1 - level) n), n = T - horizon + 1.

    Raises
    ------
    DataError
        If `total` is shorter than the horizon, not finite, holds a loss of everything, or an
        argument lies outside its range.

    Examples
    --------
    >>> round(value_at_risk([-0.04, -0.02, 0.01, 0.03], horizon=1, level=0.5), 6)
    0.02
    """
    return tail_losses(total, horizon, level)[0]


def expected_shortfall(total: ArrayLike | Returns, *, horizon: int = TAIL_HORIZON, level: float = TAIL_LEVEL) -> float:
    """Mean loss in the worst ``1 - level`` share of overlapping windows.

    The tail holds k = (1 - level) n windows; where k is not whole, the boundary window counts with
    weight k - floor(k), which keeps the measure coherent and continuous in `level`.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    horizon : int
        Sessions of a window; returns within it are compounded.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss.

    Raises
    ------
    DataError
        As for `value_at_risk`.

    References
    ----------
    Acerbi and Tasche (2002), "On the coherence of expected shortfall", Journal of Banking &
    Finance 26(7).

    Examples
    --------
    >>> round(expected_shortfall([-0.04, -0.02, 0.01, 0.03], horizon=1, level=0.625), 6)
    0.033333
    """
    return tail_losses(total, horizon, level)[1]
