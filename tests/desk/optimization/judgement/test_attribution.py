"""A result on several assets names each of them: holdings, contributions, costs and the next trade."""

import numpy as np
import pandas as pd
import pytest

from desk.figures.guard.claims import check
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.inputs.splits import resolve_mixes
from desk.optimization.judgement.attribution import attribute_winner, next_step
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.reading.chart_schemas import Provenance
from desk.optimization.reading.charts import ChartData, build_charts
from desk.optimization.reading.findings import build_findings
from desk.optimization.reading.history import History
from desk.optimization.reading.topics import topic_claims
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.result import OptimizationResult
from quant.strategies.config import StrategyConfig

NAMES = ("AAPL", "JNJ", "XOM")


@pytest.fixture(scope="module")
def world(stocks, make_request) -> World:
    request = resolve_mixes(make_request(trials=10), assets=3)
    return World(build_market(stocks, request), request)


@pytest.fixture(scope="module")
def judgement(world, execute_search, judge_search):
    return judge_search(execute_search(world))


@pytest.fixture(scope="module")
def result(judgement) -> OptimizationResult:
    return judgement.result


def test_a_mix_of_stocks_is_judged_like_one_asset(result) -> None:
    assert all(b.config.inner is not None for b in result.benchmarks)
    assert result.winner.config.inner is not None
    assert any("one risky leg" in texts for texts in result.caveats)
    assert 0.0 <= result.next_step.today_weight <= 1.05


def test_contributions_of_the_assets_sum_to_the_winners_return_and_risk(world, result, judgement) -> None:
    whole = result.attribution
    assert tuple(share.name for share in whole.assets) == NAMES
    winner = judgement.history[0]
    assert whole.excess_return == pytest.approx(252 * winner.mean(), abs=1e-12)
    assert whole.volatility == pytest.approx(np.sqrt(252) * winner.std(ddof=1), abs=1e-12)
    assert sum(share.excess_return for share in whole.assets) == pytest.approx(whole.excess_return, abs=1e-12)
    assert sum(share.volatility for share in whole.assets) == pytest.approx(whole.volatility, abs=1e-12)
    assert whole.borrowing_return == pytest.approx(0.0, abs=1e-15)
    np.testing.assert_allclose(judgement.asset_weights.sum(axis=0), judgement.history[3], atol=1e-12)
    assert series_address(judgement.asset_weights) == whole.weights
    rate = world.request.mandate.transaction_cost_bps / 1e4
    for share in whole.assets:
        assert share.cost == pytest.approx(rate * share.traded, rel=0.02)


def test_weights_and_trades_of_a_monthly_mix_are_those_that_pandas_computes(world, stocks) -> None:
    """Money in three stocks and cash that drifts with prices; at the end of a month the stocks are 20% each again."""
    config = StrategyConfig(
        weight_function="constant", constant_weight=0.6, rebalancing="monthly", inner="equal_weight"
    )
    part = unlocked_days(world)
    days = pd.DatetimeIndex(world.market.dates[part])
    closes = pd.DataFrame(stocks.closes[1:], index=world.market.dates, columns=NAMES)
    returns = closes.pct_change()[part].assign(cash=world.market.cash[part])
    months = days.to_period("M")
    target = pd.Series([0.2, 0.2, 0.2, 0.4], index=[*NAMES, "cash"])
    money = (1.0 + returns).groupby(months).cumprod() * target
    held = money.div(money.sum(axis=1), axis=0)
    weights = held.groupby(months).shift().fillna(target)[list(NAMES)]
    traded = (target - held.groupby(months).last())[list(NAMES)].iloc[:-1].abs()
    attributed = attribute_winner(world, config)
    assert attributed is not None
    attribution, found = attributed
    np.testing.assert_allclose(found, weights.to_numpy().T, atol=1e-11)
    turnover = 252 / len(days) * (traded.sum() + 0.2)
    assert [share.traded for share in attribution.assets] == pytest.approx(list(turnover), abs=1e-10)


def test_the_next_trade_names_each_asset(world, result) -> None:
    step = result.next_step
    assert tuple(asset.name for asset in step.assets) == NAMES
    assert sum(asset.today_weight for asset in step.assets) == pytest.approx(step.today_weight)
    assert sum(asset.current_rule_weight for asset in step.assets) == pytest.approx(step.current_rule_weight)
    assert all(asset.next_trade == asset.today_weight - asset.current_rule_weight for asset in step.assets)
    full = next_step(world, world.constant(0.9, "daily"))
    assert [asset.today_weight for asset in full.assets] == pytest.approx([0.3, 0.3, 0.3])


def test_agents_see_the_contributions_and_not_todays_weights(result) -> None:
    listed = {figure.id for figure in result.figures}
    visible = {figure.id for figure in build_findings(result).figures}
    assert {"asset_0_name", "asset_2_volatility", "step_1_next_trade"} <= listed
    assert {id_ for id_ in listed - visible if id_.startswith("asset_")} == set()
    assert {id_ for id_ in visible if id_.startswith("step_")} == set()


@pytest.mark.parametrize("topic", ["assets", "next_trade"])
def test_answers_about_assets_pass_the_guard(result, topic) -> None:
    findings = build_findings(result).model_copy(update={"figures": result.figures})
    claims = topic_claims(findings, topic)
    assert sum("{{asset_" in claim.text or "{{step_" in claim.text for claim in claims) == 3
    assert [problem for claim in claims for problem in check(claim, result.figures)] == []


def test_the_chart_of_weights_has_a_line_for_each_asset(result, judgement) -> None:
    history = History(*judgement.history, asset_weights=judgement.asset_weights)
    provenance = Provenance(job="r", as_of=None, data_version="d", code_version="c", result_digest=None)
    data = ChartData(result.manifest.request, (), result.trials, result, history, 400)
    chart = build_charts(data, provenance, only=["weights"]).weights
    assert chart is not None
    assert [line.name for line in chart.assets] == list(NAMES)
    np.testing.assert_allclose(np.sum([line.weights for line in chart.assets], axis=0), chart.strategy, atol=1e-12)


def test_a_single_asset_and_cash_have_no_attribution(prices, make_request) -> None:
    request = make_request()
    alone = World(build_market(prices, request), request)
    assert attribute_winner(alone, alone.constant(0.5)) is None
    assert next_step(alone, alone.constant(0.5)).assets == ()
