"""The estimators `range` and `implied` on history: against a second definition, without look-ahead, and refused."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from desk.base.errors import InvalidInput
from desk.market.prices import Prices, Ranges, VolatilityIndex
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.inputs.volatilities import external_volatilities
from desk.optimization.request import OptimizationRequest
from desk.scenarios.schemas import HISTORY
from desk.strategies.evaluation import run_evaluation
from desk.strategies.templates import Rule
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import BUILT_IN
from tests.doubles.price_source import FixedPrices

RANGE = StrategyConfig(weight_function="inverse_vol", estimator="range", lookback_days=21, rebalancing="daily")
IMPLIED = StrategyConfig(weight_function="inverse_vol", estimator="implied", rebalancing="daily")
MANDATE = Mandate(transaction_cost_bps=0.0, max_change=2.0)


@pytest.fixture(scope="module")
def bars(prices: Prices) -> Prices:
    """The index with opens, highs and lows that enclose its closes."""
    rng = np.random.default_rng(4)
    closes = prices.closes
    opens = np.vstack([closes[:1], closes[:-1]]) * np.exp(rng.normal(0.0, 0.003, closes.shape))
    highs = np.maximum(opens, closes) * np.exp(rng.exponential(0.004, closes.shape))
    lows = np.minimum(opens, closes) * np.exp(-rng.exponential(0.004, closes.shape))
    return replace(prices, ranges=Ranges(opens, highs, lows))


@pytest.fixture(scope="module")
def index(prices: Prices) -> Prices:
    levels = 15.0 + 5.0 * np.abs(np.random.default_rng(9).normal(size=prices.closes.shape))
    return replace(prices, closes=levels, assets=("VIX",), ranges=None, price_index=False)


def yang_zhang(prices: Prices, n: int) -> pd.Series:
    """Yang and Zhang (2000), equation 10, with the rolling windows of pandas."""
    assert prices.ranges is not None
    o, h, lo, c = (
        pd.Series(np.log(t[:, 0]))
        for t in (prices.ranges.opens, prices.ranges.highs, prices.ranges.lows, prices.closes)
    )
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    inside = (h - o) * (h - c) + (lo - o) * (lo - c)
    variance = (o - c.shift()).rolling(n).var() + k * (c - o).rolling(n).var() + (1 - k) * inside.rolling(n).mean()
    return np.sqrt(252 * variance)


def world_of(prices: Prices, rule: StrategyConfig, **changes: Any) -> World:
    request = OptimizationRequest(current_rule=rule, mandate=MANDATE, **changes)
    return World(build_market(prices, request), request)


def test_weights_follow_the_range_of_the_day_before_the_lag(bars: Prices) -> None:
    world = world_of(bars, RANGE)
    start, stop = world.market.train.start, world.market.validate.stop
    weights = world.replay([RANGE]).series[0, 1, start:stop]
    lag, target = world.request.mandate.decision_lag, world.request.mandate.target_volatility
    volatility = yang_zhang(bars, 21).to_numpy()[1:]  # the first session has no return
    expected = np.clip(target / volatility[start - 1 - lag : stop - 1 - lag], MANDATE.min_weight, MANDATE.max_weight)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_weights_follow_the_index_of_the_day_before_the_lag(prices: Prices, index: Prices) -> None:
    levels = VolatilityIndex(index.dates, index.closes[:, 0], "VIX")
    world = world_of(replace(prices, volatility_index=levels), IMPLIED, volatility_index="vix")
    start, stop = world.market.train.start, world.market.validate.stop
    weights = world.replay([IMPLIED]).series[0, 1, start:stop]
    lag, target = world.request.mandate.decision_lag, world.request.mandate.target_volatility
    known = index.closes[1:, 0][start - 1 - lag : stop - 1 - lag] / 100.0
    np.testing.assert_allclose(weights, np.clip(target / known, MANDATE.min_weight, MANDATE.max_weight), rtol=1e-12)


@pytest.mark.parametrize("rule", [RANGE, IMPLIED], ids=["range", "implied"])
def test_the_future_changes_no_weight(bars: Prices, index: Prices, bend_prices, rule: StrategyConfig) -> None:
    row = 4000
    assert bars.ranges is not None
    tables = [table.copy() for table in (bars.ranges.opens, bars.ranges.highs, bars.ranges.lows)]
    bent = bend_prices(bars, row)
    ratio = bent.closes[row:] / bars.closes[row:]
    for table in tables:
        table[row:] *= ratio
    levels, later = index.closes[:, 0], index.closes[:, 0].copy()
    later[row:] *= 3.0
    worlds = [
        world_of(replace(p, volatility_index=VolatilityIndex(index.dates, values, "VIX")), rule, volatility_index="vix")
        for p, values in ((bars, levels), (replace(bent, ranges=Ranges(*tables)), later))
    ]
    before, after = (world.replay([rule]).series[0, 1] for world in worlds)
    # row `row` of the prices is return row - 1, whose weight was set before its close
    np.testing.assert_array_equal(before[:row], after[:row])
    assert not np.array_equal(before[row:], after[row:], equal_nan=True)


def test_other_highs_are_other_data_where_the_rule_reads_them(bars: Prices) -> None:
    assert bars.ranges is not None
    highs = bars.ranges.highs.copy()
    highs[100] *= 1.01
    other = replace(bars, ranges=replace(bars.ranges, highs=highs))
    rolling = RANGE.model_copy(update={"estimator": "rolling"})
    of_closes = [world_of(p, rolling).market.data_digest for p in (bars, other)]
    of_ranges = [world_of(p, RANGE).market.data_digest for p in (bars, other)]
    assert of_closes == [bars.digest, bars.digest]
    assert len({*of_ranges, bars.digest}) == 3


def test_an_evaluation_with_ranges_has_history_and_no_simulation(bars: Prices) -> None:
    source = FixedPrices({"sp500": bars})
    run = asyncio.run(
        run_evaluation(source, Rule(config=RANGE, mandate=MANDATE), universe="sp500", scenario=BUILT_IN[0])
    )
    assert all(held.simulated is None and held.history.scenario == HISTORY for held in run.evaluation.held)
    assert not any("simulated" in figure.id for figure in run.evaluation.figures)
    assert any("works on history only" in caveat for caveat in run.evaluation.caveats)


def test_an_evaluation_names_its_volatility_index(prices: Prices, index: Prices) -> None:
    source = FixedPrices({"sp500": prices, "vix": index})
    rule = Rule(config=IMPLIED, mandate=MANDATE)
    run = asyncio.run(run_evaluation(source, rule, universe="sp500", scenario=BUILT_IN[0], volatility_index="vix"))
    world = world_of(
        asyncio.run(load_prices(source, OptimizationRequest(current_rule=IMPLIED, volatility_index="vix"))),
        IMPLIED,
        volatility_index="vix",
    )
    assert np.array_equal(run.world.replay([IMPLIED]).series, world.replay([IMPLIED]).series, equal_nan=True)


def test_data_that_are_missing_are_named_at_once(prices: Prices, stocks: Prices, bars: Prices, index: Prices) -> None:
    late = VolatilityIndex(index.dates[5000:], index.closes[5000:, 0], "VIX")
    assert bars.ranges is not None
    inverted = replace(bars, ranges=Ranges(bars.ranges.opens, bars.ranges.lows, bars.ranges.highs))
    for data, rule, field, text in (
        (prices, RANGE, "current_rule.estimator", "closes only"),
        (stocks, RANGE, "current_rule.estimator", "mix of 3 assets"),
        (inverted, RANGE, "current_rule.estimator", "must enclose"),
        (prices, IMPLIED, "volatility_index", "none is named"),
        (replace(prices, volatility_index=late), IMPLIED, "volatility_index", "begin on"),
    ):
        with pytest.raises(InvalidInput, match=text) as refusal:
            external_volatilities(data, rule)
        assert refusal.value.field == field


def test_a_request_without_an_index_keeps_its_fields() -> None:
    assert "volatility_index" not in OptimizationRequest().model_dump()
    named = OptimizationRequest(volatility_index="vix")
    assert OptimizationRequest.model_validate_json(named.model_dump_json()) == named
