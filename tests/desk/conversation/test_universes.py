"""The universe of assets that a person names."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.conversation.universes import find_universe, require_currency
from desk.market.prices import Prices
from desk.optimization.request import OptimizationRequest
from tests.desk.optimization.fixed_prices import FixedPrices


@pytest.fixture(scope="module")
def source() -> FixedPrices:
    days = np.busday_offset("2010-01-01", np.arange(40), roll="forward")
    steps = np.arange(40.0)

    def table(*assets: str, currency: str = "USD") -> Prices:
        closes = np.column_stack([100.0 + (n + 1.0) * steps for n in range(len(assets))])
        return Prices(
            dates=days,
            assets=assets,
            closes=closes,
            price_index=False,
            survivors=False,
            source="a table",
            calendar="none",
            currency=currency,
        )

    return FixedPrices(
        {
            "sp500": table("SP500"),
            "stocks": table("AAPL", "KO"),
            "legs": table("INDEX", "BOND"),
            "euro": table("STOXX", currency="EUR"),
            "rates": replace(table("EURUSD"), closes=np.full((40, 1), 1.25)),
        }
    )


@pytest.mark.parametrize(
    ("assets", "universe"),
    [
        (("S&P 500",), "sp500"),
        (("stocks",), "stocks"),
        (("aapl", "KO"), "stocks:AAPL,KO"),
        (("Legs",), "legs"),
        (("legs:INDEX",), "legs:INDEX"),
        (("legs@abc:INDEX", "legs@abc:BOND"), "legs@abc:INDEX,BOND"),
        (("index", "bond"), "legs:INDEX,BOND"),
        (("STOXX",), "euro:STOXX"),
    ],
)
def test_assets_are_the_index_bundled_stocks_or_data_sets(source, assets, universe) -> None:
    assert asyncio.run(find_universe(source, assets)) == universe


@pytest.mark.parametrize("assets", [("legs:INDEX", "euro:STOXX"), ("legs", "AAPL"), ("legs", "legs:INDEX")])
def test_assets_of_two_data_sets_are_refused(source, assets) -> None:
    with pytest.raises(InvalidInput, match="assets"):
        asyncio.run(find_universe(source, assets))


def test_a_currency_is_that_of_the_prices_or_of_their_conversion(source) -> None:
    euro = OptimizationRequest(universe="euro", cash="0.02")
    asyncio.run(require_currency(source, euro, "EUR"))
    with pytest.raises(InvalidInput, match="the prices are in EUR"):
        asyncio.run(require_currency(source, euro, "USD"))
    asyncio.run(require_currency(source, euro.model_copy(update={"exchange_rate": "rates:EURUSD"}), "USD"))
