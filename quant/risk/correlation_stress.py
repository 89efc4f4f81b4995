"""Correlations pushed towards a crisis, and the most plausible move that breaches a limit."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_correlation, checked_covariance
from quant.numeric.arguments import checked_arguments, refuse_overflow
from quant.numeric.arrays import Floats
from quant.numeric.elementary import normal_cdf
from quant.numeric.errors import DataError, Infeasible
from quant.numeric.returns import Returns

CRISIS_CORRELATION: Final = 0.8
"""Between any two risky assets when everything falls together."""


@dataclass(frozen=True)
class ReverseStress:
    """The most plausible move that loses a given amount.

    Attributes
    ----------
    shock : tuple of float
        Return of each asset.
    distance : float
        Mahalanobis distance of the shock from the mean: standard deviations of the portfolio. Zero where the mean
        itself loses the amount.
    probability : float
        Of such a loss or a larger one, were returns normal.
    """

    shock: tuple[float, ...]
    distance: float
    probability: float


def finite_array(values: ArrayLike | Returns, name: str, dimensions: int) -> Floats:
    """`values` as a finite array of so many dimensions.

    Parameters
    ----------
    values : array_like, or Returns, whose matrix is taken
    name : str
        How the error calls it.
    dimensions : int

    Returns
    -------
    ndarray of float64

    Raises
    ------
    DataError
        If it has another number of dimensions, is empty, or holds NaN or an infinity (whose place is named).
    """
    array = np.ascontiguousarray(values.values if isinstance(values, Returns) else values, dtype=np.float64)
    if array.ndim != dimensions or array.size == 0:
        raise DataError(f"`{name}` must have {dimensions} dimension(s) and not be empty; got shape {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise DataError(f"`{name}` must be finite; {place} is {array[place]}")
    refuse_overflow(array, name)
    return array


def checked_weights(values: ArrayLike, count: int) -> Floats:
    """`values` as finite weights of `count` assets.

    Parameters
    ----------
    values : array_like, shape (N,)
    count : int
        N.

    Returns
    -------
    ndarray, shape (N,)

    Raises
    ------
    DataError
        If the shape is another or a weight is not finite.
    """
    w = finite_array(values, "weights", 1)
    if w.size != count:
        raise DataError(f"`weights` must have shape ({count},), one for each asset; got {w.shape}")
    return w


@checked_arguments
def equicorrelation(count: int, correlation: float = CRISIS_CORRELATION) -> Floats:
    """Correlation matrix whose pairs are all alike.

    Parameters
    ----------
    count : int
        N, at least 1.
    correlation : float
        In [-1 / (N - 1), 1].

    Returns
    -------
    ndarray, shape (N, N)

    Raises
    ------
    DataError
        If `count` is below 1, or no N variables have that correlation.

    Examples
    --------
    >>> equicorrelation(2, 0.5).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    if count < 1:
        raise DataError(f"`count` must be at least 1; got {count!r}")
    lowest = -1.0 / (count - 1) if count > 1 else -1.0
    if not lowest <= correlation <= 1.0:
        raise DataError(f"`correlation` of {count} assets must lie in [{lowest:.6g}, 1]; got {correlation!r}")
    matrix = np.full((count, count), float(correlation))
    np.fill_diagonal(matrix, 1.0)
    return matrix


@checked_arguments
def stressed_correlation(
    correlation: ArrayLike, share: float, target: ArrayLike | float = CRISIS_CORRELATION
) -> Floats:
    """R' = (1 - share) R + share R_s, positive semidefinite because both are.

    Parameters
    ----------
    correlation : array_like, shape (N, N)
        R.
    share : float
        In [0, 1]; 0 leaves R unchanged.
    target : float or array_like, shape (N, N)
        R_s, or the correlation of all its pairs.

    Returns
    -------
    ndarray, shape (N, N)

    Raises
    ------
    DataError
        If a matrix is no correlation matrix (the eigenvalue is named), the shapes differ, or `share` is outside [0, 1].

    Examples
    --------
    >>> stressed_correlation([[1.0, 0.2], [0.2, 1.0]], 0.5).round(12).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    r = checked_correlation(correlation)
    if not 0.0 <= share <= 1.0:
        raise DataError(f"`share` must lie in [0, 1]; got {share!r}")
    if isinstance(target, int | float):
        s = equicorrelation(r.shape[0], target)
    else:
        s = checked_correlation(target, name="target")
    if s.shape != r.shape:
        raise DataError(f"`target` must have shape {r.shape}; got {s.shape}")
    return (1.0 - share) * r + share * s


@checked_arguments
def stressed_covariance(
    covariance: ArrayLike,
    share: float,
    target: ArrayLike | float = CRISIS_CORRELATION,
    *,
    volatility_factor: ArrayLike | float = 1.0,
) -> Floats:
    """D R' D with the stressed correlation and the volatilities times a factor.

    Parameters
    ----------
    covariance : array_like, shape (N, N)
    share, target
        As for `stressed_correlation`.
    volatility_factor : float or array_like, shape (N,)
        Not negative.

    Returns
    -------
    ndarray, shape (N, N)
        An asset without variance keeps none.

    Raises
    ------
    DataError
        If `covariance` is no covariance matrix, a factor is negative or not finite, or as for `stressed_correlation`.

    Examples
    --------
    >>> stressed_covariance([[0.04, 0.0], [0.0, 0.01]], 1.0, 0.5, volatility_factor=2.0).round(12).tolist()
    [[0.16, 0.04], [0.04, 0.04]]
    """
    matrix = checked_covariance(covariance, name="covariance", allow_zero_variance=True)
    factor = np.asarray(volatility_factor, dtype=np.float64)
    if factor.shape not in ((), (matrix.shape[0],)) or not (np.isfinite(factor).all() and (factor >= 0.0).all()):
        raise DataError(f"`volatility_factor` must be one number or N, none negative; got {volatility_factor!r}")
    refuse_overflow(np.atleast_1d(factor), "volatility_factor")
    deviations = np.sqrt(np.diag(matrix))
    still = deviations == 0.0
    divisors = np.where(still, 1.0, deviations)
    correlation = np.clip(matrix / divisors[:, None] / divisors, -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    stressed = stressed_correlation(correlation, share, target)
    scaled = deviations * factor
    return scaled[:, None] * stressed * scaled


@checked_arguments
def reverse_stress(
    weights: ArrayLike, covariance: ArrayLike, limit: float, *, mean: ArrayLike | None = None
) -> ReverseStress:
    r"""The smallest shock, in Mahalanobis distance, that loses `limit`.

    Minimises :math:`(x - \mu)' \Sigma^{-1} (x - \mu)` subject to :math:`-w'x \ge L`; the minimiser is
    :math:`x = \mu - \frac{L + w'\mu}{w' \Sigma w} \Sigma w`, also where :math:`\Sigma` is singular.

    Parameters
    ----------
    weights : array_like, shape (N,)
        Fractions of wealth, or exposures of the portfolio to N factors.
    covariance : array_like, shape (N, N)
        Of the returns over the horizon of the limit.
    limit : float
        Loss, a positive fraction.
    mean : array_like, shape (N,), optional
        Of the returns over that horizon; zero by default.

    Returns
    -------
    ReverseStress

    Raises
    ------
    DataError
        If the shapes do not fit, `covariance` is no covariance matrix or `limit` is not positive.
    Infeasible
        If the portfolio has no variance and no shock reaches the limit.

    References
    ----------
    Breuer, Jandacka, Rheinberger and Summer (2009), "How to find plausible, severe, and useful stress scenarios",
    International Journal of Central Banking 5(3).

    Examples
    --------
    >>> stress = reverse_stress([0.5, 0.5], [[0.04, 0.0], [0.0, 0.04]], 0.2)
    >>> [round(x, 6) for x in stress.shock], round(stress.distance, 6)
    ([-0.2, -0.2], 1.414214)
    """
    sigma = checked_covariance(covariance, name="covariance", allow_zero_variance=True)
    w = checked_weights(weights, sigma.shape[0])
    mu = np.zeros(w.size) if mean is None else finite_array(mean, "mean", 1)
    if mu.shape != w.shape:
        raise DataError(f"`mean` must have shape {w.shape}; got {mu.shape}")
    if not (math.isfinite(limit) and limit > 0.0):
        raise DataError(f"`limit` must be a positive loss; got {limit!r}")
    gap = limit + math.fsum(w * mu)
    direction = np.array([math.fsum(row * w) for row in sigma])
    variance = math.fsum(w * direction)
    varies = variance > 1e-16 * float(np.abs(w).max()) * float(np.abs(w).max()) * float(np.diag(sigma).max())
    if gap <= 0.0:
        likely = normal_cdf(-gap / math.sqrt(variance)) if varies else 1.0
        return ReverseStress(tuple(float(m) for m in mu), 0.0, likely)
    if not varies:
        raise Infeasible(f"`limit` {limit:g} is out of reach: the portfolio has no variance")
    distance = gap / math.sqrt(variance)
    shock = mu - gap / variance * direction
    return ReverseStress(tuple(float(x) for x in shock), distance, normal_cdf(-distance))
