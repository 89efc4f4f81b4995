"""Returns of holdings over time: weights that are set on some days and drift with prices between them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.moments import finite_matrix

_TOLERANCE = 1e-6


@dataclass(frozen=True)
class HeldReturns:
    """Attributes
    ----------
    returns : ndarray, shape (T - s,)
        Simple return of wealth from the first session `s` on which something is held.
    weights : ndarray, shape (T - s, N)
        Fractions of wealth with which each session begins.
    """

    returns: Floats
    weights: Floats


@checked_arguments
def held_returns(asset_returns: ArrayLike, targets: ArrayLike, sessions: ArrayLike) -> HeldReturns:
    """Follow holdings through time: each row of `targets` holds from the beginning of its session on.

    Between two settings the weights drift with prices: nothing is traded, and trades cost nothing.

    Parameters
    ----------
    asset_returns : array_like, shape (T, N)
        Simple returns per session, cash as a column of its own; above -1.
    targets : array_like, shape (K, N)
        Fractions of wealth, each row with the sum 1 (to 1e-6).
    sessions : array_like of int, shape (K,)
        First session of each row of `targets`, strictly increasing, in [0, T).

    Returns
    -------
    HeldReturns

    Raises
    ------
    DataError
        If a shape does not fit, a return is at or below -1, a row does not sum to 1, sessions do not increase, or
        leverage loses everything.

    Examples
    --------
    >>> held = held_returns([[1.0, 0.0], [1.0, 0.0]], [[0.5, 0.5]], [0])
    >>> held.returns.round(4).tolist(), held.weights.round(4).tolist()
    ([0.5, 0.6667], [[0.5, 0.5], [0.6667, 0.3333]])
    """
    r = finite_matrix(asset_returns, name="asset_returns")
    w = finite_matrix(targets, name="targets")
    rows = np.asarray(sessions, dtype=np.float64)
    if w.shape[1] != r.shape[1] or rows.shape != (w.shape[0],):
        raise DataError(
            f"`targets` {w.shape} and `sessions` {rows.shape} do not fit `asset_returns` {r.shape}; "
            f"expected (K, {r.shape[1]}) and (K,)"
        )
    if (r <= -1.0).any():
        raise DataError(f"`asset_returns` must stay above -1; the least is {r.min()}")
    if (rows != np.floor(rows)).any() or rows[0] < 0 or rows[-1] >= r.shape[0] or (np.diff(rows) <= 0).any():
        raise DataError(f"`sessions` must be whole, increase and lie in [0, {r.shape[0]}); got {rows.tolist()}")
    sums = w.sum(axis=1)
    if (np.abs(sums - 1.0) > _TOLERANCE).any():
        row = int(np.argmax(np.abs(sums - 1.0)))
        raise DataError(f"each row of `targets` must sum to 1; row {row} sums to {sums[row]}")
    first = int(rows[0])
    weights = np.empty((r.shape[0] - first, r.shape[1]))
    total = np.empty(r.shape[0] - first)
    _follow(np.ascontiguousarray(r[first:]), w, (rows - first).astype(np.int64), weights, total)
    if (total <= -1.0).any():
        row = int(np.argmax(total <= -1.0))
        raise DataError(f"the holdings lose everything in session {first + row}: a return of {total[row]}")
    return HeldReturns(returns=total, weights=weights)


@compiled
def _follow(
    r: Floats,
    targets: Floats,
    rows: Ints,
    weights: Floats,
    total: Floats,
) -> None:
    count = r.shape[1]
    held = np.empty(count)
    place = 0
    for t in range(r.shape[0]):
        if place < rows.size and rows[place] == t:
            held[:] = targets[place]
            place += 1
        growth = 0.0
        for k in range(count):
            weights[t, k] = held[k]
            growth += held[k] * (1.0 + r[t, k])
        total[t] = growth - 1.0
        for k in range(count):
            held[k] *= (1.0 + r[t, k]) / growth
