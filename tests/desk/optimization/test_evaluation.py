from dataclasses import replace

import numpy as np
import pytest

from desk.optimization.evaluation import World, goal_values, max_drawdown, objectives, with_next_session
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import Limit, Limits
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from quant.strategies.objective import REGRET_AVERSION, TAIL_MASS
from quant.worlds.scenario import BUILT_IN

MONTHLY = StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly")
TRAINED = StrategyConfig(
    weight_function="inverse_vol_squared", variance_constant="trained", lookback_days=21, rebalancing="daily"
)
BOOTSTRAP = BUILT_IN[0].model_copy(update={"engine": "bootstrap", "paths": 100, "years": 1})
ACTIVE = [
    MONTHLY,
    MONTHLY.model_copy(update={"rebalancing": "quarterly", "no_trade_band": 0.05}),
    StrategyConfig(weight_function="inverse_vol", estimator="ewma_max", decay=0.94, rebalancing="daily"),
    StrategyConfig(weight_function="trend_overlay", lookback_days=42, hysteresis=0.01, rebalancing="weekly"),
    StrategyConfig(weight_function="cppi", floor=0.9, multiplier=3.0, rebalancing="weekly"),
]


def test_the_search_is_independent_of_prices_after_train(prices, make_request, bend_prices) -> None:
    request = make_request(scenarios=(BOOTSTRAP,))
    market = build_market(prices, request)
    other = build_market(bend_prices(prices, market.train.stop + 1), request)
    in_sample = []
    for world in (World(market, request), World(other, request)):
        records = world.replay([MONTHLY, TRAINED]).series
        train = [
            world.on_history(c, r, market.train).model_dump_json()
            for c, r in zip((MONTHLY, TRAINED), records, strict=True)
        ]
        simulated = [e.model_dump_json() for e in world.evaluate([MONTHLY, TRAINED], BOOTSTRAP)]
        in_sample.append((train, simulated, records))
    assert in_sample[0][0] == in_sample[1][0]
    assert in_sample[0][1] == in_sample[1][1]
    stop = market.train.stop
    np.testing.assert_array_equal(in_sample[0][2][:, :, :stop], in_sample[1][2][:, :, :stop])
    assert (in_sample[0][2][:, 0, stop:] != in_sample[1][2][:, 0, stop:]).mean() > 0.9


@pytest.mark.parametrize("engine", ["garch", "conditional_bootstrap", "replay"])
def test_engines_made_of_history_see_train_alone(prices, make_request, bend_prices, engine) -> None:
    scenario = BOOTSTRAP.model_copy(update={"engine": engine, "label": "low_volatility"})
    request = make_request(scenarios=(scenario,))
    stop = build_market(prices, request).train.stop
    models = [
        World(build_market(p, request), request).model(scenario)
        for p in (prices, bend_prices(prices, stop + 1), bend_prices(prices, 2_000))
    ]
    np.testing.assert_array_equal(models[0].history, models[1].history)
    assert not np.array_equal(models[0].history, models[2].history)


def test_models_of_volatility_and_regime_are_fitted_to_train_alone(prices, make_request, bend_prices) -> None:
    request = make_request()
    stop = build_market(prices, request).train.stop
    markets = [build_market(p, request) for p in (prices, bend_prices(prices, stop + 1), bend_prices(prices, 2_000))]
    for name in ("garch", "regimes"):
        in_sample, later, earlier = (getattr(market, name) for market in markets)
        np.testing.assert_array_equal(in_sample, later)
        assert not np.array_equal(in_sample, earlier)


def test_the_next_session_is_one_more_day_of_every_series(world) -> None:
    past = world.market.risky
    some = np.full(past.returns.size, 0.2)
    longer = with_next_session(replace(past, bonds=some, volatilities={("implied", 0): some}))
    assert longer.returns.shape == longer.bonds.shape == longer.volatilities["implied", 0].shape == longer.dates.shape
    assert longer.bonds[-1] == 0.0
    assert longer.volatilities["implied", 0][-1] == 0.2
    assert with_next_session(past).bonds.size == 0


def test_the_bootstrap_and_the_fitted_constant_depend_on_train(prices, make_request, bend_prices) -> None:
    request = make_request(scenarios=(BOOTSTRAP,))
    worlds = [World(build_market(p, request), request) for p in (prices, bend_prices(prices, 2_000))]
    for config in (MONTHLY, TRAINED):
        first, second = (world.evaluate([config], BOOTSTRAP)[0].metrics.utility for world in worlds)
        assert first != second


def test_the_holdout_is_not_replayed_unless_it_is_asked_for(world) -> None:
    market = world.market
    series = world.replay([MONTHLY]).series
    assert series.shape == (1, 4, market.validate.stop)
    assert np.isnan(series[:, :, : market.train.start]).all()
    assert np.isfinite(series[:, :, market.train.start :]).all()


def test_full_weight_without_costs_is_the_asset(prices, make_request) -> None:
    request = make_request(mandate=Mandate(transaction_cost_bps=0.0))
    world = World(build_market(prices, request), request)
    part = slice(world.market.train.start, world.market.validate.stop)
    excess = world.replay([world.constant(1.0)]).series[0, 0, part]
    np.testing.assert_allclose(world.total(excess, part), world.market.asset[part], atol=1e-14)


def test_history_metrics_follow_their_definitions(world) -> None:
    part = world.market.validate
    series = world.replay([MONTHLY]).series[0]
    excess, weight, turnover, _ = series[:, part]
    metrics = world.on_history(MONTHLY, series, part).metrics
    gamma = world.request.mandate.risk_aversion
    variance = 252 * np.var(excess, ddof=1)
    assert metrics.utility.value == pytest.approx(252 * excess.mean() - gamma / 2 * variance, rel=1e-9)
    assert metrics.volatility.value == pytest.approx(variance**0.5, rel=1e-9)
    assert metrics.average_weight.value == pytest.approx(weight.mean(), rel=1e-9)
    assert metrics.turnover.value == pytest.approx(252 * turnover.mean(), rel=1e-9)
    wealth = np.cumprod(1 + excess + world.market.cash[part])
    assert metrics.geometric_return.value == pytest.approx(wealth[-1] ** (252 / excess.size) - 1, rel=1e-9)


def test_a_breach_on_history_is_the_share_of_windows_of_the_horizon(world) -> None:
    request = world.request.model_copy(update={"limits": Limits(max_drawdown=Limit(bound=0.1))})
    limited = replace(world, request=request)
    total = world.market.asset[world.market.train]
    breached = []
    for first in range(0, total.size - 252 + 1, 21):
        wealth = [1.0]
        for r in total[first : first + 252]:
            wealth.append(wealth[-1] * (1 + r))
        deepest = max(1 - low / max(wealth[: k + 1]) for k, low in enumerate(wealth))
        breached.append(deepest > 0.1)
    assert limited.rolling_breach(total) == pytest.approx(np.mean(breached), rel=1e-12)
    assert 0.0 < np.mean(breached) < 1.0
    assert world.rolling_breach(total) == 0.0
    assert max_drawdown(np.array([0.1, -0.5, 0.5])) == pytest.approx(0.5)


@pytest.mark.parametrize("goal", ["robust_utility", "sharpe", "worst_case", "cvar_utility"])
def test_objectives_are_those_of_the_method(finished_search, goal) -> None:
    request = finished_search.world.request.model_copy(update={"goal": goal})
    metric = "sharpe" if goal == "sharpe" else "utility"
    expected = []
    p = np.array([s.probability for s in request.scenarios])
    weights = np.append(2 / 3 * p / p.sum(), 1 / 3)
    values = np.array(
        [[getattr(e.metrics, metric).value for e in (*t.evaluations, t.train)] for t in finished_search.trials]
    )
    np.testing.assert_array_equal(goal_values(request, finished_search.trials), values)
    for row in values:
        if goal == "worst_case":
            expected.append(row.min())
        elif goal == "cvar_utility":
            remaining, total = TAIL_MASS, 0.0
            for s in np.argsort(row):
                total += min(remaining, weights[s]) * row[s]
                remaining -= min(remaining, weights[s])
            expected.append(total / TAIL_MASS)
        else:
            regret = REGRET_AVERSION * (values.max(axis=0) - row).max() if goal == "robust_utility" else 0.0
            expected.append(weights @ row - regret)
    np.testing.assert_allclose(objectives(request, finished_search.trials), expected, rtol=1e-9)


def test_a_stopped_world_computes_no_paths(world) -> None:
    stop_reason = replace(world, cancelled=lambda: True)
    with pytest.raises(InterruptedError):
        stop_reason.evaluate([MONTHLY], world.request.scenarios[0])


LAST_DAYS = ("2007-06-28", "2007-06-29", "2008-09-30", "2008-10-10", "2008-10-15")
BRIEF = {("prices", "2007-06-29"), ("stocks", "2008-10-10"), ("prices", "2008-10-15")}
"""The end of a quarter, the end of a week and a day that ends neither."""


@pytest.mark.parametrize(
    ("universe", "last"),
    [
        pytest.param(universe, last, marks=() if (universe, last) in BRIEF else (pytest.mark.soak,))
        for universe in ("prices", "stocks")
        for last in LAST_DAYS
    ],
)
def test_the_weight_after_the_last_close_is_what_the_next_session_holds(universe, last, make_request, request) -> None:
    """The 29th of June and the 30th of September end a quarter, the 10th of October a week."""
    prices = request.getfixturevalue(universe)
    rows = int(np.searchsorted(prices.dates, np.datetime64(last), side="right"))
    assert str(prices.dates[rows - 1]) == last
    mix = "inverse_volatility" if universe == "stocks" else None
    configs = [c.model_copy(update={"inner": mix}) for c in ACTIVE]
    asking = make_request()
    whole = build_market(prices, asking)
    shortened = build_market(replace(prices, dates=prices.dates[:rows], closes=prices.closes[:rows]), asking)
    shortened = replace(shortened, train=slice(whole.warm_up, shortened.train.stop))
    days = shortened.dates.size
    today = World(shortened, asking).replay(configs, end=days + 1).series[:, 1, days]
    later = World(whole, asking).replay(configs, end=days + 1).series[:, 1, days]
    np.testing.assert_allclose(today, later, atol=1e-12)
