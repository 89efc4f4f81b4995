"""Objectives of a search: utilities over scenarios combined into one number per configuration.

Sums run in explicit loops in index order, so that a ranking is the same on every machine.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.strategies.goal import Goal, GoalMetric

REGRET_AVERSION = 0.25
"""Weight of the largest regret in `robust_utility` and `benefit`."""
TAIL_MASS = 0.4
"""Probability of the worst scenarios whose mean is `cvar_utility`."""

GOAL_CODES: dict[Goal, int] = {
    "robust_utility": 0,
    "benefit": 0,
    "sharpe": 1,
    "worst_case": 2,
    "cvar_utility": 3,
    "calmar": 1,
    "volatility_error": 1,
}
"""How `score_into` aggregates the values of each goal: 0 mean less regret, 1 mean, 2 worst case, 3 tail mean."""
METRIC_CODES: dict[GoalMetric, int] = {"utility": 0, "sharpe": 1, "benefit": 2, "calmar": 3, "volatility_error": 4}
"""The code of the metric of a history term in the kernels of `quant.overfitting`."""


@compiled
def _tail_mean(values: Floats, weights: Floats, mass: float) -> float:
    """Mean of the lowest `mass` of the probability; the boundary scenario counts in part."""
    order = np.arange(values.size, dtype=np.int64)
    for i in range(1, order.size):
        index = order[i]
        j = i
        while j > 0 and values[order[j - 1]] > values[index]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = index
    remaining = mass
    total = 0.0
    for i in range(order.size):
        share = min(float(weights[order[i]]), remaining)
        total += share * float(values[order[i]])
        remaining -= share
    return total / (mass - remaining)


@compiled
def score_into(
    values: Floats,
    weights: Floats,
    goal: int,
    out: Floats,
) -> None:
    """Write the objective of each row of `values` (K, S) into `out` (K,); nothing is checked."""
    count, scenarios = values.shape
    best = np.full(scenarios, -np.inf)
    if goal == 0:
        for k in range(count):
            for s in range(scenarios):
                best[s] = max(best[s], values[k, s])
    for k in range(count):
        if goal == 3:
            out[k] = _tail_mean(values[k], weights, TAIL_MASS)
            continue
        mean = 0.0
        regret = 0.0
        worst = np.inf
        for s in range(scenarios):
            if weights[s] > 0.0:
                mean += weights[s] * values[k, s]
                regret = max(regret, best[s] - values[k, s])
                worst = min(worst, values[k, s])
        if goal == 0:
            out[k] = mean - REGRET_AVERSION * regret
        else:
            out[k] = worst if goal == 2 else mean


def checked_weights(weights: ArrayLike, *, scenarios: int) -> Floats:
    """`weights` as an array of shape (scenarios,); a DataError unless they are probabilities.

    Parameters
    ----------
    weights : array_like, shape (S,)
        Probabilities that sum to 1 within 1e-9.
    scenarios : int
        The S that is expected.

    Returns
    -------
    ndarray, shape (S,)

    Raises
    ------
    DataError
        If the shape differs, a weight is negative or not finite, or the sum is not 1.
    """
    array = np.array(weights, dtype=np.float64, ndmin=1)
    if array.shape != (scenarios,) or not np.isfinite(array).all() or (array < 0.0).any():
        raise DataError(f"`weights` must be finite, not negative, of shape ({scenarios},); got {array.shape}")
    if abs(math.fsum(array) - 1.0) > 1e-9:
        raise DataError(f"`weights` must sum to 1; got {math.fsum(array):.12g}")
    return array


def checked_target(goal: Goal, target_volatility: float | None) -> float:
    """The target that the goal ``volatility_error`` needs; 0 for other goals, and a DataError if it is missing."""
    if goal != "volatility_error":
        return 0.0
    if target_volatility is None or not (math.isfinite(target_volatility) and target_volatility > 0.0):
        raise DataError(f"`target_volatility` must be positive for the goal {goal!r}; got {target_volatility!r}")
    return target_volatility


def scores(
    utilities: ArrayLike,
    weights: ArrayLike,
    *,
    goal: Goal = "robust_utility",
    sharpes: ArrayLike | None = None,
) -> Floats:
    r"""Objective of each configuration; higher is better.

    - ``robust_utility``: :math:`\sum_s p_s U_{ks} - \frac14 \max_s (U^*_s - U_{ks})` with
      :math:`U^*_s` the best utility any configuration has in scenario s.
    - ``benefit``: the same for utilities over the own benchmark of each configuration, see
      `quant.strategies.own_benchmark`.
    - ``sharpe``: the weighted mean of the Sharpe ratios.
    - ``calmar`` and ``volatility_error``: the weighted mean of the Calmar ratios, or of the negative errors of the
      target volatility, which stand in place of the utilities.
    - ``worst_case``: the lowest utility over scenarios.
    - ``cvar_utility``: the mean utility of the worst 40% of the probability; the scenario at the
      boundary counts in part.

    A scenario of weight 0 has no part in any of them, regret and worst case included.

    Parameters
    ----------
    utilities : array_like, shape (K, S)
        Annual certainty equivalents as fractions, one row for each configuration (for ``benefit``:
        less those of its own benchmark).
    weights : array_like, shape (S,)
        Probabilities, the training history's included; they sum to 1.
    goal : Goal
        The objective.
    sharpes : array_like, shape (K, S), optional
        Annual Sharpe ratios, needed by the goal ``sharpe`` only.

    Returns
    -------
    ndarray, shape (K,)
        Annual fractions (for ``sharpe``: annual Sharpe ratios).

    Raises
    ------
    DataError
        If the arrays are empty, not finite, of different shapes, or the weights are not
        probabilities, or `sharpes` is missing for the goal ``sharpe``.

    Examples
    --------
    >>> scores([[0.05, 0.01], [0.03, 0.03]], [0.5, 0.5]).round(4).tolist()
    [0.025, 0.025]
    >>> scores([[0.05, 0.01], [0.03, 0.03]], [0.5, 0.5], goal="worst_case").tolist()
    [0.01, 0.03]
    """
    if goal == "sharpe" and sharpes is None:
        raise DataError("`sharpes` is required by the goal 'sharpe'")
    values = np.ascontiguousarray(sharpes if goal == "sharpe" else utilities, dtype=np.float64)
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise DataError(f"scenario values must be finite, of shape (K, S); got {values.shape}")
    probabilities = checked_weights(weights, scenarios=values.shape[1])
    out = np.empty(values.shape[0])
    score_into(values, probabilities, GOAL_CODES[goal], out)
    return out


def scenario_weights(probabilities: ArrayLike, *, history_weight: float = 1.0 / 3.0) -> Floats:
    """Weights of the objective: the simulated scenarios by their probability, then history.

    Parameters
    ----------
    probabilities : array_like, shape (S,)
        Probabilities of the simulated scenarios; they are scaled to sum to ``1 - history_weight``.
    history_weight : float
        Weight of the training history, in [0, 1).

    Returns
    -------
    ndarray, shape (S + 1,)
        The scaled probabilities and, last, the weight of history.

    Raises
    ------
    DataError
        If the probabilities are empty, negative, not finite, or all 0, or `history_weight` lies
        outside [0, 1).

    Examples
    --------
    >>> scenario_weights([1.0, 3.0], history_weight=0.5).tolist()
    [0.125, 0.375, 0.5]
    """
    weights = np.array(probabilities, dtype=np.float64, ndmin=1)
    if weights.ndim != 1 or weights.size == 0 or not np.isfinite(weights).all() or (weights < 0.0).any():
        raise DataError(f"`probabilities` must be finite, not negative, of shape (S,); got {weights.shape}")
    if not 0.0 <= history_weight < 1.0:
        raise DataError(f"`history_weight` must lie in [0, 1); got {history_weight!r}")
    total = math.fsum(weights)
    if total == 0.0:
        raise DataError("`probabilities` are all 0; at least one scenario must have weight")
    return np.append(weights / total * (1.0 - history_weight), history_weight)


def retention(utility: float, best: float, reference: float, tolerance: float) -> float | None:
    """Share of what a scenario offers that a configuration keeps: (U - R) / (U* - R).

    Parameters
    ----------
    utility, best : float
        Utility of the configuration, and of the best configuration, in the scenario.
    reference : float
        The worse of cash and 100% equity in the scenario.
    tolerance : float
        Smallest `best - reference` for which the share means anything: two standard errors of
        that difference.

    Returns
    -------
    float or None
        1 for the scenario's best, 0 for the reference; None where the denominator lies below
        `tolerance` or is not positive.

    Raises
    ------
    DataError
        If an argument is not finite or `tolerance` is negative.

    Examples
    --------
    >>> retention(0.03, 0.04, 0.0, 0.001)
    0.75
    >>> retention(0.03, 0.04, 0.0, 0.05) is None
    True
    """
    if not all(math.isfinite(x) for x in (utility, best, reference, tolerance)) or tolerance < 0.0:
        raise DataError(
            "retention needs finite numbers and a tolerance that is not negative; "
            f"got {utility!r}, {best!r}, {reference!r}, {tolerance!r}"
        )
    offered = best - reference
    if offered <= 0.0 or offered < tolerance:
        return None
    return (utility - reference) / offered


@compiled
def _deviation_of_difference(first: Floats, second: Floats) -> float:
    mean = 0.0
    for p in range(first.size):
        mean += first[p] - second[p]
    mean /= first.size
    squares = 0.0
    for p in range(first.size):
        squares += (first[p] - second[p] - mean) ** 2
    return math.sqrt(squares / (first.size - 1))


def paired_error(first: ArrayLike, second: ArrayLike) -> float:
    """Error of the difference of two configurations' means over the same paths.

    Parameters
    ----------
    first, second : array_like, shape (P,)
        A quantity of each configuration on each path, the paths in the same order.

    Returns
    -------
    float
        Deviation (n - 1) of the paired differences over the square root of P.

    Raises
    ------
    DataError
        If the shapes differ, there are fewer than two paths, or a value is not finite.

    Examples
    --------
    >>> paired_error([1.0, 2.0, 3.0], [0.5, 1.5, 2.5])
    0.0
    """
    a = np.ascontiguousarray(first, dtype=np.float64)
    b = np.ascontiguousarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape or a.size < 2:
        raise DataError(f"both must be of one shape (P,) with P > 1 paths; got {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DataError("paired values must be finite")
    return _deviation_of_difference(a, b) / math.sqrt(a.size)
