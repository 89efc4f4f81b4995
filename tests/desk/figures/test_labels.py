from typing import get_args

import pytest

from desk.figures import labels as naming
from quant.strategies.config import InnerPortfolio, StrategyConfig


def test_a_forecast_without_length_is_named():
    config = StrategyConfig(weight_function="feedback", estimator="garch", gain=2.0)
    assert naming.strategy(config) == "volatility feedback on a GARCH forecast of volatility, rebalanced monthly"


@pytest.mark.parametrize("inner", get_args(InnerPortfolio))
def test_strategies_that_differ_in_their_inner_portfolio_differ_in_words(inner):
    plain = StrategyConfig(weight_function="merton", lookback_days=63)
    mixed = plain.model_copy(update={"inner": inner})
    assert naming.strategy(mixed).startswith(f"{naming.strategy(plain)}, holding a")
    assert inner.split("_")[0] in naming.strategy(mixed)
    assert naming.parameter("inner") == "the inner portfolio"
