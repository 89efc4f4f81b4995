"""Finds the prices of assets that a user names: the index, bundled stocks, or data sets of their own."""

from collections.abc import Sequence

from desk.base.errors import InvalidInput
from desk.market.prices import PriceSource
from desk.market.universe import split_universe
from desk.optimization.request import CASH, YIELD, OptimizationRequest

BUNDLED = ("sp500", "stocks")
MOST_OWN = 20
"""Data sets that a conversation knows by name without being told; others are found when they are named."""
INDEX_NAMES = {"sp500", "s&p 500", "s&p500", "spx", "sp 500", "the index"}


async def find_universe(prices: PriceSource, assets: Sequence[str]) -> str:
    """The universe of these assets; a data set is named by itself, by DATASET:ASSET, or by its assets alone."""
    names = [asset.strip() for asset in assets]
    own = [name for name in await prices.universes() if name not in BUNDLED]
    by_name = {name.casefold(): name for name in own}
    datasets = {by_name.get(name.partition(":")[0].partition("@")[0].casefold()) for name in names}
    if datasets != {None}:
        return _in_dataset(names, datasets, own)
    for dataset in reversed(own):
        facts = await prices.facts(dataset) or await prices.load(dataset)
        known = {asset.casefold(): asset for asset in facts.assets}
        if all(name.casefold() in known for name in names):
            return f"{dataset}:{','.join(known[name.casefold()] for name in names)}"
    return parse_bundled(names)


async def risky_assets(prices: PriceSource, universe: str, safe: str) -> str:
    """The universe without `safe`, which stays no risky asset when something else is held beside the others."""
    dataset, assets = split_universe(universe)
    if safe == CASH or safe.startswith(YIELD) or dataset in BUNDLED:
        return universe
    home, _, leg = safe.rpartition(":")
    names = assets or (await prices.facts(dataset) or await prices.load(dataset)).assets
    if home not in ("", dataset) or leg not in names:
        return universe
    return f"{dataset}:{','.join(name for name in names if name != leg)}"


async def own_data(prices: PriceSource) -> dict[str, tuple[str, ...]]:
    """The data sets of a person with their assets, the last imported ones."""
    names = [name for name in await prices.universes() if name not in BUNDLED][-MOST_OWN:]
    facts = [(name, await prices.facts(name)) for name in names]
    return {name: tuple(found.assets) for name, found in facts if found is not None}


def parse_bundled(names: Sequence[str]) -> str:
    """Parse the index, all bundled stocks, or some of them."""
    lowered = [name.lower() for name in names]
    if len(names) == 1 and lowered[0] in {*INDEX_NAMES, "stocks"}:
        return "stocks" if lowered[0] == "stocks" else "sp500"
    group_names = sorted({*lowered} & {*INDEX_NAMES, "stocks"})
    if group_names:
        allowed = "the index alone, all stocks, or some stocks by their tickers"
        raise InvalidInput(
            "assets", ", ".join(names), reason=f"{group_names[0]} is more than one stock", allowed=allowed
        )
    return "stocks:" + ",".join(name.upper() for name in names)


async def require_currency(prices: PriceSource, request: OptimizationRequest, currency: str) -> None:
    """Raise `InvalidInput` unless the prices of `request` are in `currency`, converted ones included."""
    from desk.optimization.inputs.market_data import load_prices  # imports numba and scipy

    loaded = await load_prices(prices, request)
    if loaded.currency != currency:
        raise InvalidInput(
            "currency",
            currency,
            reason=f"the prices are in {loaded.currency}",
            allowed=f"{loaded.currency}; or a series {loaded.currency}{currency} as exchange_rate, with cash in "
            f"{currency}",
        )


def _in_dataset(names: Sequence[str], datasets: set[str | None], own: Sequence[str]) -> str:
    """`DATASET` or `DATASET:A,B` of names that all belong to one data set."""
    dataset = next(iter(datasets)) if len(datasets) == 1 else None
    if dataset is None:
        allowed = f"assets of one data set; yours are {', '.join(own[:20])}"
        raise InvalidInput("assets", ", ".join(names), reason="they are not of one data set", allowed=allowed)
    versions = {name.partition(":")[0].partition("@")[2] for name in names}
    listed = [asset for name in names if (asset := name.partition(":")[2].strip())]
    if len(versions) > 1 or (listed and len(listed) < len(names)):
        raise InvalidInput("assets", ", ".join(names), allowed=f"{dataset}, or assets of it as {dataset}:ASSET")
    version = next(iter(versions))
    base = f"{dataset}@{version}" if version else dataset
    return f"{base}:{','.join(listed)}" if listed else base
