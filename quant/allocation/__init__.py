"""Portfolio construction: risk parity, hierarchical risk parity, frontier, minimum CVaR and constraints."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.allocation.constrained import (
        maximum_diversification,
        maximum_sharpe,
        minimum_variance,
        minimum_variance_at,
    )
    from quant.allocation.constraints import Constraints, Group
    from quant.allocation.cvar import minimum_cvar
    from quant.allocation.frontier import Frontier, efficient_frontier
    from quant.allocation.hierarchical import HierarchicalPortfolio, hierarchical_risk_parity
    from quant.allocation.naive import equal_weights, inverse_volatility
    from quant.allocation.optimality import sharpe_gap, variance_gap
    from quant.allocation.resampling import ResampledFrontier, WeightIntervals, resampled_frontier, weight_intervals
    from quant.allocation.risk_budgeting import risk_contributions, risk_parity
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "Constraints",
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
    "risk_contributions",
    "risk_parity",
    "sharpe_gap",
    "variance_gap",
    "weight_intervals",
]
