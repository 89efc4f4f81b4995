"""The bundled data against public facts: closes and returns that its publishers state."""

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices, cash_rates
from desk.market.checks.prices import require_usable
from desk.market.prices import Prices, PriceSource
from quant.numeric.returns import Returns
from quant.worlds.cash import accrual

pytestmark = pytest.mark.anyio


@pytest.fixture
async def index() -> Prices:
    return await BundledPrices().load("sp500")


@pytest.fixture
async def stocks() -> Prices:
    return await BundledPrices().load("stocks")


def close(prices: Prices, day: str, asset: int = 0) -> float:
    (row,) = np.flatnonzero(prices.dates == np.datetime64(day))
    return float(prices.closes[row, asset])


@pytest.mark.parametrize(
    ("day", "level"),
    [
        ("2000-03-24", 1527.46),
        ("2002-10-09", 776.76),
        ("2007-10-09", 1565.15),
        ("2009-03-09", 676.53),
        ("2020-02-19", 3386.15),
        ("2020-03-23", 2237.40),
    ],
)
async def test_the_index_closed_where_it_closed(index: Prices, day: str, level: float) -> None:
    assert close(index, day) == level


async def test_bundled_prices_contain_the_crashes_of_2008_and_2020(index: Prices) -> None:
    assert close(index, "2009-03-09") / close(index, "2007-10-09") - 1 == pytest.approx(-0.568, abs=5e-4)
    assert close(index, "2020-03-23") / close(index, "2020-02-19") - 1 == pytest.approx(-0.339, abs=5e-4)


async def test_the_index_is_a_price_index(index: Prices) -> None:
    """In 2013 the index rose 29.60 percent without dividends, and 32.39 with them."""
    year = close(index, "2013-12-31") / close(index, "2012-12-31") - 1
    assert year == pytest.approx(0.2960, abs=5e-5)
    assert index.price_index
    assert not index.survivors


async def test_the_stocks_include_dividends(stocks: Prices) -> None:
    """Coca-Cola in 2010: from 57.00 to 65.77, with 1.76 of reinvested dividends."""
    ko = stocks.assets.index("KO")
    year = close(stocks, "2010-12-31", ko) / close(stocks, "2009-12-31", ko) - 1
    assert 65.77 / 57.00 - 1 + 1.76 / 57.00 < year < (65.77 / 57.00) * (1 + 1.76 / 50.0) - 1
    assert not stocks.price_index
    assert stocks.survivors


async def test_the_bundled_data_pass_the_gates_with_known_warnings(index: Prices, stocks: Prices) -> None:
    assert index.closes.shape == (8313, 1)
    assert stocks.closes.shape == (8313, 20)
    assert [gate.name for gate in require_usable(index).gates if gate.status == "WARN"] == ["large_moves"]
    report = require_usable(stocks)
    warnings = {gate.name: gate for gate in report.gates if gate.status == "WARN"}
    assert set(warnings) == {"large_moves", "split_like", "stale_prices"}
    assert warnings["split_like"].rows == ("1990-04-10 RRC -66.7%",)
    assert len(report.caveats) == 3


async def test_the_order_of_stocks_does_not_matter() -> None:
    source = BundledPrices()
    assert isinstance(source, PriceSource)
    assert await source.universes() == ("sp500", "stocks")
    some = await source.load("stocks:MSFT,AAPL")
    assert some.assets == ("AAPL", "MSFT")
    assert some.digest == (await source.load(" stocks: AAPL , MSFT ")).digest
    whole = await source.load("stocks")
    assert some.digest != whole.digest
    assert some.closes[:, 1].tolist() == whole.closes[:, whole.assets.index("MSFT")].tolist()


@pytest.mark.parametrize(
    ("universe", "message"),
    [
        ("nasdaq", "universe: 'nasdaq' is not allowed; expected sp500, stocks, or some of"),
        ("", "universe: '' is not allowed"),
        ("stocks:", "name:A,B with distinct assets"),
        ("stocks:KO,,PG", "name:A,B with distinct assets"),
        ("stocks:KO,KO", "name:A,B with distinct assets"),
        (
            "stocks:KO,TSLA,IBM",
            "universe: IBM, TSLA is not in twenty S&P 500 stocks.*expected AAPL, AMD",
        ),
        ("sp500:KO", "universe: KO is not in S&P 500 index.*expected SP500"),
    ],
)
async def test_refuses_a_universe_it_does_not_have(universe: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as error_info:
        await BundledPrices().load(universe)
    assert error_info.value.field == "universe"


async def test_cash_as_public_sources_state_it(index: Prices) -> None:
    """Bills earned 4.66 percent in 2007 (Ibbotson, Stocks, Bonds, Bills, and Inflation)."""
    rates = cash_rates()
    assert (str(rates.months[0]), str(rates.months[-1])) == ("1926-07", "2018-11")
    assert (np.diff(rates.months).astype(int) == 1).all()
    year = rates.rates[rates.months.astype("datetime64[Y]") == np.datetime64("2007")]
    assert np.prod(1 + year) - 1 == pytest.approx(0.0466, abs=5e-4)

    returns = Returns.from_prices(index.dates, index.assets, index.closes)
    cash = accrual(returns.dates, rates.months, rates.rates, after=0.02)
    of_2007 = returns.dates.astype("datetime64[Y]") == np.datetime64("2007")
    assert np.prod(1 + cash[of_2007]) - 1 == pytest.approx(0.0466, abs=1e-3)


async def test_the_digest_names_the_content(index: Prices) -> None:
    closes = index.closes.copy()
    closes[-1, 0] = np.nextafter(closes[-1, 0], 0.0)
    changed = Prices(
        dates=index.dates, assets=index.assets, closes=closes,
        price_index=True, survivors=False, source="another name",
    )  # fmt: skip
    same = Prices(
        dates=index.dates, assets=index.assets, closes=index.closes,
        price_index=True, survivors=False, source="another name",
    )  # fmt: skip
    assert same.digest == index.digest
    assert changed.digest != index.digest
    assert cash_rates().digest == cash_rates().digest
