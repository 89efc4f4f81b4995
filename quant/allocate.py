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

And what judges a portfolio that they, or others, have made:

- `risk_contributions`: the part of the volatility that each asset brings.
- `variance_gap`: a bound on how much less variance another portfolio could have.
- `sharpe_gap`: a bound on how much higher a Sharpe ratio another portfolio could have.
"""

from typing import TYPE_CHECKING

from quant import allocation
from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.allocation import *
else:
    __getattr__ = lazy_exports(__name__)

__all__: list[str] = []
__all__ += allocation.__all__
