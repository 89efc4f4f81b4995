"""Parts that the laws of joint returns share: checked moments, factors of covariances, engine constants."""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_correlation
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError

Covariance: TypeAlias = tuple[Floats, Floats, Floats]
"""Annual mean and volatility of each asset, and their correlation."""


@dataclass(frozen=True)
class Settings:
    """Parameters of the engines in addition to the moments."""

    cash: float
    mean_block: float
    mean_reversion: float
    vol_of_vol: float
    leverage: float
    premium_power: int
    jumps_per_year: float
    common_variance: bool


@dataclass
class EngineConstants:
    """Constants of an engine, without the random key."""

    numbers: Floats
    rows: Floats
    lower: Floats
    chain: Floats
    history: Floats
    starts: Ints
    runs: Floats
    shares: Floats
    durations: Floats


def empty_constants(assets: int) -> EngineConstants:
    """Empty constants of an engine."""
    return EngineConstants(
        numbers=np.zeros(8),
        rows=np.zeros((1, assets)),
        lower=np.zeros((1, assets, assets)),
        chain=np.zeros((1, 0)),
        history=np.zeros((0, assets)),
        starts=np.zeros(0, dtype=np.int64),
        runs=np.zeros((0, 4)),
        shares=np.zeros(0),
        durations=np.zeros(0),
    )


def between(name: str, value: float, low: float, high: float) -> None:
    """Raise a DataError for a number outside its range."""
    if not low <= value <= high:
        raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; got {value!r}")


def vector(name: str, values: ArrayLike, low: float, high: float) -> Floats:
    """A checked array of shape (N,)."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"`{name}` must have shape (N,), N > 0; got {array.shape}")
    bad = ~((array >= low) & (array <= high))
    if bad.any():
        i = int(bad.argmax())
        raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; asset {i} has {array[i]!r}")
    return array


def moments_of(mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None) -> Covariance:
    """The checked moments of N assets."""
    if mu is None or sigma is None:
        raise DataError(f"`{'mu' if mu is None else 'sigma'}` is missing; this engine has no moments of its own")
    mean, deviation = vector("mu", mu, -1.0, 2.0), vector("sigma", sigma, 0.0, 3.0)
    if mean.size != deviation.size:
        raise DataError(f"`mu` and `sigma` must have one length; got {mean.size} and {deviation.size}")
    if correlation is None and mean.size > 1:
        raise DataError(f"`correlation` is missing; {mean.size} assets need one of shape ({mean.size}, {mean.size})")
    return mean, deviation, checked_correlation([[1.0]] if correlation is None else correlation, mean.size)


Given: TypeAlias = tuple[Floats | None, Floats | None, ArrayLike | None]


def given_moments(mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None) -> Given:
    """As `moments_of`, where each moment may be None."""
    return (
        None if mu is None else vector("mu", mu, -1.0, 2.0),
        None if sigma is None else vector("sigma", sigma, 0.0, 3.0),
        correlation,
    )


@compiled
def cholesky(matrix: Floats) -> Floats:
    """Lower triangular root of a positive semi-definite matrix; a pivot that is rounding gives a zero column."""
    size = matrix.shape[0]
    lower = np.zeros((size, size))
    for k in range(size):
        pivot = matrix[k, k]
        for m in range(k):
            pivot -= lower[k, m] * lower[k, m]
        if pivot <= 1e-13 * matrix[k, k]:
            continue
        lower[k, k] = math.sqrt(pivot)
        for i in range(k + 1, size):
            rest = matrix[i, k]
            for m in range(k):
                rest -= lower[i, m] * lower[k, m]
            lower[i, k] = rest / lower[k, k]
    return lower


def correlation_of(covariance: Floats) -> Floats:
    """Correlation of a covariance; that of an asset without variance is 0 with the others."""
    deviation = np.sqrt(np.diagonal(covariance))
    scale = np.where(deviation > 0.0, deviation, 1.0)
    correlation = covariance / (scale[:, None] * scale[None, :])
    np.fill_diagonal(correlation, 1.0)
    return correlation
