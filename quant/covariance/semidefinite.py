"""Checks of covariance and correlation matrices: finite, symmetric, positive semidefinite.

Written as loops without BLAS, so that every machine accepts and rejects the same matrices.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError

INDEFINITE = 1e-8
"""A correlation matrix with an eigenvalue below minus this is indefinite; a smaller deficit may be rounding."""
ASYMMETRY = 1e-8
"""Difference of the halves of a correlation matrix that printed decimals explain."""

FINE, _NOT_FINITE, NO_VARIANCE, _ASYMMETRIC, _CORRELATED = range(5)
"""Fault codes of `standardise`."""


EXACT = 1
_LARGE = 64
"""Assets from which half the digits are tried first."""
_UNIT = 5.9604644775390625e-08
"""Of rounding in single precision: 2**-24."""


@compiled
def _invert_deviations(cov: Floats, deviations: Floats, inverse: Floats) -> tuple[int, int]:
    """Fill the two, an inverse of zero for zero; fault and asset."""
    for i in range(deviations.size):
        variance = cov[i, i]
        if not abs(variance) < np.inf:
            return _NOT_FINITE, i
        if variance < 0.0:
            return NO_VARIANCE, i
        deviations[i] = math.sqrt(variance)
        inverse[i] = 1.0 / deviations[i] if variance > 0.0 else 0.0
    return FINE, 0


@compiled
def _is_symmetric(cov: Floats) -> bool:
    """Whether the matrix is symmetric to the last bit; in tiles that fit the cache."""
    n = cov.shape[0]
    symmetric = True
    for first in range(0, n, 32):
        for second in range(0, first + 1, 32):
            for i in range(first, min(first + 32, n)):
                for j in range(second, min(second + 32, i)):
                    symmetric &= cov[i, j] == cov[j, i]
    return symmetric


@compiled
def _symmetrise(correlation: Floats) -> tuple[int, int]:
    """Average the halves; row and column where they differ by more than rounding, or 0 and 0."""
    for i in range(correlation.shape[0]):
        for j in range(i):
            if not abs(correlation[i, j] - correlation[j, i]) <= ASYMMETRY:
                return i, j
            correlation[i, j] = 0.5 * (correlation[i, j] + correlation[j, i])
            correlation[j, i] = correlation[i, j]
    return 0, 0


@compiled
def standardise(cov: Floats, correlation: Floats, deviations: Floats) -> tuple[int, int, int]:
    """Fill the two from `cov`, with zeros for an asset without variance; a fault, its row and its column.

    Without a fault the row is `EXACT` where `cov` is symmetric to the last bit.
    """
    n = deviations.size
    inverse = np.empty(n)
    fault, asset = _invert_deviations(cov, deviations, inverse)
    if fault != FINE:
        return fault, asset, asset
    for i in range(n):
        largest = 0.0
        finite = True
        for j in range(n):
            correlation[i, j] = cov[i, j] * inverse[i] * inverse[j]
            largest = max(largest, abs(cov[i, j]))
            finite &= abs(cov[i, j]) < np.inf
        if not finite:
            for j in range(n):
                if not abs(cov[i, j]) < np.inf:
                    return _NOT_FINITE, i, j
        if deviations[i] == 0.0 and largest > 0.0:
            return _CORRELATED, i, i
        correlation[i, i] = 1.0
    if _is_symmetric(cov):
        return FINE, EXACT, 0
    row, column = _symmetrise(correlation)
    if row > 0:
        return _ASYMMETRIC, row, column
    return FINE, 0, 0


@compiled
def _subtract_eight(upper: NDArray[np.floating], k: int, top: int, bottom: int) -> None:
    """Take what the factor's rows `k` to `k` + 7 explain from the rows `top` to `bottom` - 1: one pass over each."""
    a, b, c, d = upper[k, top:], upper[k + 1, top:], upper[k + 2, top:], upper[k + 3, top:]
    e, f, g, h = upper[k + 4, top:], upper[k + 5, top:], upper[k + 6, top:], upper[k + 7, top:]
    for i in range(bottom - top):
        row = upper[top + i, top:]
        a0, b0, c0, d0, e0, f0, g0, h0 = a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]
        for j in range(row.size):
            row[j] -= ((a0 * a[j] + b0 * b[j]) + (c0 * c[j] + d0 * d[j])) + (
                (e0 * e[j] + f0 * f[j]) + (g0 * g[j] + h0 * h[j])
            )


@compiled
def _factor(upper: NDArray[np.floating], shift: float) -> bool:
    """Whether the symmetric `upper` plus `shift` on its diagonal has a Cholesky factor, which takes its place."""
    n = upper.shape[0]
    for top in range(0, n, 8):
        bottom = min(top + 8, n)
        for k in range(0, top, 8):
            _subtract_eight(upper, k, top, bottom)
        for i in range(top, bottom):
            row = upper[i]
            for k in range(top, i):
                other = upper[k]
                share = other[i]
                for j in range(i, n):
                    row[j] -= share * other[j]
            pivot = row[i] + shift
            if not pivot > 0.0:
                return False
            scale = 1.0 / math.sqrt(pivot)
            for j in range(i, n):
                row[j] *= scale
            row[i] = pivot * scale
    return True


@compiled
def factorises(matrix: Floats, shift: float) -> bool:
    """Whether the symmetric `matrix`, ones on its diagonal, plus `shift` times the identity has a Cholesky factor.

    Most have, even in half the digits and less all that rounding could do, in half the time. Higham (2002), "Accuracy
    and Stability of Numerical Algorithms", theorem 10.3: n (n + 1) units at most.
    """
    n = matrix.shape[0]
    if n >= _LARGE and _factor(matrix.astype(np.float32), shift - n * (n + 1.0) * _UNIT):
        return True
    return _factor(matrix.copy(), shift)


def refuse(fault: int, row: int, column: int, cov: Floats, name: str = "cov") -> None:
    """Raise the DataError of a fault of `standardise`."""
    match fault:
        case 1:
            raise DataError(f"`{name}` must be finite; row {row}, column {column} is {cov[row, column]}")
        case 2:
            allowed = "positive" if cov[row, row] == 0.0 else "no negative"
            raise DataError(f"`{name}` must have {allowed} variances; asset {row} has {float(cov[row, row])!r}")
        case 3:
            _refuse_asymmetric(row, column, cov, name)
        case 4:
            raise DataError(f"`{name}` must be positive semidefinite; asset {row} has covariances but no variance")
        case _:
            pass


def _refuse_asymmetric(row: int, column: int, matrix: Floats, name: str) -> None:
    raise DataError(
        f"`{name}` must be symmetric; row {row}, column {column} is {float(matrix[row, column])!r}, "
        f"row {column}, column {row} is {float(matrix[column, row])!r}"
    )


def refuse_indefinite(correlation: Floats, name: str = "cov") -> None:
    """Raise a DataError that states the lowest eigenvalue."""
    least = float(np.linalg.eigvalsh(correlation)[0])
    raise DataError(
        f"`{name}` must be positive semidefinite; the smallest eigenvalue of its correlations is {least:.3g}, below "
        f"-{INDEFINITE:g}; `quant.covariance.nearest_correlation` repairs it"
    )


def square_matrix(values: ArrayLike, name: str = "cov") -> Floats:
    """`values` as a contiguous, writable array; only its shape is checked."""
    try:
        matrix = np.ascontiguousarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"`{name}` must be a matrix of numbers: {error}") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise DataError(f"`{name}` must have shape (N, N), N > 0; got {matrix.shape}")
    return writable(matrix)


def writable(array: Floats) -> Floats:
    """A writable copy of a read-only array, which numba would compile every kernel for again."""
    return array if array.flags.writeable else array.copy()


def checked_covariance(cov: ArrayLike, *, name: str = "cov", allow_zero_variance: bool = False) -> Floats:
    """`cov` as a contiguous array, symmetric to the last bit, if it is a covariance.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Symmetric within 1e-8 of the product of the volatilities; positive semidefinite within rounding.
    name : str
        How the error calls it.
    allow_zero_variance : bool
        Whether an asset may have no variance; its covariances must then be 0.

    Returns
    -------
    ndarray, shape (N, N)
        The input itself if nothing had to be copied: not to be written to.

    Raises
    ------
    DataError
        If `cov` is not square, finite and symmetric, if a variance is negative or, unless allowed, 0, or if the
        smallest eigenvalue of its correlation matrix is below -1e-8.

    Examples
    --------
    >>> checked_covariance([[0.04, 0.07], [0.07, 0.09]])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quant.numeric.errors.DataError: `cov` must be positive semidefinite; the smallest eigenvalue of its ...
    """
    matrix, correlation = symmetric_covariance(cov, name, allow_zero_variance=allow_zero_variance)
    if not factorises(correlation, INDEFINITE):
        refuse_indefinite(correlation, name)
    return matrix


def symmetric_covariance(cov: ArrayLike, name: str, *, allow_zero_variance: bool = False) -> tuple[Floats, Floats]:
    """`cov`, symmetric to the last bit, and its correlations: checked but for definiteness."""
    matrix, correlation, exact = _standardised(cov, name, allow_zero_variance=allow_zero_variance)
    return matrix if exact else 0.5 * (matrix + matrix.T), correlation


def standardised(cov: ArrayLike, name: str, *, allow_zero_variance: bool = False) -> tuple[Floats, Floats]:
    """`cov` and its correlations, checked but for definiteness; zeros for an asset without variance."""
    return _standardised(cov, name, allow_zero_variance=allow_zero_variance)[:2]


def _standardised(cov: ArrayLike, name: str, *, allow_zero_variance: bool) -> tuple[Floats, Floats, bool]:
    matrix = square_matrix(cov, name)
    correlation = np.empty_like(matrix)
    deviations = np.empty(len(matrix))
    fault, row, column = standardise(matrix, correlation, deviations)
    refuse(fault, row, column, matrix, name)
    if not allow_zero_variance and not deviations.all():
        asset = int(np.argmin(deviations))
        refuse(NO_VARIANCE, asset, asset, matrix, name)
    return matrix, correlation, row == EXACT


def unit_symmetric(values: ArrayLike, name: str) -> Floats:
    """`values` as a new array, symmetric and with ones on the diagonal to the last bit; definiteness is not checked."""
    matrix = square_matrix(values, name)
    if not np.isfinite(matrix).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(matrix))[0])
        refuse(_NOT_FINITE, row, column, matrix, name)
    wrong = np.abs(np.diagonal(matrix) - 1.0)
    if wrong.max() > ASYMMETRY:
        asset = int(wrong.argmax())
        raise DataError(
            f"`{name}` must have ones on its diagonal; row {asset} has {float(matrix[asset, asset])!r}; "
            "`quant.covariance.estimators.correlation` takes the variances out"
        )
    gap = np.abs(matrix - matrix.T)
    if gap.max() > ASYMMETRY:
        row, column = divmod(int(gap.argmax()), len(matrix))
        _refuse_asymmetric(row, column, matrix, name)
    matrix = 0.5 * (matrix + matrix.T)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def checked_correlation(correlation: ArrayLike, assets: int | None = None, *, name: str = "correlation") -> Floats:
    """`correlation` as a new array, symmetric and with ones on the diagonal to the last bit, if it is a correlation.

    Parameters
    ----------
    correlation : array_like, shape (N, N)
        Symmetric, with ones on its diagonal, within 1e-8.
    assets : int, optional
        N, where it is known.
    name : str
        How the error calls it.

    Returns
    -------
    ndarray, shape (N, N)

    Raises
    ------
    DataError
        If it is not square or of another N, not finite, not symmetric, without ones on its diagonal, or if its
        smallest eigenvalue is below -1e-8: it is never altered silently; see `nearest_correlation`.
    """
    matrix = unit_symmetric(correlation, name)
    if assets is not None and len(matrix) != assets:
        raise DataError(f"`{name}` must have shape ({assets}, {assets}); got {matrix.shape}")
    if not factorises(matrix, INDEFINITE):
        refuse_indefinite(matrix, name)
    return matrix
