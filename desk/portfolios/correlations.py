"""Sets correlations of a covariance, and repairs a matrix that no returns can have, on request."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.portfolios.correlation_schemas import CorrelationCheck, CorrelationRepair
from quant.covariance.correlation_repair import nearest_correlation
from quant.covariance.estimators import ILL_CONDITIONED
from quant.covariance.semidefinite import INDEFINITE, unit_symmetric
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.worlds.joint_moments import correlation_of

MAX_ASSETS = 100
"""Largest matrix that is repaired at once, in about a second."""
_SMALLEST_EIGENVALUE = 1.0 / ILL_CONDITIONED
"""Of a repaired matrix: it can be inverted without amplifying noise."""
_MATRIX = "a square symmetric matrix with ones on its diagonal"


def set_correlations(
    covariance: Floats, names: Sequence[str], correlations: Mapping[str, Mapping[str, float]], *, repair: bool
) -> tuple[Floats, CorrelationRepair | None]:
    """The covariance with the same variances and other correlations, and its repair if it needed one.

    Raises `InvalidInput` if a name is unknown, a pair contradicts itself, or the matrix is not positive semidefinite
    and `repair` is False; the text then says how far the nearest matrix is.
    """
    if len(names) > MAX_ASSETS:
        reason = f"there are {len(names)} assets"
        raise InvalidInput("correlations", len(names), reason=reason, allowed=f"at most {MAX_ASSETS} assets")
    matrix = correlation_of(covariance)
    for row, column, value in _pairs(names, correlations):
        matrix[row, column] = matrix[column, row] = value
    deviations = np.sqrt(np.diag(covariance))
    scale = deviations[:, None] * deviations
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest >= -INDEFINITE:
        return matrix * scale, None
    nearest = nearest_correlation(matrix, smallest_eigenvalue=_SMALLEST_EIGENVALUE)
    change = CorrelationRepair(
        smallest_eigenvalue=smallest,
        distance=nearest.distance,
        largest_change=float(np.abs(nearest.matrix - matrix).max()),
    )
    if not repair:
        reason = f"no returns have all these correlations: the smallest eigenvalue of the matrix is {smallest:.3g}"
        allowed = (
            f"repairCorrelations: true, for the nearest matrix, in which no correlation changes by more than "
            f"{change.largest_change:.3g} (Frobenius distance {change.distance:.3g}); or other correlations"
        )
        raise InvalidInput("correlations", dict(correlations), reason=reason, allowed=allowed)
    return nearest.matrix * scale, change


def check_correlations(matrix: Sequence[Sequence[float]]) -> CorrelationCheck:
    """Whether returns can have the correlations of a matrix, and the nearest matrix that they can have."""
    try:
        correlation = unit_symmetric([list(row) for row in matrix], "matrix")
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        raise InvalidInput("matrix", len(matrix), reason=reason, allowed=allowed or _MATRIX) from error
    smallest = float(np.linalg.eigvalsh(correlation)[0])
    if smallest >= -INDEFINITE:
        return CorrelationCheck(valid=True, smallest_eigenvalue=smallest)
    nearest = nearest_correlation(correlation, smallest_eigenvalue=_SMALLEST_EIGENVALUE)
    return CorrelationCheck(
        valid=False,
        smallest_eigenvalue=smallest,
        nearest=tuple(tuple(map(float, row)) for row in nearest.matrix),
        distance=nearest.distance,
        largest_change=float(np.abs(nearest.matrix - correlation).max()),
    )


def repair_warning(repair: CorrelationRepair) -> str:
    """The sentence that a result states beside its figures."""
    return (
        f"No returns have all the correlations that were set; the nearest matrix is used, in which no correlation "
        f"changes by more than {repair.largest_change:.3g}."
    )


def _pairs(names: Sequence[str], correlations: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[int, int, float]]:
    places = {name.casefold(): n for n, name in enumerate(names)}
    values: dict[frozenset[int], float] = {}
    for first, others in correlations.items():
        for second, value in others.items():
            field = f"correlations.{first}.{second}"
            unknown = next((name for name in (first, second) if name.casefold() not in places), None)
            if unknown is not None:
                reason = f"{unknown} is not among the assets"
                raise InvalidInput(field, unknown, reason=reason, allowed=", ".join(names[:60]))
            row, column = places[first.casefold()], places[second.casefold()]
            if row == column:
                raise InvalidInput(field, value, reason="an asset has the correlation 1 with itself", allowed="a pair")
            if values.setdefault(frozenset({row, column}), value) != value:
                reason = f"{first} and {second} have two different correlations"
                raise InvalidInput(field, value, reason=reason, allowed="each pair once")
            yield row, column, value
