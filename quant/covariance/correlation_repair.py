"""Repair of a symmetric matrix that is not positive semidefinite: the nearest correlation matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import unit_symmetric
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError


@dataclass(frozen=True, eq=False)
class NearestCorrelation:
    """The correlation matrix nearest to a symmetric matrix."""

    matrix: Floats
    """Shape (N, N), unit diagonal, positive semidefinite."""
    distance: float
    """Frobenius norm of the change."""
    iterations: int


@checked_arguments
def nearest_correlation(
    matrix: ArrayLike,
    *,
    smallest_eigenvalue: float = 0.0,
    tolerance: float = 1e-10,
    max_iterations: int = 10_000,
) -> NearestCorrelation:
    """The nearest correlation matrix in the Frobenius norm, by alternating projections with Dykstra's correction.

    Parameters
    ----------
    matrix : array_like, shape (N, N)
        Symmetric, with ones on its diagonal; a positive semidefinite one changes by rounding only.
    smallest_eigenvalue : float
        In [0, 1): what the eigenvalues of the answer shall not fall below; a small positive number makes it
        invertible.
    tolerance : float
        Largest change per step, relative to the norm, at which the projections count as converged.
    max_iterations : int

    Returns
    -------
    NearestCorrelation

    Raises
    ------
    DataError
        If `matrix` is not square, finite and symmetric, or its diagonal is not 1; if an option is out of its range;
        if `max_iterations` do not suffice.

    References
    ----------
    Higham (2002), "Computing the nearest correlation matrix: a problem from finance", IMA Journal of Numerical
    Analysis 22(3), algorithm 3.3.

    Examples
    --------
    >>> near = nearest_correlation([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    >>> near.matrix.round(4).tolist(), round(near.distance, 4)
    ([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]], 0.5278)
    """
    start = unit_symmetric(matrix, "matrix")
    if not 0.0 <= smallest_eigenvalue < 1.0:
        raise DataError(f"`smallest_eigenvalue` must lie in [0, 1), got {smallest_eigenvalue!r}")
    if not 0.0 < tolerance < 1.0 or max_iterations < 1:
        raise DataError(
            f"`tolerance` must lie in (0, 1) and `max_iterations` be positive, got {tolerance!r} and {max_iterations}"
        )
    unit = start.copy()
    correction = np.zeros_like(unit)
    previous = unit
    for iteration in range(1, max_iterations + 1):
        shifted = unit - correction
        definite = _clipped(shifted, smallest_eigenvalue)
        correction = definite - shifted
        last, unit = unit, definite.copy()
        np.fill_diagonal(unit, 1.0)
        norm = float(np.linalg.norm(unit))
        moves = (definite - previous, unit - last, unit - definite)
        previous = definite
        if max(float(np.linalg.norm(move)) for move in moves) <= tolerance * norm:
            # a last projection and a rescaling make it exact on both sets; they move it by the tolerance
            final = _clipped(unit, smallest_eigenvalue)
            scale = 1.0 / np.sqrt(np.diag(final))
            final = final * scale * scale[:, None]
            np.fill_diagonal(final, 1.0)
            return NearestCorrelation(final, float(np.linalg.norm(final - start)), iteration)
    raise DataError(f"`max_iterations` {max_iterations} do not suffice for `tolerance` {tolerance:g}; allow more")


def _clipped(matrix: Floats, smallest: float) -> Floats:
    eigenvalues, vectors = np.linalg.eigh(matrix)
    repaired = (vectors * np.maximum(eigenvalues, smallest)) @ vectors.T
    return 0.5 * (repaired + repaired.T)
