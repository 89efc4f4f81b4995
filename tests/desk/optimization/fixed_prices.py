"""A price source of given tables."""

from dataclasses import dataclass

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
