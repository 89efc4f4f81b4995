from typing import get_args

import pytest

from desk.figures import labels
from quant.strategies.choices import InnerPortfolio
from quant.strategies.config import StrategyConfig


def test_a_forecast_without_length_is_named():
    config = StrategyConfig(weight_function="feedback", estimator="garch", gain=2.0)
    assert labels.strategy_label(config) == "volatility feedback on a GARCH forecast of volatility, rebalanced monthly"


@pytest.mark.parametrize("inner", get_args(InnerPortfolio))
def test_descriptions_of_strategies_name_their_inner_portfolio(inner):
    plain = StrategyConfig(weight_function="merton", lookback_days=63)
    mixed = plain.model_copy(update={"inner": inner})
    assert labels.strategy_label(mixed).startswith(f"{labels.strategy_label(plain)}, holding a")
    assert inner.split("_")[0] in labels.strategy_label(mixed)
    assert labels.parameter_label("inner") == "the inner portfolio"
