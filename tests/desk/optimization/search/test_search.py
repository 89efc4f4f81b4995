import numpy as np
import pytest

from desk.optimization.evaluation import objectives
from desk.optimization.jobs import SearchJob
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import Limit, Limits
from desk.optimization.search.search import (
    SCREENING_FROM,
    evaluations_by_scenario,
    has_converged,
    is_selectable,
    sampler_values,
)
from quant.numeric.measured import Measured
from quant.strategies.config import SearchSpace
from quant.strategies.search import contains, size

TINY = SearchSpace(
    weight_functions=("inverse_vol",),
    estimators=("rolling",),
    lookback_days=(21, 63, 252),
    rebalancing=("monthly", "quarterly"),
    no_trade_band=(0.0,),
)


@pytest.fixture(scope="module")
def forty(world, job, execute_search):
    """Sixteen of the Sobol start, twenty and four of the sampler."""
    return execute_search(world, job(world.request, budget=40))


@pytest.fixture(scope="module")
def screening(prices, make_request, world):
    """A world whose budget is large enough to screen, and more paths than screening takes."""
    scenarios = tuple(s.model_copy(update={"paths": 192}) for s in world.request.scenarios[:1])
    request = make_request(trials=SCREENING_FROM + 1, scenarios=scenarios)
    return type(world)(world.market, request)


@pytest.fixture(scope="module")
def screened(screening, job, execute_search):
    return execute_search(screening, job(screening.request, budget=24))


def test_the_budget_is_spent_to_the_last_trial_and_no_config_twice(forty) -> None:
    assert forty.stopped == "budget"
    assert [t.number for t in forty.trials] == list(range(40))
    assert len({t.config for t in forty.trials}) == 40
    assert [t.origin for t in forty.trials[:16]] == ["sobol"] * 16
    assert {t.origin for t in forty.trials[16:]} <= {"sampler", "refill"}
    assert [t.round for t in forty.trials] == [0] * 16 + [1] * 20 + [2] * 4
    assert all(t.digest == t.config.digest() for t in forty.trials)
    assert max(forty.batches) <= 20


def test_every_trial_has_its_series_over_train_and_validate(forty) -> None:
    market = forty.world.market
    records = forty.world.replay([t.config for t in forty.trials]).series
    for (trial, series), record in zip(forty.saved, records, strict=True):
        assert trial.series == series_address(series)
        np.testing.assert_array_equal(series, record[:2, market.train.start : market.validate.stop])


def test_progress_only_grows_and_never_exceeds_what_is_saved(world, job, execute_search) -> None:
    results = execute_search(world, job(world.request, budget=40))
    counts = [r.done for r in results.reports]
    assert counts == sorted(counts)
    assert sorted(set(counts)) == [16, 36, 40]
    values = zip(objectives(world.request, results.trials), results.trials, strict=True)
    assert results.reports[-1].best == max(value for value, trial in values if is_selectable(world.request, trial))
    assert {r.total for r in results.reports} == {40}


@pytest.mark.parametrize(
    "count", [1, 16, 39, *(pytest.param(count, marks=pytest.mark.soak) for count in (15, 17, 20, 36, 40))]
)
def test_a_search_resumes_from_any_prefix_without_recomputation(forty, world, job, execute_search, count) -> None:
    by_id = {t.digest: t for t in forty.trials[:count]}
    again = execute_search(world, job(world.request, budget=40), by_id)
    assert again.trials == forty.trials[count:]
    assert sum(again.batches) == 40 - count
    assert again.reports[-1].computed == 40 - count
    assert again.stopped == forty.stopped


def test_trials_do_not_depend_on_what_is_evaluated_beside_them(forty, world, job, execute_search) -> None:
    """Known trials with a gap are no prefix, but all trials stay equal."""
    by_id = {t.digest: t for t in forty.trials if t.number % 3}
    again = execute_search(world, job(world.request, budget=40), by_id)
    assert again.trials == tuple(t for t in forty.trials if not t.number % 3)


def test_a_second_plan_continues_after_the_first(forty, world, job, execute_search) -> None:
    first = {t.digest: t for t in forty.trials[:20]}
    plan: SearchJob = job(world.request, plan=1, first=20, budget=5)
    second = execute_search(world, plan, first)
    assert [t.number for t in second.trials] == list(range(20, 25))
    assert not {t.config for t in second.trials} & {t.config for t in forty.trials[:20]}
    assert {t.origin for t in second.trials} <= {"sampler", "refill"}, "enough was tried to learn from"
    assert {r.done for r in second.reports} == {5}
    by_id = first | {t.digest: t for t in second.trials[:2]}
    assert execute_search(world, plan, by_id).trials == second.trials[2:]


def test_candidates_come_first_and_count(forty, world, job, execute_search) -> None:
    candidates = tuple(t.config for t in forty.trials[30:33])
    actual = execute_search(world, job(world.request, candidates=(*candidates, candidates[0]), budget=10))
    assert [t.config for t in actual.trials[:3]] == list(candidates)
    assert [t.origin for t in actual.trials] == ["candidate"] * 3 + ["sobol"] * 4 + [
        t.origin for t in actual.trials[7:]
    ]
    assert len(actual.trials) == 10


def test_a_space_is_exhausted_once_every_config_was_tried(world, job, execute_search) -> None:
    actual = execute_search(world, job(world.request, space=TINY, budget=30))
    assert actual.stopped == "exhausted"
    assert len(actual.trials) == size(TINY) == 6
    assert all(contains(TINY, t.config) for t in actual.trials)
    by_id = {t.digest: t for t in actual.trials}
    assert execute_search(world, job(world.request, space=TINY, budget=30), by_id).saved == []


def with_utility(trials, values):
    """`trials` with one utility everywhere."""

    def set_to(evaluation, value):
        return evaluation.model_copy(
            update={"metrics": evaluation.metrics.model_copy(update={"utility": Measured(value=value)})}
        )

    return [
        t.model_copy(
            update={
                "evaluations": tuple(set_to(e, v) for e in t.evaluations),
                "train": set_to(t.train, v),
            }
        )
        for t, v in zip(trials, values, strict=True)
    ]


@pytest.mark.parametrize(("gain", "stops"), [(0.0, True), (0.00019, True), (0.00021, False), (0.01, False)])
def test_the_search_stops_when_twenty_trials_gain_less_than_2_basis_points(forty, make_request, gain, stops) -> None:
    request = make_request(goal="worst_case")
    trials = with_utility(forty.trials[:36], [0.03] * 16 + [0.02] * 19 + [0.03 + gain])
    assert has_converged(request, trials) is stops
    # one more trial without gain: the last twenty are still those of the sampler
    assert has_converged(request, [*trials[:15], *trials[16:]]) is stops


def test_a_gain_made_before_the_last_twenty_counts_no_more(forty, make_request) -> None:
    trials = with_utility(forty.trials, [0.01] * 16 + [0.05] + [0.05] * 23)
    assert has_converged(make_request(goal="worst_case"), trials)


def test_the_sobol_start_never_ends_a_search(forty, make_request) -> None:
    same = with_utility(forty.trials[:35], [0.03] * 35)
    assert not has_converged(make_request(), same), "the last twenty hold one of the start"
    assert not has_converged(make_request(), with_utility(forty.trials[16:36], [0.03] * 20)), "nothing to compare with"


def test_a_search_that_may_converge_ends_where_the_rule_says(world, job, execute_search) -> None:
    request = world.request.model_copy(update={"stopping": "converged"})
    actual = execute_search(type(world)(world.market, request), job(request, budget=90))
    starts = [36 + 20 * k for k in range(3)]  # 40% of the budget, then rounds of twenty
    if actual.stopped == "converged":
        assert len(actual.trials) in starts
        assert has_converged(request, actual.trials)
    else:
        assert len(actual.trials) == 90
    for in_sample in (n for n in starts if n < len(actual.trials)):
        assert not has_converged(request, actual.trials[:in_sample])


def test_half_of_each_round_is_screened_out_on_few_paths_and_still_counts(screened) -> None:
    assert len(screened.trials) == 24
    for round_, expected in ((0, 5), (1, 7)):
        inside = [t for t in screened.trials if t.round == round_]
        assert sum(t.screened for t in inside) == expected == len(inside) // 2
    for trial, series in screened.saved:
        assert {e.paths for e in trial.evaluations} == {128 if trial.screened else 192}
        assert series.shape == screened.saved[0][1].shape
        assert trial.series == series_address(series)
    assert sorted({r.done for r in screened.reports}) == [10, 24]


def test_the_larger_half_of_an_odd_round_is_kept(screening, job, execute_search) -> None:
    actual = execute_search(screening, job(screening.request, budget=12))
    for round_, size_, dropped in ((0, 5, 2), (1, 7, 3)):
        inside = [t for t in actual.trials if t.round == round_]
        assert (len(inside), sum(t.screened for t in inside)) == (size_, dropped)


def test_the_better_half_by_the_objective_on_few_paths_is_kept(screened) -> None:
    world = screened.world
    first = [t for t in screened.trials if t.round == 0]
    columns = [world.evaluate([t.config for t in first], s, paths=128) for s in world.request.scenarios]
    few = [t.model_copy(update={"evaluations": tuple(c[k] for c in columns)}) for k, t in enumerate(first)]
    values = objectives(world.request, few)
    remaining = [v for v, t in zip(values, first, strict=True) if not t.screened]
    dropped = [v for v, t in zip(values, first, strict=True) if t.screened]
    assert min(remaining) > max(dropped)


def test_candidates_are_never_screened_out(screening, screened, job, execute_search) -> None:
    worst = tuple(t.config for t in screened.trials if t.screened)[:4]
    actual = execute_search(screening, job(screening.request, budget=10, candidates=worst))
    assert not any(t.screened for t in actual.trials if t.origin == "candidate")
    assert any(t.screened for t in actual.trials)


@pytest.mark.parametrize("count", [13, *(pytest.param(count, marks=pytest.mark.soak) for count in (3, 10))])
def test_a_resumed_screening_search_equals_an_uninterrupted_one(
    screened, screening, job, execute_search, count
) -> None:
    by_id = {t.digest: t for t in screened.trials[:count]}
    again = execute_search(screening, job(screening.request, budget=24), by_id)
    assert again.trials == screened.trials[count:]


def test_screening_never_takes_more_paths_than_the_search_itself(screening, world, job, execute_search) -> None:
    request = screening.request.model_copy(update={"scenarios": world.request.scenarios[:1]})
    actual = execute_search(type(world)(world.market, request), job(request, budget=10))
    assert {e.paths for t in actual.trials for e in t.evaluations} == {100}


def test_small_budgets_screen_nothing(forty) -> None:
    assert not any(t.screened for t in forty.trials)


def test_the_sampler_avoids_broken_limits(forty, make_request) -> None:
    falls = sorted(t.train.metrics.value_at_risk.value for t in forty.trials)
    bound = falls[len(falls) // 2]
    request = make_request(limits=Limits(value_at_risk=Limit(bound=bound, scenarios=("history",))))
    led = sampler_values(request, forty.trials)
    invalid = [total_violation(check_limits(request, evaluations_by_scenario(t))) for t in forty.trials]
    assert 0 < sum(b > 0.0 for b in invalid) < 40
    inside = [v for v, b in zip(led, invalid, strict=True) if b == 0.0]
    outside = sorted((b, v) for v, b in zip(led, invalid, strict=True) if b > 0.0)
    assert max(v for _, v in outside) < min(inside)
    assert [v for _, v in outside] == sorted((v for _, v in outside), reverse=True)
    assert [is_selectable(request, t) for t in forty.trials] == [b == 0.0 for b in invalid]


def test_progress_reports_the_best_trial_within_the_limits(world, forty, job, execute_search) -> None:
    falls = sorted(t.train.metrics.value_at_risk.value for t in forty.trials)
    limits = Limits(value_at_risk=Limit(bound=falls[len(falls) // 4], scenarios=("history",)))
    request = world.request.model_copy(update={"limits": limits})
    results = execute_search(type(world)(world.market, request), job(request, budget=10))
    values = [float(value) for value in objectives(request, results.trials)]
    within = [v for v, trial in zip(values, results.trials, strict=True) if is_selectable(request, trial)]
    assert results.reports[-1].best == max(within)
    assert max(within) < max(values)


def test_another_seed_searches_elsewhere(world, forty, job, execute_search) -> None:
    request = world.request.model_copy(update={"seed": 4})
    other = execute_search(type(world)(world.market, request), job(request, budget=10))
    assert [t.config for t in other.trials] != [t.config for t in forty.trials[:10]]


def test_rules_that_keep_one_weight_are_tried_only_where_no_other_is_left(world, job, execute_search) -> None:
    """A low floor with a high multiplier is full weight on every training day; a high one is no constant."""
    space = SearchSpace(
        weight_functions=("cppi",), floor=(0.80, 0.95), multiplier=(3.0, 5.0), rebalancing=("monthly",),
        no_trade_band=(0.0, 0.05),
    )  # fmt: skip
    actual = execute_search(world, job(world.request, space=space, budget=8))
    train = world.market.train
    averages = {t.config: world.replay([t.config]).series[0, 1, train].mean() for t in actual.trials}
    assert len(averages) == size(space) == 8
    full = [config for config, average in averages.items() if average > 0.99]
    assert {(config.floor, config.multiplier) for config in full} == {(0.80, 5.0)}
    start = [t.config for t in actual.trials if t.origin == "sobol"]
    assert len(start) == 3
    assert not set(start) & set(full)
    assert set(full) & {t.config for t in actual.trials if t.origin in {"sampler", "refill"}} == set(full)


def test_a_space_of_rules_that_keep_one_weight_is_searched_all_the_same(world, job, execute_search) -> None:
    space = SearchSpace(weight_functions=("cppi",), floor=(0.80,), multiplier=(5.0,), rebalancing=("monthly",))
    actual = execute_search(world, job(world.request, space=space, budget=10))
    assert len(actual.trials) == size(space) == 4
