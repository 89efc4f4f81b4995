from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import norm

from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.luck import Records, judge_luck
from desk.optimization.request import Limit, Limits
from quant.overfitting.verdict import VERDICT, traffic_light


@pytest.fixture(scope="module")
def records(world, finished_search):
    part = unlocked_days(world)
    configs = [finished_search.trials[0].config, world.constant(0.5), world.constant(1.0)]
    return Records(*(np.ascontiguousarray(r[0, part]) for r in world.replay(configs).series))


@pytest.fixture(scope="module")
def luck(world, finished_search, records):
    return judge_luck(world, finished_search.trials, finished_search.series, records, 12)


def everyone(finished_search):
    return np.column_stack([finished_search.series[t.series][0] for t in finished_search.trials])


def moments_of(series):
    centred = series - series.mean()
    deviation = (centred**2).mean() ** 0.5
    return (centred**3).mean() / deviation**3, (centred**4).mean() / deviation**4


def deflated_sharpe(series, ratios, trials):
    """Bailey and Lopez de Prado (2014), formula by formula."""
    variance = np.var(ratios, ddof=1)
    euler = 0.5772156649015329
    expected = (1 - euler) * norm.ppf(1 - 1 / trials) + euler * norm.ppf(1 - 1 / (trials * np.e))
    threshold = max(0.0, variance**0.5 * expected) if trials > 1 else 0.0
    sharpe = series.mean() / series.std(ddof=1)
    skewness, kurtosis = moments_of(series)
    scale = (1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2) ** 0.5
    return norm.cdf((sharpe - threshold) * (series.size - 1) ** 0.5 / scale)


def sharpes(columns):
    return columns.mean(axis=0) / columns.std(axis=0, ddof=1)


@pytest.mark.parametrize("ledger", [12, 500, 100_000])
def test_the_sharpe_ratio_is_deflated_by_all_trials_of_the_ledger(world, finished_search, records, ledger) -> None:
    actual = judge_luck(world, finished_search.trials, finished_search.series, records, ledger)
    sobol = [k for k, t in enumerate(finished_search.trials) if t.origin == "sobol"]
    assert 1 < len(sobol) < 12
    ratios = sharpes(everyone(finished_search)[:, sobol])
    assert actual.deflated_sharpe == pytest.approx(deflated_sharpe(records.winner, ratios, ledger), abs=1e-3)
    active = everyone(finished_search)[:, sobol] - records.benchmark[:, None]
    expected = deflated_sharpe(records.winner - records.benchmark, sharpes(active), ledger)
    assert actual.active_deflated_sharpe == pytest.approx(expected, abs=1e-3)
    assert (actual.trials, actual.ledger_trials) == (12, ledger)


def test_observations_are_the_days_of_train_and_validate(world, luck) -> None:
    market = world.market
    assert luck.observations == market.validate.stop - market.train.start


def test_a_longer_ledger_leaves_less_skill(world, finished_search, records, luck) -> None:
    more = judge_luck(world, finished_search.trials, finished_search.series, records, 1_000)
    assert more.deflated_sharpe < luck.deflated_sharpe
    assert more.active_deflated_sharpe < luck.active_deflated_sharpe
    same = {"ledger_trials": 0, "deflated_sharpe": 0.0, "active_deflated_sharpe": 0.0}
    assert more.model_copy(update=same) == luck.model_copy(update=same)


def test_the_sampler_does_not_widen_the_variance_of_the_trials(world, finished_search, records, luck) -> None:
    """Only trials proposed without knowledge of results enter the variance."""
    series = dict(finished_search.series)
    for trial in finished_search.trials:
        if trial.origin != "sobol":
            series[trial.series] = series[trial.series] * np.array([[-3.0], [1.0]])
    other = judge_luck(world, finished_search.trials, series, records, 12)
    assert other.deflated_sharpe == luck.deflated_sharpe
    assert other.active_deflated_sharpe == luck.active_deflated_sharpe
    assert other.spa_p != luck.spa_p or other.overfitting != luck.overfitting


def test_the_advantage_on_validate_is_the_difference_of_utilities(world, records, luck) -> None:
    late = slice(world.market.validate.start - world.market.train.start, None)
    gamma = world.request.mandate.risk_aversion
    utility = [
        252 * (x.mean() - gamma / 2 * np.var(x, ddof=1)) for x in (records.winner[late], records.benchmark[late])
    ]
    assert luck.validate_advantage_bps == pytest.approx(10_000 * (utility[0] - utility[1]), rel=1e-9)


def test_sharpe_ratios_are_annual(records, luck) -> None:
    x, active = records.winner, records.winner - records.benchmark
    assert luck.sharpe == pytest.approx(x.mean() / x.std(ddof=1) * 252**0.5, rel=1e-9)
    assert luck.active_sharpe == pytest.approx(active.mean() / active.std(ddof=1) * 252**0.5, rel=1e-9)


def test_overfitting_is_measured_on_what_the_selection_could_choose(world, finished_search, records, luck) -> None:
    falls = sorted(t.train.metrics.value_at_risk.value for t in finished_search.trials)
    limits = Limits(value_at_risk=Limit(bound=falls[5], scenarios=("history",)))
    limited = replace(world, request=world.request.model_copy(update={"limits": limits}))
    fewer = judge_luck(limited, finished_search.trials, finished_search.series, records, 12)
    assert fewer.overfitting != luck.overfitting
    reach = [max(edge for edge, count in actual.logits if count) for actual in (fewer, luck)]
    assert reach[0] < np.log(6) < np.log(12)
    assert fewer.spa_p == luck.spa_p, "superior ability is tested on every trial"
    # 6,396 days leave a remainder of 12 in sixteen blocks
    assert luck.dropped_rows == luck.observations % 16
    assert sum(count for _, count in luck.logits) == 12_870  # ways to choose eight blocks of sixteen


def colour_of(luck) -> str:
    return traffic_light({rule.statistic: getattr(luck, rule.statistic) for rule in VERDICT})


def synthetic(world, drifts, seed=11):
    """Trials whose daily returns are common noise, own noise and a drift of their own, a year's fraction."""
    days = world.market.validate.stop - world.market.train.start
    random = np.random.default_rng(seed)
    market = random.normal(0.0003, 0.006, days)
    return market, market[:, None] + random.normal(0.0, 0.001, (days, len(drifts))) + np.array(drifts) / 252


def luck_with(world, finished_search, drifts, ledger=12):
    """All trials have the same paths, so that history decides; the first has the highest drift."""
    market, columns = synthetic(world, drifts)
    common = finished_search.trials[0]
    trials, series = [], {}
    for k, trial in enumerate(finished_search.trials):
        trials.append(trial.model_copy(update={"evaluations": common.evaluations, "series": f"{k}"}))
        series[f"{k}"] = np.stack([columns[:, k], np.ones(market.size)])
    return judge_luck(world, trials, series, Records(columns[:, 0], market, market), ledger)


def test_skill_is_green(world, finished_search) -> None:
    actual = luck_with(world, finished_search, [0.03, *[0.0] * 11])
    assert actual.active_deflated_sharpe > 0.95
    assert actual.overfitting < 0.2
    assert actual.spa_p < 0.05
    assert actual.validate_advantage_bps > 0.0
    assert colour_of(actual) == "green"


def test_noise_is_red(world, finished_search) -> None:
    actual = luck_with(world, finished_search, [0.0] * 12, ledger=1_000)
    assert actual.active_deflated_sharpe < 0.5
    assert colour_of(actual) == "red"
    assert actual.spa_p > 0.05


def test_skill_that_many_share_is_not_green(world, finished_search) -> None:
    """All trials are equally good: they beat the benchmark, but the choice among them is luck."""
    actual = luck_with(world, finished_search, [0.03] * 12)
    assert actual.spa_p < 0.05
    assert actual.active_deflated_sharpe > 0.95
    assert actual.overfitting >= 0.2
    assert colour_of(actual) in ("amber", "red")


def test_the_equity_premium_alone_is_no_skill(world, finished_search) -> None:
    """The raw ratio is high for every holder of equity; the active one decides."""
    actual = luck_with(world, finished_search, [0.0] * 12)
    assert actual.deflated_sharpe > 0.95
    assert actual.active_deflated_sharpe < 0.95
    assert colour_of(actual) != "green"


@pytest.mark.parametrize(
    ("changes", "colour"),
    [
        ({}, "green"),
        ({"active_deflated_sharpe": 0.9499}, "amber"),
        ({"overfitting": 0.2}, "amber"),
        ({"spa_p": 0.05}, "amber"),
        ({"validate_advantage_bps": 0.0}, "amber"),
        ({"active_deflated_sharpe": 0.5}, "amber"),
        ({"active_deflated_sharpe": 0.4999}, "red"),
        ({"overfitting": 0.4999}, "amber"),
        ({"overfitting": 0.5}, "red"),
    ],
)
def test_the_colour_changes_at_the_thresholds_of_the_method(changes, colour) -> None:
    passing = {
        "active_deflated_sharpe": 0.95,
        "overfitting": 0.1999,
        "spa_p": 0.0499,
        "validate_advantage_bps": 0.1,
    }
    assert colour_of(SimpleNamespace(**(passing | changes))) == colour


def test_a_winner_that_never_differs_from_the_benchmark_has_no_active_skill(world, finished_search, records) -> None:
    same = Records(records.benchmark + 1e-5, records.benchmark, records.asset)
    actual = judge_luck(world, finished_search.trials, finished_search.series, same, 12)
    assert actual.active_sharpe == 0.0
    assert actual.minimum_track_record_years is None
    assert actual.active_deflated_sharpe <= 0.5
