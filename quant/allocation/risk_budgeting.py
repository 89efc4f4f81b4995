r"""Risk budgeting: the long-only portfolio whose assets take given shares of its volatility.

The weights are proportional to the solution of the convex problem

.. math:: \min_{y > 0} \tfrac12 y^\top \Sigma y - \sum_i b_i \ln y_i

(Spinu 2013; equal budgets: Maillard, Roncalli and Teiletche 2010), found on the correlation matrix by cyclical
coordinate descent (Griveau-Billion, Richard and Roncalli 2013) whose iterate is brought back to unit variance after
each cycle, as Choi and Chen (2022) propose. Where the descent is slow (assets that nearly cancel), Spinu's damped
Newton method finishes. Loops run in index order without BLAS, so that the weights have the same bits on every machine.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import (
    FINE,
    INDEFINITE,
    NO_VARIANCE,
    checked_covariance,
    factorises,
    refuse,
    refuse_indefinite,
    square_matrix,
    standardise,
    writable,
)
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError, Infeasible

ACCEPTED = 1e-8
"""Largest distance of a share of risk from its budget."""
_WANTED = 1e-10
_CYCLES = 100
_STEPS = 100

_FACTOR, _BUDGET, _BUDGETS = range(10, 13)
"""Fault codes in addition to those of `standardise`."""


@compiled
def _product(matrix: Floats, y: Floats, out: Floats) -> None:
    out[:] = 0.0
    for i in range(y.size):
        row = matrix[i]
        for j in range(y.size):
            out[j] += row[j] * y[i]


@compiled
def _rescale(y: Floats, pull: Floats, budgets: Floats) -> float:
    """Bring `y` and its `pull` (correlation times y) to unit variance; largest distance from the budgets."""
    variance = 0.0
    for i in range(y.size):
        variance += y[i] * pull[i]
    if not variance > 0.0:
        return np.inf
    scale = 1.0 / math.sqrt(variance)
    worst = 0.0
    for i in range(y.size):
        y[i] *= scale
        pull[i] *= scale
        worst = max(worst, abs(y[i] * pull[i] - budgets[i]))
    return worst


@compiled
def _descend(correlation: Floats, budgets: Floats, y: Floats, pull: Floats) -> float:
    """Cyclical coordinate descent from `y`."""
    n = y.size
    _product(correlation, y, pull)
    worst = _rescale(y, pull, budgets)
    for _ in range(_CYCLES):
        if worst < _WANTED or worst == np.inf:
            break
        for i in range(n):
            half = 0.5 * (pull[i] - y[i])
            root = math.sqrt(half * half + budgets[i])
            new = budgets[i] / (half + root) if half > 0.0 else root - half
            step = new - y[i]
            y[i] = new
            row = correlation[i]
            for j in range(n):
                pull[j] += step * row[j]
        worst = _rescale(y, pull, budgets)
    return worst


@compiled
def _solve(matrix: Floats, x: Floats) -> bool:
    """Overwrite `x` by the solution for the positive definite `matrix`, which is overwritten; False if it is not."""
    n = x.size
    for j in range(n):
        pivot = matrix[j, j]
        if not pivot > 0.0:
            return False
        top = matrix[j]
        for i in range(j + 1, n):
            share = top[i] / pivot
            row = matrix[i]
            for k in range(i, n):
                row[k] -= share * top[k]
            x[i] -= share * x[j]
    for j in range(n - 1, -1, -1):
        rest = x[j]
        for k in range(j + 1, n):
            rest -= matrix[j, k] * x[k]
        x[j] = rest / matrix[j, j]
    return True


@compiled
def _newton(correlation: Floats, budgets: Floats, y: Floats, pull: Floats) -> float:
    """Spinu's damped Newton method from `y`, in relative steps: there the Hessian is at least the least budget."""
    n = y.size
    hessian = np.empty((n, n))
    step = np.empty(n)
    best = y.copy()
    least = np.inf
    for _ in range(_STEPS):
        for i in range(n):
            for j in range(n):
                hessian[i, j] = y[i] * correlation[i, j] * y[j]
            hessian[i, i] += budgets[i]
            step[i] = budgets[i] - y[i] * pull[i]
        if not _solve(hessian, step):
            break
        longest = np.max(np.abs(step))
        damping = 1.0 if longest < 0.38 else 1.0 / (1.0 + longest)
        for i in range(n):
            y[i] *= 1.0 + damping * step[i]
        _product(correlation, y, pull)
        worst = _rescale(y, pull, budgets)
        if worst < least:
            least = worst
            best[:] = y
        if worst < _WANTED or worst == np.inf:
            break
    y[:] = best
    return least


@compiled
def _budgeted(correlation: Floats, budgets: Floats, y: Floats) -> float:
    """Solve for positive `budgets` with sum 1; the residual."""
    n = y.size
    pull = np.empty(n)
    for i in range(n):
        y[i] = math.sqrt(budgets[i])
    worst = _descend(correlation, budgets, y, pull)
    if not worst < _WANTED and worst < np.inf:
        descended = y.copy()
        polished = _newton(correlation, budgets, y, pull)
        if polished > worst:
            y[:] = descended
    _product(correlation, y, pull)
    return _rescale(y, pull, budgets)


BUDGET_SUM: Final = 1e-6
"""How far the sum of budgets may lie from 1."""


@compiled
def _check_budgets(budgets: Floats) -> tuple[int, int]:
    """Fault and asset."""
    total = 0.0
    for i in range(budgets.size):
        if not 0.0 <= budgets[i] < np.inf:
            return _BUDGET, i
        total += budgets[i]
    return (FINE if abs(total - 1.0) <= BUDGET_SUM else _BUDGETS), 0


@compiled
def _weigh(correlation: Floats, deviations: Floats, budgets: Floats, out: Floats) -> float:
    """Fill `out`, an asset without a budget left out of the problem; the residual."""
    n = out.size
    budgeted = np.flatnonzero(budgets > 0.0)
    shares = budgets[budgeted]
    total = 0.0
    for a in range(budgeted.size):
        total += shares[a]
    for a in range(budgeted.size):
        shares[a] /= total
    y = np.empty(budgeted.size)
    if budgeted.size == n:
        residual = _budgeted(correlation, shares, y)
    else:
        part = np.empty((budgeted.size, budgeted.size))
        for a in range(budgeted.size):
            for b in range(budgeted.size):
                part[a, b] = correlation[budgeted[a], budgeted[b]]
        residual = _budgeted(part, shares, y)
    total = 0.0
    for a in range(budgeted.size):
        y[a] /= deviations[budgeted[a]]
        total += y[a]
    out[:] = 0.0
    for a in range(budgeted.size):
        out[budgeted[a]] = y[a] / total
    return residual


@compiled
def _check_and_weigh(
    cov: Floats, budgets: Floats, correlation: Floats, out: Floats, factorise: int
) -> tuple[int, int, int, float]:
    """Fault, row, column, residual; fills `correlation` and `out`, checks definiteness if `factorise`."""
    n = out.size
    fault, row = _check_budgets(budgets)
    if fault != FINE:
        return fault, row, row, np.inf
    deviations = np.empty(n)
    fault, row, column = standardise(cov, correlation, deviations)
    if fault != FINE:
        return fault, row, column, np.inf
    for i in range(n):
        if deviations[i] == 0.0:
            return NO_VARIANCE, i, i, np.inf
    if factorise and not factorises(correlation, INDEFINITE):
        return _FACTOR, 0, 0, np.inf
    return FINE, 0, 0, _weigh(correlation, deviations, budgets, out)


@compiled
def risk_parity_weights(cov: Floats, budgets: Floats, out: Floats) -> float:
    """The compiled core, for other kernels: fill `out`, give max abs(RC_i / sigma_p - b_i).

    `cov` is trusted to be positive semidefinite. The result is infinite, and `out` not to be used, if an input is not
    finite, a variance not positive, a budget negative, or their sum not 1; above `ACCEPTED` there is no solution.
    """
    fault, _, _, residual = _check_and_weigh(cov, budgets, np.empty_like(cov), out, 0)
    return residual if fault == FINE else np.inf


@checked_arguments
def risk_parity(cov: ArrayLike, budgets: ArrayLike | None = None, *, semidefinite: bool = False) -> Floats:
    """Long-only weights whose shares of the portfolio's volatility are the `budgets`.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns; singular is allowed. The unit of time does not matter.
    budgets : array_like, shape (N,), optional
        Shares of risk, not negative, with sum 1 (to 1e-6; they are rescaled to it); a zero means a weight of zero.
        Equal by default.
    semidefinite : bool
        True states that `cov` is known to be positive semidefinite, as a sample covariance is: its check, which takes
        most of the time from about 100 assets on, is left out.

    Returns
    -------
    ndarray, shape (N,)
        Fractions with sum 1, positive where the budget is; max abs(RC_i / sigma_p - b_i) is below 1e-8, and below 1e-10
        unless the portfolio's risk nearly cancels. The same bits on every machine.

    Raises
    ------
    DataError
        If `cov` is not square, finite, symmetric (to 1e-8 of the product of deviations) and positive semidefinite
        (no eigenvalue of the correlation matrix below -1e-8), an asset has no variance, or the budgets are not finite,
        negative, of another length or of another sum than 1.
    Infeasible
        If a long-only portfolio has no risk, to rounding: then no portfolio has these budgets.

    References
    ----------
    Spinu (2013), "An algorithm for computing risk parity weights". Maillard, Roncalli and Teiletche (2010), "The
    properties of equally weighted risk contribution portfolios", Journal of Portfolio Management 36(4).
    Griveau-Billion, Richard and Roncalli (2013), "A fast algorithm for computing high-dimensional risk parity
    portfolios". Choi and Chen (2022), "Improved iterative methods for solving risk parity portfolio".

    Examples
    --------
    Without correlation the weights are inverse to the volatilities.

    >>> risk_parity([[0.01, 0.0], [0.0, 0.04]]).round(6).tolist()
    [0.666667, 0.333333]
    """
    matrix = square_matrix(cov)
    n = len(matrix)
    shares = np.full(n, 1.0 / n) if budgets is None else np.ascontiguousarray(budgets, dtype=np.float64)
    if shares.shape != (n,):
        raise DataError(f"`budgets` must have shape ({n},), as `cov` has {n} assets; got {shares.shape}")
    shares = writable(shares)
    correlation, weights = np.empty((n, n)), np.empty(n)
    fault, row, column, residual = _check_and_weigh(matrix, shares, correlation, weights, 0 if semidefinite else 1)
    if fault == _BUDGET:
        raise DataError(f"`budgets` must be finite and not negative; that of asset {row} is {shares[row]}")
    if fault == _BUDGETS:
        raise DataError(f"`budgets` must have the sum 1, to {BUDGET_SUM:g}; got {math.fsum(shares):.12g}")
    if fault == _FACTOR:
        refuse_indefinite(correlation)
    refuse(fault, row, column, matrix)
    if not residual < ACCEPTED:
        raise Infeasible(
            f"no weights have these `budgets`: the risk of a long-only portfolio of `cov` cancels to rounding, and the "
            f"shares of risk stay {residual:.3g} from the budgets; {ACCEPTED:g} is allowed"
        )
    return weights


@compiled
def _contributions(weights: Floats, cov: Floats, out: Floats) -> float:
    _product(cov, weights, out)
    variance = 0.0
    for i in range(weights.size):
        variance += weights[i] * out[i]
    volatility = math.sqrt(max(variance, 0.0))
    for i in range(weights.size):
        out[i] = weights[i] * out[i] / volatility
    return volatility


def risk_contributions(weights: ArrayLike, cov: ArrayLike) -> Floats:
    r"""Parts of a portfolio's volatility, :math:`w_i (\Sigma w)_i / \sigma_p`; their sum is the volatility.

    Parameters
    ----------
    weights : array_like, shape (N,)
        Fractions, of either sign; they need not sum to 1.
    cov : array_like, shape (N, N)
        Covariance of returns; assets without variance are allowed.

    Returns
    -------
    ndarray, shape (N,)
        In the unit of the volatility; negative for an asset that hedges.

    Raises
    ------
    DataError
        If `cov` is not a finite, symmetric, positive semidefinite matrix, the weights are not finite or do not fit it,
        or the portfolio has no risk.

    References
    ----------
    Maillard, Roncalli and Teiletche (2010), section 2.

    Examples
    --------
    >>> risk_contributions([0.5, 0.25], [[0.01, 0.0], [0.0, 0.04]]).round(6).tolist()
    [0.035355, 0.035355]
    """
    matrix = checked_covariance(cov, allow_zero_variance=True)
    w = np.ascontiguousarray(weights, dtype=np.float64)
    if w.shape != (len(matrix),) or not np.isfinite(w).all():
        raise DataError(f"`weights` must be finite, of shape ({len(matrix)},); got {w.shape}: {w}")
    w, out = writable(w), np.empty(w.size)
    if not _contributions(w, matrix, out) > 0.0:
        raise DataError("`weights` have no risk under `cov`: a volatility of zero has no parts")
    return out
