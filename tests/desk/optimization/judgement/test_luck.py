from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.luck import Records, judge_luck
from desk.optimization.judgement.verdict import verdict_statistics
from desk.optimization.request import Limit, Limits
from quant.overfitting.verdict import traffic_light

NORMAL = NormalDist()


@pytest.fixture(scope="module")
def records(world, finished_search):
    part = unlocked_days(world)
    configs = [finished_search.trials[0].config, world.constant(0.5), world.constant(1.0)]
    return Records(*(np.ascontiguousarray(r[0, part]) for r in world.replay(configs).series))


@pytest.fixture(scope="module")
def luck(world, finished_search, records):
    return judge(world, finished_search, records)


def judge(world, search, records, ledger=12, series=None, winner=0) -> Any:
    return judge_luck(world, search.trials, series or search.series, search.trials[winner], records, ledger)


def everyone(finished_search):
    return np.column_stack([finished_search.series[t.series][0] for t in finished_search.trials])


def moments_of(series):
    centred = series - series.mean()
    deviation = (centred**2).mean() ** 0.5
    return (centred**3).mean() / deviation**3, (centred**4).mean() / deviation**4


def deflated_sharpe(series, variance, trials):
    """Bailey and Lopez de Prado (2014), formula by formula."""
    euler = 0.5772156649015329
    expected = (1 - euler) * NORMAL.inv_cdf(1 - 1 / trials) + euler * NORMAL.inv_cdf(1 - 1 / (trials * np.e))
    threshold = max(0.0, variance**0.5 * expected) if trials > 1 else 0.0
    sharpe = series.mean() / series.std(ddof=1)
    skewness, kurtosis = moments_of(series)
    scale = (1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) ** 0.5
    return NORMAL.cdf((sharpe - threshold) * (series.size - 1) ** 0.5 / scale)


def sharpes(columns):
    return columns.mean(axis=0) / columns.std(axis=0, ddof=1)


def utility(x, gamma):
    return 252 * (x.mean() - gamma / 2 * np.var(x))


def test_a_trial_is_compared_with_the_constant_weight_of_its_own_volatility(world, finished_search) -> None:
    columns = everyone(finished_search)
    own = world.own_benchmarks(columns)
    part = slice(world.market.train.start, world.market.validate.stop)
    asset = world.replay([world.constant(1.0)]).series[0, 0, part]
    for k in (0, 5):
        weight = columns[:, k].std() / asset.std()
        expected = world.replay([world.constant(weight)]).series[0, 0, part]
        np.testing.assert_allclose(own[:, k], expected, atol=1e-12)
        assert own[:, k].std() == pytest.approx(columns[:, k].std(), rel=0.02)


def test_the_statistic_is_the_active_utility_over_its_error(world, finished_search, luck) -> None:
    columns, own = everyone(finished_search)[:, 0], world.own_benchmarks(everyone(finished_search))[:, 0]
    gamma = world.request.mandate.risk_aversion
    assert luck.active_utility_bps == pytest.approx(1e4 * (utility(columns, gamma) - utility(own, gamma)), rel=1e-6)
    assert luck.active_t == pytest.approx(luck.active_utility_bps / luck.active_error_bps, rel=1e-9)
    gains = columns - own - gamma / 2 * ((columns - columns.mean()) ** 2 - (own - own.mean()) ** 2)
    # blocks of weeks hold what days apart would miss; the errors have the same size
    assert luck.active_error_bps == pytest.approx(1e4 * 252 * gains.std() / gains.size**0.5, rel=0.5)


@pytest.mark.parametrize("ledger", [12, 500, 100_000])
def test_the_sharpe_ratio_is_deflated_by_all_trials_of_the_ledger(world, finished_search, records, ledger) -> None:
    actual = judge(world, finished_search, records, ledger)
    sobol = [k for k, t in enumerate(finished_search.trials) if t.origin == "sobol"]
    assert 1 < len(sobol) < 12
    columns = everyone(finished_search)
    variance = np.var(sharpes(columns[:, sobol]), ddof=1)
    assert actual.deflated_sharpe == pytest.approx(deflated_sharpe(records.winner, variance, ledger), abs=1e-3)
    active = columns[:, 0] - world.own_benchmarks(columns)[:, 0]
    # without skill a Sharpe ratio of so many days has the variance 1 / (T - 1)
    expected = deflated_sharpe(active, 1 / (active.size - 1), ledger)
    assert actual.active_deflated_sharpe == pytest.approx(expected, abs=1e-3)
    assert (actual.trials, actual.ledger_trials) == (12, ledger)


def test_observations_are_the_days_of_train_and_validate(world, luck) -> None:
    market = world.market
    assert luck.observations == market.validate.stop - market.train.start


def test_a_longer_ledger_leaves_less_skill(world, finished_search, records, luck) -> None:
    more = judge(world, finished_search, records, 1_000)
    assert more.deflated_sharpe < luck.deflated_sharpe
    assert more.active_deflated_sharpe < luck.active_deflated_sharpe
    same = {"ledger_trials": 0, "uncovered_trials": 0, "deflated_sharpe": 0.0, "active_deflated_sharpe": 0.0}
    assert more.model_copy(update=same) == luck.model_copy(update=same)


def test_the_sampler_does_not_widen_the_variance_of_the_trials(world, finished_search, records, luck) -> None:
    """Only trials proposed without knowledge of results enter the variance."""
    series = dict(finished_search.series)
    for trial in finished_search.trials:
        if trial.origin != "sobol":
            series[trial.series] = series[trial.series] * np.array([[-3.0], [1.0]])
    other = judge(world, finished_search, records, series=series)
    assert other.deflated_sharpe == luck.deflated_sharpe
    assert other.spa_p != luck.spa_p or other.overfitting != luck.overfitting


def test_the_advantage_on_validate_is_matched_on_its_days(world, finished_search, luck) -> None:
    late = slice(world.market.validate.start - world.market.train.start, None)
    gamma = world.request.mandate.risk_aversion
    winner = everyone(finished_search)[late, 0]
    asset = world.replay([world.constant(1.0)]).series[0, 0, world.market.validate]
    weight = winner.std() / asset.std()
    constant = world.replay([world.constant(weight)]).series[0, 0, world.market.validate]
    expected = 1e4 * (utility(winner, gamma) - utility(constant, gamma))
    assert luck.validate_advantage_bps == pytest.approx(expected, rel=1e-6)
    assert np.sign(luck.validate_t) == np.sign(expected)


def test_sharpe_ratios_are_annual(world, finished_search, records, luck) -> None:
    columns = everyone(finished_search)
    x, active = records.winner, columns[:, 0] - world.own_benchmarks(columns)[:, 0]
    assert luck.sharpe == pytest.approx(x.mean() / x.std(ddof=1) * 252**0.5, rel=1e-9)
    assert luck.active_sharpe == pytest.approx(active.mean() / active.std(ddof=1) * 252**0.5, rel=1e-9)


def test_overfitting_is_measured_on_what_the_selection_could_choose(world, finished_search, records, luck) -> None:
    falls = sorted(t.train.metrics.value_at_risk.value for t in finished_search.trials)
    limits = Limits(value_at_risk=Limit(bound=falls[5], scenarios=("history",)))
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    fewer = judge(limited, finished_search, records)
    assert fewer.overfitting != luck.overfitting
    reach = [max(edge for edge, count in actual.logits if count) for actual in (fewer, luck)]
    assert reach[0] < np.log(6) < np.log(12)
    assert fewer.spa_p == luck.spa_p, "superior ability is tested on every trial"
    # 6,396 days leave a remainder of 12 in sixteen blocks
    assert luck.dropped_rows == luck.observations % 16
    assert sum(count for _, count in luck.logits) == 12_870  # ways to choose eight blocks of sixteen


def test_a_choice_that_the_rule_did_not_make_is_judged_by_the_single_step_test(world, finished_search, records) -> None:
    candidate = finished_search.trials[0].model_copy(update={"origin": "candidate"})
    trials = [candidate, *finished_search.trials[1:]]
    actual: Any = judge_luck(world, trials, finished_search.series, candidate, records, 12)
    assert actual.winner_p is None
    assert 0.0 < actual.single_step_p <= 1.0


def test_earlier_trials_enter_the_test_of_the_best_trial_alone(world, finished_search, records, luck) -> None:
    days = luck.observations
    random = np.random.default_rng(5)
    asset = world.replay([world.constant(0.5)]).series[0, 0, unlocked_days(world)]
    noise = [np.stack([asset + random.normal(0.0, 0.001, days), np.ones(days)]) for _ in range(20)]
    longer = np.hstack([np.zeros((2, 50)), noise[0]])
    assert luck.uncovered_trials == 0

    def with_earlier(series):
        trials = finished_search.trials
        return judge_luck(world, trials, finished_search.series, trials[0], records, 12 + 21, series)

    more = with_earlier([*noise, noise[0][:, 30:]])
    assert more.uncovered_trials == 1, "the last series starts later than the days that are judged"
    assert more.single_step_p > luck.single_step_p
    assert (more.winner_p, more.loss, more.spa_p) == (luck.winner_p, luck.loss, luck.spa_p)
    assert with_earlier([longer, *noise[1:], noise[0][:, 30:]]) == more, "only the days of this run count"


def colour_of(luck) -> str:
    return traffic_light(verdict_statistics(luck, 50.0))


def luck_with(world, finished_search, drifts, ledger=12) -> Any:
    """Trials of half the asset with own noise and a drift of their own, a year's fraction; history decides alone."""
    part = unlocked_days(world)
    asset = np.ascontiguousarray(world.replay([world.constant(0.5)]).series[0, 0, part])
    random = np.random.default_rng(11)
    columns = asset[:, None] + random.normal(0.0, 0.001, (asset.size, len(drifts))) + np.array(drifts) / 252
    common = finished_search.trials[0]
    trials, series = [], {}
    for k, trial in enumerate(finished_search.trials):
        trials.append(trial.model_copy(update={"evaluations": common.evaluations, "series": f"{k}"}))
        series[f"{k}"] = np.stack([columns[:, k], np.ones(asset.size)])
    best = int(np.argmax(columns.mean(axis=0)))
    return judge_luck(world, trials, series, trials[best], Records(columns[:, best], asset, 2 * asset), ledger)


def test_skill_is_green(world, finished_search) -> None:
    actual = luck_with(world, finished_search, [0.03, *[0.0] * 11])
    assert actual.winner_p < 0.01
    assert actual.single_step_p < 0.01
    assert actual.loss < 0.2
    assert actual.validate_t > 0.0
    assert colour_of(actual) == "green"


def test_skill_that_many_share_is_skill(world, finished_search) -> None:
    """All trials are equally good; which of them is chosen does not matter."""
    actual = luck_with(world, finished_search, [0.03] * 12)
    assert actual.winner_p < 0.01
    assert actual.overfitting >= 0.2, "none is better than the others"
    assert actual.loss < 0.1
    assert colour_of(actual) == "green"


def test_the_best_of_many_without_skill_is_not_green(world, finished_search) -> None:
    """The equity premium that all trials earn is no skill: their constant weights earn it too."""
    actual = luck_with(world, finished_search, [0.0] * 12)
    assert actual.deflated_sharpe > 0.95
    assert actual.winner_p > 0.05
    assert actual.single_step_p >= actual.winner_p - 0.02
    assert colour_of(actual) != "green"


def test_a_winner_that_never_differs_from_the_benchmark_has_no_active_skill(world, finished_search, records) -> None:
    part = unlocked_days(world)
    constant = world.replay([world.constant(0.5)]).series[0, :2, part].copy()
    series = {**finished_search.series, finished_search.trials[0].series: constant}
    actual = judge(world, finished_search, records, series=series)
    assert actual.own_benchmarks >= 1
    assert actual.active_t == 0.0
    assert actual.winner_p > 0.15
    assert actual.minimum_track_record_years is None
    assert colour_of(actual) == "red"
