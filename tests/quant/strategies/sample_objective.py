"""An objective of a search whose best config is known."""

import math

from quant.strategies.choices import REBALANCING
from quant.strategies.config import StrategyConfig


def merit(config: StrategyConfig) -> float:
    """Highest for an exponential average of decay 0.96 with a sigmoid, monthly, without a band."""
    score = {"rolling": 0.0, "ewma": 1.0, "ewma_max": 0.6, "downside": -0.5}[config.estimator]
    score -= 30.0 * abs((config.decay or 0.90) - 0.96)
    score -= 0.4 * abs(math.log(REBALANCING[config.rebalancing].days / 21.0))
    score -= 5.0 * config.no_trade_band
    return score + {"inverse_vol": 0.3, "sigmoid": 0.5}.get(config.weight_function, 0.0)
