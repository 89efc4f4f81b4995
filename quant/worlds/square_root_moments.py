"""Closed-form moments of a day under Heston's model, over the stationary law of the variance at its start.

The symbols are those of `quant.worlds.square_root`: E[exp(u X) | y] = exp(a + b y) with b of a Riccati equation.
Heston (1993), Review of Financial Studies 6(2).
"""

import math
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from quant.numeric.elementary import exp, log, log_gamma
from quant.numeric.units import DAYS

CentralMoments: TypeAlias = tuple[float, float, float]
"""Of order two to four."""

_STEPS: Final = 16
_BISECTIONS: Final = 60


class VarianceProcess(NamedTuple):
    """Parameters of the model: kappa a year, xi and the annual variance theta as in `quant.worlds.square_root`.

    Attributes
    ----------
    rho : float
        Correlation of price and variance.
    """

    kappa: float
    xi: float
    rho: float
    theta: float

    @property
    def shape(self) -> float:
        """Of the stationary gamma law."""
        return 2.0 * self.kappa / (self.xi * self.xi)


class _Exponent(NamedTuple):
    constant: float
    slope: float


@lru_cache(maxsize=1024)
def daily_theta(variance: float, *, kappa: float, xi: float, rho: float) -> float:
    """Annual theta for which exp(X) of a day has the given variance, by bisection.

    It is 252 `variance` but for a few parts in a thousand: within a day a fall raises the variance of its remainder.
    """
    low, high = 0.0, 1.25 * DAYS * variance
    for _ in range(_BISECTIONS):
        theta = 0.5 * (low + high)
        process = VarianceProcess(kappa, xi, rho, theta)
        if _growth(_exponent(2, process), process.shape) < variance:
            low = theta
        else:
            high = theta
    return 0.5 * (low + high)


def central_moments(process: VarianceProcess, premium: float, power: float) -> CentralMoments | None:
    """Of the return m + exp(X) - 1 with the mean m = constant + premium y**(power / 2), y at the start of the day.

    None where the law has no fourth moment.
    """
    shape = process.shape
    start, second, third, fourth = (_exponent(order, process) for order in (0, 2, 3, 4))
    if fourth.slope >= shape:
        return None
    growth2, growth3, growth4 = (_growth(exponent, shape) for exponent in (second, third, fourth))
    average = _moment(start, shape, 0.5 * power)

    def joint(away: int, exponent: _Exponent) -> float:
        """E[d**away exp(u X)] with d the deviation of the day's mean from its own mean."""
        terms = [
            math.comb(away, r) * math.prod([-average] * (away - r)) * _moment(exponent, shape, 0.5 * power * r)
            for r in range(away + 1)
        ]
        return math.prod([premium] * away) * math.fsum(terms)

    # given y, exp(X) - 1 has mean zero
    mixed = joint(1, second)
    variance = growth2 + joint(2, start)
    cube = growth3 - 3.0 * growth2 + 3.0 * mixed + joint(3, start)
    quartic = growth4 - 4.0 * growth3 + 6.0 * growth2 + joint(4, start)
    quartic += 4.0 * (joint(1, third) - 3.0 * mixed) + 6.0 * (joint(2, second) - joint(2, start))
    return variance, cube, quartic


def _exponent(order: int, process: VarianceProcess) -> _Exponent:
    """Of E[exp(u X) | y] for u = `order`, by Runge and Kutta's method."""
    kappa, xi, rho, theta = process
    linear = order * rho * xi * math.sqrt(theta) - kappa
    free = 0.5 * order * (order - 1) * theta
    h = 1.0 / (DAYS * _STEPS)

    def change(slope: float) -> float:
        return free + slope * (linear + 0.5 * xi * xi * slope)

    constant, slope = 0.0, 0.0
    for _ in range(_STEPS):
        first = change(slope)
        second = change(slope + 0.5 * h * first)
        third = change(slope + 0.5 * h * second)
        fourth = change(slope + h * third)
        # the constant is kappa times the integral of the slope
        constant += kappa * h * (slope + h * (first + second + third) / 6.0)
        slope += h * (first + 2.0 * second + 2.0 * third + fourth) / 6.0
    return _Exponent(constant, slope)


def _growth(exponent: _Exponent, shape: float) -> float:
    """E[exp(u X)] - 1; infinite where the law has no such moment."""
    if exponent.slope >= shape:
        return math.inf
    return _exp_minus_one(exponent.constant - shape * _log_one_plus(-exponent.slope / shape))


def _moment(exponent: _Exponent, shape: float, order: float) -> float:
    """E[y**order exp(u X)]."""
    of_law = log_gamma(shape + order) - log_gamma(shape) - order * log(shape)
    return exp(of_law + exponent.constant - (shape + order) * _log_one_plus(-exponent.slope / shape))


def _log_one_plus(x: float) -> float:
    # Kahan's formula, here and below: accurate for small x
    whole = 1.0 + x
    return x if whole == 1.0 else log(whole) * x / (whole - 1.0)


def _exp_minus_one(x: float) -> float:
    whole = exp(x)
    return x if whole == 1.0 else (whole - 1.0) * x / log(whole)
