"""Losses in the tail of one history: the historical method of `quant.risk.portfolio`; positive for a loss."""

import math

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.growth import checked_total

TAIL_HORIZON = 21
TAIL_LEVEL = 0.95


@compiled
def compound_windows(total: Floats, horizon: int, out: Floats) -> None:
    """Write the compounded return of every overlapping window of `horizon` sessions."""
    for i in range(out.size):
        wealth = 1.0
        for t in range(i, i + horizon):
            wealth *= 1.0 + total[t]
        out[i] = wealth - 1.0


@compiled
def tail_of(ordered: Floats, count: int, level: float) -> tuple[float, float]:
    """Loss at the boundary of the worst 1 - level of `count` returns, and the mean loss there.

    `ordered` holds them in ascending order, at least as far as the boundary; the tail must hold one or a part of one.
    The boundary return counts in part (Acerbi and Tasche 2002, "On the coherence of expected shortfall").
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
    """Value at risk and expected shortfall of overlapping windows of compounded returns.

    Unlike `quant.risk.tails` it also accepts a tail of less than one window and returns the worst one.

    Parameters
    ----------
    total : array_like or Returns, shape (T,)
        Simple returns, fractions.
    horizon : int
        Sessions of a window.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    float, float
        Losses as positive fractions of wealth.

    Raises
    ------
    DataError
        If `total` is shorter than `horizon`, not finite or not above -1, or an argument lies outside its range.
    """
    if horizon < 1:
        raise DataError(f"`horizon` must be at least 1 session; got {horizon!r}")
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")
    returns = checked_total(total, shortest=horizon)
    windows = np.empty(returns.size - horizon + 1)
    compound_windows(returns, horizon, windows)
    head = min(math.ceil((1.0 - level) * windows.size) + 1, windows.size)
    windows.partition(head - 1)  # only the tail has to be in order
    windows[:head].sort()
    return tail_of(windows, windows.size, level)
