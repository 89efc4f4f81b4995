"""Risk of a strategy or of the winner of a search: of the returns that its rule had, and of what it holds now."""

import asyncio

import numpy as np

from desk.base.errors import Conflicting, InvalidInput
from desk.figures.sheet import Money
from desk.market.prices import PriceSource
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.request import BUNDLED_CASH, CASH
from desk.optimization.result import OptimizationResult
from desk.portfolios.holdings import INDEX, Assets, Holdings, load_assets
from desk.portfolios.risk import Track, assess_loaded
from desk.portfolios.risk_schemas import PortfolioRisk
from desk.portfolios.stress_schemas import StressRequest
from desk.strategies.evaluation import run_evaluation
from desk.strategies.templates import Rule
from quant.numeric.arrays import Dates, Floats
from quant.numeric.returns import Returns
from quant.strategies.config import StrategyConfig

RISKY = "risky leg"
SAFE = "safe leg and costs"
CAVEAT = "The rule traded on these days as it would have, after costs; stress is of what it holds after the last close."


async def assess_strategy(
    prices: PriceSource,
    rule: Rule,
    universe: str,
    money: Money | None = None,
    stress: StressRequest | None = None,
    *,
    cash: str = BUNDLED_CASH,
    safe: str = CASH,
    exchange_rate: str | None = None,
) -> PortfolioRisk:
    """The risk of a strategy on the days before the holdout; a part brings its weight times its return of each day."""
    run = await run_evaluation(
        prices,
        rule,
        universe=universe,
        cash=cash,
        safe=safe,
        exchange_rate=exchange_rate,
        fields=frozenset({"today"}),
    )
    return await _assess(prices, run.world, run.evaluation.rule.config, money, stress)


async def assess_winner(
    prices: PriceSource, result: OptimizationResult, money: Money | None = None, stress: StressRequest | None = None
) -> PortfolioRisk:
    """The risk of the winner of `result`, on the days and with the legs of its search."""
    if result.winner is None:
        raise InvalidInput("job", None, reason="the job has no winner", allowed="a job with one")
    request, manifest = result.manifest.request, result.manifest
    world = World(await asyncio.to_thread(build_market, await load_prices(prices, request), request), request)
    if (world.market.data_digest, world.market.rates_digest) != (manifest.data_digest, manifest.rates_digest):
        raise Conflicting("job: its prices have changed since it ran; start it again for the risk on the new ones")
    return await _assess(prices, world, result.winner.config, money, stress)


async def _assess(
    prices: PriceSource, world: World, config: StrategyConfig, money: Money | None, stress: StressRequest | None
) -> PortfolioRisk:
    stress = stress or StressRequest()
    index = await load_assets(prices, (INDEX,)) if INDEX in await prices.universes() else None
    factors = await load_assets(prices, tuple(stress.shocks)) if stress.shocks else None
    return await asyncio.to_thread(_assess_held, world, config, index, factors, money, stress)


def _assess_held(
    world: World,
    config: StrategyConfig,
    index: Assets | None,
    factors: Assets | None,
    money: Money | None,
    stress: StressRequest,
) -> PortfolioRisk:
    market, part = world.market, unlocked_days(world)
    excess, weights = np.ascontiguousarray(world.replay([config]).series[0, :2, part])
    dates, risky = market.dates[part], market.histories[config.inner].returns[part]
    own = world.total(excess, part)
    after_last_close = market.dates.size
    now = float(world.replay([config], end=after_last_close + 1).series[0, 1, after_last_close])
    bond = () if market.bond is None else (market.bond,)
    lent, borrowed = max(1.0 - now, 0.0), min(1.0 - now, 0.0)  # cash is borrowed, and no bond sold
    legs = np.column_stack([risky, *(leg.returns[part] for leg in bond)])
    assets = Assets(
        returns=Returns(dates, (RISKY, *(f"safe leg {leg.name}" for leg in bond)), legs),
        train=market.train.stop - part.start,
        cash=market.cash[part],
        index=None if index is None else _on_days(index, dates),
        universes=(world.request.universe,),
        sources=(market.source,),
        caveats=market.caveats,
    )
    brought = weights * risky
    track = Track(
        own=own,
        parts=Returns(dates, (RISKY, SAFE), np.column_stack([brought, own - brought])),
        weights=(now, 1.0 - now),
        caveat=CAVEAT,
    )
    holdings = Holdings(assets, np.array([now, lent] if bond else [now]), borrowed if bond else 1.0 - now)
    return assess_loaded(holdings, money, stress, None if factors is None else _beside(assets, factors), track)


def _on_days(index: Assets, dates: Dates) -> Floats | None:
    """Returns of the index on these days; None unless it has all of them."""
    rows = np.isin(index.returns.dates, dates)
    return index.returns.values[rows, 0] if int(rows.sum()) == dates.size else None


def _beside(assets: Assets, factors: Assets) -> Assets:
    """The legs and the factors, on the days that both have."""
    legs = {name.casefold() for name in assets.returns.assets}
    for name in factors.returns.assets:
        if name.casefold() in legs:
            raise InvalidInput("stress.shocks", name, reason="a leg has this name", allowed="assets by other names")
    days, own, other = np.intersect1d(assets.returns.dates, factors.returns.dates, return_indices=True)
    values = np.column_stack([assets.returns.values[own], factors.returns.values[other]])
    return Assets(
        returns=Returns(days, (*assets.returns.assets, *factors.returns.assets), values),
        train=assets.train,
        cash=assets.cash[own],
        index=None,
        universes=(*assets.universes, *factors.universes),
        sources=assets.sources,
        caveats=assets.caveats,
    )
