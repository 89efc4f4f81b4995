"""Covariances of returns per period: estimated, shrunk, cleaned of noise, checked and repaired on request.

Nothing here is annualised: a covariance of daily returns is per day, and allocations do not depend on the scale.
Matrix products and eigenvalues are BLAS and LAPACK's, whose last bits change with the processor.
"""

import math
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.samples import (
    Alignment,
    check_enough,
    complete_returns,
    deviations_from_mean,
    refuse_infinite,
    return_matrix,
)
from quant.covariance.semidefinite import checked_covariance, standardised
from quant.numeric.arguments import checked_arguments, refuse_overflow
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

ILL_CONDITIONED: Final = 1e4
"""Condition number above which an optimiser's answer amplifies the noise of its input."""


@checked_arguments
def sample(returns: Returns | ArrayLike, *, alignment: Alignment | None = None) -> Floats:
    """Sample covariance, with division by T - 1.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period. At least N observations; `RECOMMENDED_OBSERVATIONS` times N are advisable.
    alignment : {"inner", "pairwise"}, optional
        Treatment of NaN, which marks a missing return: "inner" drops every session that misses one,
        "pairwise" takes for each pair the sessions that both have (as `pairwise` does).

    Returns
    -------
    ndarray, shape (N, N)
        Per period.

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer sessions than assets
        or fewer than two; if the pairwise matrix is not positive semidefinite.

    Examples
    --------
    >>> sample([[0.01, 0.02], [-0.01, -0.02], [0.01, -0.02], [-0.01, 0.02]]).round(8).tolist()
    [[0.00013333, 0.0], [0.0, 0.00053333]]
    """
    if alignment == "pairwise":
        cov = pairwise(returns)
        try:
            return checked_covariance(cov, name="returns", allow_zero_variance=True)
        except DataError as error:
            raise DataError(
                f"`returns` aligned pairwise have a covariance that is not positive semidefinite ({error}); repair "
                "`correlation(pairwise(returns))` with `nearest_correlation`, or align them with 'inner'"
            ) from None
    values = complete_returns(returns, alignment)
    check_enough(values)
    centred = deviations_from_mean(values)
    return centred.T @ centred / (len(values) - 1)


@checked_arguments
def pairwise(returns: Returns | ArrayLike) -> Floats:
    """Covariance of every pair of assets over the sessions that both have; it may be indefinite.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period; NaN where one is missing.

    Returns
    -------
    ndarray, shape (N, N)
        Per period, division by the pair's sessions less one.

    Raises
    ------
    DataError
        If a return is infinite, or a pair has fewer than N sessions in common, or fewer than two.
    """
    values = return_matrix(returns)
    refuse_infinite(values)
    present = np.isfinite(values)
    refuse_overflow(np.where(present, values, 0.0), "returns")
    counts = present.T.astype(np.float64) @ present
    if counts.min() < max(values.shape[1], 2):
        first, second = divmod(int(counts.argmin()), len(counts))
        raise DataError(
            f"`returns` columns {first} and {second} have {int(counts.min())} sessions in common; "
            f"at least {max(values.shape[1], 2)} are needed, one per asset; or shrink: `ledoit_wolf`"
        )
    # the deviations from each column's own mean keep the digits that the products of means would cancel
    means = np.where(present, values, 0.0).sum(axis=0) / present.sum(axis=0)
    deviations = np.where(present, values - means, 0.0)
    sums = deviations.T @ present
    cov = (deviations.T @ deviations - sums * sums.T / counts) / (counts - 1.0)
    return 0.5 * (cov + cov.T)


@checked_arguments
def exponential(
    returns: Returns | ArrayLike,
    *,
    halflife: float | None = None,
    decay: float | None = None,
    centred: bool = True,
    alignment: Literal["inner"] | None = None,
) -> Floats:
    r"""Exponentially weighted covariance: a session weighs `decay` times the one after it.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period.
    halflife : float, optional
        Sessions after which a weight has halved, positive; give either this or `decay`.
    decay : float, optional
        In (0, 1).
    centred : bool
        Whether the weighted mean is subtracted, and the result divided by :math:`1 - \sum w_t^2` so that it is
        unbiased; otherwise the mean counts as zero, as in RiskMetrics.
    alignment : {"inner"}, optional
        Drop the sessions that miss a return.

    Returns
    -------
    ndarray, shape (N, N)
        Per period. The weights are worth about (1 + decay) / (1 - decay) even ones: see `condition_number`.

    Raises
    ------
    DataError
        As `sample`, or unless exactly one of `halflife` and `decay` is given, in its range.

    References
    ----------
    J.P. Morgan and Reuters (1996), "RiskMetrics: Technical Document", section 5.2.

    Examples
    --------
    >>> exponential([[0.03], [0.01], [0.02]], decay=0.5, centred=False).round(8).tolist()
    [[0.00038571]]
    """
    if (halflife is None) == (decay is None):
        raise DataError("give either `halflife` or `decay`")
    if decay is None:
        assert halflife is not None
        if not (math.isfinite(halflife) and halflife > 0.0):
            raise DataError(f"`halflife` must be positive, got {halflife!r}")
        decay = math.exp(-math.log(2.0) / halflife)
    if not 0.0 < decay < 1.0:
        raise DataError(f"`decay` must lie in (0, 1), got {decay!r}")
    values = complete_returns(returns, alignment)
    check_enough(values)
    weights = np.full(len(values), decay)
    weights[0] = 1.0
    weights = np.cumprod(weights)[::-1]
    weights = weights / weights.sum()
    effective = 1.0 - float(weights @ weights)
    if centred and not effective > 0.0:
        raise DataError(f"`decay` {decay!r} leaves one session with any weight; allowed without `centred` only")
    if centred:
        values = values - weights @ values
    scaled = values * np.sqrt(weights)[:, None]
    cov = scaled.T @ scaled
    return cov / effective if centred else cov


@checked_arguments
def correlation(cov: ArrayLike) -> Floats:
    """Correlation matrix of a covariance; its definiteness is not checked.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Symmetric, with positive variances.

    Returns
    -------
    ndarray, shape (N, N)
        In [-1, 1] for a covariance that is one; exactly 1 on the diagonal.

    Raises
    ------
    DataError
        If `cov` is not square, finite and symmetric, or a variance is not positive.

    Examples
    --------
    >>> correlation([[0.04, 0.03], [0.03, 0.09]]).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    matrix, _ = standardised(cov, "cov")
    deviation = np.sqrt(np.diag(matrix))
    unit = matrix / (deviation * deviation[:, None])
    np.fill_diagonal(unit, 1.0)
    return 0.5 * (unit + unit.T)


@checked_arguments
def condition_number(cov: ArrayLike) -> float:
    """Largest over smallest eigenvalue; above `ILL_CONDITIONED` an optimiser amplifies noise.

    Parameters
    ----------
    cov : array_like, shape (N, N)

    Returns
    -------
    float
        At least 1; infinite for a singular matrix.

    Raises
    ------
    DataError
        If `cov` is not a covariance; zero variances are allowed, but not all of them zero.

    Examples
    --------
    >>> condition_number([[0.04, 0.0], [0.0, 0.01]])
    4.0
    """
    eigenvalues = np.linalg.eigvalsh(checked_covariance(cov, allow_zero_variance=True))
    if eigenvalues[-1] <= 0.0:
        raise DataError("`cov` must have a positive variance, all are 0")
    singular = eigenvalues[0] <= len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[-1]
    return math.inf if singular else float(eigenvalues[-1] / eigenvalues[0])
