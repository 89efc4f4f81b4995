"""The prices and the market of an owner's request, data sets included."""

from typing import TYPE_CHECKING

from desk.market.datasets.repository import OwnedPrices
from desk.market.prices import Prices, PriceSource
from desk.optimization.request import OptimizationRequest
from store.store import Store

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


async def load_owned_prices(store: Store, shared: PriceSource, owner: str, request: OptimizationRequest) -> Prices:
    """The prices of that market: what a machine elsewhere is handed."""
    from desk.optimization.inputs.market_data import load_prices

    return await load_prices(OwnedPrices(store, owner, shared), request)


async def load_owned_market(store: Store, shared: PriceSource, owner: str, request: OptimizationRequest) -> "Market":
    """The market of an owner's request: what `desk.compute.local.LocalRunner` loads a job's data with."""
    from desk.optimization.inputs.market_data import load_market

    return await load_market(OwnedPrices(store, owner, shared), request)
