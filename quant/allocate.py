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

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.allocation.constrained import (
        maximum_diversification,
        maximum_sharpe,
        minimum_variance,
        minimum_variance_at,
    )
    from quant.allocation.constraints import Group
    from quant.allocation.cvar import minimum_cvar
    from quant.allocation.frontier import Frontier, efficient_frontier
    from quant.allocation.hierarchical import HierarchicalPortfolio, hierarchical_risk_parity
    from quant.allocation.naive import equal_weights, inverse_volatility
    from quant.allocation.resampling import ResampledFrontier, WeightIntervals, resampled_frontier, weight_intervals
    from quant.allocation.risk_budgeting import risk_parity
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "Frontier",
    "Group",
    "HierarchicalPortfolio",
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
