"""A benchmark series of the request: loading on the sessions of the prices, and the comparison, against pandas."""

import asyncio
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from api.cli.output.summary import rows
from desk.base.errors import InvalidInput
from desk.compute.container.job_files import pack_prices, unpack_prices
from desk.figures.guard.claims import check
from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.judgement.series_benchmark import compare_with_series
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.topics import topic_claims
from desk.optimization.request import OptimizationRequest
from tests.desk.optimization.fixed_prices import FixedPrices
from tests.sample_result import sample_result


@pytest.fixture(scope="module")
def peer(prices: Prices) -> Prices:
    """A fund with a level on four of five sessions of the index."""
    keep = np.arange(prices.dates.size) % 5 != 3
    levels = 50.0 * np.exp(np.cumsum(0.008 * np.random.default_rng(2).standard_normal(prices.dates.size) + 2e-4))
    return replace(prices, dates=prices.dates[keep], closes=levels[keep][:, None], assets=("PEER",), price_index=False)


def load(prices: Prices, peer: Prices, **changes: object) -> Prices:
    fields = {"universe": "mine", "benchmark": "peer"} | changes
    source = FixedPrices({"mine": prices, "peer": peer})
    return asyncio.run(load_prices(source, OptimizationRequest.model_validate(fields)))


def test_the_comparison_is_the_one_that_pandas_computes(prices, peer, make_request) -> None:
    request = make_request(universe="mine", benchmark="peer")
    loaded = load(prices, peer)
    world = World(build_market(loaded, request), request)
    part = unlocked_days(world)
    winner = world.replay([world.constant(0.6)]).series[0, 0, part]
    comparison = compare_with_series(world, np.ascontiguousarray(winner))
    assert comparison is not None

    days = pd.DatetimeIndex(prices.dates)
    levels = pd.Series(peer.closes[:, 0], index=pd.DatetimeIndex(peer.dates)).reindex(days).ffill()
    returns = levels.pct_change().iloc[1:].to_numpy()[part]
    excess, own = pd.Series(returns - world.market.cash[part]), pd.Series(winner)
    wealth = pd.Series(np.cumprod(1.0 + returns))
    assert comparison.excess_return == pytest.approx(252 * excess.mean(), abs=1e-12)
    assert comparison.volatility == pytest.approx(np.sqrt(252) * excess.std(), abs=1e-12)
    assert comparison.sharpe == pytest.approx(np.sqrt(252) * excess.mean() / excess.std(), abs=1e-10)
    assert comparison.max_drawdown == pytest.approx((1.0 - wealth / wealth.cummax().clip(lower=1.0)).max(), abs=1e-12)
    assert comparison.tracking_error == pytest.approx(np.sqrt(252) * (own - excess).std(), abs=1e-12)
    gamma = request.mandate.risk_aversion
    utilities = [252 * (x.mean() - gamma / 2.0 * x.var()) for x in (own, excess)]
    assert comparison.winner_minus_bps.value == pytest.approx(1e4 * (utilities[0] - utilities[1]), abs=1e-6)
    assert (comparison.winner_minus_bps.error or 0.0) > 0.0


def test_a_request_without_a_benchmark_is_the_one_that_it_was(world) -> None:
    assert "benchmark" not in OptimizationRequest().model_dump()
    assert compare_with_series(world, world.market.asset[unlocked_days(world)]) is None


def test_the_benchmark_is_no_asset_and_travels_with_the_prices(prices, peer, make_request) -> None:
    both = replace(
        prices, assets=("SPX", "FUND"), closes=np.column_stack([prices.closes, prices.closes * 2.0]), price_index=False
    )
    loaded = load(both, peer, benchmark="mine:FUND")
    assert loaded.benchmark is not None
    assert (loaded.assets, loaded.benchmark.name) == (("SPX",), "FUND")
    request = make_request(universe="mine", benchmark="mine:FUND")
    again = build_market(unpack_prices(pack_prices(loaded), loaded.digest), request)
    direct = build_market(loaded, request).benchmark
    assert again.benchmark is not None
    assert direct is not None
    np.testing.assert_array_equal(again.benchmark.returns, direct.returns)
    assert again.data_digest != again.prices_digest


def test_a_benchmark_that_does_not_fit_is_refused(prices, peer, stocks) -> None:
    with pytest.raises(InvalidInput, match="it is in EUR, the prices in USD"):
        load(prices, replace(peer, currency="EUR"))
    with pytest.raises(InvalidInput, match="it has no level within 7 days before 1990-01-02"):
        load(prices, replace(peer, dates=peer.dates[9:], closes=peer.closes[9:]))
    with pytest.raises(InvalidInput, match="it names 3 series"):
        load(prices, stocks)


def test_the_terminal_and_the_chat_name_the_benchmark(world, prices, peer, make_request) -> None:
    request = make_request(universe="mine", benchmark="peer")
    market = build_market(load(prices, peer), request)
    comparison = compare_with_series(World(market, request), market.asset[unlocked_days(world)].copy())
    result = sample_result().model_copy(update={"series_benchmark": comparison})
    result = result.model_copy(update={"figures": result_figures(result)})
    assert [line for _, line in rows(result) if line.startswith("PEER, your benchmark: ")]
    claims = topic_claims(build_findings(result), "benchmarks")
    assert "{{own_series_label}}" in claims[-1].text
    assert [problem for claim in claims for problem in check(claim, result.figures)] == []
