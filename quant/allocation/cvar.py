# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
"""The portfolio with the least conditional value at risk over equally likely scenarios.

Rockafellar and Uryasev (2000) state it as a linear programme with one variable and one row for each scenario. Its
dual has the probabilities of the worst case as variables, so that each step of an interior point method on the pair
reduces to a system of N + 2 equations, whatever the number of scenarios. Scenarios far from the tail have probability
zero there: they are left out first, and return if the proof of optimality over all scenarios fails without them.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from quant.allocation.constraints import checked_bounds, checked_budget
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError, QuantError
from quant.numeric.moments import finite_matrix
from quant.numeric.returns import Returns

_ITERATIONS: Final = 100
_GAP: Final = 1e-10
"""The weights are accepted this close to the bound that the dual proves, relative to the value."""
_LARGEST_GAP: Final = 1e-8
"""The largest gap accepted where rounding stops the steps from coming closer."""
_PATIENCE: Final = 4
"""Consecutive steps without progress after which the descent stops."""
_SHARE: Final = 0.9995
"""How far a step goes towards the first bound that it meets."""
_NEAR: Final = 1e-6
"""Sum of the products of slacks and prices below which the weights are checked."""
_PROXIMAL: Final = 1e-13
"""Added to the unit diagonal of each system, so that copies of one asset leave it regular."""
_LEAST_PRODUCTS: Final = 2e-13
"""Smallest target of that sum: below it rounding dominates the equations."""
_TAILS: Final = 2.0
"""Scenarios tried first, in lengths of the tail, and in number of assets."""
_EACH_ASSET: Final = 2
_BLOCK: Final = 64
_FIXED: Final = 1e-12
"""Bounds closer than this fix the weight."""
_SMALLEST_VALUE: Final = 1e-2
"""Of the mean size of a return: a value nearer to zero is measured against this."""


class CvarPortfolio(NamedTuple):
    """Weights with the least conditional value at risk, and the proof of it.

    Attributes
    ----------
    weights : ndarray, shape (N,)
    gap : float
        How far their value may lie above the least, relative to it, by the duality bound; at most 1e-8.
    """

    weights: Floats
    gap: float


@checked_arguments
def minimum_cvar(
    scenarios: ArrayLike | Returns, level: float = 0.95, lower: ArrayLike = 0.0, upper: ArrayLike = 1.0
) -> Floats:
    r"""Weights with the least conditional value at risk of the loss.

    .. math:: \min_{w, \alpha} \; \alpha + \frac{1}{(1 - \beta) S} \sum_s \max(0, -r_s' w - \alpha)
              \quad \text{subject to} \quad 1' w = 1, \; l \le w \le h

    the mean loss over the worst :math:`1 - \beta` of the probability, whose boundary scenario counts in part. If
    :math:`(1 - \beta) S \le 1` it is the loss in the worst scenario.

    Parameters
    ----------
    scenarios : array_like of shape (S, N), or Returns
        Simple returns per period of N assets, as fractions, in S equally likely scenarios.
    level : float
        Confidence level :math:`\beta`, in (0, 1).
    lower, upper : array_like, scalar or shape (N,)
        Bounds of the weights, finite.

    Returns
    -------
    ndarray, shape (N,)
        Within the bounds; the sum is 1 to rounding. Where several portfolios share the least value it lies amid
        them, so that copies of one asset get equal weights.

    Raises
    ------
    DataError
        If `scenarios` is not a finite matrix, `level` is outside (0, 1), or a bound is not finite, of another shape
        or beyond its opposite.
    Infeasible
        If weights within the bounds cannot sum to 1.
    QuantError
        If rounding keeps the answer farther than 1e-8 from the optimum, relative to the value.

    Notes
    -----
    Mehrotra's predictor and corrector. The answer is proved by duality: the probabilities found bound the least value
    from below, and the value of the weights, computed afresh from the ordered losses, lies at that bound.

    References
    ----------
    Rockafellar and Uryasev (2000), "Optimization of conditional value-at-risk", Journal of Risk 2(3), eq. (17);
    Mehrotra (1992), "On the implementation of a primal-dual interior point method", SIAM Journal on Optimization 2(4).

    Examples
    --------
    Two assets that fall in turn, one twice as far:

    >>> minimum_cvar([[0.0, -0.2], [-0.1, 0.0]], level=0.5).round(6).tolist()
    [0.666667, 0.333333]
    """
    return minimum_cvar_portfolio(scenarios, level, lower, upper).weights


def minimum_cvar_portfolio(
    scenarios: ArrayLike | Returns, level: float, lower: ArrayLike, upper: ArrayLike
) -> CvarPortfolio:
    """As `minimum_cvar`, with the proved gap of the value."""
    sample = finite_matrix(scenarios, name="scenarios")
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1), got {level!r}")
    count, assets = sample.shape
    low, high = checked_bounds(lower, upper, assets, finite=True)
    checked_budget(low, high)
    budget = 1.0 - float(low.sum())
    if budget <= _FIXED or float(high.sum()) <= 1.0 + _FIXED:
        ends = low if budget <= _FIXED else high
        return CvarPortfolio(ends / ends.sum(), 0.0)

    free = high - low > _FIXED
    scale = float(np.abs(sample[:, free]).mean()) or 1.0
    returns = np.ones((count, int(free.sum()) + 1))
    returns[:, :-1] = sample[:, free] / scale
    cap = 1.0 / ((1.0 - level) * count)
    weights = low.copy()
    weights[free], gap = _solve(
        _Problem(
            returns,
            sample[:, ~free] @ low[~free] / scale,
            cap if cap < 1.0 else 2.0,
            low[free],
            high[free],
            1.0 - float(low[~free].sum()),
        )
    )
    return CvarPortfolio(weights, gap)


@dataclass(frozen=True)
class _Problem:
    """Returns of the free assets beside a column of ones, the fixed assets' part, the most one scenario can count."""

    returns: Floats
    offset: Floats
    cap: float
    lower: Floats
    upper: Floats
    budget: float


@dataclass(frozen=True)
class _State:
    """The iterate, changed in place.

    `weights` (5, N): weights, their distance to each bound and its price; last, the predictor's step. `scenarios`
    (3, S): loss above the threshold, gain below it, probability in the worst case. `scalars`: threshold, price of the
    budget.
    """

    weights: Floats
    scenarios: Floats
    scalars: Floats


def _solve(problem: _Problem) -> tuple[Floats, float]:
    """The weights and their gap, from the scenarios near the tail where these are proved to be enough."""
    w, count = _middle(problem), problem.offset.size
    selection = np.zeros(count, dtype=np.bool_)
    size = int(_TAILS / problem.cap) + _EACH_ASSET * w.size
    while True:
        loss = -(problem.returns[:, :-1] @ w + problem.offset)
        before = int(selection.sum())
        if before + size > count // 2:
            break
        selection[np.argpartition(loss, count - size)[count - size :]] = True
        if int(selection.sum()) == before:
            break
        part = replace(problem, returns=problem.returns[selection], offset=problem.offset[selection])
        w, q, _ = _descend(part)
        whole = np.zeros(count)
        whole[selection] = q
        gap = _gap(w, whole, problem)
        if gap <= _GAP:
            return w, gap
    w, _, gap = _descend(problem)
    if not gap <= _LARGEST_GAP:
        raise QuantError(f"the least conditional value at risk was found to {gap:.1g} of its value only")
    return w, gap


def _descend(problem: _Problem) -> tuple[Floats, Floats, float]:
    """The best weights, the dual probabilities that bound their value, and the remaining gap."""
    state = _start(problem)
    steps, transposed = np.empty((7, problem.offset.size)), np.ascontiguousarray(problem.returns.T)
    best, proof, nearest, stalled = state.weights[0], state.scenarios[2], math.inf, 0
    for _ in range(_ITERATIONS):
        try:
            products = _advance(
                problem.returns,
                problem.offset,
                problem.cap,
                problem.budget,
                state.weights,
                state.scenarios,
                state.scalars,
                steps,
                transposed,
            )
        except np.linalg.LinAlgError:
            break
        if products > _NEAR:
            continue
        weights = _snap_to_bounds(state, problem)
        gap = _gap(weights, state.scenarios[2], problem)
        stalled = 0 if gap < nearest else stalled + 1
        if gap < nearest:
            best, proof, nearest = weights, state.scenarios[2].copy(), gap
        if nearest <= _GAP or stalled > _PATIENCE:
            break
    return best, proof, nearest


def _middle(problem: _Problem) -> Floats:
    low, high = problem.lower, problem.upper
    return low + (problem.budget - low.sum()) / (high.sum() - low.sum()) * (high - low)


def _start(problem: _Problem) -> _State:
    low, high, count = problem.lower, problem.upper, problem.offset.size
    w = _middle(problem)
    loss = -(problem.returns[:, :-1] @ w + problem.offset)
    threshold = float(np.quantile(loss, max(0.0, 1.0 - 1.0 / (problem.cap * count))))
    size = float(np.abs(loss - threshold).mean()) + _SMALLEST_VALUE
    half = 0.5 * (loss - threshold)
    above = half + np.sqrt(half * half + size * size)
    weights = np.stack([w, w - low, high - w, size / count / (w - low), size / count / (high - w)])
    scenarios = np.stack([above, above - 2.0 * half, np.full(count, 1.0 / count)])
    return _State(weights, scenarios, np.array([threshold, 0.0]))


def _snap_to_bounds(state: _State, problem: _Problem) -> Floats:
    """The weights with those at a bound set to it exactly; the others take the rest of the budget."""
    w, to_low, to_high, low_price, high_price = state.weights
    at_low = to_low <= 1e-6 * low_price
    at_high = to_high <= 1e-6 * high_price
    weights = np.where(at_low, problem.lower, np.where(at_high, problem.upper, w))
    room = np.where(at_low | at_high, 0.0, np.minimum(to_low, to_high))
    if not room.any():
        return np.clip(w, problem.lower, problem.upper)
    weights += (problem.budget - weights.sum()) / room.sum() * room
    return np.clip(weights, problem.lower, problem.upper)


def _gap(weights: Floats, q: Floats, problem: _Problem) -> float:
    """How far the value of `weights` may lie above the least, relative to it."""
    loss = -(problem.returns[:, :-1] @ weights + problem.offset)
    whole = min(int(1.0 / problem.cap), loss.size - 1)
    worst = np.partition(loss, loss.size - 1 - whole)[loss.size - 1 - whole :]
    value = problem.cap * float(worst[1:].sum()) + (1.0 - problem.cap * whole) * float(worst[0])
    q = np.clip(q, 0.0, problem.cap)
    q = q / q.sum()
    gain = q @ problem.returns[:, :-1]
    order = np.argsort(-gain, kind="stable")
    width = (problem.upper - problem.lower)[order]
    remaining = problem.budget - problem.lower.sum() - np.append(0.0, np.cumsum(width)[:-1])
    most = gain @ problem.lower + gain[order] @ np.clip(remaining, 0.0, width)
    return abs(value + float(most + q @ problem.offset)) / max(abs(value), _SMALLEST_VALUE)


@compiled
def _advance(
    returns: Floats,
    offset: Floats,
    cap: float,
    budget: float,
    weights: Floats,
    scenarios: Floats,
    scalars: Floats,
    steps: Floats,
    transposed: Floats,
) -> float:
    """One step along the corrected direction; the sum of the slacks times their prices after it."""
    w, to_low, to_high, low_price, high_price = weights[0], weights[1], weights[2], weights[3], weights[4]
    miss, density, side, change = steps[3], steps[4], steps[5], steps[6]
    n = w.size
    pairs = 2 * (n + offset.size)
    moves = np.zeros(n + 2)
    _portfolio(transposed, np.append(w, scalars[0]), miss)
    _weigh(offset, scenarios, cap, miss, density)
    system, size = _equations(returns, density, low_price / to_low + high_price / to_high)
    tilt = np.empty(n + 1)
    _expected(returns, scenarios[2], tilt)
    tilt[:n] += scalars[1] + low_price - high_price
    tilt[n] -= 1.0

    steps[:3] = 0.0
    low_step, high_step, right = np.zeros(n), np.zeros(n), np.zeros(n + 2)
    before = _products(scenarios, cap, steps, 0.0, 0.0) + _bound_products(weights, moves, low_step, high_step, 0.0, 0.0)
    mu, primal, dual = 0.0, 0.0, 0.0
    for attempt in range(2):
        _right_side(mu, miss, scenarios, cap, steps, density, side)
        low_gain = (mu - low_step * moves[:n]) / to_low - low_price
        high_gain = (mu + high_step * moves[:n]) / to_high - high_price
        _expected(returns, side, right[:-1])
        right[:-1] += tilt
        right[:n] += low_gain - high_gain
        right[n + 1] = np.sum(w) - budget
        right *= size
        moves = np.linalg.solve(system, right)
        moves = size * (moves + np.linalg.solve(system, right - system @ moves))
        low_step = low_gain - low_price / to_low * moves[:n]
        high_step = high_gain + high_price / to_high * moves[:n]
        _portfolio(transposed, moves[:-1], change)
        primal, dual = _scenario_steps(mu, miss, scenarios, cap, side, density, change, steps)
        primal = _length(max(primal, np.max(-moves[:n] / to_low), np.max(moves[:n] / to_high)))
        dual = _length(max(dual, np.max(-low_step / low_price), np.max(-high_step / high_price)))
        if attempt == 0:
            after = _products(scenarios, cap, steps, primal, dual)
            ratio = (after + _bound_products(weights, moves, low_step, high_step, primal, dual)) / before
            mu = max(before * ratio * ratio * ratio, _LEAST_PRODUCTS) / pairs
    for s in range(offset.size):
        scenarios[0, s] += primal * steps[0, s]
        scenarios[1, s] += primal * steps[1, s]
        scenarios[2, s] += dual * steps[2, s]
    for i in range(n):
        w[i] += primal * moves[i]
        to_low[i] += primal * moves[i]
        to_high[i] -= primal * moves[i]
        low_price[i] += dual * low_step[i]
        high_price[i] += dual * high_step[i]
    scalars[0] += primal * moves[n]
    scalars[1] += dual * moves[n + 1]
    steps[:3] = 0.0
    return _products(scenarios, cap, steps, 0.0, 0.0) + _bound_products(weights, moves, low_step, high_step, 0.0, 0.0)


@compiled
def _portfolio(returns: Floats, weights: Floats, out: Floats) -> None:
    """The return of `weights` in each scenario, from returns (N + 1, S)."""
    out[:] = 0.0
    for i in range(weights.size):
        weight = weights[i]
        for s in range(out.size):
            out[s] += weight * returns[i, s]


@compiled
def _expected(rows: Floats, q: Floats, out: Floats) -> None:
    """The sum over scenarios of `q` times the returns, from rows (S, N + 1)."""
    out[:] = 0.0
    for s in range(q.size):
        for i in range(rows.shape[1]):
            out[i] += q[s] * rows[s, i]


@compiled
def _gram(rows: Floats, density: Floats, out: Floats) -> None:
    """The lower triangle of rows' diag(density) rows, in blocks of scenarios that stay in the cache, four at a time."""
    count, width = rows.shape
    out[:, :] = 0.0
    for first in range(0, count, _BLOCK):
        last = min(first + _BLOCK, count)
        whole = first + (last - first) // 4 * 4
        for i in range(width):
            for s in range(first, whole, 4):
                a = density[s] * rows[s, i]
                b = density[s + 1] * rows[s + 1, i]
                c = density[s + 2] * rows[s + 2, i]
                d = density[s + 3] * rows[s + 3, i]
                for j in range(i + 1):
                    out[i, j] += (a * rows[s, j] + b * rows[s + 1, j]) + (c * rows[s + 2, j] + d * rows[s + 3, j])
            for s in range(whole, last):
                a = density[s] * rows[s, i]
                for j in range(i + 1):
                    out[i, j] += a * rows[s, j]


@compiled
def _equations(rows: Floats, density: Floats, stiffness: Floats) -> tuple[Floats, Floats]:
    """The reduced system, scaled to a unit diagonal, and the scale."""
    n = stiffness.size
    system = np.zeros((n + 2, n + 2))
    _gram(rows, density, system[:-1, :-1])
    size = np.empty(n + 2)
    for i in range(n):
        system[i, i] += stiffness[i]
        system[n + 1, i] = -1.0
    for i in range(n + 1):
        size[i] = 1.0 / math.sqrt(system[i, i])
    size[n + 1] = 1.0 / np.max(size[:n])
    for i in range(n + 2):
        for j in range(i + 1):
            system[i, j] *= size[i] * size[j]
            system[j, i] = system[i, j]
    for i in range(n + 1):
        system[i, i] += _PROXIMAL
    return system, size


@compiled
def _length(fall: float) -> float:
    return min(1.0, _SHARE / fall) if fall > 0.0 else 1.0


@compiled
def _bound_products(
    weights: Floats, moves: Floats, low_step: Floats, high_step: Floats, primal: float, dual: float
) -> float:
    total = 0.0
    for i in range(low_step.size):
        total += (weights[1, i] + primal * moves[i]) * (weights[3, i] + dual * low_step[i])
        total += (weights[2, i] - primal * moves[i]) * (weights[4, i] + dual * high_step[i])
    return total


@compiled
def _weigh(offset: Floats, scenarios: Floats, cap: float, miss: Floats, density: Floats) -> None:
    """The misses of the scenarios' equations, from the returns of the weights, and each scenario's weight."""
    for s in range(offset.size):
        u, v, q = scenarios[0, s], scenarios[1, s], scenarios[2, s]
        miss[s] += offset[s] + u - v
        density[s] = q * (cap - q) / (u * q + v * (cap - q))


@compiled
def _products(scenarios: Floats, cap: float, steps: Floats, primal: float, dual: float) -> float:
    """The sum of each scenario's slacks times their prices, after a step."""
    total = 0.0
    for s in range(scenarios.shape[1]):
        after = scenarios[2, s] + dual * steps[2, s]
        total += (cap - after) * (scenarios[0, s] + primal * steps[0, s])
        total += after * (scenarios[1, s] + primal * steps[1, s])
    return total


@compiled
def _right_side(
    mu: float, miss: Floats, scenarios: Floats, cap: float, steps: Floats, density: Floats, side: Floats
) -> None:
    for s in range(miss.size):
        q = scenarios[2, s]
        above = (mu + steps[2, s] * steps[0, s]) / (cap - q) - scenarios[0, s]
        below = (mu - steps[2, s] * steps[1, s]) / q - scenarios[1, s]
        side[s] = density[s] * (below - above - miss[s])


@compiled
def _scenario_steps(
    mu: float, miss: Floats, scenarios: Floats, cap: float, side: Floats, density: Floats, change: Floats, steps: Floats
) -> tuple[float, float]:
    """The steps of a scenario's three numbers over the predictor's; the largest relative falls."""
    primal = 0.0
    dual = 0.0
    for s in range(miss.size):
        u, v, q = scenarios[0, s], scenarios[1, s], scenarios[2, s]
        p = cap - q
        dq = side[s] - density[s] * change[s]
        du = (mu + steps[2, s] * steps[0, s] + u * dq) / p - u
        dv = change[s] + du + miss[s]
        steps[0, s] = du
        steps[1, s] = dv
        steps[2, s] = dq
        primal = max(primal, -du / u, -dv / v)
        dual = max(dual, -dq / q, dq / p)
    return primal, dual
