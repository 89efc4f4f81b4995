"""Input of the covariance estimators: return matrices checked, aligned and centred."""

import math
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import refuse_overflow
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

Alignment: TypeAlias = Literal["inner", "pairwise"]
"""Treatment of missing returns: drop the sessions that miss one, or use for each pair the sessions that both have."""

RECOMMENDED_OBSERVATIONS: Final = 3
"""Observations per asset below which a sample covariance is mostly noise."""


def return_matrix(returns: Returns | ArrayLike) -> Floats:
    """Returns of shape (T, N), NaN and infinities still in."""
    if isinstance(returns, Returns):
        return returns.values
    try:
        values = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"`returns` must be a matrix of numbers of equal columns: {error}") from None
    if values.ndim != 2 or values.size == 0:
        raise DataError(f"`returns` must have shape (T, N), T > 0, N > 0; got {values.shape}")
    return values


def complete_returns(returns: Returns | ArrayLike, alignment: Alignment | None) -> Floats:
    """Finite returns of shape (T, N): "inner" drops sessions that miss one; otherwise they raise a DataError."""
    values = return_matrix(returns)
    if alignment not in {None, "inner"}:
        raise DataError(f"`alignment` must be 'inner' here, got {alignment!r}")
    # one sum of squares says whether all are finite and can be squared, at half the cost of a look at each
    with np.errstate(over="ignore", invalid="ignore"):
        size = float(np.vdot(values, values))
    if math.isfinite(size):
        return values
    refuse_infinite(values)
    missing = np.isnan(values)
    if not missing.any():
        refuse_overflow(values, "returns")
        return values
    if alignment is None:
        t, i = np.argwhere(missing)[0]
        raise DataError(
            f"`returns` must not be missing, row {t} of column {i} is; choose an `alignment`: 'inner' or, for "
            "`sample`, 'pairwise'"
        )
    complete = values[~missing.any(axis=1)]
    refuse_overflow(complete, "returns")
    if len(complete) < 2:
        raise DataError(f"`returns` have {len(complete)} sessions without a missing return; at least 2 are needed")
    return complete


def refuse_infinite(values: Floats) -> None:
    """Raise a DataError that locates the first infinite return."""
    if np.isinf(values).any():
        t, i = np.argwhere(np.isinf(values))[0]
        raise DataError(f"`returns` must be finite, row {t} of column {i} is {values[t, i]}")


def check_enough(values: Floats) -> None:
    """Raise a DataError for fewer sessions than assets: their sample covariance would be singular."""
    observations, assets = values.shape
    if observations < max(assets, 2):
        raise DataError(
            f"`returns` have {observations} sessions for {assets} assets; at least {max(assets, 2)} are needed, and "
            f"{RECOMMENDED_OBSERVATIONS * assets} advisable; or shrink: `ledoit_wolf`"
        )


def deviations_from_mean(values: Floats) -> Floats:
    """Each column less its mean."""
    return values - values.mean(axis=0)


def refuse_no_variance(variance: Floats, name: str) -> None:
    """Raise a DataError that names the first asset without variance."""
    if not (variance > 0.0).all():
        i = int((variance <= 0.0).argmax())
        raise DataError(f"`{name}` must have positive variances; asset {i} has {float(variance[i])!r}")
