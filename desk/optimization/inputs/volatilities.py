"""Volatilities of the current rule that do not come from closes: of ranges, and of an implied volatility index."""

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import Prices, PriceSource, VolatilityIndex
from quant.numeric.errors import DataError
from quant.strategies.config import StrategyConfig
from quant.strategies.history import Floats
from quant.strategies.rules import ExternalKey
from quant.volatility.estimators import implied_volatility, range_volatility


async def load_volatility_index(prices: PriceSource, name: str) -> VolatilityIndex:
    """The index that `volatility_index` names; raises `InvalidInput` for anything but one series."""
    loaded = await prices.load_index(name)
    if len(loaded.assets) != 1:
        reason = f"{name} holds {len(loaded.assets)} series"
        raise InvalidInput(
            "volatility_index", name, reason=reason, allowed=f"one of them, as {name}:{loaded.assets[0]}"
        )
    return VolatilityIndex(loaded.dates, loaded.closes[:, 0], loaded.assets[0])


def external_volatilities(
    prices: Prices, config: StrategyConfig, *, field: str = "current_rule.estimator"
) -> dict[ExternalKey, Floats]:
    """Annual volatilities through each session after the first, as `History.volatilities` holds them.

    Empty for an estimator that needs closes only. Raises `InvalidInput`, which names `field`, if the prices lack what
    the estimator needs.
    """
    match config.estimator:
        case "range":
            assert config.lookback_days is not None, "a config with the estimator range has a window"
            return {("range", config.lookback_days): _of_ranges(prices, config.lookback_days, field)}
        case "implied":
            return {("implied", 0): _implied(prices)}
        case _:
            return {}


def _of_ranges(prices: Prices, lookback: int, field: str) -> Floats:
    """Yang and Zhang's estimate: it allows for drift and overnight jumps."""
    allowed = "prices of one asset with open, high and low beside the close, or another estimator"
    if len(prices.assets) != 1:
        reason = f"a mix of {len(prices.assets)} assets has no opens, highs and lows of its own"
        raise InvalidInput(field, "range", reason=reason, allowed=allowed)
    if prices.ranges is None:
        reason = f"{prices.source} has closes only, and the estimator range needs open, high and low"
        raise InvalidInput(field, "range", reason=reason, allowed=allowed)
    opens, highs, lows = (table[:, 0] for table in (prices.ranges.opens, prices.ranges.highs, prices.ranges.lows))
    try:
        series = range_volatility(opens, highs, lows, prices.closes[:, 0], lookback=lookback)
    except DataError as error:
        raise InvalidInput(field, "range", reason=f"{prices.source}: {error}", allowed=allowed) from error
    return np.ascontiguousarray(series[1:])


def _implied(prices: Prices) -> Floats:
    index = prices.volatility_index
    allowed = (
        "the name of an implied volatility index that covers the prices: a data set of the kind index, or another "
        "estimator"
    )
    if index is None:
        reason = "the estimator implied needs an index such as the VIX, and none is named"
        raise InvalidInput("volatility_index", None, reason=reason, allowed=allowed)
    try:
        return implied_volatility(prices.dates[1:], index.dates, index.values)
    except DataError as error:
        raise InvalidInput("volatility_index", index.name, reason=str(error), allowed=allowed) from error
