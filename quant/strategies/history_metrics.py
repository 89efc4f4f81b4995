"""Metrics of one daily history of a strategy. 252 days a year; losses are positive.

`excess` is the daily simple return over cash, net of costs; `total` the daily simple return net of
costs, cash included. Every sum runs in index order and the elementary functions are this package's,
so that a metric has the same bits on every machine.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.moments import Moments, checked_series, moments, same_length
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.performance.growth import checked_total, log_growth
from quant.performance.historical_tail import TAIL_HORIZON, TAIL_LEVEL, tail_losses
from quant.performance.sharpe_ratio import sharpe_error
from quant.strategies.kernel import STATISTIC, summarise_history
from quant.strategies.metrics import METRICS, Metrics

_HIGHEST_COST: Final = 5_000.0
_COST_TOLERANCE: Final = 1e-6


@dataclass(frozen=True)
class TargetError:
    """Distance of realised volatility from its target, annual fractions."""

    error: float
    noise_floor: float
    """The same distance for a constant volatility exactly on target: sampling error only."""


def _check_risk_aversion(value: float) -> None:
    if not (math.isfinite(value) and value > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {value!r}")


def _utility(m: Moments, risk_aversion: float) -> float:
    return DAYS * (m.mean - 0.5 * risk_aversion * m.second * m.count / (m.count - 1))


def utility(excess: ArrayLike | Returns, risk_aversion: float) -> float:
    r"""Annual certainty equivalent :math:`252\,\bar x - \frac{\gamma}{2} 252\,s^2`.

    Parameters
    ----------
    excess : array_like of shape (T,), or Returns of one asset
        Daily simple returns over cash, net of costs.
    risk_aversion : float
        Gamma, positive.

    Returns
    -------
    float
        Annual fraction; the sample variance divides by T - 1.

    Raises
    ------
    DataError
        If `excess` is not a finite vector of two or more, or `risk_aversion` is not positive.

    Examples
    --------
    >>> round(utility([0.011, -0.009, 0.011, -0.009], 2.0), 6)
    0.2184
    """
    _check_risk_aversion(risk_aversion)
    return _utility(moments(excess), risk_aversion)


def break_even_cost_bps(advantage: Callable[[float], float]) -> float | None:
    """Trading cost at which an advantage over a benchmark vanishes.

    The root of `advantage`, bracketed from the tangent at zero cost and refined by the Illinois variant of regula
    falsi to a millionth of a basis point.

    Parameters
    ----------
    advantage : callable
        Takes a cost in basis points of the value traded; returns the utility a year after that cost, less the
        benchmark's, an annual fraction. It is called at costs within +-5,000 basis points.

    Returns
    -------
    float or None
        Basis points of the value traded, negative for an advantage that is none even without
        costs; None where costs do not decide: the advantage does not fall as they rise, or no cost
        within 5,000 basis points uses it up.

    Raises
    ------
    DataError
        If the advantage is not finite.

    References
    ----------
    Dowell and Jarratt (1971), BIT 11: the Illinois algorithm.

    Examples
    --------
    >>> round(break_even_cost_bps(lambda cost: 0.004 - 2.0 * cost / 10_000), 6)
    20.0
    """

    def checked(cost: float) -> float:
        value = advantage(cost)
        if not math.isfinite(value):
            raise DataError(f"`advantage` must be finite; at {cost} basis points it is {value!r}")
        return value

    a, at_a = 0.0, checked(0.0)
    slope = checked(1.0) - at_a
    if slope >= 0.0:
        return None
    b = min(max(-at_a / slope, -_HIGHEST_COST), _HIGHEST_COST)
    at_b = checked(b)
    while at_a * at_b > 0.0:
        if abs(b) == _HIGHEST_COST:
            return None
        a, at_a = b, at_b
        b = min(max(1.25 * b, -_HIGHEST_COST), _HIGHEST_COST)
        at_b = checked(b)
    step = math.inf
    while at_b != 0.0 and abs(step) > _COST_TOLERANCE:
        step = at_b * (b - a) / (at_b - at_a)
        c = b - step
        at_c = checked(c)
        if at_c * at_b < 0.0:
            a, at_a = b, at_b
        else:
            at_a *= 0.5
        b, at_b = c, at_c
    return b


@compiled
def _target_distance(total: Floats, target: float, window: int) -> float:
    distance = 0.0
    count = total.size - window + 1
    for i in range(count):
        mean = 0.0
        for t in range(i, i + window):
            mean += total[t]
        mean /= window
        squares = 0.0
        for t in range(i, i + window):
            squares += (total[t] - mean) * (total[t] - mean)
        distance += abs(math.sqrt(DAYS * squares / (window - 1)) - target)
    return distance / count


def volatility_target_error(total: ArrayLike | Returns, target: float, *, window: int = 60) -> TargetError:
    r"""Mean distance of rolling volatility from its target, with the distance that sampling alone causes.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns, T >= `window`.
    target : float
        Annual volatility aimed at, a positive fraction.
    window : int
        Sessions of each overlapping window, at least 2.

    Returns
    -------
    TargetError
        Annual fractions. The floor is :math:`\sigma^* \sqrt{1 / (\pi (n - 1))}`, the mean absolute
        error of a sample deviation of n normal returns to first order: 0.7 points at 10% and 60.

    Raises
    ------
    DataError
        If `total` is too short or not finite, or an argument lies outside its range.
    """
    if window < 2 or not (math.isfinite(target) and target > 0.0):
        raise DataError(f"needs window > 1 and target > 0; got {window!r} and {target!r}")
    returns = checked_series(total, name="total", shortest=window)
    return TargetError(
        error=_target_distance(returns, target, window),
        noise_floor=target * math.sqrt(1.0 / (math.pi * (window - 1))),
    )


@compiled
def _utility_error(x: Floats, mean: float, second: float, gamma: float) -> float:
    """Deviation of the influence of each day on mean - gamma / 2 variance, over sqrt(T)."""
    squares = 0.0
    for t in range(x.size):
        d = x[t] - mean
        influence = d - 0.5 * gamma * (d * d - second)
        squares += influence * influence
    return math.sqrt(squares / (x.size - 1) / x.size)


def _volatility(m: Moments) -> Measured:
    if not m.varies:
        return Measured(value=0.0)
    error = math.sqrt(max(m.fourth - m.second * m.second, 0.0) / m.count) / (2.0 * m.deviation)
    return Measured(value=math.sqrt(DAYS) * m.deviation, error=math.sqrt(DAYS) * error)


def _sharpe(m: Moments) -> Measured:
    if not m.varies:
        return Measured(value=0.0)
    error = sharpe_error(m.sharpe, observations=m.count, skewness=m.skewness, kurtosis=m.kurtosis)
    return Measured(value=math.sqrt(DAYS) * m.sharpe, error=math.sqrt(DAYS) * error)


def _geometric(total: Floats) -> Measured:
    m = moments(log_growth(total))
    growth = exp(DAYS * m.mean)
    return Measured(value=growth - 1.0, error=growth * DAYS * m.deviation / math.sqrt(m.count))


class _Path(NamedTuple):
    """The checked series of one history, each of shape (T,), and the metrics by the formulas of a simulated path."""

    moments: Moments
    """Of the excess returns."""
    excess: Floats
    total: Floats
    turnover: Floats
    costs: Floats
    risk_aversion: float
    values: Mapping[str, Measured]
    sharpe: Measured
    tail: tuple[float, float]
    """Value at risk and expected shortfall."""


def _utility_of(path: _Path) -> Measured:
    m, gamma = path.moments, path.risk_aversion
    return Measured(value=_utility(m, gamma), error=DAYS * _utility_error(path.excess, m.mean, m.second, gamma))


def _excess_return(path: _Path) -> Measured:
    m = path.moments
    return Measured(value=DAYS * m.mean, error=DAYS * m.deviation / math.sqrt(m.count))


ON_HISTORY: Final[Mapping[str, Callable[[_Path], Measured]]] = {
    "utility": _utility_of,
    "excess_return": _excess_return,
    "geometric_return": lambda path: _geometric(path.total),
    "volatility": lambda path: _volatility(path.moments),
    "sharpe": lambda path: path.sharpe,
    "sharpe_pooled": lambda path: path.sharpe,
    "max_drawdown_p80": lambda path: path.values["max_drawdown"],
    "value_at_risk": lambda path: Measured(value=path.tail[0]),
    "expected_shortfall": lambda path: Measured(value=path.tail[1]),
    "turnover": lambda path: Measured(value=DAYS * moments(path.turnover).mean),
    "cost": lambda path: Measured(value=DAYS * moments(path.costs).mean),
}
"""Computes the metrics that have a standard error or another estimator on one history than on a simulated path.

The others follow from the formula of their row."""


def series_metrics(
    excess: ArrayLike | Returns,
    total: ArrayLike | Returns,
    weights: ArrayLike,
    turnover: ArrayLike,
    costs: ArrayLike,
    *,
    risk_aversion: float,
    drawdown_limit: float | None,
) -> Metrics:
    """All metrics of one history.

    Standard errors treat days as independent: deviation / sqrt(T) for the mean, the delta method
    for utility, volatility and growth, Mertens (2002) for the Sharpe ratio. The others have None.
    On one path the pooled Sharpe ratio is the ratio itself, every quantile of the drawdown is the
    drawdown, and shares of paths are 0 or 1.

    Parameters
    ----------
    excess : array_like, shape (T,)
        Daily simple returns over cash, net of costs; T >= 21.
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    weights : array_like, shape (T,)
        Risky weight held in each session.
    turnover : array_like, shape (T,)
        One-way turnover of each session, as a fraction of wealth.
    costs : array_like, shape (T,)
        Transaction costs and borrowing charges of each session, as a fraction of wealth.
    risk_aversion : float
        Gamma of the utility, positive.
    drawdown_limit : float or None
        The mandate's limit, positive; None for none.

    Returns
    -------
    Metrics
        Annual fractions unless the field says otherwise.

    Raises
    ------
    DataError
        If a series is too short, not finite, or differs in length, or an argument lies outside its
        range.
    """
    _check_risk_aversion(risk_aversion)
    x = checked_series(excess, name="excess", shortest=TAIL_HORIZON)
    r = checked_total(total, shortest=TAIL_HORIZON)
    w = checked_series(weights, name="weights")
    traded = checked_series(turnover, name="turnover")
    charges = checked_series(costs, name="costs")
    same_length(excess=x, total=r, weights=w, turnover=traded, costs=charges)
    if drawdown_limit is not None and not 0.0 < drawdown_limit <= 1.0:
        raise DataError(f"`drawdown_limit` must lie in (0, 1] or be None; got {drawdown_limit!r}")

    statistics = summarise_history(x, r, w, traded, charges, risk_aversion, drawdown_limit or 0.0)[:, 0]
    values = {
        name: Measured(value=float(statistics[STATISTIC[name]]))
        for name, row in METRICS.items()
        if row.path is not None
    }
    of_excess = moments(x)
    path = _Path(
        moments=of_excess,
        excess=x,
        total=r,
        turnover=traded,
        costs=charges,
        risk_aversion=risk_aversion,
        values=values,
        sharpe=_sharpe(of_excess),
        tail=tail_losses(r, TAIL_HORIZON, TAIL_LEVEL),
    )
    return Metrics(**values | {name: measure(path) for name, measure in ON_HISTORY.items()})
