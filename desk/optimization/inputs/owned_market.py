"""Loads prices and market data of an owner's request, including own datasets.

The functions import the market data when called, because it needs numpy.
"""

from typing import TYPE_CHECKING

from desk.market.datasets.repository import OwnedPrices
from desk.market.prices import Prices, PriceSource
from desk.optimization.request import OptimizationRequest
from store.store import Store

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


async def load_owned_prices(store: Store, shared: PriceSource, owner: str, request: OptimizationRequest) -> Prices:
    """Load the prices of the request, for a remote machine."""
    from desk.optimization.inputs.market_data import load_prices

    return await load_prices(OwnedPrices(store, owner, shared), request)


async def load_owned_market(store: Store, shared: PriceSource, owner: str, request: OptimizationRequest) -> "Market":
    """Load the market data of the request, for `desk.compute.local.LocalRunner`."""
    from desk.optimization.inputs.market_data import load_market

    return await load_market(OwnedPrices(store, owner, shared), request)
