"""A price source with given prices, and checks of answers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from desk.figures.figures import Figure, format_figure
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices
from desk.market.universe import split_universe


@dataclass(frozen=True)
class FixedPrices:
    """Prices by universe."""

    prices: dict[str, Prices]

    async def universes(self) -> tuple[str, ...]:
        return tuple(self.prices)

    async def facts(self, universe: str) -> PriceFacts | None:
        return None

    async def load(self, universe: str) -> Prices:
        name, assets = split_universe(universe)
        return self.prices[name].select(assets) if assets else self.prices[name]

    async def load_index(self, universe: str) -> Prices:
        return await self.load(universe)


def with_returns(prices: Prices, assets: tuple[str, ...], returns: np.ndarray) -> Prices:
    """`prices` of other assets on the same sessions; daily `returns` (T - 1, N)."""
    closes = 100.0 * np.vstack([np.ones(returns.shape[1]), np.cumprod(1.0 + returns, axis=0)])
    return replace(prices, assets=assets, closes=closes, price_index=False)


def value(figures: Iterable[Figure], id_: str) -> Any:
    return next(figure.value for figure in figures if figure.id == id_)


def assert_well_formed(figures: tuple[Figure, ...], tool: str) -> None:
    """Assert that ids and quantities are unique, that all come from `tool`, and that every number is formatted."""
    assert figures
    for names in ([f.id for f in figures], [f.quantity for f in figures if f.unit not in ("text", "date")]):
        assert sorted(set(names)) == sorted(names)
    for figure in figures:
        assert figure.source.startswith(f"{tool}.")
        assert format_figure(figure)
        assert isinstance(figure.value, str) or math.isfinite(figure.value)
        assert figure.error is None or math.isfinite(figure.error)
