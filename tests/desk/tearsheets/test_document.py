import asyncio
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import cash_rates
from desk.tearsheets.document import TOOL, make_tearsheet
from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest
from quant.worlds.cash import accrual
from tests.doubles.price_source import FixedPrices, assert_well_formed


@pytest.fixture(scope="module")
def source(prices, stocks) -> FixedPrices:
    return FixedPrices({"sp500": prices, "stocks": stocks})


@pytest.fixture(scope="module")
def make(source):
    def build(prices: FixedPrices = source, **fields: Any) -> TearsheetDocument:
        request = TearsheetRequest.model_validate(fields)
        return asyncio.run(make_tearsheet(None, prices, "owner", request))  # pyright: ignore[reportArgumentType]

    return build


@pytest.fixture(scope="module")
def sheet(make) -> TearsheetDocument:
    return make(asset="AAPL")


def frame(stocks, document: TearsheetDocument) -> pd.DataFrame:
    closes = pd.DataFrame(stocks.closes, index=pd.DatetimeIndex(stocks.dates), columns=list(stocks.assets))
    return closes[: str(document.last_day)].pct_change().dropna()


def test_an_asset_equals_the_statistics_of_pandas(stocks, sheet: TearsheetDocument) -> None:
    own = frame(stocks, sheet)["AAPL"]
    rates = cash_rates()
    days = np.concatenate([stocks.dates[:1], own.index.to_numpy()])
    cash = accrual(days, rates.months, rates.rates, after=0.02)[1:]
    wealth = (1 + own).cumprod()
    expected = {
        "cagr": wealth.iloc[-1] ** (252 / len(own)) - 1,
        "volatility": own.std() * 252**0.5,
        "sharpe": (own - cash).mean() / (own - cash).std() * 252**0.5,
        "max_drawdown": 1 - (wealth / wealth.cummax().clip(lower=1.0)).min(),
        "best_month": ((1 + own).groupby(pd.DatetimeIndex(own.index).to_period("M")).prod() - 1).max(),
    }
    for name, value in expected.items():
        assert sheet.statistic(name).value == pytest.approx(value, rel=1e-9), name
    assert {row.year: row.value for row in sheet.years} == pytest.approx(
        ((1 + own).groupby(pd.DatetimeIndex(own.index).year).prod() - 1).to_dict(), rel=1e-9
    )
    assert sheet.series.wealth == pytest.approx(wealth.tolist(), rel=1e-9)


def test_the_benchmark_is_regressed_on_the_same_days(prices, sheet: TearsheetDocument) -> None:
    series = sheet.series
    index = pd.Series(prices.closes[:, 0], index=pd.DatetimeIndex(prices.dates)).pct_change() + 0.02 / 252
    own = index[pd.DatetimeIndex(series.dates)]
    assert series.benchmark_returns == pytest.approx(own.tolist(), rel=1e-9)
    assert sheet.statistic("volatility").benchmark == pytest.approx(own.std() * 252**0.5, rel=1e-9)
    assert sheet.statistic("correlation").value == pytest.approx(np.corrcoef(series.returns, own)[0, 1], abs=1e-4)


def test_columns_of_the_series_have_one_length(sheet: TearsheetDocument) -> None:
    lengths = {len(values) for values in sheet.series.columns().values()}
    assert lengths == {len(sheet.series.dates)}
    table = sheet.series.to_frame()
    assert list(table.columns) == list(sheet.series.columns())
    assert table["rolling_volatility"].isna().sum() == sheet.window - 1


def test_drawdowns_have_dates_in_order(sheet: TearsheetDocument) -> None:
    assert len(sheet.falls) == 5
    depths = [fall.depth for fall in sheet.falls]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == sheet.statistic("max_drawdown").value
    for fall in sheet.falls:
        end = fall.recovery or sheet.last_day
        assert (fall.peak or sheet.first_day) < fall.trough <= end
        assert fall.peak is None or fall.days == (end - fall.peak).days


def test_the_histogram_counts_every_return(sheet: TearsheetDocument) -> None:
    assert sum(sheet.distribution.counts) == len(sheet.series.returns)
    assert len(sheet.distribution.edges) == len(sheet.distribution.counts) + 1


def test_figures_are_well_formed(sheet: TearsheetDocument) -> None:
    assert_well_formed(sheet.figures, TOOL)


def test_prices_in_the_holdout_change_nothing(make, prices, stocks, bend_prices, sheet: TearsheetDocument) -> None:
    row = int(np.searchsorted(stocks.dates, np.datetime64(sheet.last_day))) + 1
    assert row < stocks.dates.size
    bent = FixedPrices({"sp500": bend_prices(prices, row), "stocks": bend_prices(stocks, row)})
    same = make(bent, asset="AAPL")
    assert (same.statistics, same.series, same.figures) == (sheet.statistics, sheet.series, sheet.figures)
    earlier = FixedPrices({"sp500": bend_prices(prices, row - 1), "stocks": bend_prices(stocks, row - 1)})
    assert make(earlier, asset="AAPL").series != sheet.series


def test_data_too_short_for_any_search_are_shown_to_the_end(make, prices, stocks) -> None:
    short = FixedPrices({"stocks": replace(stocks, dates=stocks.dates[:1000], closes=stocks.closes[:1000])})
    assert make(short, asset="AAPL").last_day == stocks.dates[999].item()


def test_holdings_over_time_drift_until_the_next_entry(make, stocks) -> None:
    entries = [
        {"date": "2000-01-03", "weights": {"AAPL": 0.5, "XOM": 0.5}},
        {"date": "2003-06-30", "weights": {"JNJ": 0.6, "cash": 0.4}},
    ]
    document = make(holdings=entries, benchmark="none", last_day="2003-06-30")
    closes = pd.DataFrame(stocks.closes, index=pd.DatetimeIndex(stocks.dates), columns=list(stocks.assets))
    held = closes.loc["2000-01-03":"2003-06-30", ["AAPL", "XOM"]]
    wealth = (held / held.iloc[0]).mean(axis=1).iloc[1:]
    assert document.series.dates[0] == date(2000, 1, 4)
    assert document.series.wealth == pytest.approx(wealth.tolist(), rel=1e-9)
    later = make(holdings=entries, benchmark="none")
    assert later.statistic("max_leverage").value == pytest.approx(1.0)
    assert later.statistic("average_leverage").value < 1.0  # pyright: ignore[reportOptionalOperand]


MONTHS = [f"{year}-{month:02d}-28" for year in (2001, 2002, 2003) for month in range(1, 13)]
RETURNS = np.random.default_rng(3).normal(0.01, 0.04, 36).tolist()
FUND = {"name": "Fund", "dates": MONTHS, "returns": RETURNS}
FLAT = {**FUND, "returns": [0.01] * 36}


def test_a_monthly_series_has_twelve_periods_a_year(make) -> None:
    document = make(series=FUND, benchmark="none", cash_rate=0.0)
    assert (document.frequency, document.periods, document.window) == ("monthly", 12, 6)
    assert document.statistic("volatility").value == pytest.approx(np.std(RETURNS, ddof=1) * 12**0.5)
    assert [row.value for row in document.months] == pytest.approx(RETURNS)
    assert all(row.benchmark is None for row in document.statistics)


def test_prices_and_their_returns_have_the_same_tear_sheet(make) -> None:
    prices = np.concatenate([[100.0], 100.0 * np.cumprod(1.0 + np.array(RETURNS))]).tolist()
    from_prices = make(series={"name": "Fund", "dates": ["2000-12-28", *MONTHS], "prices": prices}, benchmark="none")
    from_returns = make(series=FUND, benchmark="none")
    assert from_prices.series.returns == pytest.approx(from_returns.series.returns)
    assert from_prices.statistic("sharpe").value == pytest.approx(from_returns.statistic("sharpe").value, rel=1e-3)


def test_a_daily_benchmark_is_sampled_on_the_days_of_a_monthly_series(make, prices) -> None:
    document = make(series=FUND, benchmark="sp500")
    closes = pd.Series(prices.closes[:, 0], index=pd.DatetimeIndex(prices.dates))
    growth = (closes.pct_change() + 0.02 / 252 + 1).fillna(1).cumprod()
    known = growth.reindex(pd.DatetimeIndex(MONTHS), method="ffill")
    expected = known.pct_change().dropna().tolist()
    assert document.series.benchmark_returns is not None
    assert document.series.benchmark_returns[1:] == pytest.approx(expected, rel=1e-9)


def test_a_series_without_benchmark_data_has_none_and_says_so(make) -> None:
    late = {**FUND, "dates": [f"{int(day[:4]) + 20}{day[4:]}" for day in MONTHS]}
    document = make(series=late)
    assert document.benchmark is None
    assert any("no benchmark" in caveat for caveat in document.caveats)


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        ({"asset": "NOPE"}, "asset", "no prices of NOPE"),
        ({"asset": "stocks:AAPL,JNJ"}, "asset", "2 assets"),
        ({"asset": "AAPL", "benchmark": "NOPE"}, "benchmark", "no prices of NOPE"),
        ({"asset": "AAPL", "first_day": "2015-12-31", "last_day": "2016-01-01"}, "first_day", "fewer than two returns"),
        ({"asset": "AAPL", "first_day": "2020-01-01"}, "first_day", "fewer than two returns"),
        ({"holdings": [{"date": "2000-01-03", "weights": {"AAPL": 0.5}}]}, "holdings.0.weights", "add up to 0.5"),
        ({"holdings": [{"date": "2000-01-03", "weights": {"cash": 1.0}}]}, "holdings", "only cash"),
        ({"holdings": [{"date": "2030-01-03", "weights": {"AAPL": 1.0}}]}, "holdings.0.date", "expected a day from"),
        ({"series": {**FUND, "returns": [-1.0, *RETURNS[1:]]}}, "series.returns.0", "0.01 is one percent"),
        ({"series": {**FUND, "dates": MONTHS[::-1]}}, "series.dates.1", "does not follow"),
        ({"series": {**FUND, "dates": ["0001-01-31", *MONTHS[1:]]}}, "series.dates.0", "days from 1800-01-01 on"),
        ({"series": {**FUND, "returns": [1e300] * 36}}, "series.returns.0", "wealth reaches"),
        ({"series": {**FUND, "returns": [-0.999999] * 36}}, "series.returns.5", "at most 1e[+]30-fold"),
        ({"series": {"dates": MONTHS, "prices": [1e300, 1e-300] * 18}}, "series.prices.1", "wealth reaches"),
        (
            {"series": FUND, "benchmark_series": {**FUND, "returns": [0.01] * 36}, "cash_rate": 0.0},
            "series",
            "must vary",
        ),
        (
            {"series": {"dates": ["2001-01-01", "2001-03-01", "2001-05-01"], "returns": [0.1, 0.1, 0.2]}},
            "periods",
            "no usual frequency",
        ),
        (
            {"series": {"dates": ["1901-01-01", "1901-02-01", "1901-03-01"], "returns": [0.1, 0.1, 0.2]}},
            "cash_rate",
            "no rate is known",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused_by_its_field(make, fields: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(InvalidInput, match=text) as refusal:
        make(**fields)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"asset": "AAPL", "job": "x"},
        {"series": {"dates": MONTHS, "returns": RETURNS, "prices": RETURNS}},
        {"series": {"dates": MONTHS, "returns": RETURNS[1:]}},
        {"asset": "A", "first_day": "2001-01-02", "last_day": "2001-01-02"},
        {"holdings": [{"date": "2001-01-02", "weights": {"A": 1}}] * 2},
    ],
)
def test_a_request_names_one_subject_with_days_in_order(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TearsheetRequest.model_validate(fields)
