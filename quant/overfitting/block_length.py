"""Automatic mean block of the stationary bootstrap."""

import math

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log, power
from quant.numeric.moments import checked_series, moments
from quant.numeric.returns import Returns


@checked_arguments
def automatic_block_length(series: ArrayLike | Returns) -> int:
    """Mean block of the stationary bootstrap with the least error of a mean's variance, rounded up.

    Autocorrelations are taken up to twice the lag from which on a run of them is insignificant, with a flat-top window.

    Parameters
    ----------
    series : array_like of shape (T,), or Returns of one asset
        At least 20 observations.

    Returns
    -------
    int
        Observations, from 1 to the smaller of 3 sqrt(T) and T / 3, rounded up.

    Raises
    ------
    DataError
        If `series` is not a finite vector of 20 or more.

    References
    ----------
    Politis and White (2004), "Automatic block-length selection for the dependent bootstrap", Econometric Reviews 23(1);
    corrected by Patton, Politis and White (2009), Econometric Reviews 28(4).

    Examples
    --------
    >>> automatic_block_length([1.0, -1.0] * 50)
    16
    """
    values = checked_series(series, name="series", shortest=20)
    return _block_length(values) if moments(values).varies else 1


@compiled
def _block_length(values: Floats) -> int:
    count = values.size
    mean = 0.0
    for t in range(count):
        mean += values[t]
    centred = values - mean / count
    longest = math.ceil(min(3.0 * math.sqrt(count), count / 3.0))
    digits = log(float(count)) / log(10.0)
    run = max(5, int(digits))
    last = math.ceil(math.sqrt(count)) + run
    significant = 2.0 * math.sqrt(digits / count)

    covariance = np.empty(last + 1)
    insignificant = 0
    cutoff = -1
    for lag in range(last + 1):
        product, early, late = 0.0, 0.0, 0.0
        for t in range(count - lag):
            product += centred[t] * centred[t + lag]
        for t in range(count - lag - 1):
            early += centred[t] * centred[t]
            late += centred[t + lag + 1] * centred[t + lag + 1]
        covariance[lag] = product / count
        if early * late <= 0.0:
            return 1
        if insignificant == run and cutoff < 0:
            cutoff = lag - run
        insignificant = insignificant + 1 if abs(product) < significant * math.sqrt(early * late) else 0
    lags = min(2 * max(cutoff, 1), last) if cutoff >= 0 else last

    slope = 0.0
    long_run = covariance[0]
    for lag in range(1, lags + 1):
        window = min(1.0, 2.0 * (1.0 - lag / lags))
        slope += 2.0 * window * lag * covariance[lag]
        long_run += 2.0 * window * covariance[lag]
    ratio = slope * slope / (long_run * long_run) * count if long_run != 0.0 else math.inf
    if ratio <= 1.0:
        return 1
    return longest if ratio >= float(longest) ** 3 else math.ceil(power(ratio, 1.0 / 3.0))
