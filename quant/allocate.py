"""Allocation rules, in one place. Which to use:

- `equal_weights`: no estimate at all; what every other rule must beat.
- `inverse_volatility`: only volatilities are trusted, correlations are not.
- `risk_parity`: each asset brings its budget of risk; needs a covariance but no expected returns.
- `hierarchical_risk_parity`: many assets and a covariance too noisy to invert.
- `minimum_variance`: least risk, under bounds, groups and turnover; leans on the covariance's smallest eigenvalues.
- `maximum_diversification`: most volatility diversified away, without expected returns.
- `minimum_cvar`: the tail matters and the scenarios at hand show it.
- `maximum_sharpe`: expected returns are trusted; the most sensitive to their errors.
- `minimum_variance_at`: the least risk for a return that is asked for, under the same constraints.
- `efficient_frontier`: all trade-offs of return and variance between bounds, exactly.
- `resampled_frontier`: the same, averaged over resampled histories, so that errors of estimation weigh less.
- `weight_intervals`: how far the weights of any of these rules are chance.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.allocation.constrained import maximum_diversification, maximum_sharpe, minimum_variance, minimum_variance_at
from quant.allocation.constraints import Group
from quant.allocation.frontier import Frontier, efficient_frontier
from quant.allocation.hierarchical import hierarchical_risk_parity
from quant.allocation.minimum_cvar import minimum_cvar
from quant.allocation.resampled_frontier import ResampledFrontier, WeightIntervals, resampled_frontier, weight_intervals
from quant.allocation.risk_parity import risk_parity
from quant.covariance.estimators import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.errors import DataError

__all__ = [
    "Frontier",
    "Group",
    "ResampledFrontier",
    "WeightIntervals",
    "efficient_frontier",
    "equal_weights",
    "hierarchical_risk_parity",
    "inverse_volatility",
    "maximum_diversification",
    "maximum_sharpe",
    "minimum_cvar",
    "minimum_variance",
    "minimum_variance_at",
    "resampled_frontier",
    "risk_parity",
    "weight_intervals",
]


@checked_arguments
def equal_weights(assets: int) -> NDArray[np.float64]:
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
def inverse_volatility(cov: ArrayLike) -> NDArray[np.float64]:
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
