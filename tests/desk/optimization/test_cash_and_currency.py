"""Own cash and currency of a request, against an account that pandas computes; mixed currencies are refused."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from desk.base.errors import InvalidInput
from desk.compute.container.job_files import pack_prices, unpack_prices
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.admission import complete_request
from desk.optimization.inputs.market_data import Market, build_market, load_prices
from desk.optimization.inputs.splits import resolve_mixes
from desk.optimization.request import BUNDLED_CASH, OptimizationRequest
from tests.desk.optimization.fixed_prices import FixedPrices


def series(name: str, days: np.ndarray, values: np.ndarray, currency: str = "EUR") -> Prices:
    return Prices(
        dates=days,
        assets=(name,),
        closes=values[:, None],
        price_index=False,
        survivors=False,
        source=f"data set {name.lower()}",
        currency=currency,
    )


@pytest.fixture(scope="module")
def tables(prices: Prices) -> dict[str, Prices]:
    """An index in euros, weekly rates in euros that turn negative, and dollars for a euro."""
    own = replace(prices, assets=("STOXX",), price_index=False, currency="EUR", source="data set mine", notes=())
    weeks = np.arange("1989-12-27", "2022-12-28", 7, dtype="datetime64[D]")
    rates = 3.0 - 4.0 * np.arange(weeks.size) / weeks.size + 0.3 * np.sin(np.arange(weeks.size) / 9.0)
    rng = np.random.default_rng(8)
    dollars = 1.1 * np.exp(np.cumsum(0.005 * rng.standard_normal(prices.dates.size)))
    return {
        "mine": own,
        "rates": series("ESTR", weeks, rates),
        "fx": series("EURUSD", prices.dates, dollars),
    }


@pytest.fixture(scope="module")
def load(tables: dict[str, Prices]) -> Callable[..., Prices]:
    def load_request(*, others: dict[str, Prices] | None = None, **changes: object) -> Prices:
        request = OptimizationRequest.model_validate({"universe": "mine"} | changes)
        return asyncio.run(load_prices(FixedPrices(tables | (others or {})), request))

    return load_request


def market(tables: dict[str, Prices], request: OptimizationRequest) -> Market:
    return build_market(asyncio.run(load_prices(FixedPrices(tables), request)), request)


def test_a_request_without_own_cash_is_the_one_that_it_was() -> None:
    blank = OptimizationRequest()
    assert not {"cash", "cash_day_count", "currency", "exchange_rate"} & blank.model_dump().keys()
    assert OptimizationRequest(cash=BUNDLED_CASH).content_digest() == blank.content_digest()
    own = OptimizationRequest.model_validate({"cash": -0.005, "cash_day_count": "365"})
    assert (own.cash, own.cash_day_count) == ("-0.005", 365)
    assert OptimizationRequest.model_validate(own.model_dump()) == own
    assert own.content_digest() != blank.content_digest()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cash": "3%"}, "a fraction such as 0.02"),
        ({"cash": 3}, "2% is written 0.02"),
        ({"cash": "bundled:DE"}, "expected bundled:US"),
        ({"cash": True}, "string"),
        ({"cash_day_count": 365}, "belongs to a rate"),
        ({"cash": "0.02", "cash_day_count": 364}, "360 or 365"),
        ({"currency": "EUR"}, "describe a price file"),
        ({"prices_file": "mine.csv", "currency": "euro"}, "pattern"),
    ],
)
def test_cash_and_currency_that_mean_nothing_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        OptimizationRequest.model_validate(fields)


def test_euros_with_their_own_cash_have_the_figures_of_an_independent_account(tables, make_request) -> None:
    """60% of the index and 40% of cash, monthly, in money; the cash at the rate of the day before over 365 days."""
    request = make_request(universe="mine", cash="rates", cash_day_count=365)
    world = World(market(tables, request), request)
    config = world.constant(0.6, "monthly")
    record = world.replay([config]).series[0]

    closes = pd.Series(tables["mine"].closes[:, 0], index=pd.DatetimeIndex(tables["mine"].dates))
    weekly = pd.Series(tables["rates"].closes[:, 0] / 100.0, index=pd.DatetimeIndex(tables["rates"].dates))
    days = closes.index
    known = weekly.reindex(days.union(weekly.index)).ffill()[days].shift(1)
    cash = (known * pd.Series(days, index=days).diff().dt.days / 365.0).iloc[1:]
    cash.iloc[0] = 0.0  # no session precedes the first return
    returns = closes.pct_change().iloc[1:]
    part = slice(world.market.train.start, world.market.train.stop)
    month_ends = set(pd.Series(days, index=days).groupby(pd.DatetimeIndex(days).to_period("M")).last())
    cost, excess = 0.0005, []
    money: Any = pd.Series({"index": 0.6, "cash": 0.4})
    fee = cost * 0.6
    for day in returns.index[part]:
        before = math.fsum(money)
        money = money * [1.0 + returns[day], 1.0 + cash[day]]
        if day in month_ends:
            wealth = money.sum()
            fee += cost * abs(0.6 * wealth - money["index"]) / wealth
            money = pd.Series({"index": 0.6 * wealth, "cash": 0.4 * wealth})
        money, fee = money * (1.0 - fee), 0.0
        excess.append(math.fsum(money) / before - 1.0 - cash[day])
    np.testing.assert_allclose(record[0, part], excess, atol=1e-12)
    evaluation = world.on_history(config, record, part)
    own = pd.Series(excess)
    assert evaluation.metrics.excess_return.value == pytest.approx(252 * own.mean(), abs=1e-10)
    assert evaluation.metrics.volatility.value == pytest.approx(np.sqrt(252) * own.std(), abs=1e-10)
    assert (world.market.cash[1:] < 0.0).any()
    assert world.market.currency == "EUR"
    assert not any("US dollars" in caveat for caveat in world.market.caveats)
    assert any("Cash earns ESTR, in percent a year (actual days over 365)" in c for c in world.market.caveats)


def test_euros_with_the_dollar_bill_are_refused_with_what_to_give(tables, load) -> None:
    with pytest.raises(InvalidInput) as refusal:
        load()
    text = str(refusal.value)
    assert "the prices are in EUR, and the US Treasury bill is in USD" in text
    assert "a series of rates in EUR; or exchange_rate with a series EURUSD" in text
    with pytest.raises(InvalidInput, match="the prices are in USD, and rates is in EUR"):
        load(cash="rates", others={"mine": replace(tables["mine"], currency="USD")})


def test_prices_that_are_not_in_dollars_need_more_than_their_facts() -> None:
    request = OptimizationRequest()
    known = {"digest": "d", "assets": ("A",), "first": "1990-01-02", "last": "2022-12-28", "sessions": 8_000}
    known["training_volatility"] = 0.18
    for currency, decided in (("USD", True), ("EUR", False), (None, False)):
        facts = PriceFacts.model_validate(known | {"currency": currency})
        assert (complete_request(request, facts) is not None) == decided
    dollars = PriceFacts.model_validate(known | {"currency": "USD"})
    assert complete_request(OptimizationRequest(cash="0.02"), dollars) is None
    assert complete_request(OptimizationRequest(exchange_rate="fx"), dollars) is None


@pytest.mark.parametrize(("day_count", "rate"), [(360, "-0.004"), (365, "0.0312")])
def test_a_rate_is_earned_on_calendar_days(tables, make_request, day_count: int, rate: str) -> None:
    own = market(tables, make_request(universe="mine", cash=rate, cash_day_count=day_count))
    elapsed = np.diff(own.dates).astype(float)
    np.testing.assert_allclose(own.cash[1:], float(rate) * elapsed / day_count, atol=1e-17)
    other = market(tables, make_request(universe="mine", cash="0.01"))
    assert own.rates_digest != other.rates_digest
    assert own.prices_digest == other.prices_digest


def test_the_rates_are_part_of_the_digest_of_the_data_and_travel_with_the_prices(tables, load, make_request) -> None:
    request = make_request(universe="mine", cash="rates")
    loaded = load(cash="rates")
    unpacked = unpack_prices(pack_prices(loaded), loaded.digest)
    first, again = build_market(loaded, request), build_market(unpacked, request)
    assert first.data_digest == again.data_digest != first.prices_digest
    np.testing.assert_array_equal(first.cash, again.cash)
    changed = tables | {"rates": replace(tables["rates"], closes=tables["rates"].closes + 0.1)}
    assert market(changed, request).data_digest != first.data_digest


@pytest.mark.parametrize("inverse", [False, True])
def test_an_exchange_rate_converts_into_the_currency_of_the_cash(tables, load, inverse: bool) -> None:
    fx = tables["fx"]
    if inverse:
        fx = replace(fx, assets=("USD/EUR",), closes=1.0 / fx.closes)
    loaded = load(exchange_rate="fx", others={"fx": fx})
    assert loaded.currency == "USD"
    np.testing.assert_allclose(loaded.closes, tables["mine"].closes * tables["fx"].closes, rtol=1e-14)
    assert any("converted from EUR to USD" in note for note in loaded.notes)
    assert load(cash="rates", exchange_rate="fx").currency == "EUR"


def test_a_bond_in_another_currency_is_converted_too(prices, tables, load) -> None:
    bond = replace(prices, assets=("TREASURY",), price_index=False)
    loaded = load(cash="rates", exchange_rate="fx", safe="bonds:TREASURY", others={"bonds": bond})
    assert (loaded.currency, loaded.safe.name) == ("EUR", "TREASURY")
    np.testing.assert_allclose(loaded.safe.levels, prices.closes[:, 0] / tables["fx"].closes[:, 0], rtol=1e-14)
    with pytest.raises(InvalidInput, match="it is in USD, the prices in EUR"):
        load(cash="rates", safe="bonds:TREASURY", others={"bonds": bond})


def test_sessions_without_an_exchange_rate_are_left_out_at_the_ends_only(tables, load) -> None:
    fx = tables["fx"]
    late = replace(fx, dates=fx.dates[100:], closes=fx.closes[100:])
    loaded = load(exchange_rate="fx", others={"fx": late})
    np.testing.assert_array_equal(loaded.dates, tables["mine"].dates[100:])
    assert "100 sessions without EURUSD are left out" in loaded.notes
    keep = np.ones(fx.dates.size, dtype=bool)
    keep[500:520] = False
    holes = replace(fx, dates=fx.dates[keep], closes=fx.closes[keep])
    with pytest.raises(InvalidInput, match="it has no value within 7 days before"):
        load(exchange_rate="fx", others={"fx": holes})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"assets": ("GBPUSD",)}, "it converts GBP and USD; data set mine is in EUR"),
        ({"assets": ("EURGBP",)}, "it converts EUR and GBP, and the cash is in USD"),
        ({"assets": ("EUR",)}, "EUR is no pair of currencies"),
    ],
)
def test_an_exchange_rate_of_other_currencies_is_refused(tables, load, changes, reason: str) -> None:
    with pytest.raises(InvalidInput, match=reason):
        load(exchange_rate="fx", others={"fx": replace(tables["fx"], **changes)})


def test_rates_that_do_not_cover_the_prices_are_refused(tables, load, make_request) -> None:
    rates = tables["rates"]
    late = tables | {"rates": replace(rates, dates=rates.dates[50:], closes=rates.closes[50:])}
    with pytest.raises(InvalidInput, match="no rate is known on 1990-01-03"):
        market(late, make_request(universe="mine", cash="rates"))
    with pytest.raises(InvalidInput, match="rates between -5 and 50 percent a year"):
        load(cash="rates", others={"rates": replace(rates, closes=rates.closes * 100.0)})
    ended = tables | {"rates": replace(rates, dates=rates.dates[:1500], closes=rates.closes[:1500])}
    stale = market(ended, make_request(universe="mine", cash="rates", cash_rate_after=0.01))
    assert any(f"known to {rates.dates[1499]}; after that 1.0% a year" in caveat for caveat in stale.caveats)
    assert stale.cash[-1] == pytest.approx(0.01 / 360)


def test_a_file_holds_its_prices_rates_and_exchange_rate(prices, tables, tmp_path: Path) -> None:
    days = prices.dates
    rates = np.interp(days.astype(float), tables["rates"].dates.astype(float), tables["rates"].closes[:, 0])
    frame = pd.DataFrame(
        {
            "date": days.astype(str),
            "STOXX": prices.closes[:, 0],
            "DAX": prices.closes[:, 0] * 2.0,
            "ESTR": rates,
            "EURUSD": tables["fx"].closes[:, 0],
        }
    )
    path = tmp_path / "mine.csv"
    frame.to_csv(path, index=False)

    def load_file(**changes: object) -> Prices:
        fields = {"prices_file": str(path), "universe": "file", "currency": "EUR", "calendar": "none"} | changes
        return asyncio.run(load_prices(FixedPrices({}), OptimizationRequest.model_validate(fields)))

    loaded = load_file(cash="ESTR", exchange_rate="file:EURUSD")
    assert (loaded.assets, loaded.currency) == (("STOXX", "DAX"), "EUR")
    assert loaded.cash is not None
    np.testing.assert_allclose(loaded.cash.percent, rates)
    assert (loaded.cash.percent < 0.0).any()
    converted = load_file(exchange_rate="EURUSD", universe="STOXX")
    assert (converted.assets, converted.currency) == (("STOXX",), "USD")
    frame.drop(columns="ESTR").to_csv(tmp_path / "prices.csv", index=False)
    with pytest.raises(InvalidInput, match="the prices are in EUR"):
        load_file(prices_file=str(tmp_path / "prices.csv"))
    request = OptimizationRequest(prices_file=str(path), universe="file", currency="EUR", cash="ESTR", calendar="none")
    assert build_market(load_file(cash="ESTR"), resolve_mixes(request, assets=2)).currency == "EUR"
