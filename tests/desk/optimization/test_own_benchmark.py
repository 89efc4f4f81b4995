"""Every evaluation of a search for benefit is compared with the constant weight of the config's own volatility."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.optimize import root_scalar

from desk.optimization.briefing.search_status import search_report
from desk.optimization.evaluation import World, goal_values
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.plans import rank_trials
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from quant.worlds.paths import sample_paths
from quant.worlds.scenario import BUILT_IN, Engine, RegimeState, Scenario

TREND = StrategyConfig(weight_function="trend_overlay", lookback_days=42, hysteresis=0.01, rebalancing="weekly")
INVERSE = StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly")
WEIGHTS = (0.0, 0.2, 0.5, 0.8, 1.0)
INTERPOLATION = 2e-4
"""Two basis points: what the interpolation between the reference weights may add at a volatility of 20%."""
TRENDING = Scenario(
    name="trending", engine="regime_switching", mu=0.0, sigma=0.15, cash_rate=0.02, paths=100, years=2,
    states=(
        RegimeState(name="rising", mu=0.5, sigma=0.12, mean_days=250),
        RegimeState(name="falling", mu=-0.4, sigma=0.12, mean_days=250),
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def comparing(world) -> World:
    return replace(world, request=world.request.model_copy(update={"goal": "benefit"}))


@pytest.fixture(scope="module")
def comparison(comparing, execute_search):
    """A finished search for benefit."""
    return execute_search(comparing)


def benefits(world: World, configs, scenario) -> np.ndarray:
    found = [e.metrics.benefit for e in world.evaluate(configs, scenario)]
    return np.array([benefit.value for benefit in found if benefit is not None])


@pytest.mark.parametrize("engine", get_args(Engine))
def test_a_constant_weight_has_no_benefit_in_any_engine(comparing, engine) -> None:
    scenario = BUILT_IN[2].model_copy(update={"engine": engine, "paths": 100, "years": 1, "label": "bear"})
    constants = [comparing.constant(weight) for weight in WEIGHTS]
    for evaluation in comparing.evaluate(constants, scenario):
        benefit = evaluation.metrics.benefit
        assert benefit is not None
        assert abs(benefit.value) <= min(INTERPOLATION, 1e-12 + (benefit.error or 0.0))


@pytest.mark.parametrize("scenario", BUILT_IN, ids=lambda scenario: scenario.name)
def test_a_constant_weight_has_none_in_any_world_over_five_years(comparing, scenario) -> None:
    constants = [comparing.constant(weight) for weight in WEIGHTS]
    found = benefits(comparing, constants, scenario.model_copy(update={"paths": 256, "years": 5}))
    assert np.abs(found).max() <= INTERPOLATION * max(scenario.sigma / 0.2, 1.0)


def test_the_goal_is_refused_where_money_may_be_borrowed(world) -> None:
    fields = world.request.model_dump() | {"goal": "benefit", "mandate": Mandate(max_weight=1.2)}
    with pytest.raises(ValidationError, match=r"mandate.max_weight 1.2 allows debt.*expected at most 1"):
        OptimizationRequest.model_validate(fields)


def constant_weight(weight: float, returns: np.ndarray, cash: float, start: int) -> np.ndarray:
    """Daily excess returns (T, P) of a weight rebalanced every 21 sessions at the mandate's cost of trades."""
    cost = Mandate().transaction_cost_bps / 10_000
    held, paid = np.full(returns.shape[1], weight), np.full(returns.shape[1], cost * weight)
    excess = []
    for t in range(start, len(returns)):
        step = 1.0 + cash + held * (returns[t] - cash)
        held = held * (1.0 + returns[t]) / step
        if (t - start + 1) % 21 == 0:
            paid, held = paid + cost * np.abs(weight - held), np.full_like(held, weight)
        excess.append(step * (1.0 - paid) - 1.0 - cash)
        paid = np.zeros_like(paid)
    return np.array(excess)


def test_a_planted_trend_has_the_benefit_that_separate_accounts_compute(comparing) -> None:
    start = comparing.market.warm_up
    returns = sample_paths(comparing.model(TRENDING), days=start + 252 * TRENDING.years, blocks=2)[:, :100]
    cash = 1.02 ** (1 / 252) - 1
    gamma = comparing.request.mandate.risk_aversion
    evaluated = replace(comparing, request=comparing.request.model_copy(update={"scenarios": (TRENDING,)}))
    (trend,) = evaluated.evaluate([TREND], TRENDING)

    def volatility(weight: float) -> float:
        return float(np.mean(constant_weight(weight, returns, cash, start).std(axis=0, ddof=1)) * 252**0.5)

    own = root_scalar(lambda weight: volatility(weight) - trend.metrics.volatility.value, bracket=(0.0, 1.0)).root
    excess = constant_weight(own, returns, cash, start)
    utility = 252 * (excess.mean(axis=0) - gamma / 2 * excess.var(axis=0, ddof=1))
    assert trend.metrics.benefit is not None
    assert trend.metrics.benefit.value == pytest.approx(trend.metrics.utility.value - utility.mean(), abs=1e-4)
    assert trend.metrics.benefit.value > 0.02
    paired = trend.metrics.benefit.error
    assert paired is not None
    assert paired >= utility.std() / 100**0.5, "the benchmark's own error is a part of it"


def test_the_benefit_on_history_is_252_mean_active_utilities(comparing) -> None:
    train, gamma = comparing.market.train, comparing.request.mandate.risk_aversion
    records = comparing.replay([TREND, INVERSE]).series
    for config, record in zip((TREND, INVERSE), records, strict=True):
        x, asset = record[0, train], comparing.replay([comparing.constant(1.0)]).series[0, 0, train]
        constant = comparing.constant(x.std(ddof=1) / asset.std(ddof=1))
        own = comparing.replay([constant]).series[0, 0, train]
        daily = [s - gamma / 2 * (s - s.mean()) ** 2 for s in (x, own)]
        evaluation = comparing.on_history(config, record, train)
        assert evaluation.metrics.benefit is not None
        assert evaluation.metrics.benefit.value == pytest.approx(252 * (daily[0] - daily[1]).mean(), abs=1e-7)


def test_the_kept_paths_have_the_benefit_as_their_mean(comparing) -> None:
    configs, scenario = [TREND, INVERSE], comparing.request.scenarios[0]
    simulated = comparing.simulate(comparing.with_references(configs), scenario, keep_paths=True)
    by_path = comparing.path_values(simulated)
    assert by_path.shape == (3, 2, scenario.paths), "utility, drawdown and benefit"
    np.testing.assert_allclose(by_path[-1].mean(axis=1), benefits(comparing, configs, scenario), atol=1e-12)


def test_other_goals_compare_nothing(world, prices, make_request) -> None:
    """Their evaluations and requests have the fields that they always had."""
    scenario = world.request.scenarios[0]
    (evaluation,) = world.evaluate([INVERSE], scenario)
    history = world.on_history(INVERSE, world.replay([INVERSE]).series[0], world.market.train)
    assert "benefit" not in evaluation.model_dump()["metrics"]
    assert "benefit" not in history.model_dump()["metrics"]
    assert "volatility_error" not in world.request.model_dump()["limits"]
    assert world.request.limits_in_force() == {}
    other = World(build_market(prices, make_request(goal="worst_case")), make_request(goal="worst_case"))
    assert other.evaluate([INVERSE], scenario) == [evaluation]


def test_the_goal_ranks_trials_by_their_benefits(comparison) -> None:
    finished, request = comparison, comparison.world.request
    values = np.array([[e.metrics.benefit.value for e in (*t.evaluations, t.train)] for t in finished.trials])
    np.testing.assert_array_equal(goal_values(request, finished.trials), values)
    p = np.array([s.probability for s in request.scenarios])
    objective = values @ np.append(2 / 3 * p / p.sum(), 1 / 3) - 0.25 * (values.max(axis=0) - values).max(axis=1)
    order = [finished.trials[k].number for k in np.argsort(-objective, kind="stable")]
    assert [t.number for t in rank_trials(request, finished.trials)] == order


def test_the_optimizer_sees_the_benefit_of_the_best_trials(comparison, finished_search) -> None:
    report = search_report(comparison.world.request, comparison.trials)
    for best in report.best:
        trial = next(t for t in comparison.trials if t.digest == best.trial)
        (figure,) = (f for f in report.figures if f.id == f"after_12_{best.weight_function}_benefit")
        assert trial.train.metrics.benefit is not None
        assert figure.value == trial.train.metrics.benefit.value
    others = search_report(finished_search.world.request, finished_search.trials)
    assert not [f for f in others.figures if f.id.endswith("_benefit")]
