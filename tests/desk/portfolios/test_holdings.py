import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest
from desk.portfolios.holdings import load_assets, load_holdings
from tests.doubles.price_source import FixedPrices


def test_assets_of_two_universes_keep_the_order_of_the_request(prices, stocks) -> None:
    assets = asyncio.run(load_assets(BundledPrices(), ("XOM", "sp500", "aapl")))
    assert assets.returns.assets == ("XOM", "SP500", "AAPL")
    market = build_market(prices, OptimizationRequest())
    part = slice(market.train.start, market.validate.stop)
    np.testing.assert_array_equal(assets.returns.dates, market.dates[part])
    np.testing.assert_array_equal(assets.returns.values[:, 1], market.asset[part])
    np.testing.assert_array_equal(assets.index, market.asset[part])
    np.testing.assert_array_equal(assets.cash, market.cash[part])
    assert assets.train == market.train.stop - market.train.start
    rows = slice(market.train.start + 1, market.validate.stop + 1)  # closes are one longer than returns
    xom = stocks.closes[:, stocks.assets.index("XOM")]
    np.testing.assert_allclose(assets.returns.values[:, 0], xom[rows] / xom[rows.start - 1 : rows.stop - 1] - 1.0)


def test_a_source_without_the_index_has_none(stocks) -> None:
    assert asyncio.run(load_assets(FixedPrices({"stocks": stocks}), ("JNJ",))).index is None


@pytest.mark.parametrize(
    ("holdings", "field"),
    [
        ({"AAPL": 0.5, "XOM": 0.4}, "holdings"),
        ({"AAPL": 1.2, "XOM": -0.2}, "holdings.XOM"),
        ({"AAPL": float("nan"), "XOM": 1.0}, "holdings.AAPL"),
        ({"cash": 1.0}, "holdings"),
        ({}, "holdings"),
        ({"TSLA": 1.0}, "assets"),
        ({"AAPL": 0.5, "aapl": 0.5}, "assets"),
        ({"sp500": 0.5, "SP500": 0.5}, "assets"),
    ],
)
def test_invalid_holdings_are_refused_with_their_field(holdings, field) -> None:
    with pytest.raises(InvalidInput) as error_info:
        asyncio.run(load_holdings(BundledPrices(), holdings))
    assert error_info.value.field == field
    assert error_info.value.allowed


@settings(max_examples=15)
@given(parts=st.lists(st.integers(1, 1000), min_size=3, max_size=3))
def test_shares_are_those_that_were_named_and_add_up_to_all(stocks, parts) -> None:
    shares = [part / sum(parts) for part in parts]
    holdings = asyncio.run(
        load_holdings(FixedPrices({"stocks": stocks}), {"XOM": shares[0], "Cash": shares[1], "AAPL": shares[2]})
    )
    assert holdings.names == ("XOM", "AAPL", "cash")
    assert [*holdings.weights, holdings.cash_weight] == pytest.approx([shares[0], shares[2], shares[1]])
    assert sum(holdings.weights) + holdings.cash_weight == pytest.approx(1.0, abs=1e-15)
