"""The goals of a search: what each maximises, the metric of an evaluation that it aggregates, and metrics for goals."""

import math
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from quant.numeric.measured import Measured
from quant.strategies.metrics import Metrics

Goal: TypeAlias = Literal[
    "robust_utility", "sharpe", "worst_case", "cvar_utility", "benefit", "calmar", "volatility_error"
]
GoalMetric: TypeAlias = Literal["utility", "sharpe", "benefit", "calmar", "volatility_error"]

DEFAULT_GOAL: Final[Goal] = "benefit"
"""Goal of a request that names none."""
GOAL_METRIC: Final[Mapping[Goal, GoalMetric]] = {
    "robust_utility": "utility",
    "sharpe": "sharpe",
    "worst_case": "utility",
    "cvar_utility": "utility",
    "benefit": "benefit",
    "calmar": "calmar",
    "volatility_error": "volatility_error",
}
"""The metric whose values over scenarios and history a goal combines into one number; a smaller error is better."""
RATIO_GOALS: Final[frozenset[Goal]] = frozenset({"sharpe", "calmar"})
"""Goals whose objective is a ratio; that of the others is a fraction a year."""
SCALE_FREE_GOALS: Final[frozenset[Goal]] = frozenset({"benefit", "calmar"})
"""Goals that say nothing about how much to hold, so that the winner's volatility is held to the mandate's target."""
SHALLOWEST = 1e-9
"""A smaller drawdown is that of a rule that never left cash, which has no Calmar ratio."""


def with_goal_metric(metrics: Metrics, metric: GoalMetric, *, paths: int, target: float) -> Metrics:
    """`metrics` with the one that a goal needs, unless an evaluation has it already.

    Parameters
    ----------
    metrics : Metrics
        Of one evaluation.
    metric : GoalMetric
        The metric of the goal.
    paths : int
        Of the evaluation; 1 on history.
    target : float
        Annual target volatility of the mandate, a fraction.

    Returns
    -------
    Metrics
        With `calmar` or `volatility_error` if that is the metric, otherwise unchanged.
    """
    if metric == "calmar":
        return metrics.model_copy(update={"calmar": calmar_ratio(metrics.geometric_return, metrics.max_drawdown)})
    if metric == "volatility_error":
        error = target_volatility_error(metrics.volatility, paths=paths, target=target)
        return metrics.model_copy(update={"volatility_error": error})
    return metrics


def calmar_ratio(growth: Measured, drawdown: Measured) -> Measured:
    """Growth a year over the deepest fall.

    Parameters
    ----------
    growth, drawdown : Measured
        Annual fraction, and fraction of wealth, each a mean over the same paths.

    Returns
    -------
    Measured
        A ratio; 0 where there is no fall. Its error is the sum of the parts' relative errors by the delta method, an
        upper bound whatever their correlation; None where one is unknown.

    Examples
    --------
    >>> calmar_ratio(Measured(value=0.06), Measured(value=0.2)).value
    0.3
    """
    if drawdown.value <= SHALLOWEST:
        return Measured(value=0.0)
    ratio = growth.value / drawdown.value
    if growth.error is None or drawdown.error is None:
        return Measured(value=ratio)
    return Measured(value=ratio, error=(growth.error + abs(ratio) * drawdown.error) / drawdown.value)


def target_volatility_error(volatility: Measured, *, paths: int, target: float) -> Measured:
    r"""Root mean squared distance of a path's volatility from `target`.

    Parameters
    ----------
    volatility : Measured
        Mean of the annual volatilities of the paths, with its standard error over them.
    paths : int
        P; with 1 the error of `volatility` is that of the days, and no part of the distance.
    target : float
        Annual fraction.

    Returns
    -------
    Measured
        :math:`\sqrt{b^2 + s^2 (P - 1) / P}` with b the distance of the mean and s the deviation over paths. Its error
        takes the volatilities as normal.

    Examples
    --------
    >>> round(target_volatility_error(Measured(value=0.13), paths=1, target=0.10).value, 4)
    0.03
    """
    distance = volatility.value - target
    if paths == 1 or volatility.error is None:
        return Measured(value=abs(distance), error=volatility.error)
    variance = volatility.error * volatility.error * (paths - 1)
    root = math.sqrt(distance * distance + variance)
    if root == 0.0:
        return Measured(value=0.0, error=0.0)
    squares = 4.0 * distance * distance * volatility.error * volatility.error + 2.0 * variance * variance / (paths - 1)
    return Measured(value=root, error=math.sqrt(squares) / (2.0 * root))
