"""The square-root variance of Heston's model within a day, in 64 paths at a time, and the price that it moves.

The variance is theta y: dy = kappa (1 - y) dt + xi sqrt(y) dW, in years, with the stationary gamma law of mean one and
shape 2 kappa / xi**2. Over a day the price changes by the factor exp(X) of mean one, where dX = -theta y dt / 2 +
sqrt(theta y) dB and dB dW = rho dt. Heston (1993), Review of Financial Studies 6(2).
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled, inlined
from quant.numeric.elementary import exp, log, normal, uniform
from quant.numeric.random_numbers import LANES
from quant.numeric.units import DAYS

STEPS: Final = 7
"""Steps of the variance in a day. Their words and the price's own fill two calls of Philox; with them skewness and
value at risk of a day, and the share of days without variance, agree with those of 24 steps."""

VARIANCE, MOVES, SQUARES, CUBES = range(4)
"""Rows of the sums over the steps of a day: see `advance`."""

_BRANCH: Final = 1.5
"""Andersen's psi above which the next variance is exponential with a mass at zero."""


class VarianceStep(NamedTuple):
    """Constants of one step: the mean's decay, and the variance of the next y as slope * y + level."""

    fade: float
    slope: float
    level: float


@compiled
def variance_step(kappa: float, xi: float) -> VarianceStep:
    """Constants of a step of 1 / (252 `STEPS`) years."""
    fade = exp(-kappa / (DAYS * STEPS))
    slope = xi * xi * fade * (1.0 - fade) / kappa
    return VarianceStep(fade, slope, xi * xi * (1.0 - fade) * (1.0 - fade) / (2.0 * kappa))


@compiled
def advance(step: VarianceStep, shock: Floats, share: Floats, y: Floats, sums: Floats, part: Floats) -> None:
    """One step of `y` in 64 lanes, and what it adds to the sums of the day.

    Andersen's (2008) quadratic-exponential scheme, Journal of Computational Finance 11(3).

    Parameters
    ----------
    step : VarianceStep
    shock, share : ndarray, shape (64,)
        A standard normal number, and the uniform number at its place in the law.
    y : ndarray, shape (64,)
        Variance over its mean.
    sums : ndarray, shape (4, 64)
        Mean of y over the day by trapezoids; sum of y less its conditional means; sums of its conditional variances and
        third cumulants.
    part : ndarray, shape (3, 64)
        Scratch memory.
    """
    for j in range(LANES):
        mean = 1.0 + (y[j] - 1.0) * step.fade
        square = step.slope * y[j] + step.level
        psi = square / (mean * mean)
        twice = 2.0 / min(psi, _BRANCH)
        b2 = twice - 1.0 + math.sqrt(twice) * math.sqrt(twice - 1.0)
        scale = mean / (1.0 + b2)
        shifted = math.sqrt(b2) + shock[j]
        wide = psi + 1.0
        quadratic_cube = 8.0 * scale * scale * scale * (1.0 + 3.0 * b2)
        exponential_cube = mean * mean * mean * (1.5 * wide * wide - 3.0 * wide + 2.0)
        sums[SQUARES, j] += square
        sums[CUBES, j] += quadratic_cube if psi <= _BRANCH else exponential_cube
        part[0, j] = psi
        part[1, j] = mean
        part[2, j] = scale * shifted * shifted
    for j in range(LANES):
        # both branches are computed and one is selected
        psi = max(part[0, j], _BRANCH)
        mass = (psi - 1.0) / (psi + 1.0)
        survived = 1.0 - max(share[j], mass)
        exponential = log((1.0 - mass) / survived) * part[1, j] / (1.0 - mass)
        following = part[2, j] if part[0, j] <= _BRANCH else exponential
        sums[VARIANCE, j] += (y[j] + following) * (0.5 / STEPS)
        sums[MOVES, j] += following - part[1, j]
        y[j] = following


@inlined
def may_vanish(step: VarianceStep, y: float) -> bool:
    """Whether the next y takes the branch that uses the uniform number, which has a mass at zero."""
    mean = 1.0 + (y - 1.0) * step.fade
    return step.slope * y + step.level > _BRANCH * mean * mean


@compiled
def draw_shocks(words: NDArray[np.uint64], shock: Floats, share: Floats) -> None:
    """Standard normal numbers and their places in the law, from the words of 64 lanes."""
    for j in range(LANES):
        shock[j] = normal(words[j])
    for j in range(LANES):
        share[j] = uniform(words[j])


@compiled
def shock_weight(kappa: float, xi: float, rho: float, theta: float) -> float:
    """How far X moves with the shocks of y: Andersen's K2 + K4 / 2, for variances by trapezoids."""
    half = 0.5 / (DAYS * STEPS)
    return rho * math.sqrt(theta) / xi * (1.0 + kappa * half) - 0.5 * theta * half * rho * rho


@inlined
def log_change(weight: float, variance: float, price: float, shocks: tuple[float, float, float]) -> float:
    """X of a day, so that exp(X) has mean one to the fourth order.

    Parameters
    ----------
    weight : float
        Of `shock_weight`.
    variance : float
        Of the price's own shocks on this day: (1 - rho**2) theta / 252 times the mean of y.
    price : float
        Their normal sum, of this variance.
    shocks : tuple of float
        Sums `MOVES`, `SQUARES` and `CUBES` of the day.
    """
    moved, squares, cubes = shocks
    return weight * (moved - weight * (0.5 * squares + weight * cubes / 6.0)) + price - 0.5 * variance
