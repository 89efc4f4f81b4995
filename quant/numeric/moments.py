"""Mean, deviation, skewness and kurtosis of a series per period, with the same bits on every machine."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

NO_VARIATION = 1e-12
"""A series whose variance is below this share of its mean square has no Sharpe ratio: rounding."""
ROUNDING = 1e-28
"""Square of a daily deviation that is rounding of wealth."""


@dataclass(frozen=True)
class Moments:
    """Sample moments of a daily series; central moments divide by T."""

    count: int
    mean: float
    second: float
    third: float
    fourth: float

    @property
    def varies(self) -> bool:
        """Whether the deviation is more than rounding, of the mean or of returns computed as a ratio less 1."""
        return self.second > max(NO_VARIATION * (self.second + self.mean * self.mean), ROUNDING)

    @property
    def deviation(self) -> float:
        """Sample deviation (T - 1); 0 for a series without variation."""
        return math.sqrt(self.second * self.count / (self.count - 1)) if self.varies else 0.0

    @property
    def sharpe(self) -> float:
        """Mean over deviation, per day; 0 for a series without variation."""
        return self.mean / self.deviation if self.varies else 0.0

    @property
    def skewness(self) -> float:
        """0 for a series without variation."""
        return self.third / (self.second * math.sqrt(self.second)) if self.varies else 0.0

    @property
    def kurtosis(self) -> float:
        """3 for the normal law, and for a series without variation."""
        return self.fourth / (self.second * self.second) if self.varies else 3.0


def checked_series(values: ArrayLike | Returns, *, name: str, shortest: int = 2) -> Floats:
    """`values` as a contiguous array of shape (T,).

    Parameters
    ----------
    values : array_like of shape (T,), or Returns of one asset
    name : str
        How the error calls it.
    shortest : int
        Smallest T that is allowed.

    Returns
    -------
    ndarray, shape (T,)

    Raises
    ------
    DataError
        If `values` is not one-dimensional, too short, or not finite.
    """
    if isinstance(values, Returns):
        if len(values.assets) > 1:
            raise DataError(f"`{name}` must hold one asset; got {len(values.assets)}")
        values = values.values[:, 0]
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < shortest:
        raise DataError(f"`{name}` must be finite, of shape (T,), T >= {shortest}; got {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(f"`{name}` must be finite; row {row} is {array[row]}")
    return array


def checked_matrix(values: ArrayLike | Returns, *, name: str, shortest: int) -> Floats:
    """`values` as a contiguous array of shape (T, K); one series is one column.

    Parameters
    ----------
    values : array_like of shape (T, K) or (T,), or Returns
    name : str
        How the error calls it.
    shortest : int
        Smallest T that is allowed.

    Returns
    -------
    ndarray, shape (T, K)

    Raises
    ------
    DataError
        If the shape is another, T is too small, or a value is not finite.
    """
    array = np.ascontiguousarray(values.values if isinstance(values, Returns) else values, dtype=np.float64)
    return finite_matrix(array[:, None] if array.ndim == 1 else array, name=name, shortest=shortest)


def finite_matrix(values: ArrayLike | Returns, *, name: str, shortest: int = 1) -> Floats:
    """Like `checked_matrix`, but a vector raises a DataError.

    Parameters
    ----------
    values, name, shortest
        As for `checked_matrix`.

    Returns
    -------
    ndarray, shape (T, K)

    Raises
    ------
    DataError
        As `checked_matrix`.
    """
    array = np.ascontiguousarray(values.values if isinstance(values, Returns) else values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < shortest or array.shape[1] < 1:
        raise DataError(f"`{name}` must be of shape (T, K), T >= {shortest}; got {array.shape}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"`{name}` must be finite; row {row}, column {column} is {array[row, column]}")
    return array


def same_length(**series: Floats) -> None:
    """Raise a DataError for series of different lengths.

    Raises
    ------
    DataError
        Names each series with its length.
    """
    if len({s.size for s in series.values()}) > 1:
        sizes = ", ".join(f"{name} {s.size}" for name, s in series.items())
        raise DataError(f"series must have one length; got {sizes}")


@compiled
def _moments(x: Floats) -> tuple[float, float, float, float]:
    mean = 0.0
    for t in range(x.size):
        mean += x[t]
    mean /= x.size
    second = 0.0
    third = 0.0
    fourth = 0.0
    for t in range(x.size):
        d = x[t] - mean
        second += d * d
        third += d * d * d
        fourth += (d * d) * (d * d)
    return mean, second / x.size, third / x.size, fourth / x.size


def moments(series: ArrayLike | Returns) -> Moments:
    """Mean and central moments of a daily series.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day, as fractions; T > 1.

    Returns
    -------
    Moments
        Per day; nothing is annualised.

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.

    Examples
    --------
    >>> m = moments([0.01, -0.01, 0.01, -0.01])
    >>> m.mean, m.skewness, round(m.kurtosis, 12)
    (0.0, 0.0, 1.0)
    """
    x = checked_series(series, name="series")
    return Moments(x.size, *_moments(x))


def skewness(series: ArrayLike | Returns) -> float:
    """Third standardised moment (division by T); 0 for a series without variation.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day.

    Returns
    -------
    float

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.
    """
    return moments(series).skewness


def kurtosis(series: ArrayLike | Returns) -> float:
    """Fourth standardised moment (division by T), 3 for the normal law.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day.

    Returns
    -------
    float
        Not in excess of 3; 3 also for a series without variation.

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.
    """
    return moments(series).kurtosis
