from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.optimization.answers import MarketView, ScenarioTilt
from desk.optimization.judgement.benefit import utility_difference
from desk.optimization.judgement.finalists import choose_winner, score
from desk.optimization.judgement.sensitivity import (
    Sensitivity,
    has_volatility_premium,
    rebalancing_day_ranges,
    tilted_probabilities,
    weights_by_scenario,
)
from desk.scenarios.schemas import HISTORY
from quant.strategies.config import StrategyConfig
from quant.worlds.scenario import BUILT_IN, CYCLE

LEANS = st.sampled_from(["less", "default", "more"])
PROBABILITIES = {s.name: s.probability for s in BUILT_IN}


def market_view(**leans: str) -> MarketView:
    tilts = tuple(ScenarioTilt.model_validate({"scenario": name, "lean": lean}) for name, lean in leans.items())
    return MarketView(regime="normal", trend="flat", tilts=tilts)


@pytest.fixture(scope="module")
def choice(world, finished_search):
    return choose_winner(world, finished_search.trials)


@pytest.fixture(scope="module")
def sensitivity(world, choice):
    def make(winner=choice.winner, **changes):
        changed = replace(world, request=world.request.model_copy(update=changes))
        benchmark = world.constant(0.5)
        table = choice.table.merge(score(world, [winner, benchmark], world.request.scenarios))
        return Sensitivity(changed, replace(choice, winner=winner), table, benchmark)

    return make


def benefit_in(world, winner, scenarios, *, cost_factor=1.0, weights=None):
    """The benefit as a fresh request with these scenarios would have it."""
    pair = score(world, [winner, world.constant(0.5)], scenarios, cost_factor=cost_factor)
    weights = weights or weights_by_scenario(scenarios, [s.probability for s in scenarios])
    return utility_difference(pair, 0, 1, weights)


def all_of(scenarios, **changes):
    return [s.model_copy(update={k: change(s) for k, change in changes.items()}) for s in scenarios]


def test_the_premium_is_shown_for_each_power_of_volatility(world, choice, sensitivity) -> None:
    cases = sensitivity().premium()
    assert len(cases) == 3
    for power, case in enumerate(cases):
        assert str(power) in case.label
        expected = benefit_in(world, choice.winner, all_of(world.request.scenarios, premium_power=lambda _, p=power: p))
        assert case.benefit_bps.value == pytest.approx(expected.value, rel=1e-9)
        assert case.benefit_bps.error == pytest.approx(expected.error, rel=1e-9)
    assert len({c.benefit_bps.value for c in cases}) == 3


@pytest.mark.parametrize("engine", ["gbm", "merton", "bootstrap"])
def test_engines_without_a_link_show_no_dependence_on_the_premium(world, sensitivity, engine) -> None:
    scenarios = tuple(all_of(world.request.scenarios, engine=lambda _: engine))
    assert sensitivity(scenarios=scenarios).premium() == ()


def test_without_a_premium_or_with_states_there_is_no_link() -> None:
    base, bear = BUILT_IN[0], BUILT_IN[2]
    assert has_volatility_premium(base)
    assert has_volatility_premium(base.model_copy(update={"engine": "regime_switching"}))
    assert not has_volatility_premium(bear), "its expected return lies below cash"
    assert not has_volatility_premium(CYCLE), "its states have means of their own"


def test_parameters_shift_by_two_points_and_by_a_fifth_and_a_quarter(world, choice, sensitivity) -> None:
    scenarios = world.request.scenarios
    expected = [
        all_of(scenarios, mu=lambda s: s.mu - 0.02),
        all_of(scenarios, mu=lambda s: s.mu + 0.02),
        all_of(scenarios, sigma=lambda s: s.sigma * 0.8),
        all_of(scenarios, sigma=lambda s: s.sigma * 1.25),
    ]
    cases = sensitivity().parameters()
    assert len(cases) == 4
    for case, shifted in zip(cases, expected, strict=True):
        assert case.benefit_bps.value == pytest.approx(benefit_in(world, choice.winner, shifted).value, rel=1e-9)


def test_costs_are_charged_to_both_sides(world, choice, sensitivity) -> None:
    cases = sensitivity().costs()
    for factor, case in zip((0.0, 1.0, 2.0), cases, strict=True):
        expected = benefit_in(world, choice.winner, world.request.scenarios, cost_factor=factor)
        assert case.benefit_bps.value == pytest.approx(expected.value, rel=1e-9)


def test_who_trades_more_than_the_benchmark_loses_by_higher_costs(sensitivity, finished_search) -> None:
    busiest = max(finished_search.trials, key=lambda t: t.train.metrics.turnover.value)
    assert busiest.train.metrics.turnover.value > 2.0
    benefits = [case.benefit_bps.value for case in sensitivity(busiest.config).costs()]
    assert benefits[0] > benefits[1] > benefits[2]


@given(leans=st.fixed_dictionaries(dict.fromkeys(PROBABILITIES, LEANS)))
def test_the_analyst_moves_a_probability_by_no_more_than_twofold(leans) -> None:
    actual = tilted_probabilities(BUILT_IN, market_view(**leans))
    assert sum(actual) == pytest.approx(1.0)
    for scenario, p in zip(BUILT_IN, actual, strict=True):
        assert 0.5 <= p / scenario.probability <= 2.0
    names = [s.name for s in BUILT_IN]
    for name, lean in leans.items():
        plain = tilted_probabilities(BUILT_IN, market_view(**(leans | {name: "default"})))[names.index(name)]
        shifted = actual[names.index(name)]
        assert {"less": shifted <= plain, "default": shifted == plain, "more": shifted >= plain}[lean]


def test_no_lean_keeps_the_default_probabilities() -> None:
    assert tilted_probabilities(BUILT_IN, market_view()) == pytest.approx([0.5, 0.15, 0.1, 0.1, 0.15])


def test_weights_give_history_a_third() -> None:
    weights = weights_by_scenario(BUILT_IN, [s.probability for s in BUILT_IN])
    assert list(weights) == [*PROBABILITIES, HISTORY]
    assert weights[HISTORY] == pytest.approx(1 / 3)
    assert weights["base_case"] == pytest.approx(1 / 3)


def test_benefit_under_equal_and_the_analysts_probabilities_and_in_the_cycle(world, choice, sensitivity) -> None:
    scenarios = world.request.scenarios
    unchanged = sensitivity().probabilities(market_view())
    assert [c.label for c in sensitivity().probabilities(None)] == [c.label for c in unchanged]
    equal, analyst, cycle = sensitivity().probabilities(market_view(bear_market="more"))
    expected = benefit_in(world, choice.winner, scenarios, weights=weights_by_scenario(scenarios, [1.0, 1.0]))
    assert equal.benefit_bps.value == pytest.approx(expected.value, rel=1e-9)
    leant = weights_by_scenario(scenarios, tilted_probabilities(scenarios, market_view(bear_market="more")))
    expected = benefit_in(world, choice.winner, scenarios, weights=leant)
    assert analyst.benefit_bps.value == pytest.approx(expected.value, rel=1e-9)
    alone = CYCLE.model_copy(update={"paths": 100, "years": 1})
    expected = benefit_in(world, choice.winner, [alone], weights={"cycle": 1.0})
    assert cycle.benefit_bps.value == pytest.approx(expected.value, rel=1e-9)


def test_another_winner_is_named_only_where_it_is_distinguishable(world, choice, sensitivity) -> None:
    visible = {f.digest for f in choice.finalists if f.feasible}
    for case in (*sensitivity().premium(), *sensitivity().parameters(), *sensitivity().probabilities(None)):
        assert case.winner in visible
        assert case.same_winner or case.winner != choice.winner.digest()


def test_the_rebalancing_day_is_moved_over_a_whole_period(world) -> None:
    monthly = StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly")
    train = world.market.train
    utilities = []
    for offset in range(21):
        excess = world.replay([monthly], end=train.stop, offset=offset).series[0, 0, train]
        utilities.append(252 * excess.mean() - 252 * np.var(excess, ddof=1))  # a risk aversion of 2
    daily = monthly.model_copy(update={"rebalancing": "daily"})
    actual, none = rebalancing_day_ranges(world, [monthly, daily])
    assert actual is not None
    low, high = actual
    assert low == pytest.approx(10_000 * (min(utilities) - utilities[0]), rel=1e-6)
    assert high == pytest.approx(10_000 * (max(utilities) - utilities[0]), rel=1e-6)
    assert low <= 0.0 <= high
    assert none is None
