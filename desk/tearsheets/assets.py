"""Total returns of assets by name, on the days before the locked holdout."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.checks.prices import require_usable
from desk.market.prices import Prices, PriceSource
from desk.market.universe import split_universe
from desk.optimization.inputs.splits import locked_days
from desk.optimization.request import OptimizationRequest
from desk.portfolios.holdings import CASH, find_places
from desk.tearsheets.levels import Levels
from quant.numeric.arrays import Dates, Floats
from quant.numeric.units import DAYS

DIVIDEND_YIELD = OptimizationRequest().dividend_yield


@dataclass(frozen=True)
class AssetLevels:
    """Levels of an asset before the holdout, and what a reader must know about them."""

    levels: Levels
    closes: Floats
    """Closes on `levels.dates`, without assumed dividends."""
    source: str
    currency: str
    caveats: tuple[str, ...]


async def load_asset(prices: PriceSource, name: str, *, field: str) -> AssetLevels:
    """One asset by its name, as UNIVERSE:ASSET, or as a universe of one asset."""
    universe, assets = split_universe(name)
    if not assets:
        universes = {each: await prices.load(each) for each in await prices.universes()}
        try:
            ((universe, asset),) = find_places(universes, [universe])
        except InvalidInput as error:
            raise InvalidInput(field, name, reason=f"there are no prices of {name}", allowed=error.allowed) from error
        assets = (asset,)
    if len(assets) != 1:
        raise InvalidInput(field, name, reason=f"{name} has {len(assets)} assets", allowed="one asset; or `holdings`")
    return await asyncio.to_thread(_levels, await prices.load(f"{universe}:{assets[0]}"))


async def load_assets(prices: PriceSource, names: Sequence[str], *, field: str) -> Mapping[str, AssetLevels]:
    """Several assets by name, in one currency; `cash` has no prices."""
    loaded = {name: await load_asset(prices, name, field=field) for name in names if name.casefold() != CASH}
    if not loaded:
        raise InvalidInput(field, list(names), reason="only cash is held", allowed="at least one asset besides cash")
    currencies = sorted({each.currency for each in loaded.values()})
    if len(currencies) > 1:
        listed = " and ".join(currencies)
        raise InvalidInput(field, listed, reason=f"prices in {listed} do not mix", allowed="assets of one currency")
    return loaded


def common_days(assets: Mapping[str, AssetLevels], *, field: str) -> Dates:
    """Days on which every asset has a close."""
    days = reduce(np.intersect1d, (each.levels.dates for each in assets.values()))
    if days.size < 3:
        raise InvalidInput(
            field, ", ".join(assets), reason="these assets share fewer than three days", allowed="assets that overlap"
        )
    return days


def _levels(prices: Prices) -> AssetLevels:
    report = require_usable(prices, None if prices.calendar == "none" else prices.calendar)
    closes = prices.closes[:, 0]
    added = DIVIDEND_YIELD / DAYS if prices.price_index else 0.0
    growth = closes[1:] / closes[:-1] + added
    locked = locked_days(growth.size)
    stop = closes.size - locked
    caveats = list(prices.notes)
    if prices.price_index:
        caveats.append(f"The prices leave dividends out; {DIVIDEND_YIELD:.1%} a year is added, which is an assumption.")
    if prices.survivors:
        caveats.append(
            "These stocks were chosen because they still exist: every result on them is flattered by survivorship."
        )
    if locked:
        caveats.append(f"The days after {prices.dates[stop - 1]} are locked: searches keep them as a holdout.")
    return AssetLevels(
        levels=Levels(prices.dates[:stop], np.concatenate([[1.0], np.cumprod(growth)])[:stop], prices.assets[0]),
        closes=closes[:stop],
        source=prices.source,
        currency=prices.currency,
        caveats=(*caveats, *report.caveats),
    )
