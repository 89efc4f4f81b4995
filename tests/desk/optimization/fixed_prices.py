"""A price source of given tables."""

from dataclasses import dataclass, replace

import numpy as np

from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices


@dataclass(frozen=True)
class FixedPrices:
    """Universes by name; `name:A,B` selects assets."""

    tables: dict[str, Prices]

    async def universes(self) -> tuple[str, ...]:
        return tuple(self.tables)

    async def facts(self, universe: str) -> PriceFacts | None:
        return None

    async def load(self, universe: str) -> Prices:
        name, _, assets = universe.partition(":")
        return self.tables[name].select(assets.split(",")) if assets else self.tables[name]

    async def load_index(self, universe: str) -> Prices:
        return await self.load(universe)


def index_and_bond(prices: Prices) -> Prices:
    """One data set of an index, EQ, and a BOND that gains a little where the index falls."""
    equity = prices.closes[1:, 0] / prices.closes[:-1, 0] - 1.0
    own = 0.004 * np.random.default_rng(0).standard_normal(equity.size)
    bond = 100.0 * np.cumprod(np.concatenate([[1.0], 1.0002 + own - 0.08 * equity]))
    return replace(
        prices, assets=("EQ", "BOND"), closes=np.column_stack([prices.closes[:, 0], bond]), price_index=False
    )
