import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.luck import OverfittingProbability, highest_sharpe, probability_of_overfitting
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns


def noise(seed: int, days: int, trials: int) -> np.ndarray:
    return 0.01 * np.random.default_rng(seed).standard_normal((days, trials))


def sharpe(x: np.ndarray) -> np.ndarray:
    return x.mean(axis=0) / x.std(axis=0, ddof=1)


def walk(returns: np.ndarray, blocks: int) -> dict[str, np.ndarray]:
    """Every split by numpy, from the definition of Bailey, Borwein, Lopez de Prado and Zhu (2017), section 2.2."""
    parts = np.split(returns[len(returns) % blocks :], blocks)
    rows = []
    for subset in itertools.combinations(range(blocks), blocks // 2):
        half = np.vstack([parts[b] for b in subset])
        other = np.vstack([parts[b] for b in range(blocks) if b not in subset])
        best = int(np.argmax(sharpe(half)))
        outside = sharpe(other)
        share = stats.rankdata(outside)[best] / (returns.shape[1] + 1)
        rows.append((math.log(share / (1 - share)), best, sharpe(half)[best], outside[best], outside.mean()))
    columns = np.array(rows).T
    return dict(zip(("logits", "selected", "in_sample", "out_of_sample", "mean"), columns, strict=True))


@pytest.mark.parametrize(("days", "trials", "blocks"), [(83, 7, 4), (245, 10, 8), (400, 3, 10), (120, 2, 6)])
def test_every_split_is_that_of_a_walk_through_the_definition(days: int, trials: int, blocks: int) -> None:
    returns = noise(days, days, trials) + np.linspace(0, 0.001, trials)
    result = probability_of_overfitting(returns, splits=blocks)
    second = walk(returns, blocks)
    assert result.logits.size == math.comb(blocks, blocks // 2)
    np.testing.assert_allclose(result.logits, second["logits"], rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(result.selected, second["selected"])
    np.testing.assert_allclose(result.in_sample, second["in_sample"], rtol=1e-9)
    np.testing.assert_allclose(result.out_of_sample, second["out_of_sample"], rtol=1e-9, atol=1e-14)
    assert result.probability == np.mean(second["logits"] <= 0.0)
    assert result.loss_probability == np.mean(second["out_of_sample"] < 0.0)
    slope, intercept = np.polyfit(second["in_sample"], second["out_of_sample"], 1)
    assert result.degradation_slope == pytest.approx(slope, rel=1e-7)
    assert result.degradation_intercept == pytest.approx(intercept, rel=1e-6, abs=1e-12)
    assert result.rows_dropped == days % blocks


@pytest.mark.parametrize("skill", [0.0, 0.0005, 0.005])
def test_dominance_is_that_of_the_empirical_distributions(skill: float) -> None:
    returns = noise(1, 400, 12)
    returns[:, 4] += skill
    result = probability_of_overfitting(returns, splits=8)
    second = walk(returns, 8)
    grid = np.sort(np.concatenate([second["out_of_sample"], second["mean"]]))
    winner = np.searchsorted(np.sort(second["out_of_sample"]), grid, side="right")
    all_trials = np.searchsorted(np.sort(second["mean"]), grid, side="right")
    assert result.first_order_dominance == bool((winner <= all_trials).all() and (winner < all_trials).any())
    areas = np.cumsum((all_trials - winner)[:-1] * np.diff(grid))
    assert result.second_order_dominance == bool((areas >= -1e-12).all() and (winner != all_trials).any())
    if skill == 0.005:
        assert result.first_order_dominance


def test_the_interval_is_wilsons_for_ten_independent_splits() -> None:
    """Of proportions_ci in statsmodels, with the 9.8 splits that a deviation of 0.16 amounts to."""
    from statsmodels.stats.proportion import proportion_confint

    result = probability_of_overfitting(noise(5, 200, 6), splits=8)
    count = 0.25 / 0.16**2
    low, high = proportion_confint(result.probability * count, count, method="wilson")
    assert result.interval == pytest.approx((low, high), rel=1e-9)


def test_skill_is_recognised_and_trials_equal_over_all_are_overfitting() -> None:
    returns = noise(6, 800, 20)
    returns[:, 3] += 0.005
    skilled = probability_of_overfitting(returns)
    assert (skilled.probability, set(skilled.selected)) == (0.0, {3})
    # what was best in one half is worst in the other when every trial's whole sample is equal
    balanced = returns - returns.mean(axis=0)
    result = probability_of_overfitting(balanced / balanced.std(axis=0))
    assert result.probability > 0.9
    assert result.degradation_slope is not None
    assert result.degradation_slope < -0.9


def test_without_skill_the_mean_probability_is_a_half_with_the_stated_deviation() -> None:
    shares = [probability_of_overfitting(noise(s, 320, 40)).probability for s in range(60)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.08)
    assert np.std(shares) == pytest.approx(0.16, abs=0.05)


def equal(a: OverfittingProbability, b: OverfittingProbability) -> bool:
    return np.array_equal(a.logits, b.logits) and a.probability == b.probability


@given(st.integers(0, 10_000), st.integers(2, 9), st.sampled_from([4, 6, 8]))
@settings(max_examples=25, deadline=None)
def test_units_and_the_order_of_trials_do_not_matter(seed: int, trials: int, blocks: int) -> None:
    returns = noise(seed, 90, trials)
    result = probability_of_overfitting(returns, splits=blocks)
    assert equal(result, probability_of_overfitting(4.0 * returns, splits=blocks))
    order = np.random.default_rng(seed).permutation(trials)
    shuffled = probability_of_overfitting(returns[:, order], splits=blocks)
    assert equal(result, shuffled)
    np.testing.assert_array_equal(order[shuffled.selected], result.selected)


def test_rows_before_the_first_block_are_not_read() -> None:
    returns = noise(4, 320, 6)
    longer = np.vstack([np.full((7, 6), 0.5), returns])
    assert equal(probability_of_overfitting(longer), probability_of_overfitting(returns))


def test_equal_or_constant_trials_rank_in_the_middle() -> None:
    result = probability_of_overfitting(np.repeat(noise(7, 400, 1), 5, axis=1))
    assert (result.logits == 0.0).all()
    assert result.probability == 0.5
    constant = probability_of_overfitting(np.full((64, 3), 0.001))
    assert (constant.probability, constant.degradation_slope, constant.degradation_intercept) == (0.5, None, None)


@pytest.mark.parametrize("twins", [2, 3])
def test_ties_around_the_middle_count_half_and_other_ties_as_they_rank(twins: int) -> None:
    """Of twice as many trials, each has a twin: where a pair is the middle one, its logit is 0 because of the tie."""
    single = noise(11, 320, 3)
    result = probability_of_overfitting(np.repeat(single, twins, axis=1), splits=8)
    alone = probability_of_overfitting(single, splits=8)
    np.testing.assert_array_equal(np.sign(result.logits), np.sign(alone.logits))
    middle = np.mean(alone.logits == 0.0)
    assert middle > 0.0
    assert alone.probability == np.mean(alone.logits <= 0.0)
    assert result.probability == pytest.approx(np.mean(alone.logits < 0.0) + 0.5 * middle, rel=1e-12)


def test_a_large_mean_costs_no_digits() -> None:
    """Sums of raw squares would leave a deviation of 1e-5 about a mean of 1 six digits."""
    returns = 1.0 + 1e-5 * noise(8, 160, 5) / 0.01
    result = probability_of_overfitting(returns, splits=8)
    np.testing.assert_allclose(result.in_sample, walk(returns, 8)["in_sample"], rtol=1e-9)


def test_returns_are_taken_as_they_are() -> None:
    values = noise(9, 64, 3)
    dates = np.arange("2020-01-01", "2020-03-05", dtype="datetime64[D]")
    assert equal(
        probability_of_overfitting(Returns(dates, ("A", "B", "C"), values), 4), probability_of_overfitting(values, 4)
    )


@pytest.mark.soak  # measures a duration
def test_500_trials_and_16_blocks_take_less_than_half_a_second() -> None:
    returns = noise(10, 2520, 500)
    starts = []
    for _ in range(4):
        start = time.perf_counter()
        assert probability_of_overfitting(returns).logits.size == 12_870
        starts.append(time.perf_counter() - start)
    assert min(starts) < 0.5


@pytest.mark.parametrize(
    ("returns", "splits", "name"),
    [
        (np.zeros((100, 1)), 16, "two trials at least; `returns` holds 1"),
        (np.zeros((31, 3)), 16, "`returns` must be of shape"),
        (np.full((100, 3), np.nan), 16, "row 0, column 0 is nan"),
        (np.zeros((100, 3, 2)), 16, "`returns` must be of shape"),
        (np.full((100, 3), 1e160), 16, "`returns` must be below 1e.140 in size"),
        (np.zeros((100, 3)), 5, "even in number, from 4 to 20; got 5"),
        (np.zeros((100, 3)), 2, "got 2"),
        (np.zeros((100, 3)), 22, "got 22"),
    ],
)
def test_refuses_what_it_cannot_split(returns: np.ndarray, splits: int, name: str) -> None:
    with pytest.raises(DataError, match=name):
        probability_of_overfitting(returns, splits)


@pytest.mark.parametrize("seed", range(5))
def test_the_highest_sharpe_ratio_is_numpys(seed: int) -> None:
    x = noise(seed, 50, 30)
    assert highest_sharpe(x) == np.argmax(sharpe(x))
    assert highest_sharpe(np.column_stack([x[:, 0], np.zeros(50), x[:, 0]])) == (0 if sharpe(x)[0] > 0 else 1)
    with pytest.raises(DataError, match="T >= 2"):
        highest_sharpe(x[:1])
