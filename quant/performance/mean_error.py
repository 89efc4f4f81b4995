"""Error of the mean of a series whose days depend on each other over months or years."""

import math
from itertools import pairwise
from typing import Final

from numpy.typing import ArrayLike

from quant.numeric.elementary import normal_quantile
from quant.numeric.moments import checked_series, moments
from quant.numeric.returns import Returns

PARTS: Final = 16
"""Equal parts of a series whose means count as independent; their error has one degree of freedom less."""


def mean_error(series: ArrayLike | Returns) -> float:
    """Standard error of the mean, from the means of 16 equal parts in order of time.

    A dependence that is shorter than a part, a year and a half of 25 years, is in the error whatever its form: also one
    that is weak and long, as between states of a market, which an automatic block length does not notice. An interval
    takes the quantile of `student_quantile` with 15 degrees of freedom.

    Parameters
    ----------
    series : array_like of shape (T,), or Returns of one asset
        At least 32 observations.

    Returns
    -------
    float
        In the unit of the series; 0 if the means of the parts are equal.

    Raises
    ------
    DataError
        If `series` is not a finite vector of 32 or more.

    References
    ----------
    Ibragimov and Mueller (2010), "t-statistic based correlation and heterogeneity robust inference", Journal of
    Business & Economic Statistics 28(4).

    Examples
    --------
    >>> mean_error([-1.0, -1.0, 1.0, 1.0] * 8)
    0.2581988897471611
    """
    values = checked_series(series, name="series", shortest=2 * PARTS)
    bounds = [values.size * part // PARTS for part in range(PARTS + 1)]
    means = [moments(values[first:end]).mean for first, end in pairwise(bounds)]
    return moments(checked_series(means, name="means")).deviation / math.sqrt(PARTS)


def student_quantile(probability: float, degrees: float) -> float:
    """Quantile of Student's t, by Fisher's expansion in powers of 1 / `degrees`: the same bits on every machine.

    Parameters
    ----------
    probability : float
        In (0, 1).
    degrees : float
        Degrees of freedom, at least 4; the error is below 0.001 for probabilities from 0.025 to 0.975.

    Returns
    -------
    float

    References
    ----------
    Abramowitz and Stegun (1964), Handbook of Mathematical Functions, 26.7.5.
    """
    z = normal_quantile(probability)
    square = z * z
    terms = (
        z * (square + 1.0) / 4.0,
        z * ((5.0 * square + 16.0) * square + 3.0) / 96.0,
        z * (((3.0 * square + 19.0) * square + 17.0) * square - 15.0) / 384.0,
        z * ((((79.0 * square + 776.0) * square + 1482.0) * square - 1920.0) * square - 945.0) / 92160.0,
    )
    quantile, power = z, 1.0
    for term in terms:
        power /= degrees
        quantile += term * power
    return quantile
