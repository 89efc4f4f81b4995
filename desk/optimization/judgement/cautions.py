"""Which warnings of `CAUTIONS` apply to a configuration."""

from desk.market.regimes import volatility
from desk.optimization.caution_messages import Caution
from desk.optimization.evaluation import World, is_one_weight
from quant.numeric.arrays import Floats
from quant.numeric.elementary import exp
from quant.strategies.choices import REBALANCING
from quant.strategies.config import StrategyConfig
from quant.strategies.family import FAMILY, PathState
from quant.strategies.history import worst_fall_between_trades
from quant.strategies.kernel import FIRST, HIGHEST, LOWEST, SECOND, TARGET

_HALF = 0.05
"""Distance from one half within which a weight counts as one half."""


def find_cautions(world: World, config: StrategyConfig, part: slice, weights: Floats) -> tuple[Caution, ...]:
    """Judge `config` on the days of `part`; `weights` (T,) are its daily risky weights on these days."""
    mandate, family = world.request.mandate, FAMILY[config.weight_function]
    past = world.market.histories[config.inner]
    cautions: list[Caution] = []
    if family.volatility:
        if abs(weight_at_volatility(world, config, mandate.target_volatility) - 0.5) < _HALF:
            cautions.append("half_at_target")
        if mandate.max_weight * volatility(world.market.asset[part]) < mandate.target_volatility:
            cautions.append("target_unreachable")
    if config.lookback_days is not None and config.lookback_days < REBALANCING[config.rebalancing].days:
        cautions.append("lookback_below_rebalancing")
    if config.multiplier is not None:
        fall = worst_fall_between_trades(past, config.rebalancing, start=part.start, end=part.stop)
        if config.multiplier * fall > 1.0:
            cautions.append("gap_beyond_floor")
    if not family.benchmark and is_one_weight(weights):
        cautions.append("one_weight")
    return tuple(cautions)


def weight_at_volatility(world: World, config: StrategyConfig, volatility: float) -> float:
    """Weight at the start of a path within the mandate's bounds: calm, trend up, no loss so far."""
    (row,) = world.rules([config]).table
    family = FAMILY[config.weight_function]
    known = PathState(
        volatility=volatility,
        signal=1.0 if family.signal == "trend" else 0.0,
        value=1.0,
        floor=float(row[FIRST]),
        peak=1.0,
        own_volatility=float(row[TARGET]),
        last_weight=float(row[TARGET]) / volatility,
        target=float(row[TARGET]),
        highest=float(row[HIGHEST]),
        first=float(row[FIRST]),
        second=float(row[SECOND]),
        exp=exp,
    )
    return min(max(family.weigh(known), float(row[LOWEST])), float(row[HIGHEST]))
