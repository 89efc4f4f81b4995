# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
"""Portfolios under bounds, group limits and a turnover limit: least variance, highest Sharpe ratio, most diversified.

Each is one convex quadratic programme. With finite bounds only it is read off the exact frontier; with groups, a
turnover limit or an infinite bound Clarabel's interior point method solves it, and the answer is then made exact on the
constraints that bind. What no weights can satisfy is named: the smallest set of constraints that contradict each other.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from quant.allocation.constraints import Constraints, Group, Rows, highest, refuse
from quant.allocation.frontier import Frontier, frontier_between
from quant.covariance.semidefinite import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats
from quant.numeric.errors import DataError, Infeasible, QuantError

_TOLERANCE: Final = 1e-11
_ACCEPTED: Final = 1e-8
"""The largest violation of a constraint, and the largest relative gap of the variance, in an answer."""
_FITTING: Final = 1e-12
"""Bounds whose sums miss 1 by more than this go to the solver, which names them or meets them as closely as it can."""
_RISKLESS: Final = 1e-13
_WIDE: Final = 1e3
"""Variance, relative to the mean variance of the assets, that is rounding."""


@checked_arguments
def minimum_variance(
    cov: ArrayLike,
    *,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> Floats:
    """Weights with the least variance.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns, of any period; singular is allowed.
    lower, upper : array_like, scalar or shape (N,)
        Bounds of the weights; an infinite one does not bind.
    groups : sequence of Group
        Limits of the sum of some weights.
    turnover : float, optional
        The most that may be traded one way: sum abs(w - current) / 2.
    current : array_like, shape (N,), optional
        Weights held now; given with `turnover`. Their sum need not be 1: then cash is part of the trade, which the
        definition counts by half, and a turnover below abs(1 - sum) / 2 is not feasible.

    Returns
    -------
    ndarray, shape (N,)
        Weights with sum 1 to rounding; those at a bound are exactly there.

    Raises
    ------
    DataError
        If `cov` is not a covariance, or a bound, a group, `turnover` or `current` is not finite, not of the right
        shape, or contradicts itself.
    Infeasible
        If no weights satisfy the constraints; the message names those that contradict each other.
    QuantError
        If the solver does not reach 1e-8.

    Examples
    --------
    >>> minimum_variance([[0.01, 0.0], [0.0, 0.04]]).round(6).tolist()
    [0.8, 0.2]
    >>> minimum_variance([[0.01, 0.0], [0.0, 0.04]], turnover=0.1, current=[0.5, 0.5]).round(6).tolist()
    [0.6, 0.4]
    """
    matrix = checked_covariance(cov, allow_zero_variance=True)
    constraints = Constraints.checked(len(matrix), lower, upper, groups, turnover, current)
    frontier = _frontier(np.zeros(len(matrix)), matrix, constraints)
    if frontier is not None:
        return frontier.minimum_variance.weights
    return _solve_scaled(matrix, np.append(np.zeros(len(matrix)), 1.0), constraints)


@checked_arguments
def minimum_variance_at(
    mean: ArrayLike,
    cov: ArrayLike,
    target: float,
    *,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> Floats:
    """Weights with the least variance among those whose mean return is at least `target`: a frontier point.

    Below the mean return of the minimum variance portfolio the answer is that portfolio, since all others with the
    target's mean return have both less of it and more risk.

    Parameters
    ----------
    mean : array_like, shape (N,)
        Mean returns, of the period of `cov`.
    cov : array_like, shape (N, N)
        Covariance of returns; singular is allowed.
    target : float
        Mean return, of the same period.
    lower, upper, groups, turnover, current
        As in `minimum_variance`.

    Returns
    -------
    ndarray, shape (N,)
        Weights with sum 1.

    Raises
    ------
    DataError
        As `minimum_variance`; or if `mean` or `target` is not finite.
    Infeasible
        If no weights satisfy the constraints, or `target` is above the highest mean return that they allow, which
        the message says.
    QuantError
        If the solver does not reach 1e-8.

    References
    ----------
    Markowitz (1952), "Portfolio selection", Journal of Finance 7(1).

    Examples
    --------
    >>> minimum_variance_at([0.05, 0.10], [[0.01, 0.0], [0.0, 0.04]], 0.08).round(6).tolist()
    [0.4, 0.6]
    """
    matrix = checked_covariance(cov, allow_zero_variance=True)
    means = _checked_mean(mean, len(matrix))
    if not np.isfinite(target):
        raise DataError(f"`target` must be finite, got {target!r}")
    constraints = Constraints.checked(len(matrix), lower, upper, groups, turnover, current)
    frontier = _frontier(means, matrix, constraints)
    most = highest(means, constraints) if frontier is None else float(frontier.corners.returns[0])
    size = float(np.abs(means).max()) or 1.0
    if target > most + 1e-9 * size:
        raise Infeasible(f"`target` {target:g} is above {most:.9g}, the highest mean return that the constraints allow")
    if frontier is not None:
        least = float(frontier.corners.returns[-1])
        return frontier.at_return(max(min(target, most), least)).weights
    aimed = replace(constraints, mean=means / size, target=min(target, most) / size)
    return _solve_scaled(matrix, np.append(np.zeros(len(matrix)), 1.0), aimed)


@checked_arguments
def maximum_sharpe(
    mean: ArrayLike,
    cov: ArrayLike,
    *,
    rate: float = 0.0,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> Floats:
    r"""Weights with the highest Sharpe ratio.

    .. math:: \max_w \frac{(\mu - r)' w}{\sqrt{w' \Sigma w}}

    With :math:`y = \kappa w`, :math:`(\mu - r)' y = 1` it is the least :math:`y' \Sigma y` under the same constraints,
    each limit scaled with :math:`\kappa \ge 0`.

    Parameters
    ----------
    mean : array_like, shape (N,)
        Mean returns, of the period of `cov`.
    cov : array_like, shape (N, N)
        Covariance of returns; singular is allowed.
    rate : float
        Risk-free return, of the same period.
    lower, upper, groups, turnover, current
        As in `minimum_variance`.

    Returns
    -------
    ndarray, shape (N,)
        Weights with sum 1.

    Raises
    ------
    DataError
        As `minimum_variance`; or if `mean` or `rate` is not finite.
    Infeasible
        If no weights satisfy the constraints; if none of them has a mean return above `rate`, the message says the
        highest; or if the ratio has no maximum: some have a mean return above `rate` and no variance, or infinite
        bounds let it grow without end.
    QuantError
        If the solver does not reach 1e-8.

    References
    ----------
    Cornuejols and Tutuncu (2007), "Optimization methods in finance", section 8.2.

    Examples
    --------
    >>> maximum_sharpe([0.05, 0.10], [[0.01, 0.0], [0.0, 0.04]]).round(6).tolist()
    [0.666667, 0.333333]
    """
    matrix = checked_covariance(cov, allow_zero_variance=True)
    means = _checked_mean(mean, len(matrix))
    if not np.isfinite(rate):
        raise DataError(f"`rate` must be finite, got {rate!r}")
    constraints = Constraints.checked(len(matrix), lower, upper, groups, turnover, current)
    excess = means - rate
    frontier = _frontier(means, matrix, constraints)
    most = highest(excess, constraints) if frontier is None else float(frontier.corners.returns[0]) - rate
    if most <= 1e-12 * float(np.abs(means).max() + abs(rate)):
        raise Infeasible(
            f"no weights that satisfy the constraints have a mean return above `rate` {rate:g}; the highest is "
            f"{most + rate:.9g}"
        )
    if frontier is not None:
        return frontier.maximum_sharpe(rate).weights
    scale = min(most, float(np.abs(excess).max()))
    return _solve_scaled(matrix, np.append(excess / scale, 0.0), constraints)


@checked_arguments
def maximum_diversification(
    cov: ArrayLike,
    *,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: Sequence[Group] = (),
    turnover: float | None = None,
    current: ArrayLike | None = None,
) -> Floats:
    r"""Weights with the highest diversification ratio, the mean volatility over the portfolio's.

    .. math:: \max_w \frac{\sigma' w}{\sqrt{w' \Sigma w}}

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns, of any period; singular is allowed.
    lower, upper, groups, turnover, current
        As in `minimum_variance`.

    Returns
    -------
    ndarray, shape (N,)
        Weights with sum 1.

    Raises
    ------
    DataError
        As `minimum_variance`.
    Infeasible
        If no weights satisfy the constraints, or the ratio has no maximum.
    QuantError
        If the solver does not reach 1e-8.

    References
    ----------
    Choueifaty and Coignard (2008), "Toward maximum diversification", Journal of Portfolio Management 35(1).

    Examples
    --------
    Without correlation the weights are inverse to the volatilities.

    >>> maximum_diversification([[0.01, 0.0], [0.0, 0.04]]).round(6).tolist()
    [0.666667, 0.333333]
    """
    matrix = checked_covariance(cov, allow_zero_variance=True)
    constraints = Constraints.checked(len(matrix), lower, upper, groups, turnover, current)
    volatilities = np.sqrt(np.diag(matrix))
    if _is_wide(volatilities) and constraints.are_long_only:
        return _most_diversified(matrix, volatilities)
    frontier = _frontier(volatilities, matrix, constraints)
    most = highest(volatilities, constraints) if frontier is None else float(frontier.corners.returns[0])
    if most <= 1e-12 * float(volatilities.max()):
        raise Infeasible("no weights that satisfy the constraints have a positive mean volatility")
    if frontier is not None:
        return frontier.maximum_sharpe().weights
    scale = min(most, float(volatilities.max()))
    return _solve_scaled(matrix, np.append(volatilities / scale, 0.0), constraints)


def _is_wide(volatilities: Floats) -> bool:
    """Whether the covariances span so many orders of magnitude that the frontier would lose digits."""
    return float(volatilities.max()) > _WIDE * float(volatilities.min()) > 0.0


def _most_diversified(cov: Floats, volatilities: Floats) -> Floats:
    """Long-only weights: those of least variance of the correlation matrix, over the volatilities.

    The ratio does not change with the sum of the weights, nor with the units of the assets.
    """
    correlation = cov / np.outer(volatilities, volatilities)
    shares = minimum_variance(correlation)
    if shares @ correlation @ shares < _RISKLESS:
        raise Infeasible("the ratio has no maximum: a portfolio with a positive mean volatility has no risk")
    weights = shares / volatilities
    return weights / math.fsum(weights)


def _checked_mean(mean: ArrayLike, assets: int) -> Floats:
    means = np.array(mean, dtype=np.float64)
    if means.shape != (assets,):
        raise DataError(f"`mean` must have shape ({assets},), as `cov` has {assets} assets; got {means.shape}")
    if not np.isfinite(means).all():
        i = int((~np.isfinite(means)).argmax())
        raise DataError(f"`mean` must be finite; asset {i} has {means[i]}")
    return means


def _frontier(mean: Floats, cov: Floats, constraints: Constraints) -> Frontier | None:
    """The exact frontier if the only constraints are finite bounds that some weights satisfy, otherwise None."""
    low, high = constraints.low, constraints.high
    if constraints.groups or constraints.turnover is not None or not np.isfinite(np.stack([low, high])).all():
        return None
    if math.fsum(low) > 1.0 + _FITTING or math.fsum(high) < 1.0 - _FITTING:
        return None
    return frontier_between(low, high, mean, cov)


def _solve_scaled(cov: Floats, normal: Floats, constraints: Constraints) -> Floats:
    """The w = y / k of the y and k >= 0 with the least y' cov y, normal' (y, k) = 1 and the constraints times k."""
    unit = float(np.mean(np.diag(cov))) or 1.0
    scale, rows = unit, constraints.rows()
    point = _clarabel(cov / scale, normal, rows)
    if point is None:
        refuse(constraints)
        raise QuantError("the solver found no optimum, although the constraints can be satisfied")
    variance = float(point[0] @ cov @ point[0])
    if _RISKLESS * unit < variance < 0.01 * unit:
        # the solver's tolerance is absolute for values below one
        scale = variance
        point = _clarabel(cov / scale, normal, rows) or point
    y, k, active = point
    ratio_sought = normal[:-1].any()
    if ratio_sought and (k <= 1e-9 * np.abs(y).max() or y @ cov @ y < _RISKLESS * unit):
        raise Infeasible(
            "the ratio has no maximum: weights that satisfy the constraints bring it above any number, by having no "
            "variance or by growing without end"
        )
    weights = _polish(cov / scale, normal, constraints, y / k, active)
    violation = constraints.violation(weights)
    if violation > _ACCEPTED:
        raise QuantError(f"the solver left a constraint violated by {violation:.1g}")
    return weights


def _clarabel(cov: Floats, normal: Floats, constraints: Rows) -> tuple[Floats, float, Flags] | None:
    """The y and k of the least y' cov y, and which rows bind; none if the solver does not say that they are optimal."""
    import clarabel
    from scipy import sparse

    n = len(cov)
    matrix: Any = constraints.matrix
    count, width = matrix.shape
    quadratic: Any = sparse.block_diag(
        [sparse.csc_matrix(np.triu(cov)), sparse.csc_matrix((width + 1 - n, width + 1 - n))]
    )
    budget = np.concatenate([np.ones(n), np.zeros(width - n), [-1.0]])
    scaled = np.concatenate([normal[:-1], np.zeros(width - n), normal[-1:]])
    homogeneous: Any = sparse.hstack([matrix, sparse.csc_matrix(-constraints.limits[:, None])], format="csr")
    positive = sparse.csr_matrix(([-1.0], ([0], [width])), shape=(1, width + 1))
    rows: Any = sparse.vstack([sparse.csr_matrix(np.stack([budget, scaled])), homogeneous, positive], format="csc")
    right = np.zeros(count + 3)
    right[1] = 1.0
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = _TOLERANCE
    settings.reduced_tol_gap_abs = settings.reduced_tol_gap_rel = settings.reduced_tol_feas = 0.1 * _ACCEPTED
    cones = [clarabel.ZeroConeT(2), clarabel.NonnegativeConeT(count + 1)]
    solution = clarabel.DefaultSolver(quadratic.tocsc(), np.zeros(width + 1), rows, right, cones, settings).solve()
    if solution.status not in {clarabel.SolverStatus.Solved, clarabel.SolverStatus.AlmostSolved}:
        return None
    x, slack, price = np.array(solution.x), np.array(solution.s)[2:-1], np.array(solution.z)[2:-1]
    return x[:n], float(x[-1]), price > slack


def _polish(cov: Floats, normal: Floats, constraints: Constraints, weights: Floats, binding: Flags) -> Floats:
    """The first of these that satisfies the constraints and has no more variance than the solver's `weights`.

    The optimum on the constraints that bind, the weights with those next to a bound moved onto it, and the weights cut
    to the bounds. The solver's point lies inside the constraints, so that the optimum never has more variance.
    """
    snapped = _clip_to_bounds(constraints, weights)
    clipped = np.clip(weights, constraints.low, constraints.high)
    largest = _value(cov, normal, weights) * (1.0 + 1e-10) + _RISKLESS
    for candidate in (_solve_binding(cov, normal, constraints, weights, binding), snapped, clipped):
        if candidate is None or constraints.violation(candidate) > _TOLERANCE:
            continue
        if _value(cov, normal, candidate) <= largest:
            return candidate
    return min(snapped, clipped, key=constraints.violation)


def _value(cov: Floats, normal: Floats, weights: Floats) -> float:
    size = float(normal[:-1] @ weights + normal[-1])
    return float(weights @ cov @ weights) / (size * size)


def _clip_to_bounds(constraints: Constraints, weights: Floats) -> Floats:
    """The weights clipped to their bounds; the remainder to a sum of 1 goes to the weights below their upper bound."""
    low, high = constraints.low, constraints.high
    weights = np.clip(weights, low, high)
    weights = np.where(weights - low < 1e-9, low, np.where(high - weights < 1e-9, high, weights))
    missing = 1.0 - float(weights.sum())
    room = np.minimum(weights - low if missing < 0.0 else high - weights, 1.0)
    return np.clip(weights + missing / room.sum() * room, low, high) if room.sum() > abs(missing) else weights


def _solve_binding(
    cov: Floats, normal: Floats, constraints: Constraints, weights: Floats, binding: Flags
) -> Floats | None:
    """The optimum with each binding inequality as an equation: one linear system in the free weights and k."""
    n = weights.size
    names = constraints.rows().names
    bound = {name for name, binds in zip(names, binding[: len(names)], strict=True) if binds}
    fixed = np.full(n, np.nan)
    side = np.zeros(n)
    if constraints.current is not None:
        up, down = binding[len(names) : len(names) + n], binding[len(names) + n :]
        side = np.where(up, 1.0, -1.0)
        if ("turnover", 0) in bound:
            fixed[up & down] = constraints.current[up & down]
    for kind, bounds in (("lower", constraints.low), ("upper", constraints.high)):
        at = [i for name, i in bound if name == kind]
        fixed[at] = bounds[at]
    free = np.flatnonzero(np.isnan(fixed))
    bound_values = np.where(np.isnan(fixed), 0.0, fixed)
    spread = np.zeros((n, free.size + 1))
    spread[free, np.arange(free.size)] = 1.0
    spread[:, -1] = bound_values
    last = np.zeros((n + 1, free.size + 1))
    last[:-1], last[-1, -1] = spread, 1.0
    equations = np.array(_equations(constraints, bound, side, fixed)) @ last
    equations = np.vstack([normal @ last, equations])
    count, width = equations.shape
    system = np.zeros((width + count, width + count))
    system[:width, :width] = spread.T @ cov @ spread
    system[:width, width:] = equations.T
    system[width:, :width] = equations
    right = np.zeros(width + count)
    right[width] = 1.0
    try:
        answer = np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(answer).all() and answer[free.size] > 0.0):
        return None
    exact = bound_values.copy()
    exact[free] = answer[: free.size] / answer[free.size]
    return exact


def _equations(constraints: Constraints, bound: set[tuple[str, int]], side: Floats, fixed: Floats) -> list[Floats]:
    """The budget and the binding limits of sums, as rows of coefficients of (y, k)."""
    n = side.size
    equations = [np.append(np.ones(n), -1.0)]
    for g, group in enumerate(constraints.groups):
        for name, limit in (("group lower", group.lower), ("group upper", group.upper)):
            if (name, g) in bound and not (name == "group upper" and ("group lower", g) in bound):
                row = np.zeros(n + 1)
                row[list(group.members)] = 1.0
                row[-1] = -limit
                equations.append(row)
    if constraints.mean is not None and ("target", 0) in bound:
        equations.append(np.append(constraints.mean, -constraints.target))
    if constraints.current is not None and constraints.turnover is not None and ("turnover", 0) in bound:
        still = ~np.isnan(fixed)
        signs = np.where(still, np.sign(fixed - constraints.current), side)
        equations.append(np.append(signs, -float(signs @ constraints.current) - 2.0 * constraints.turnover))
    return equations
