import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices, cash_rates
from desk.optimization.inputs.market_data import build_market, load_market
from desk.optimization.inputs.splits import MIXES, resolve_mixes
from desk.optimization.request import OptimizationRequest
from quant.strategies.config import SearchSpace, StrategyConfig

QUICK = SearchSpace(
    weight_functions=("inverse_vol",), estimators=("rolling",), lookback_days=(10, 21), rebalancing=("daily",)
)


def shorten(prices, returns):
    return replace(prices, dates=prices.dates[: returns + 1], closes=prices.closes[: returns + 1])


def test_train_validate_and_holdout_are_60_20_and_20_percent_in_time_order(world) -> None:
    market = world.market
    days = market.dates.size
    assert market.train.start == market.warm_up
    assert market.train.stop == market.validate.start
    assert market.validate.stop == market.holdout.start
    assert market.holdout.stop == days
    ends = [market.train.stop / days, market.validate.stop / days]
    assert ends == pytest.approx([0.6, 0.8], abs=1 / days)


@pytest.mark.parametrize("days", [1_600, 2_000, 2_519, 3_000])
def test_the_holdout_never_has_less_than_two_years(prices, make_request, days) -> None:
    # the space is quick, and the spreadsheet of a year is replaced, so that short data have room
    request = make_request(space=QUICK, current_rule=StrategyConfig(weight_function="inverse_vol", lookback_days=21))
    market = build_market(shorten(prices, days), request)
    holdout = market.holdout.stop - market.holdout.start
    assert holdout == max(504, round(0.2 * days))
    train, validate = market.train.stop, market.validate.stop - market.validate.start
    assert train / validate == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("longest", [21, 63, 252])
def test_data_that_are_too_short_are_refused_with_the_length_that_is_needed(prices, make_request, longest) -> None:
    request = make_request(space=QUICK.model_copy(update={"lookback_days": (10, longest)}))
    with pytest.raises(InvalidInput, match=r"^prices: '1516 returns' is not allowed") as refusal:
        build_market(shorten(prices, 1516), request)
    (needed,) = re.findall(r"at least (\d+)", refusal.value.allowed)
    market = build_market(shorten(prices, int(needed)), request)
    assert market.train.stop - market.train.start >= 3 * 252
    with pytest.raises(InvalidInput, match=r"^prices: "):
        build_market(shorten(prices, int(needed) - 3), request)


def test_a_lookback_that_the_data_cannot_hold_is_refused(prices, make_request) -> None:
    with pytest.raises(InvalidInput) as refusal:
        build_market(shorten(prices, 600), make_request())
    assert refusal.value.field == "space.lookback_days"
    assert refusal.value.value == "254 sessions with the decision lag"


def test_one_asset_has_no_mix(prices, make_request) -> None:
    with pytest.raises(InvalidInput) as refusal:
        build_market(prices, make_request(space=SearchSpace(inner=("equal_weight",))))
    assert refusal.value.field == "space.inner"


def test_dividends_accrue_on_a_price_index_with_a_caveat(prices, make_request) -> None:
    plain = prices.closes[1:, 0] / prices.closes[:-1, 0] - 1.0
    for dividend in (0.0, 0.02, 0.05):
        market = build_market(prices, make_request(dividend_yield=dividend))
        np.testing.assert_allclose(market.asset - plain, dividend / 252, atol=1e-15)
        assert any(f"{dividend:.1%} a year is added" in values for values in market.caveats)


def test_stocks_get_no_second_dividends_and_a_survivorship_caveat(stocks, make_request) -> None:
    market = build_market(stocks, make_request(dividend_yield=0.05))
    each = stocks.closes[1:] / stocks.closes[:-1] - 1.0
    np.testing.assert_allclose(market.asset, each.mean(axis=1), atol=1e-15)
    assert any("survivorship" in texts for texts in market.caveats)
    assert not any("dividends out" in texts for texts in market.caveats)


def test_cash_earns_the_rate_of_the_month_in_which_the_session_before_lies(world) -> None:
    market, rates = world.market, cash_rates()
    by_month = dict(zip(rates.months.astype(str), rates.rates, strict=True))
    for t in range(1, market.dates.size, 97):
        before, today = market.dates[t - 1], market.dates[t]
        month = str(before.astype("datetime64[M]"))
        first = np.datetime64(month, "D")
        length = int(((first.astype("datetime64[M]") + 1).astype("datetime64[D]") - first).astype(int))
        elapsed = int((today - before).astype(int))
        annual = by_month[month] * 360 / length if month in by_month else world.request.cash_rate_after
        assert market.cash[t] == pytest.approx(annual * elapsed / 360, rel=1e-12)


def test_the_assumed_cash_rate_begins_where_the_known_one_ends(prices, make_request) -> None:
    low, high = (build_market(prices, make_request(cash_rate_after=rate)) for rate in (0.0, 0.04))
    changed = low.dates[low.cash != high.cash]
    assert str(changed[0]) == "2018-12-04"  # the session after the first of December
    assert low.cash[low.dates > np.datetime64("2018-12-03")].max() == 0.0
    assert any("4.0% a year is assumed" in texts for texts in high.caveats)


@pytest.mark.parametrize(
    ("rule", "needs"),
    [
        (StrategyConfig(weight_function="inverse_vol", lookback_days=126), 126),
        (StrategyConfig(weight_function="inverse_vol", estimator="ewma", decay=0.97), 63),
        (StrategyConfig(weight_function="trend_overlay", lookback_days=21, hysteresis=0.0), 252),
        (StrategyConfig(weight_function="constant", constant_weight=0.5), 21),
    ],
)
def test_the_warm_up_is_the_longest_lookback_and_the_lag(prices, make_request, rule, needs) -> None:
    mandate = make_request().mandate.model_copy(update={"decision_lag": 4})
    market = build_market(prices, make_request(space=QUICK, current_rule=rule, mandate=mandate))
    assert market.warm_up == market.train.start == needs + 4


def test_several_assets_are_mixed_in_every_way_unless_the_request_says_how(stocks, make_request) -> None:
    request = resolve_mixes(make_request(), assets=3)
    assert request.space.inner == MIXES
    assert request.current_rule.inner == "equal_weight"
    assert resolve_mixes(request, assets=3) == request
    assert resolve_mixes(make_request(), assets=1) == make_request()
    assert set(build_market(stocks, make_request()).mixes) == set(MIXES)


@pytest.mark.anyio
async def test_a_file_takes_the_place_of_the_bundled_prices(prices, make_request, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    rows = [f"{day},{close}" for day, close in zip(prices.dates, prices.closes[:, 0], strict=True)]
    file.write_text("\n".join(["date,SPX", *rows]))
    request: OptimizationRequest = make_request(prices_file=str(file), universe="file")
    market = await load_market(BundledPrices(), request)
    bundled = await load_market(BundledPrices(), make_request())
    np.testing.assert_array_equal(market.dates, bundled.dates)
    assert "mine.csv" in market.source
    assert str(tmp_path) not in market.source
