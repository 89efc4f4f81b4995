import asyncio
import math
from typing import Any, get_args

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.request import OptimizationRequest
from desk.strategies.evaluation import CURVE, TOOL, run_evaluation
from desk.strategies.templates import StrategyValues, build_rule
from quant.strategies.family import FAMILY, WeightFunction
from quant.strategies.mandate import Mandate
from quant.worlds.scenario import BUILT_IN
from tests.doubles.price_source import assert_well_formed, value


def run(universe: str = "sp500", **values: Any) -> Any:
    return asyncio.run(
        run_evaluation(BundledPrices(), build_rule(StrategyValues(**values)), universe=universe)
    ).evaluation


@pytest.fixture(scope="module")
def rule():
    return run(template="twelve_month_rule")


@pytest.fixture(scope="module")
def twelve_months(prices):
    """The same rule through a run's own evaluation."""
    request = OptimizationRequest()
    return World(build_market(prices, request), request)


def test_every_figure_is_named_once_and_can_be_read(rule) -> None:
    assert_well_formed(rule.figures, TOOL)


def test_history_is_that_of_a_run_without_the_holdout(rule, twelve_months) -> None:
    world, part = twelve_months, unlocked_days(twelve_months)
    config = world.request.current_rule
    evaluation = world.on_history(config, world.replay([config]).series[0], part)
    assert rule.held[0].history == evaluation
    assert rule.last_day == str(world.market.dates[part.stop - 1])
    assert value(rule.figures, "quick_matched_weight") == matched_weight(world, config)


def test_the_simulation_is_that_of_a_run(rule, twelve_months) -> None:
    world = twelve_months
    (evaluation,) = world.evaluate([world.request.current_rule], world.request.scenarios[0])
    assert rule.held[0].simulated == evaluation
    scenario = world.request.scenarios[0]
    assert value(rule.figures, "quick_scenario_mean") == scenario.mu
    assert value(rule.figures, "quick_scenario_volatility") == scenario.sigma != BUILT_IN[0].sigma


def test_full_investment_is_the_index_and_sixty_forty_lies_between(rule, twelve_months) -> None:
    part = unlocked_days(twelve_months)
    asset = twelve_months.market.asset[part]
    growth = math.expm1(252 * np.log1p(asset).mean())
    assert value(rule.figures, "quick_equity_history_geometric_return") == pytest.approx(growth, abs=2e-3)
    assert value(rule.figures, "quick_sixty_forty_cash_history_volatility") == pytest.approx(
        0.6 * asset.std(ddof=1) * math.sqrt(252), rel=0.02
    )


def test_advantages_are_differences_of_utility_paired_on_the_same_paths(rule) -> None:
    own, *others = rule.held
    for position in others:
        for place, evaluations in (
            ("history", (own.history, position.history)),
            ("simulated", (own.simulated, position.simulated)),
        ):
            figure = next(f for f in rule.figures if f.id == f"quick_versus_{position.subject}_{place}_bps")
            first, second = (e.metrics.utility for e in evaluations)
            assert figure.value == pytest.approx(1e4 * (first.value - second.value), abs=1e-6)
            if place == "history":
                assert figure.error is None
            else:
                assert 0.0 < figure.error < 1e4 * math.hypot(first.error, second.error)


def test_a_rule_compared_with_itself_gains_nothing() -> None:
    evaluation = run(template="sixty_forty")
    assert value(evaluation.figures, "quick_versus_sixty_forty_cash_history_bps") == 0.0
    assert value(evaluation.figures, "quick_versus_sixty_forty_cash_simulated_bps") == 0.0
    assert value(evaluation.figures, "quick_matched_weight") == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize(
    ("values", "weight"),
    [
        ({"weight_function": "inverse_vol"}, lambda v: min(0.10 / v, 1.0)),
        ({"weight_function": "inverse_vol_squared"}, lambda v: min(0.01 / v**2, 1.0)),
        ({"weight_function": "linear_decay", "slope": 4.0}, lambda v: min(max(1 - 4 * (v - 0.10), 0.0), 1.0)),
        (
            {"weight_function": "sigmoid", "midpoint": 0.15, "scale": 0.02},
            lambda v: 1 / (1 + math.exp((v - 0.15) / 0.02)),
        ),
        ({"weight_function": "merton"}, lambda v: min(0.05 / 2.0 / v**2, 1.0)),
        ({"weight_function": "trend_overlay"}, lambda v: min(0.10 / v, 1.0)),
    ],
)
def test_the_curve_is_the_formula_of_the_function(values, weight) -> None:
    evaluation = run(**values)
    assert [p.volatility for p in evaluation.curve] == list(CURVE)
    assert [p.weight for p in evaluation.curve] == pytest.approx([weight(v) for v in CURVE], abs=1e-9)
    assert value(evaluation.figures, "quick_weight_at_target") == pytest.approx(weight(0.10), abs=1e-9)


def test_a_function_without_volatility_has_no_weight_at_target() -> None:
    evaluation = run(template="cppi_90")
    assert [p.weight for p in evaluation.curve] == pytest.approx([4.0 * (1.0 - 0.9)])
    assert "quick_weight_at_target" not in {f.id for f in evaluation.figures}


@pytest.mark.parametrize(
    ("values", "warnings"),
    [
        ({"weight_function": "sigmoid"}, ("half_at_target",)),
        ({"weight_function": "sigmoid", "midpoint": 0.2}, ()),
        ({"weight_function": "inverse_vol"}, ()),
        ({"weight_function": "inverse_vol", "target_volatility": 0.20}, ("target_unreachable",)),
        ({"lookback_days": 15, "rebalancing": "monthly"}, ("lookback_below_rebalancing",)),
        # the index fell by 27% within a month of 2008, and by 9% within a day
        ({"weight_function": "cppi", "multiplier": 3.0, "rebalancing": "monthly"}, ()),
        ({"weight_function": "cppi", "multiplier": 4.0, "rebalancing": "monthly"}, ("gap_beyond_floor",)),
        ({"weight_function": "tipp", "multiplier": 4.0, "rebalancing": "monthly"}, ("gap_beyond_floor",)),
        ({"weight_function": "cppi", "multiplier": 10.0, "rebalancing": "daily"}, ("one_weight",)),
        (
            {"weight_function": "cppi", "floor": 0.5, "multiplier": 3.0, "rebalancing": "monthly"},
            ("one_weight",),
        ),
    ],
)
def test_notable_settings_have_a_warning(values, warnings) -> None:
    assert run(**values).warnings == warnings


def test_a_crash_deeper_than_the_cushion_has_a_warning() -> None:
    evaluation = run(weight_function="cppi", multiplier=10.0, rebalancing="daily", universe="stocks:RRC")
    assert evaluation.warnings == ("gap_beyond_floor",)


def test_the_weight_of_the_last_day_answers_the_latest_volatility(rule, twelve_months) -> None:
    part = unlocked_days(twelve_months)
    last = value(rule.figures, "quick_last_weight")
    days = twelve_months.market.asset[part.stop - 300 : part.stop]
    assert last == pytest.approx(0.10 / (days.std() * math.sqrt(252)), rel=0.15)


def test_a_longer_lookback_than_a_search_knows_is_served() -> None:
    assert run(lookback_days=504).held[0].config.lookback_days == 504


def test_several_assets_are_held_in_a_mix() -> None:
    assert run(universe="stocks:AAPL,XOM").held[0].config.inner == "equal_weight"
    assert run(universe="stocks:AAPL,XOM", inner="risk_parity").held[0].config.inner == "risk_parity"
    assert run(inner="risk_parity").held[0].config.inner is None


@pytest.mark.parametrize(("estimator", "field"), [("implied", "volatility_index"), ("range", "config.estimator")])
def test_an_estimator_without_its_data_is_refused(estimator: str, field: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        run(estimator=estimator)
    assert refusal.value.field == field


@pytest.mark.parametrize("function", get_args(WeightFunction))
def test_every_function_is_evaluated(rule, function) -> None:
    values: dict[str, Any] = {"constant_weight": 0.7} if function == "constant" else {}
    evaluation = run(weight_function=function, **values)
    assert len(evaluation.curve) == (len(CURVE) if FAMILY[function].volatility else 1)


def test_costs_and_the_target_of_the_mandate_enter() -> None:
    dear = build_rule(
        StrategyValues(rebalancing="daily"), mandate=Mandate(transaction_cost_bps=50.0, target_volatility=0.15)
    )
    evaluation = asyncio.run(run_evaluation(BundledPrices(), dear)).evaluation
    cheap = run(rebalancing="daily")
    cost = "quick_strategy_history_cost_bps"
    assert value(evaluation.figures, cost) > 5 * value(cheap.figures, cost)
    assert value(evaluation.figures, "quick_strategy_history_volatility") > 0.11
