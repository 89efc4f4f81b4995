"""Normal quantiles bent by skewness and kurtosis: Cornish and Fisher's expansion, and the mean of its tail.

Cornish and Fisher (1938), "Moments and cumulants in the specification of distributions", Revue de l'Institut
International de Statistique 5(4); Maillard (2012), "A user's guide to the Cornish Fisher expansion", for its domain and
for the parameters under which the expanded law has given moments.
"""

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, normal_cdf, normal_quantile

Coefficients: TypeAlias = tuple[float, float, float, float]
"""Of 1, z, z^2 and z^3."""

_RANGE: Final = 5.0
"""Normal quantiles within which an expanded one must rise: chances down to 3e-7."""


@dataclass(frozen=True)
class Expansion:
    """A law whose quantiles are mean + deviation (c0 + c1 z + c2 z^2 + c3 z^3); Gaussian for 0, 1, 0, 0."""

    mean: float
    deviation: float
    coefficients: Coefficients = (0.0, 1.0, 0.0, 0.0)

    def tail(self, level: float) -> tuple[float, float]:
        """Value-at-risk and expected shortfall at a confidence level, losses positive."""
        p = 1.0 - level
        z = normal_quantile(p)
        density = exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
        c0, c1, c2, c3 = self.coefficients
        quantile = c0 + z * (c1 + z * (c2 + z * c3))
        # the mean of the polynomial below z, from the partial moments of the normal law
        below = c0 + (-c1 * density + c2 * (normal_cdf(z) - z * density) - c3 * (z * z + 2.0) * density) / p
        return -self.mean - self.deviation * quantile, -self.mean - self.deviation * below


def _lowest_slope(a: float, b: float, c: float) -> float:
    """Minimum of a z^2 + b z + c over the quantiles that count."""
    z = -0.5 * b / a if a > 0.0 else _RANGE
    z = min(max(z, -_RANGE), _RANGE)
    return min((a * z + b) * z + c for z in (-_RANGE, z, _RANGE))


def coefficients_of(s: float, k: float) -> Coefficients:
    """Of the expansion, for its parameters of skewness and excess kurtosis."""
    return -s / 6.0, 1.0 - k / 8.0 + 5.0 * s * s / 36.0, s / 6.0, k / 24.0 - s * s / 18.0


def rises(coefficients: Coefficients) -> bool:
    """Whether the quantiles rise, between those of chances 3e-7 and 1 - 3e-7."""
    _, c1, c2, c3 = coefficients
    return _lowest_slope(3.0 * c3, 2.0 * c2, c1) > 0.0


@compiled
def _moments(coefficients: Coefficients) -> tuple[float, float, float]:
    """Variance, skewness and excess kurtosis of the polynomial of a standard normal number; its mean is zero."""
    power = np.zeros(13)
    power[0] = 1.0
    moments = np.zeros(5)
    for order in range(1, 5):
        for n in range(3 * order, -1, -1):
            total = 0.0
            for i in range(4):
                if 0 <= n - i <= 3 * (order - 1):
                    total += coefficients[i] * power[n - i]
            power[n] = total
        normal = 1.0  # moment of even order: 1, 1, 3, 15, ...
        for n in range(0, 3 * order + 1, 2):
            moments[order] += power[n] * normal
            normal *= n + 1.0
    variance = moments[2]
    return variance, moments[3] / (variance * math.sqrt(variance)), moments[4] / (variance * variance) - 3.0


def matched_coefficients(skewness: float, kurtosis: float) -> Coefficients | None:
    """Coefficients of variance 1 whose moments are the given ones, by Newton's method; None where there are none."""
    s, k = 0.0, 0.0

    def gap(s: float, k: float) -> tuple[float, float]:
        _, third, fourth = _moments(coefficients_of(s, k))
        return third - skewness, fourth - kurtosis

    step = 1e-6
    for _ in range(60):
        g = gap(s, k)
        if max(abs(g[0]), abs(g[1])) < 1e-11:
            break
        by_s, by_k = gap(s + step, k), gap(s, k + step)
        a, b, c, d = by_s[0] - g[0], by_k[0] - g[0], by_s[1] - g[1], by_k[1] - g[1]
        determinant = a * d - b * c
        if determinant == 0.0:
            return None
        move_s, move_k = step * (b * g[1] - d * g[0]) / determinant, step * (c * g[0] - a * g[1]) / determinant
        damping = min(1.0, 0.5 / max(abs(move_s), abs(move_k)))
        s, k = s + damping * move_s, k + damping * move_k
    coefficients = coefficients_of(s, k)
    variance = _moments(coefficients)[0]
    if max(map(abs, gap(s, k))) > 1e-9 or not rises(coefficients):
        return None
    c0, c1, c2, c3 = (c / math.sqrt(variance) for c in coefficients)
    return c0, c1, c2, c3
