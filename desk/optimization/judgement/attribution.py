"""The winner asset by asset: contributions to its return and risk, and the next trade."""

import numpy as np

from desk.optimization.attribution_schemas import AssetShare, AssetStep, Attribution, NextStep
from desk.optimization.evaluation import World
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.repositories.trial_repository import series_address
from quant.numeric.arrays import Floats
from quant.numeric.units import BASIS_POINTS
from quant.performance.attribution import Holdings, attribute, track_holdings
from quant.strategies.config import StrategyConfig


def attribute_winner(world: World, winner: StrategyConfig) -> tuple[Attribution, Floats] | None:
    """The attribution on train and validate, with the array behind its `weights`; None for one asset and cash."""
    bond = world.market.bond
    names = (*world.market.assets, *(() if bond is None else (bond.name,)))
    if len(names) == 1:
        return None
    holdings = _holdings(world, winner, unlocked_days(world).stop)
    whole = attribute(holdings)
    weights = np.ascontiguousarray(holdings.weights[:-1].T)
    attribution = Attribution(
        assets=tuple(
            AssetShare(name=name, **vars(contribution)) for name, contribution in zip(names, whole.assets, strict=True)
        ),
        borrowing_return=whole.borrowing_return,
        borrowing_volatility=whole.borrowing_volatility,
        excess_return=whole.excess_return,
        volatility=whole.volatility,
        weights=series_address(weights),
    )
    return attribution, weights


def next_step(world: World, winner: StrategyConfig) -> NextStep:
    """Weights after the last close; uses the latest prices, but evaluates nothing on the holdout."""
    market, rules = world.market, (winner, world.request.current_rule)
    following = market.dates.size
    today, current = (float(weight) for weight in world.replay(rules, end=following + 1).series[:, 1, following])
    period = {"daily": "the next session", "weekly": "the last session of the week"}.get(
        winner.rebalancing, f"the last session of the {winner.rebalancing.removesuffix('ly')}"
    )
    steps: tuple[AssetStep, ...] = ()
    if len(market.assets) > 1:
        held = [_holdings(world, rule, following).weights[-1] for rule in rules]
        steps = tuple(_step(*row) for row in zip(market.assets, *held, strict=False))  # the bond is `safe`
    return NextStep(
        as_of=str(market.dates[-1]),
        today_weight=today,
        current_rule_weight=current,
        next_trade=today - current,
        next_rebalancing=period,
        safe=None if market.bond is None else _step(market.bond.name, *(max(1.0 - w, 0.0) for w in (today, current))),
        assets=steps,
    )


def _step(name: str, today: float, current: float) -> AssetStep:
    return AssetStep(
        name=name, today_weight=float(today), current_rule_weight=float(current), next_trade=float(today - current)
    )


def _holdings(world: World, config: StrategyConfig, end: int) -> Holdings:
    """The account by asset up to the day `end`, with what is held after the close before it."""
    mandate, past = world.request.mandate, world.market.histories[config.inner]
    single = config.inner is None
    return track_holdings(
        world.replay([config], end=end + 1).series[0],
        assets=past.returns[:, None] if single else past.legs,
        mix=np.ones((past.returns.size, 1)) if single else past.mix,
        cash=past.cash,
        bonds=past.bonds,
        start=world.market.train.start,
        lag=mandate.decision_lag,
        cost=mandate.transaction_cost_bps / BASIS_POINTS,
        borrow_spread=mandate.borrow_spread_bps / BASIS_POINTS,
    )
