"""The worlds of a request follow its data: the volatility of the training days, and nothing later."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import build_request
from desk.conversation.wishes import Wish
from desk.governance.approvals import Ruling
from desk.market.prices import Prices
from desk.optimization.approved_request import approved_request
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.judgement.world_statistics import world_statistics
from desk.optimization.request import OptimizationRequest, StoredRequest
from desk.optimization.scenario_checks import check_paths
from desk.optimization.worlds import WorldsBase, bounded_worlds, world_caveats
from desk.scenarios.repository import ScenarioCatalog
from quant.worlds.paths import sample_paths
from quant.worlds.scenario import BUILT_IN, CYCLE, Scenario
from tests.doubles.price_source import with_returns

SMALL = tuple(scenario.model_copy(update={"paths": 256, "years": 1}) for scenario in BUILT_IN)
SHIFTS = {
    "base_case": (0.0, 1.0),
    "bull_market": (0.389, 0.667),
    "bear_market": (-0.722, 1.944),
    "high_volatility": (-0.167, 2.222),
    "low_volatility": (-0.056, 0.444),
}
"""The specification's shifts of the mean, in volatilities, and factors of the volatility."""


class Record(BaseModel):
    request: StoredRequest


def walk(prices: Prices, volatilities: Sequence[float], *, mean: float = 0.03) -> Prices:
    """Independent random walks with these annual volatilities."""
    shocks = np.random.default_rng(5).normal(size=(len(prices.dates) - 1, len(volatilities)))
    returns = mean / 252 + np.array(volatilities) / 252**0.5 * shocks
    return with_returns(prices, tuple(f"W{n}" for n in range(len(volatilities))), returns)


def request_of(worlds: str | None = "calibrated", **changes: object) -> OptimizationRequest:
    return OptimizationRequest.model_validate({"worlds": worlds, "scenarios": SMALL} | changes)


def world_of(prices: Prices, request: OptimizationRequest | None = None) -> World:
    request = request or request_of()
    return World(build_market(prices, request), request)


def numbers(scenarios: Sequence[Scenario]) -> list[tuple[str, float, float]]:
    return [(scenario.name, scenario.mu, scenario.sigma) for scenario in scenarios]


def test_for_the_volatility_of_the_table_the_worlds_are_the_table_to_rounding() -> None:
    for world, table in zip(request_of().on_data(volatility=0.18, mean=0.12).scenarios, SMALL, strict=True):
        assert (round(world.mu, 2), round(world.sigma, 2)) == (table.mu, table.sigma)
        assert world.cash_rate == table.cash_rate


@pytest.mark.parametrize("volatility", [0.06, 0.18, 0.30])
def test_worlds_are_shifts_and_multiples_of_the_volatility(volatility: float) -> None:
    for world in request_of().on_data(volatility=volatility, mean=0.12).scenarios:
        shift, factor = SHIFTS[world.name]
        assert world.mu == pytest.approx(0.03 + 0.28 * volatility + shift * volatility, abs=1e-4)
        assert world.sigma == pytest.approx(factor * volatility, abs=1e-4)


def test_the_historical_mean_enters_by_name_only() -> None:
    by_name = request_of("historical").on_data(volatility=0.2, mean=0.15)
    assert by_name.worlds_base == WorldsBase(volatility=0.2, mean=0.15)
    assert by_name.scenarios[2].mu == pytest.approx(0.15 - 0.722 * 0.2, abs=1e-4)
    assert request_of().on_data(volatility=0.2, mean=0.15) == request_of().on_data(volatility=0.2, mean=-0.15)


def test_the_cycle_moves_through_the_worlds_of_the_data() -> None:
    (cycle,) = (
        request_of(scenarios=(CYCLE.model_copy(update={"probability": 1.0}),))
        .on_data(volatility=0.06, mean=0.1)
        .scenarios
    )
    worlds = {world.name: world for world in request_of().on_data(volatility=0.06, mean=0.1).scenarios}
    pairs = zip(cycle.states, ("bull_market", "base_case", "bear_market", "high_volatility"), strict=True)
    assert all((state.mu, state.sigma) == (worlds[name].mu, worlds[name].sigma) for state, name in pairs)


def test_a_random_walk_and_three_calm_assets_have_their_own_worlds(prices) -> None:
    # three independent assets of 10.39% in equal shares have 6%
    for calm in (walk(prices, [0.06]), walk(prices, [0.06 * 3**0.5] * 3)):
        base = world_of(calm).request.worlds_base
        assert base is not None
        assert base.volatility == pytest.approx(0.06, abs=0.002)


def test_a_calm_asset_gains_no_longer_from_worlds_of_a_rough_one(prices) -> None:
    calm = walk(prices, [0.06])

    def gain(worlds: str) -> float:
        """Of the current rule over the constant weight of its volatility, in the simulated worlds, basis points."""
        world = world_of(calm, request_of(worlds))
        rule = world.request.current_rule
        rivals = [rule, world.constant(matched_weight(world, rule))]
        pairs = [[e.metrics.utility.value for e in world.evaluate(rivals, s)] for s in world.request.scenarios]
        return sum(
            10_000 * scenario.probability * (own - constant)
            for scenario, (own, constant) in zip(world.request.scenarios, pairs, strict=True)
        )

    assert gain("seed") > 150.0
    assert abs(gain("calibrated")) < 50.0


def test_later_prices_change_no_world(prices, bend_prices) -> None:
    market = build_market(prices, request_of())
    late, early = (world_of(bend_prices(prices, row)).request for row in (market.train.stop + 1, 2_000))
    assert late == world_of(prices).request
    assert early.worlds_base != late.worlds_base


def test_doubled_returns_double_the_volatilities(prices) -> None:
    plain, doubled = (world_of(walk(prices, [v])).request.scenarios for v in (0.10, 0.20))
    assert [s.sigma for s in doubled] == pytest.approx([2 * s.sigma for s in plain], abs=2e-4)


def test_a_stated_number_stays(prices) -> None:
    stated = SMALL[2].model_copy(update={"mu": -0.06, "sigma": 0.5})
    own = Scenario(name="mine", mu=0.08, sigma=0.18, cash_rate=0.03, probability=0.1, paths=256, years=1)
    resolved = world_of(prices, request_of(scenarios=(SMALL[0], stated, own))).request
    assert resolved.scenarios[1:] == (stated, own)
    assert resolved.scenarios[0] != SMALL[0]


def test_a_stated_mean_leaves_the_volatility_to_the_data_and_the_reverse() -> None:
    changes = ({"mu": -0.06}, {"sigma": 0.5})
    by_mean, by_volatility = (
        request_of(scenarios=(SMALL[2].model_copy(update=change),)).on_data(volatility=0.1, mean=0.05)
        for change in changes
    )
    assert numbers(by_mean.scenarios) == [("bear_market", -0.06, 0.1944)]
    assert numbers(by_volatility.scenarios) == [("bear_market", -0.0142, 0.5)]
    assert numbers(by_mean.on_data(volatility=0.2, mean=0.05).scenarios) == [("bear_market", -0.06, 0.3888)]
    calm = CYCLE.states[0].model_copy(update={"sigma": 0.11})
    cycle = CYCLE.model_copy(update={"probability": 1.0, "states": (calm, *CYCLE.states[1:])})
    states = request_of(scenarios=(cycle,)).on_data(volatility=0.1, mean=0.05).scenarios[0].states
    assert [(state.mu, state.sigma) for state in states[:2]] == [(0.0969, 0.11), (0.058, 0.1)]


def test_an_engine_and_a_probability_do_not_make_a_scenario_stated(prices) -> None:
    other = SMALL[0].model_copy(update={"engine": "gbm", "probability": 0.3, "premium_power": 2})
    (resolved,) = world_of(prices, request_of(scenarios=(other,))).request.scenarios
    assert (resolved.engine, resolved.probability, resolved.premium_power) == ("gbm", 0.3, 2)
    assert resolved.sigma != other.sigma


def test_resolved_worlds_stay_on_their_data_and_follow_other_data(prices) -> None:
    resolved = world_of(prices).request
    again = OptimizationRequest.model_validate_json(resolved.model_dump_json())
    assert world_of(prices, again).request == resolved
    calm = walk(prices, [0.06])
    assert world_of(calm, resolved).request == world_of(calm).request
    fixed = OptimizationRequest.model_validate(resolved.model_dump() | {"worlds": "seed"})
    assert world_of(prices, fixed).request == request_of("seed")


def test_the_choice_of_worlds_changes_the_request_and_its_worlds(prices) -> None:
    requests = [request_of(worlds) for worlds in ("calibrated", "historical", "seed")]
    for digests in (
        {request.content_digest() for request in requests},
        {world_of(prices, request).request.content_digest() for request in requests},
    ):
        assert len(digests) == 3
    assert world_of(prices).request.content_digest() == world_of(prices).request.content_digest()


def test_a_stored_request_of_an_earlier_version_stays_as_it_was_computed(prices) -> None:
    content = json.loads(request_of().model_dump_json())
    del content["worlds"]
    stored = Record.model_validate_json(json.dumps({"request": content})).request
    assert world_of(prices, stored).request == stored
    assert numbers(stored.scenarios) == numbers(SMALL)
    assert json.loads(stored.model_dump_json()) == content
    # the same content as a new request
    assert OptimizationRequest.model_validate(content).worlds == "calibrated"
    for request in (request_of(), request_of("seed"), world_of(prices).request):
        assert Record.model_validate_json(Record(request=request).model_dump_json()).request == request


def test_changes_of_a_request_of_an_earlier_version_leave_its_worlds() -> None:
    content = json.loads(request_of().model_dump_json())
    del content["worlds"]
    stored = Record.model_validate({"request": content}).request
    ruling = Ruling(verdict="edited", trials=12)
    catalog = ScenarioCatalog(entries=(), figures=())
    focus = Focus.model_validate_json(json.dumps({"request": content}))
    edited = approved_request(stored, ruling)
    asked_again = build_request(Wish.model_validate({"base": "last", "trials": "12"}), focus, catalog)
    for changed in (edited, asked_again):
        assert (changed.trials, changed.worlds) == (12, None)
        assert numbers(changed.on_data(volatility=0.06, mean=0.1).scenarios) == numbers(SMALL)
    submitted = OptimizationRequest.model_validate_json(stored.to_submit().model_dump_json())
    assert submitted.worlds == "seed"
    assert numbers(submitted.on_data(volatility=0.06, mean=0.1).scenarios) == numbers(SMALL)
    assert request_of().to_submit() == request_of()


def test_unknown_worlds_are_refused() -> None:
    with pytest.raises(ValidationError, match="'calibrated', 'seed' or 'historical'"):
        request_of("simulated")


def test_worlds_beyond_what_can_be_simulated_are_held_at_the_bound(prices) -> None:
    rough = world_of(walk(prices, [0.60])).request
    sigmas = {scenario.name: scenario.sigma for scenario in rough.scenarios}
    assert (sigmas["bear_market"], sigmas["high_volatility"]) == (1.0, 1.0)
    assert bounded_worlds(rough.scenarios, rough.worlds_base) == ("bear_market", "high_volatility")
    assert bounded_worlds(world_of(prices).request.scenarios, world_of(prices).request.worlds_base) == ()
    assert bounded_worlds(SMALL, None) == ()


@pytest.mark.parametrize(
    ("volatility", "bounded"),
    [
        (0.0451, ()),
        (0.225, ()),
        (0.2572, ()),
        (0.50, ("high_volatility",)),
        (0.02, ("low_volatility",)),
        (0.45, ()),
    ],
)
def test_only_numbers_that_a_bound_replaces_are_bounded(volatility: float, bounded: tuple[str, ...]) -> None:
    request = request_of().on_data(volatility=volatility, mean=0.0)
    assert bounded_worlds(request.scenarios, request.worlds_base) == bounded
    own = tuple(scenario.model_copy(update={"mu": 0.011, "sigma": 0.123}) for scenario in request.scenarios)
    assert bounded_worlds(own, request.worlds_base) == ()


def test_a_bear_market_that_does_not_lose_to_cash_is_a_caveat() -> None:
    for volatility, expected in ((0.04, 1), (0.0451, 1), (0.046, 0), (0.18, 0)):
        request = request_of().on_data(volatility=volatility, mean=0.0)
        caveats = world_caveats(request.scenarios, request.worlds_base)
        assert ["bear market" in caveat for caveat in caveats] == [True] * expected
    calm = request_of().on_data(volatility=0.04, mean=0.0)
    (caveat,) = world_caveats(calm.scenarios, calm.worlds_base)
    assert "1.23% a year, is not below its cash rate of 1.00%" in caveat
    assert world_caveats(SMALL, None) == []


def test_statistics_of_a_world_are_those_of_its_paths(prices) -> None:
    world = world_of(prices)
    for statistics, scenario in zip(world_statistics(world), world.request.scenarios, strict=True):
        assert (statistics.scenario, statistics.mean, statistics.volatility) == (
            scenario.name,
            pytest.approx(scenario.mu),
            pytest.approx(scenario.sigma),
        )
        assert statistics.sharpe == pytest.approx((scenario.mu - scenario.cash_rate) / scenario.sigma)
        paths = np.hstack([sample_paths(world.model(scenario), days=252, first_block=b) for b in range(4)])
        days = np.median(paths.min(axis=0))
        wealth = np.vstack([np.ones(paths.shape[1]), np.cumprod(1.0 + paths, axis=0)])
        months = np.median((wealth[21:] / wealth[:-21] - 1.0).min(axis=0))
        # the seeds differ: medians over 256 and over 1,024 paths
        assert statistics.worst_day == pytest.approx(days, rel=0.15)
        assert statistics.worst_month == pytest.approx(months, rel=0.15)


def test_the_paths_of_every_world_pass_the_gate_on_calm_and_rough_data(prices) -> None:
    for volatility in (0.03, 0.6):
        checks = check_paths(world_of(walk(prices, [volatility]))).scenarios
        assert [check.scenario for check in checks] == [scenario.name for scenario in SMALL]
        assert all(check.failures == () for check in checks)


def test_data_of_the_same_returns_have_the_same_worlds_at_any_price(prices) -> None:
    assert (
        world_of(replace(prices, closes=7.0 * prices.closes)).request.worlds_base
        == world_of(prices).request.worlds_base
    )
