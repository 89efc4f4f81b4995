"""Whether a matrix is the covariance of anything: finite, symmetric, positive semidefinite; in loops, without BLAS."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.compiled import compiled
from quant.errors import DataError

Floats = NDArray[np.float64]

INDEFINITE = 1e-8
"""A correlation matrix with an eigenvalue below minus this belongs to no returns; above, it may be rounding."""
_ASYMMETRY = 1e-10

FINE, _NOT_FINITE, NO_VARIANCE, _ASYMMETRIC, _CORRELATED = range(5)
"""What `standardise` may find."""


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
    """Whether it is to the last bit; in tiles, as the cache wants it."""
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
            if not abs(correlation[i, j] - correlation[j, i]) <= _ASYMMETRY:
                return i, j
            correlation[i, j] = 0.5 * (correlation[i, j] + correlation[j, i])
            correlation[j, i] = correlation[i, j]
    return 0, 0


@compiled
def standardise(cov: Floats, correlation: Floats, deviations: Floats) -> tuple[int, int, int]:
    """Fill the two from `cov`, with zeros for an asset without variance; a fault, its row and its column."""
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
    if not _is_symmetric(cov):
        row, column = _symmetrise(correlation)
        if row > 0:
            return _ASYMMETRIC, row, column
    return FINE, 0, 0


@compiled
def _subtract_eight(upper: Floats, k: int, top: int, bottom: int) -> None:
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
def factorises(matrix: Floats, shift: float) -> bool:
    """Whether the symmetric `matrix` plus `shift` on its diagonal has a Cholesky factor."""
    n = matrix.shape[0]
    upper = matrix.copy()
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


def refuse(fault: int, row: int, column: int, cov: Floats) -> None:
    """Say in words what `standardise` found."""
    match fault:
        case 1:
            raise DataError(f"`cov` must be finite; row {row}, column {column} is {cov[row, column]}")
        case 2:
            allowed = "positive" if cov[row, row] == 0.0 else "not negative"
            raise DataError(f"`cov` must have variances that are {allowed}; that of asset {row} is {cov[row, row]:g}")
        case 3:
            raise DataError(
                f"`cov` must be symmetric; row {row}, column {column} is {cov[row, column]!r}, "
                f"row {column}, column {row} is {cov[column, row]!r}"
            )
        case 4:
            raise DataError(f"`cov` must be positive semidefinite; asset {row} has covariances but no variance")
        case _:
            pass


def refuse_indefinite(correlation: Floats) -> None:
    """Say which eigenvalue is too low."""
    least = float(np.linalg.eigvalsh(correlation)[0])
    raise DataError(
        f"`cov` must be positive semidefinite; its correlation matrix has an eigenvalue {least:.3g}, "
        f"below -{INDEFINITE:g}"
    )


def square_matrix(cov: ArrayLike) -> Floats:
    """`cov` as a contiguous, writable array; only its shape is checked."""
    matrix = np.ascontiguousarray(cov, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise DataError(f"`cov` must have shape (N, N), N > 0; got {matrix.shape}")
    return writable(matrix)


def writable(array: Floats) -> Floats:
    """Read-only arrays are another type to the compiler: it would compile all kernels again."""
    return array if array.flags.writeable else array.copy()


def semidefinite_matrix(cov: ArrayLike) -> Floats:
    """`cov` as an array, checked to be a covariance matrix; assets without variance are allowed.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns.

    Returns
    -------
    ndarray, shape (N, N)
        Contiguous, and symmetric to the last bit.

    Raises
    ------
    DataError
        If `cov` is not square, finite, symmetric (to 1e-10 of the product of deviations) and positive semidefinite
        (no eigenvalue of the correlation matrix below -1e-8).
    """
    matrix = square_matrix(cov)
    correlation = np.empty_like(matrix)
    fault, row, column = standardise(matrix, correlation, np.empty(len(matrix)))
    refuse(fault, row, column, matrix)
    if not factorises(correlation, INDEFINITE):
        refuse_indefinite(correlation)
    return 0.5 * (matrix + matrix.T)
