import itertools
import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from quant.luck import (
    backtest_overfitting,
    deflated_sharpe,
    deflated_sharpe_of_series,
    effective_trials,
    expected_maximum_sharpe,
    minimum_backtest_length,
    minimum_track_record,
    objective_rule,
    performance_differences,
    probabilistic_sharpe,
    sharpe_variance,
    superior_predictive_ability,
    traffic_light,
)
from quant.numeric.errors import DataError
from quant.strategies.goal import Goal
from quant.strategies.objective import scenario_weights, scores

WEIGHTS = scenario_weights([0.50, 0.15, 0.10, 0.10, 0.15])


def noise(seed: int, days: int, trials: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal((days, trials))


def utility(x: np.ndarray) -> np.ndarray:
    return 252 * (x.mean(axis=0) - x.var(axis=0, ddof=1))


def sharpe(x: np.ndarray) -> np.ndarray:
    return math.sqrt(252) * x.mean(axis=0) / x.std(axis=0, ddof=1)


@pytest.mark.parametrize(("trials", "luck", "deflated"), [(100, 0.1132, 0.9004), (46, None, 0.9505)])
def test_deflated_sharpe_ratios_of_the_paper(trials: int, luck: float | None, deflated: float) -> None:
    """Bailey and Lopez de Prado (2014), p. 9-10: annual 2.5, 1,250 days of 250, skewness -3, kurtosis 10."""
    if luck is not None:
        assert expected_maximum_sharpe(variance=0.5 / 250, trials=trials) == pytest.approx(luck, abs=5e-5)
    value = deflated_sharpe(
        2.5 / math.sqrt(250), observations=1250, variance=0.5 / 250, trials=trials, skewness=-3.0, kurtosis=10.0
    )
    assert value == pytest.approx(deflated, abs=5e-5)


@pytest.mark.parametrize(
    ("sharpe", "benchmark", "skewness", "kurtosis", "years"),
    [
        (1.0, 0.0, 0.0, 3.0, 2.71),
        (1.0, 0.0, -1.0, 8.0, 2.90),
        (1.0, 0.5, 0.0, 3.0, 10.85),
        (1.0, 0.5, -1.0, 8.0, 11.6),
    ],
)
def test_minimum_track_records_of_the_specification(
    sharpe: float, benchmark: float, skewness: float, kurtosis: float, years: float
) -> None:
    """Annual ratios of daily returns, 95%; the last two differ by the moments alone."""
    length = minimum_track_record(
        sharpe / math.sqrt(252),
        benchmark=benchmark / math.sqrt(252),
        skewness=skewness,
        kurtosis=kurtosis,
    )
    assert length is not None
    assert length / 252 == pytest.approx(years, abs=0.05 if years == 11.6 else 0.005)


@given(
    st.floats(0.005, 0.3),
    st.floats(-0.2, 0.0049),
    st.floats(-2.0, 2.0),
    st.floats(0.0, 10.0),
    st.floats(0.6, 0.999),
)
@settings(max_examples=60, deadline=None)
def test_a_track_record_of_the_minimum_length_gives_the_confidence(
    sharpe: float, benchmark: float, skewness: float, excess: float, confidence: float
) -> None:
    kurtosis = skewness**2 + 1.0 + excess
    length = minimum_track_record(
        sharpe, benchmark=benchmark, skewness=skewness, kurtosis=kurtosis, confidence=confidence
    )
    assert length is not None
    spread = 1.0 - skewness * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe
    z = (sharpe - benchmark) / math.sqrt(spread / (length - 1.0))
    assert stats.norm.cdf(z) == pytest.approx(confidence, rel=1e-9)
    for observations in (math.ceil(length), max(2, math.floor(length) - 1)):
        p = probabilistic_sharpe(
            sharpe, observations=observations, skewness=skewness, kurtosis=kurtosis, benchmark=benchmark
        )
        assert p >= confidence - 1e-12 if observations >= length else p < confidence or observations == 2


def test_no_track_record_is_long_enough_for_a_sharpe_ratio_below_the_benchmark() -> None:
    assert minimum_track_record(0.05, benchmark=0.05) is None


def test_a_probabilistic_sharpe_ratio_is_the_share_of_samples_below_it() -> None:
    """20,000 samples of 250 normal returns with a true ratio of 0.05: a tenth lies below the one of PSR 0.1."""
    x = np.random.Generator(np.random.Philox(3)).standard_normal((20_000, 250)) + 0.05
    ratios = x.mean(axis=1) / x.std(axis=1, ddof=1)
    for share in (0.1, 0.5, 0.9):
        ratio = float(np.quantile(ratios, share))
        assert probabilistic_sharpe(ratio, observations=250, benchmark=0.05) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: probabilistic_sharpe(math.nan, observations=10), "`sharpe` must be finite; got nan"),
        (lambda: probabilistic_sharpe(0.1, observations=10, benchmark=math.inf), "`benchmark` must be finite; got inf"),
        (lambda: probabilistic_sharpe(0.1, observations=1), "`observations` above 1"),
        (lambda: deflated_sharpe(0.1, observations=100, variance=-1.0, trials=5), "`variance` >= 0"),
        (lambda: deflated_sharpe(0.1, observations=100, variance=1.0, trials=0), "`trials` >= 1"),
        (lambda: deflated_sharpe_of_series([0.1], variance=1.0, trials=1), "`series` must be finite"),
        (lambda: minimum_track_record(0.1, confidence=0.5), "`confidence` must lie in"),
        (lambda: minimum_track_record(math.nan), "`sharpe` must be finite"),
        (lambda: minimum_backtest_length(trials=5, target=0.0), "`target` must be positive; got 0.0"),
        (lambda: minimum_backtest_length(trials=0, target=1.0), "`trials` >= 1"),
        (lambda: sharpe_variance([[0.1, math.nan], [0.2, 0.1]]), "row 0, column 1 is nan"),
        (lambda: effective_trials(np.zeros((2, 2, 2))), "`series` must be of shape"),
    ],
)
def test_a_refusal_names_the_argument(call: Callable[[], float], name: str) -> None:
    with pytest.raises(DataError, match=name):
        call()


@pytest.mark.parametrize(("trials", "shares"), [(100, (1.13, 0.80, 0.57)), (500, (1.37, 0.97, 0.68))])
def test_best_of_n_by_luck_of_the_specification(trials: int, shares: tuple[float, float, float]) -> None:
    for years, expected in zip((5, 10, 20), shares, strict=True):
        assert expected_maximum_sharpe(variance=1.0 / years, trials=trials) == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("trials", [10, 50, 500])
def test_expected_maximum_is_close_to_the_exact_integral(trials: int) -> None:
    """E max = integral of z N phi(z) Phi(z)^(N-1); the formula is asymptotic, 3% off at N = 10."""
    exact, _ = integrate.quad(lambda z: z * trials * stats.norm.pdf(z) * stats.norm.cdf(z) ** (trials - 1), -8, 10)
    assert expected_maximum_sharpe(variance=1.0, trials=trials) == pytest.approx(exact, rel=0.04)


@pytest.mark.parametrize(("trials", "years"), [(45, 5.0), (100, 6.4), (500, 9.3)])
def test_minimum_backtest_lengths_of_the_specification(trials: int, years: float) -> None:
    assert minimum_backtest_length(trials=trials, target=1.0) == pytest.approx(years, abs=0.05)
    assert minimum_backtest_length(trials=trials, target=1.0) < 2.0 * math.log(trials)
    assert minimum_backtest_length(trials=trials, target=2.0) == pytest.approx(years / 4, abs=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_deflated_sharpe_ratio_of_a_series_is_that_of_its_moments(seed: int) -> None:
    x = np.random.default_rng(seed).standard_t(df=5, size=800) / 100 + 0.0008
    ratio = x.mean() / x.std(ddof=1)
    g3, g4 = stats.skew(x), stats.kurtosis(x, fisher=False)
    n = 60
    luck = 0.03 * (
        (1 - np.euler_gamma) * stats.norm.ppf(1 - 1 / n) + np.euler_gamma * stats.norm.ppf(1 - 1 / (n * math.e))
    )
    z = (ratio - luck) * math.sqrt(799 / (1 - g3 * ratio + (g4 - 1) / 4 * ratio**2))
    value = deflated_sharpe_of_series(x, variance=0.03**2, trials=n)
    assert value == pytest.approx(stats.norm.cdf(z), rel=1e-10)


@given(st.floats(1e-6, 0.01), st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=50, deadline=None)
def test_more_trials_deflate_more(variance: float, first: int, second: int) -> None:
    few, many = sorted((first, second))
    least = expected_maximum_sharpe(variance=variance, trials=few)
    assert 0.0 <= least <= expected_maximum_sharpe(variance=variance, trials=many)


def test_one_trial_is_not_deflated_and_a_constant_series_has_no_skill() -> None:
    assert expected_maximum_sharpe(variance=0.3, trials=1) == 0.0
    x = noise(0, 500, 1)[:, 0] + 0.0005
    single = deflated_sharpe_of_series(x, variance=0.3, trials=1)
    assert single == pytest.approx(stats.norm.cdf(x.mean() / x.std() * math.sqrt(499)), abs=0.01)
    assert deflated_sharpe_of_series(np.zeros(500), variance=0.0, trials=9) == 0.5
    assert deflated_sharpe_of_series(np.full(500, 0.1), variance=0.001, trials=9) < 0.5


def test_variance_of_trial_sharpe_ratios() -> None:
    x = noise(1, 400, 20)
    per_day = sharpe(x) / math.sqrt(252)
    assert sharpe_variance(x) == pytest.approx(per_day.var(ddof=1), rel=1e-10)
    assert sharpe_variance(x[:, 0]) == 0.0


@pytest.mark.parametrize(("variance", "trials"), [(-0.1, 10), (math.nan, 10), (math.inf, 10), (0.1, 0)])
def test_refuses_impossible_trials(variance: float, trials: int) -> None:
    with pytest.raises(DataError):
        expected_maximum_sharpe(variance=variance, trials=trials)


def test_refuses_moments_that_no_sample_has() -> None:
    with pytest.raises(DataError):
        probabilistic_sharpe(1.0, observations=100, skewness=3.0, kurtosis=3.0)


def benefit(rows: np.ndarray) -> np.ndarray:
    """Utility of the trials in the first half of the columns over their benchmarks of the same volatility."""
    trials, own = np.hsplit(rows, 2)
    return utility(trials) - utility(own * (trials.std(axis=0) / own.std(axis=0)))


TARGET = 0.14


def volatility_error(rows: np.ndarray) -> np.ndarray:
    return -np.abs(rows.std(axis=0, ddof=1) * math.sqrt(252) - TARGET)


def calmar(rows: np.ndarray) -> np.ndarray:
    wealth = np.vstack([np.ones(rows.shape[1]), np.cumprod(1.0 + rows, axis=0)])
    deepest = (1.0 - wealth / np.maximum.accumulate(wealth)).max(axis=0)
    return (wealth[-1] ** (252 / len(rows)) - 1.0) / deepest


MEASURES = {"sharpe": sharpe, "benefit": benefit, "calmar": calmar, "volatility_error": volatility_error}
"""History term of a goal; the utility otherwise."""


def brute_force(
    series: np.ndarray, goal: Goal, blocks: int, simulated: np.ndarray | None = None, own: np.ndarray | None = None
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Logits, performance in and out of sample, and classical logits, split by split."""
    trials = series.shape[1]
    series = series if own is None else np.hstack([series, own])
    series = series[len(series) % blocks :]
    parts = np.split(series, blocks)
    logits, inside, outside, classical = [], [], [], []
    for subset in itertools.combinations(range(blocks), blocks // 2):
        half = np.vstack([parts[b] for b in subset])
        other = np.vstack([parts[b] for b in range(blocks) if b not in subset])
        measure = MEASURES.get(goal, utility)
        values = measure(half)[:, None]
        weights = np.ones(1)
        if simulated is not None:
            values, weights = np.column_stack([simulated, values]), WEIGHTS
        winner = int(np.argmax(scores(values, weights, goal=goal, sharpes=values)))
        rank = stats.rankdata(measure(other))[winner] / (trials + 1)
        logits.append(math.log(rank / (1 - rank)))
        inside.append(measure(half)[winner])
        outside.append(measure(other)[winner])
        rank = stats.rankdata(sharpe(other[:, :trials]))[np.argmax(sharpe(half[:, :trials]))] / (trials + 1)
        classical.append(math.log(rank / (1 - rank)))
    return logits, inside, outside, classical


@pytest.mark.parametrize(
    "goal", ["robust_utility", "sharpe", "worst_case", "cvar_utility", "benefit", "calmar", "volatility_error"]
)
@pytest.mark.parametrize("with_scenarios", [False, True])
@pytest.mark.parametrize("trials", [9, 10])
def test_overfitting_equals_a_walk_through_every_split(goal: Goal, with_scenarios: bool, trials: int) -> None:
    series = noise(2, 245, trials) + np.linspace(0, 0.0004, trials)
    simulated = 0.02 * np.random.default_rng(3).normal(size=(trials, 5)) if with_scenarios else None
    own = 0.7 * noise(8, 245, trials) + 0.3 * series if goal == "benefit" else None
    result = backtest_overfitting(
        series,
        risk_aversion=2.0,
        blocks=8,
        simulated=simulated,
        weights=WEIGHTS if with_scenarios else None,
        goal=goal,
        benchmarks=own,
        target_volatility=TARGET,
    )
    logits, inside, outside, classical = brute_force(series, goal, 8, simulated, own)
    assert result.splits == len(logits) == 70
    assert result.rows_dropped == 5
    assert result.probability == pytest.approx(np.mean(np.array(logits) <= 1e-12))
    assert result.sharpe_probability == pytest.approx(np.mean(np.array(classical) <= 1e-12))
    if goal not in MEASURES:  # whose performance out of sample is no utility over cash
        assert result.loss_probability == pytest.approx(np.mean(np.array(outside) <= 0.0))
    slope = np.polyfit(inside, outside, 1)[0] if np.ptp(inside) else None
    assert result.degradation_slope == pytest.approx(slope, rel=1e-8)
    assert sum(result.logit_counts) == 70
    bins = np.clip(np.digitize(logits, result.logit_edges) - 1, 0, 19)
    middle = np.abs(logits) > 1e-9  # the logit of the median lies on an edge
    assert np.bincount(bins[middle], minlength=20)[:9].tolist() == list(result.logit_counts[:9])


def test_remainder_rows_are_dropped_from_the_start() -> None:
    series = noise(4, 320, 6)
    longer = np.vstack([np.full((7, 6), 0.5), series])
    short, long = (backtest_overfitting(s, risk_aversion=2.0) for s in (series, longer))
    assert long.rows_dropped == 7
    assert long.model_copy(update={"rows_dropped": 0}) == short


def test_skill_is_recognised_and_an_alternating_market_is_overfitting() -> None:
    series = noise(5, 1600, 20)
    skilled = series.copy()
    skilled[:, 3] += 0.004
    assert backtest_overfitting(skilled, risk_aversion=2.0).probability == 0.0
    # What was best in one half is worst in the other when every trial's whole sample is equal.
    balanced = series - series.mean(axis=0)
    balanced /= balanced.std(axis=0)
    result = backtest_overfitting(0.01 * balanced, risk_aversion=2.0)
    assert result.probability > 0.9
    assert result.degradation_slope is not None
    assert result.degradation_slope < -0.9


def test_constant_terms_that_decide_make_history_irrelevant_to_the_choice() -> None:
    series = noise(6, 800, 10)
    simulated = np.zeros((10, 5))
    simulated[4] = 10.0
    result = backtest_overfitting(series, risk_aversion=2.0, simulated=simulated, weights=WEIGHTS)
    ranks = []
    for half in itertools.combinations(range(16), 8):
        other = np.vstack([series[50 * b : 50 * b + 50] for b in range(16) if b not in half])
        ranks.append((utility(other) <= utility(other)[4]).sum())
        if len(ranks) == 500:
            break
    assert result.probability == pytest.approx(np.mean(np.array(ranks) <= 5.5), abs=0.25)
    assert result.degradation_slope == pytest.approx(-1.0, abs=0.02)  # one trial: halves trade off


@pytest.mark.parametrize("goal", ["robust_utility", "sharpe"])
def test_a_rule_that_maximises_the_history_term_is_the_objective(goal: Goal) -> None:
    series = noise(2, 245, 9) + np.linspace(0, 0.0004, 9)
    measure = sharpe if goal == "sharpe" else utility
    by_goal = backtest_overfitting(series, risk_aversion=2.0, blocks=8, goal=goal)
    by_rule = backtest_overfitting(
        series, risk_aversion=2.0, blocks=8, goal=goal, rule=lambda rows: int(np.argmax(measure(rows)))
    )
    assert by_rule == by_goal


def test_the_benefit_needs_benchmarks() -> None:
    with pytest.raises(DataError, match="benchmarks"):
        backtest_overfitting(noise(2, 245, 9), risk_aversion=2.0, blocks=8, goal="benefit")


def test_the_objective_as_a_rule_chooses_the_benefit_as_the_cross_validation_does() -> None:
    series, own = noise(4, 245, 9) + np.linspace(0, 0.0004, 9), 0.5 * noise(9, 245, 9)
    simulated = 0.03 * np.random.default_rng(4).standard_normal((9, 2))
    weights = scenario_weights([0.6, 0.4])
    rule = objective_rule(risk_aversion=3.0, goal="benefit", simulated=simulated, weights=weights)
    both = np.hstack([series, own])[245 % 8 :]
    for half in (both[:120], both[120:], both[::2]):
        values = np.column_stack([simulated, benefit(half)])
        assert rule(half) == np.argmax(scores(values, weights, goal="benefit"))
    with pytest.raises(DataError, match=r"shape \(t, 18\)"):
        rule(series)


@pytest.mark.parametrize(
    "goal", ["robust_utility", "sharpe", "worst_case", "cvar_utility", "calmar", "volatility_error"]
)
def test_the_objective_as_a_rule_chooses_as_the_cross_validation_does(goal: Goal) -> None:
    series = noise(4, 245, 9) + np.linspace(0, 0.0004, 9)
    simulated = 0.03 * np.random.default_rng(4).standard_normal((9, 2))
    weights = scenario_weights([0.6, 0.4])
    aim = {"risk_aversion": 3.0, "goal": goal, "target_volatility": TARGET}
    rule = objective_rule(simulated=simulated, weights=weights, **aim)
    by_goal = backtest_overfitting(series, blocks=8, simulated=simulated, weights=weights, **aim)
    assert backtest_overfitting(series, blocks=8, rule=rule, **aim) == by_goal


@pytest.mark.parametrize("rows", [np.zeros((5, 3)), np.zeros((1, 2)), np.zeros(2)])
def test_the_objective_as_a_rule_takes_the_trials_that_it_knows(rows: np.ndarray) -> None:
    rule = objective_rule(risk_aversion=2.0, simulated=[[0.0], [0.0]], weights=[0.5, 0.5])
    with pytest.raises(DataError, match=r"shape \(t, 2\)"):
        rule(rows)


def test_a_rule_sees_its_half_in_time_order_and_is_the_one_that_is_judged() -> None:
    series = noise(3, 82, 4)
    series[:, 0] = np.arange(82)  # the row, as the rule sees it
    inputs: list[tuple[float, ...]] = []

    def rule(rows: np.ndarray) -> int:
        inputs.append(tuple(rows[:, 0]))
        assert not rows.flags.writeable
        return 2

    result = backtest_overfitting(series, risk_aversion=2.0, blocks=8, rule=rule)
    blocks = np.split(np.arange(2.0, 82.0), 8)
    halves = {tuple(np.concatenate(half)) for half in itertools.combinations(blocks, 4)}
    assert set(inputs) == halves
    assert len(inputs) == 70
    ranks = []
    for half in itertools.combinations(range(8), 4):
        other = np.vstack([series[2 + 10 * b : 12 + 10 * b] for b in range(8) if b not in half])
        ranks.append(stats.rankdata(utility(other))[2])
    assert result.probability == pytest.approx(np.mean(np.array(ranks) <= 2.5))


@pytest.mark.parametrize("answer", [4, -1, 1.0, [1], None])
def test_a_rule_that_chooses_no_trial_is_refused(answer: object) -> None:
    with pytest.raises(DataError, match="`rule` must choose a column from 0 to 3"):
        backtest_overfitting(
            noise(3, 80, 4),
            risk_aversion=2.0,
            blocks=8,
            rule=lambda _: answer,  # pyright: ignore[reportArgumentType]
        )


def test_equal_trials_rank_in_the_middle() -> None:
    one = noise(7, 400, 1)
    result = backtest_overfitting(np.repeat(one, 5, axis=1), risk_aversion=2.0)
    assert result.probability == result.sharpe_probability == 0.5  # every logit is 0, because of ties
    assert backtest_overfitting(np.zeros((64, 3)), risk_aversion=2.0).degradation_slope is None


def test_the_interval_covers_a_half_in_most_samples_without_skill() -> None:
    """40 samples of 50 trials; the deviation of the share is near the 0.16 behind the interval."""
    results = [backtest_overfitting(noise(s, 800, 50), risk_aversion=2.0) for s in range(40)]
    shares = np.array([r.probability for r in results])
    assert shares.mean() == pytest.approx(0.5, abs=0.08)
    assert shares.std() == pytest.approx(0.16, abs=0.06)
    assert np.mean([r.low <= 0.5 <= r.high for r in results]) >= 0.85
    assert all(0.0 <= r.low <= r.probability <= r.high <= 1.0 for r in results)


@pytest.mark.soak  # measures a duration
def test_500_trials_and_16_blocks_take_less_than_half_a_second() -> None:
    series = noise(8, 6650, 500)
    simulated = 0.02 * np.random.default_rng(0).normal(size=(500, 5))

    def run() -> float:
        start = time.perf_counter()
        result = backtest_overfitting(series, risk_aversion=2.0, simulated=simulated, weights=WEIGHTS)
        assert result.splits == 12_870
        return time.perf_counter() - start

    assert min(run() for _ in range(4)) < 0.5


@pytest.mark.parametrize(
    "change",
    [
        {"series": np.zeros((100, 1))},
        {"series": np.zeros((31, 3))},
        {"series": np.full((100, 3), np.nan)},
        {"blocks": 5},
        {"blocks": 2},
        {"blocks": 22},
        {"risk_aversion": 0.0},
        {"simulated": np.zeros((2, 5)), "weights": WEIGHTS},
        {"simulated": np.zeros((3, 5))},
        {"weights": WEIGHTS},
        {"simulated": np.zeros((3, 5)), "weights": WEIGHTS[:-1]},
        {"simulated": np.full((3, 5), np.inf), "weights": WEIGHTS},
        {"simulated": np.zeros((3, 5)), "weights": WEIGHTS, "rule": lambda _: 0},
    ],
)
def test_overfitting_refuses_what_it_cannot_split(change: dict) -> None:
    arguments: dict = {"series": np.zeros((100, 3)), "risk_aversion": 2.0} | change
    with pytest.raises(DataError):
        backtest_overfitting(arguments.pop("series"), **arguments)


@pytest.mark.parametrize(("seed", "block"), [(0, 5), (1, 21), (2, 40)])
def test_superior_predictive_ability_is_archs_draw_for_draw(seed: int, block: int) -> None:
    """On columns divided by their long-run deviation, which arch itself computes."""
    from arch.bootstrap import SPA

    scale = np.linspace(0.2, 5.0, 12)
    d = (noise(seed, 600, 12) + 0.0004) * scale
    first = SPA(np.zeros(600), -d, block_size=block, reps=1000, seed=seed)
    first.compute()
    scaled = d / np.sqrt(first._loss_diff_var)
    second = SPA(np.zeros(600), -scaled, block_size=block, reps=1000, seed=seed)
    second.compute()
    result = superior_predictive_ability(d, seed=seed, mean_block=block)
    assert result.p_value == second.pvalues["consistent"]
    assert result.best == scaled.mean(axis=0).argmax()
    assert result.statistic == pytest.approx(scaled.mean(axis=0).max() * math.sqrt(600), rel=1e-9)


def test_without_skill_the_p_value_is_close_to_uniform_and_with_skill_it_is_small() -> None:
    p = [superior_predictive_ability(noise(s, 400, 8), seed=s, replications=500).p_value for s in range(100)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.08)
    assert np.mean(p) == pytest.approx(0.5, abs=0.1)
    better = noise(0, 400, 8)
    better[:, 5] += 0.003
    result = superior_predictive_ability(better, seed=0)
    assert (result.p_value, result.best) == (0.0, 5)


def test_units_do_not_change_the_p_value_nor_do_copies_of_the_benchmark() -> None:
    d = noise(9, 500, 6) + 0.0003
    straight = superior_predictive_ability(d, seed=4)
    scaled = superior_predictive_ability(d * np.array([1, 2, 4, 8, 16, 0.5]), seed=4)
    assert scaled.p_value == straight.p_value  # powers of two: not even rounding differs
    padded = np.column_stack([np.zeros(500), d, np.full(500, 1e-18)])
    with_copies = superior_predictive_ability(padded, seed=4)
    assert with_copies.p_value == straight.p_value
    assert straight.best is not None
    assert with_copies.best == straight.best + 1


def test_nothing_but_copies_of_the_benchmark_beats_nothing() -> None:
    result = superior_predictive_ability(np.zeros((200, 3)), seed=0)
    assert (result.p_value, result.best) == (1.0, None)


def test_hopeless_trials_do_not_hide_a_good_one() -> None:
    """Hansen's difference from the reality check: poor alternatives are not recentred."""
    d = noise(10, 500, 40)
    d[:, 1:] -= 0.01
    d[:, 0] += 0.0011
    alone = superior_predictive_ability(d[:, :1], seed=2).p_value
    assert superior_predictive_ability(d, seed=2).p_value == alone


@pytest.mark.soak  # measures a duration
def test_superior_predictive_ability_of_100_trials_takes_less_than_two_seconds() -> None:
    d = noise(11, 6650, 100)
    superior_predictive_ability(d[:200], seed=0)
    start = time.perf_counter()
    superior_predictive_ability(d, seed=0)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize(
    ("d", "options"),
    [
        (np.full((100, 2), np.nan), {}),
        (np.zeros((83, 2)), {}),
        (np.zeros((100, 2)), {"replications": 499}),
        (np.zeros((100, 2)), {"mean_block": 0}),
        (np.zeros((100, 2)), {"seed": -1}),
        (np.zeros((100, 2, 2)), {}),
    ],
)
def test_superior_predictive_ability_refuses(d: np.ndarray, options: dict) -> None:
    with pytest.raises(DataError):
        superior_predictive_ability(d, **({"seed": 0} | options))


def test_the_mean_performance_difference_is_the_difference_of_utilities() -> None:
    x, benchmark = noise(12, 300, 4), noise(13, 300, 1)[:, 0]
    d = performance_differences(x, benchmark, 3.0)
    assert d.shape == (300, 4)
    expected = (x.mean(axis=0) - 1.5 * x.var(axis=0)) - (benchmark.mean() - 1.5 * benchmark.var())
    np.testing.assert_allclose(d.mean(axis=0), expected, rtol=1e-10)
    assert not performance_differences(benchmark, benchmark, 3.0).any()
    for bad in ((x, benchmark[:-1], 3.0), (x, benchmark, 0.0), (x * np.nan, benchmark, 3.0)):
        with pytest.raises(DataError):
            performance_differences(*bad)


@pytest.mark.parametrize("seed", range(3))
def test_effective_trials_is_the_participation_ratio_of_eigenvalues(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((300, 12)) + rng.standard_normal((300, 1))
    values = np.linalg.eigvalsh(np.corrcoef(x.T))
    expected = values.sum() ** 2 / (values**2).sum()
    assert effective_trials(x) == pytest.approx(expected, rel=1e-9)
    assert effective_trials(np.column_stack([x, np.ones(300)])) == effective_trials(x)
    assert effective_trials(np.repeat(x[:, :1], 7, axis=1)) == pytest.approx(1.0)
    assert effective_trials(np.zeros((9, 2))) == 1.0


GREEN = {"winner_p": 0.049, "single_step_p": 0.5, "loss": 0.499, "validate_t": -1.64, "benefit_bps": 0.1}


@pytest.mark.parametrize(
    ("change", "light"),
    [
        ({}, "green"),
        ({"winner_p": 0.05}, "amber"),
        ({"winner_p": 0.149}, "amber"),
        ({"winner_p": 0.15}, "red"),
        ({"loss": 0.5}, "red"),
        ({"validate_t": -1.645}, "red"),
        ({"benefit_bps": 0.0}, "red"),
        ({"loss": None}, "amber"),
        ({"winner_p": None}, "red"),
        ({"winner_p": None, "single_step_p": 0.19}, "amber"),
        ({"winner_p": None, "single_step_p": 0.04}, "green"),
    ],
)
def test_traffic_light(change: dict, light: str) -> None:
    assert traffic_light(GREEN | change) == light


@pytest.mark.parametrize(
    "change",
    [{"winner_p": math.nan}, {"loss": 1.1}, {"single_step_p": -0.1}, {"validate_t": math.nan}],
)
def test_traffic_light_refuses_what_is_no_probability(change: dict) -> None:
    with pytest.raises(DataError):
        traffic_light(GREEN | change)
