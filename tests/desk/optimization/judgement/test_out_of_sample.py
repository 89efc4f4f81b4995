from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest

from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.out_of_sample import GROUPS, SHORTEST_FIT, TEST_GROUPS, judge_out_of_sample
from desk.optimization.request import Limit, Limits
from desk.optimization.result import OptimizationResult
from quant.strategies.mandate import Mandate

GAMMA = Mandate().risk_aversion
LAG = Mandate().decision_lag


def utility(x: np.ndarray) -> np.ndarray:
    return 252 * (x.mean(axis=0) - GAMMA / 2 * x.var(axis=0, ddof=1))


@pytest.fixture(scope="module")
def everyone(finished_search) -> np.ndarray:
    return np.column_stack([finished_search.series[t.series][0] for t in finished_search.trials])


@pytest.fixture(scope="module")
def choose(world, finished_search):
    """The default objective by hand: utilities by weight, less a quarter of the largest regret."""
    scenarios = world.request.scenarios
    probabilities = np.array([s.probability for s in scenarios])
    weights = np.append(probabilities / probabilities.sum() * 2 / 3, 1 / 3)
    simulated = np.array(
        [[t.evaluation(s.name).metrics.utility.value for s in scenarios] for t in finished_search.trials]
    )

    def rule(rows: np.ndarray) -> int:
        values = np.column_stack([simulated, utility(rows)])
        return int(np.argmax(values @ weights - 0.25 * (values.max(axis=0) - values).max(axis=1)))

    return rule


@pytest.fixture(scope="module")
def asset(world) -> np.ndarray:
    return world.replay([world.constant(1.0)]).series[0, 0, world.market.train.start :]


def matched(world, path: np.ndarray, asset: np.ndarray) -> np.ndarray:
    weight = path.std(ddof=1) / asset[-path.size :].std(ddof=1)
    return world.replay([world.constant(weight)]).series[0, 0, world.market.validate.stop - path.size :]


@pytest.fixture(scope="module")
def evidence(judgement):
    return judgement.result.out_of_sample


def test_each_path_holds_what_the_rule_chose_on_days_away_from_it(world, everyone, choose, asset, evidence) -> None:
    days, purge = len(everyone), world.market.warm_up
    embargo = days // 100
    parts = np.array_split(np.arange(days), GROUPS)
    chosen: dict[tuple[int, ...], int] = {}
    for test in combinations(range(GROUPS), TEST_GROUPS):
        near = {t for g in test for t in range(parts[g][0] - purge, parts[g][-1] + purge + embargo + 1)}
        chosen[test] = choose(everyone[[t for t in range(days) if t not in near]])
    paths = np.empty((GROUPS - 1, days))
    for g in range(GROUPS):
        for j, test in enumerate(test for test in chosen if g in test):
            paths[j, parts[g]] = everyone[parts[g], chosen[test]]
    utilities = 10_000 * np.array([utility(path) for path in paths])
    advantages = utilities - 10_000 * np.array([utility(matched(world, path, asset)) for path in paths])

    actual = evidence.cross_validation
    assert (actual.groups, actual.test_groups, actual.splits, actual.paths) == (10, 2, 45, 9)
    assert (actual.purge, actual.embargo, actual.configs) == (purge, embargo, len(set(chosen.values())))
    assert len(set(chosen.values())) > 1, "the case must choose differently in different splits"
    for quantiles, values in ((actual.utility_bps, utilities), (actual.advantage_bps, advantages)):
        expected = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
        names = ("low", "lower_quartile", "median", "upper_quartile", "high")
        assert [getattr(quantiles, name) for name in names] == pytest.approx(expected, rel=1e-7, abs=1e-6)
        assert quantiles.below_zero == pytest.approx(np.mean(values < 0))


def test_each_year_holds_what_the_rule_chose_on_all_days_before(
    world, finished_search, everyone, choose, asset, evidence
) -> None:
    dates = world.market.dates[world.market.train.start : world.market.validate.stop]
    years = np.array([int(str(d)[:4]) for d in dates])
    weights = np.column_stack([finished_search.series[t.series][1] for t in finished_search.trials])
    held, chosen, series = [], [], []
    for year in range(years[0] + 1, years[-1] + 1):
        start = int(np.argmax(years == year))
        if start - LAG < SHORTEST_FIT:
            continue
        chosen.append(choose(everyone[: start - LAG]))
        returns = everyone[years == year, chosen[-1]].copy()
        if len(chosen) > 1:
            returns[0] -= 0.0005 * abs(weights[start, chosen[-1]] - weights[start, chosen[-2]])
        held.append(year)
        series.append(returns)
    whole = np.concatenate(series)
    benchmark = matched(world, whole, asset)

    actual = evidence.walk_forward
    assert [c.year for c in actual.choices] == held
    assert [c.config for c in actual.choices] == [finished_search.trials[k].digest for k in chosen]
    assert actual.changes == sum(a != b for a, b in pairwise(chosen)) > 0
    assert actual.years == pytest.approx(whole.size / 252)
    assert (actual.first_day[:4], actual.last_day) == (str(held[0]), str(dates[-1]))
    assert actual.advantage_bps.value == pytest.approx(10_000 * (utility(whole) - utility(benchmark)), abs=1e-6)
    contributions = [x - GAMMA / 2 * (x - x.mean()) ** 2 for x in (whole, benchmark)]
    error = 2_520_000 * (contributions[0] - contributions[1]).std(ddof=1) / whole.size**0.5
    assert actual.advantage_bps.error == pytest.approx(error)
    cash = world.market.cash[world.market.validate.stop - whole.size : world.market.validate.stop]
    kept = years[-whole.size :]
    for choice in actual.choices:
        for got, x in ((choice.winner, whole), (choice.benchmark, benchmark)):
            assert got == pytest.approx(np.prod((1 + x + cash)[kept == choice.year]) - 1)


def bent(finished_search, row: int):
    """The same trials with other returns from a row of the series on."""
    factor = np.linspace(-2.0, 2.0, len(finished_search.trials))
    series = {}
    for k, trial in enumerate(finished_search.trials):
        changed = finished_search.series[trial.series].copy()
        changed[0, row:] *= factor[k]
        series[trial.series] = changed
    return series


def test_a_choice_reads_no_day_after_it(world, finished_search, judgement, evidence) -> None:
    market = world.market
    first = market.validate.start - market.train.start
    series = bent(finished_search, first)
    other = judge_out_of_sample(world, finished_search.trials, series, judgement.result.winner)
    assert other.walk_forward is not None
    pairs = list(zip(evidence.walk_forward.choices, other.walk_forward.choices, strict=True))
    within = [a.config == b.config for a, b in pairs if f"{a.year}-01-01" <= str(market.dates[market.validate.start])]
    assert within
    assert all(within)
    assert [a for a, _ in pairs] != [b for _, b in pairs], "the change must reach what is earned"
    assert len(within) < len(pairs)


def test_the_rule_chooses_only_what_the_search_could(world, finished_search, judgement) -> None:
    falls = sorted(t.train.metrics.value_at_risk.value for t in finished_search.trials)
    limits = Limits(value_at_risk=Limit(bound=falls[4], scenarios=("history",)))
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    allowed = {t.digest for t in finished_search.trials if t.train.metrics.value_at_risk.value <= falls[4]}
    winner = next(t for t in finished_search.trials if t.digest in allowed)
    evidence = judge_out_of_sample(limited, finished_search.trials, finished_search.series, winner)
    assert evidence.walk_forward is not None
    assert evidence.cross_validation is not None
    assert {c.config for c in evidence.walk_forward.choices} <= allowed
    assert evidence.cross_validation.configs <= len(allowed)


def test_a_history_too_short_to_purge_has_no_cross_validation(world, finished_search, judgement, prices) -> None:
    short = World(
        build_market(replace(prices, dates=prices.dates[:2000], closes=prices.closes[:2000]), world.request),
        world.request,
    )
    days = short.market.validate.stop - short.market.train.start
    series = {address: values[:, :days] for address, values in finished_search.series.items()}
    evidence = judge_out_of_sample(short, finished_search.trials, series, judgement.result.winner)
    assert evidence.cross_validation is None
    assert evidence.walk_forward is not None
    assert evidence.walk_forward.years < 3


def test_results_from_before_the_evidence_open_with_their_digest(judgement) -> None:
    older = judgement.result.model_copy(update={"out_of_sample": None})
    document = older.model_dump(mode="json")
    assert "out_of_sample" not in document
    assert OptimizationResult.model_validate(document).digest() == older.digest()
    assert older.digest() != judgement.result.digest()
