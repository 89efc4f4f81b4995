"""Weights that need no expected return and no correlation: equal weights and inverse volatility."""

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError


@checked_arguments
def equal_weights(assets: int) -> Floats:
    """The same weight for each of `assets` assets, shape (N,).

    Raises
    ------
    DataError
        If there is no asset.

    References
    ----------
    DeMiguel, Garlappi and Uppal (2009), "Optimal versus naive diversification", Review of Financial Studies 22(5).

    Examples
    --------
    >>> equal_weights(4).tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    if assets < 1:
        raise DataError(f"`assets` must be at least 1, got {assets}")
    return np.full(assets, 1.0 / assets)


@checked_arguments
def inverse_volatility(cov: ArrayLike) -> Floats:
    """Weights in inverse proportion to the volatilities.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns, of any period; every variance positive.

    Returns
    -------
    ndarray, shape (N,)
        Positive weights with sum 1.

    Raises
    ------
    DataError
        If `cov` is not a covariance, or an asset has no variance.

    Examples
    --------
    >>> inverse_volatility([[0.01, 0.012], [0.012, 0.04]]).round(6).tolist()
    [0.666667, 0.333333]
    """
    deviation = np.sqrt(np.diag(checked_covariance(cov)))
    inverse = deviation.min() / deviation
    return inverse / inverse.sum()
