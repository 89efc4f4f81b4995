from datetime import date, timedelta

import numpy as np
import pytest

from quant.allocation.frontier import efficient_frontier
from quant.allocation.resampling import WeightIntervals, resampled_frontier, weight_intervals
from quant.numeric.errors import DataError, Infeasible
from quant.numeric.returns import Returns


def history(seed: int, count: int = 400, assets: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drift = np.linspace(0.0002, 0.0008, assets)
    return drift + 0.006 * rng.normal(size=(count, 1)) + 0.01 * rng.normal(size=(count, assets))


def inverse_variances(returns: np.ndarray) -> np.ndarray:
    inverse = 1.0 / returns.var(axis=0)
    return inverse / inverse.sum()


def test_the_deviation_of_weights_is_that_of_their_sampling_law() -> None:
    """w = v2 / (v1 + v2) of independent normal returns: deviation w (1 - w) sqrt(4 / T) by the delta method."""
    rng = np.random.default_rng(1)
    returns = rng.normal(size=(2000, 2)) * [0.01, 0.015]
    intervals = weight_intervals(returns, inverse_variances, draws=800, seed=3, mean_block=1.0)
    w = intervals.estimate[0]
    expected = w * (1.0 - w) * np.sqrt(4.0 / len(returns))
    assert intervals.deviation == pytest.approx(expected, rel=0.12)
    assert intervals.upper - intervals.lower == pytest.approx(2 * 1.645 * expected, rel=0.15)
    assert intervals.mean == pytest.approx(intervals.estimate, abs=0.2 * expected)
    assert (intervals.draws, intervals.failed_draws) == (800, 0)


def test_intervals_hold_the_true_weights_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    truth = 1.0 / (1.0 + 1.0 / 2.25)
    hits = 0
    for k in range(150):
        returns = rng.normal(size=(300, 2)) * [0.01, 0.015]
        intervals = weight_intervals(returns, inverse_variances, draws=100, level=0.8, seed=k, mean_block=1.0)
        hits += bool(intervals.lower[0] <= truth <= intervals.upper[0])
    assert 0.68 <= hits / 150 <= 0.9


def test_blocks_keep_dependence_over_time() -> None:
    """The mean of an autoregression of 0.6 deviates sqrt((1 + 0.6) / (1 - 0.6)) = 2 times as much as without it."""
    rng = np.random.default_rng(4)
    noise = rng.normal(size=4000)
    series = np.zeros(4000)
    for t in range(1, 4000):
        series[t] = 0.6 * series[t - 1] + noise[t]

    def rule(r: np.ndarray) -> np.ndarray:
        return r.mean(axis=0)

    alone = weight_intervals(series[:, None], rule, draws=400, seed=5, mean_block=1.0).deviation[0]
    blocks = weight_intervals(series[:, None], rule, draws=400, seed=5, mean_block=50.0).deviation[0]
    assert blocks / alone == pytest.approx(2.0, rel=0.15)


def test_sessions_are_drawn_with_all_their_assets_and_in_blocks() -> None:
    index = np.arange(60.0)

    def rule(r: np.ndarray) -> np.ndarray:
        assert (r[:, 1] == 10.0 * r[:, 0]).all()
        follows = (np.diff(r[:, 0]) == 1.0) | (np.diff(r[:, 0]) == -59.0)
        return np.array([follows.mean(), len(set(r[:, 0])) / 60.0])

    intervals = weight_intervals(np.stack([index, 10.0 * index], axis=1), rule, draws=300, seed=6, mean_block=10.0)
    assert intervals.estimate.tolist() == [1.0, 1.0]
    assert intervals.mean[0] == pytest.approx(0.9 + 0.1 / 60, abs=0.01)
    once = weight_intervals(np.stack([index, 10.0 * index], axis=1), rule, draws=300, seed=6, mean_block=1.0)
    assert once.mean[1] == pytest.approx(1.0 - (1.0 - 1.0 / 60) ** 60, abs=0.01)


def test_a_seed_gives_the_same_bits_and_more_draws_begin_with_the_same() -> None:
    samples: list[list[np.ndarray]] = [[], [], []]

    def recorder(k: int) -> WeightIntervals:
        def rule(r: np.ndarray) -> np.ndarray:
            samples[k].append(r.copy())
            return inverse_variances(r)

        return weight_intervals(history(7), rule, draws=(20, 20, 30)[k], seed=8)

    first, second, third = (recorder(k) for k in range(3))
    assert first.lower.tobytes() == second.lower.tobytes()
    assert all((a == b).all() for a, b in zip(samples[0], samples[2], strict=False))
    assert third.draws == 30
    other = weight_intervals(history(7), inverse_variances, draws=20, seed=9)
    assert (other.mean != first.mean).any()


def test_each_rank_of_the_resampled_frontier_is_the_mean_of_the_draws() -> None:
    returns = history(10, 250)
    frontier = resampled_frontier(returns, points=5, draws=40, seed=11, upper=0.6)
    for rank in range(5):

        def rule(r: np.ndarray, rank: int = rank) -> np.ndarray:
            return efficient_frontier(r.mean(axis=0), np.cov(r.T), 5, 0.0, 0.6).weights[rank]

        one = weight_intervals(returns, rule, draws=40, seed=11, mean_block=1.0)
        assert frontier.weights[rank] == pytest.approx(one.mean, abs=1e-7)
        assert frontier.deviations[rank] == pytest.approx(one.deviation, abs=1e-6)
    assert frontier.weights.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-12)
    assert frontier.returns == pytest.approx(frontier.weights @ returns.mean(axis=0))
    risk = [np.sqrt(w @ np.cov(returns.T) @ w) for w in frontier.weights]
    assert frontier.volatilities == pytest.approx(risk)


def test_the_resampled_frontier_is_more_diversified_inside_the_frontier_and_meets_it_in_the_limit() -> None:
    returns = history(12, 250)
    frontier = resampled_frontier(returns, points=6, draws=80, seed=13)
    exact = efficient_frontier(returns.mean(axis=0), np.cov(returns.T), 6)
    assert (frontier.weights * frontier.weights).sum() < (exact.weights * exact.weights).sum()
    for w, risk, earned in zip(frontier.weights, frontier.volatilities, frontier.returns, strict=True):
        if earned > exact.corners.returns[-1]:
            assert exact.at_return(earned).volatility <= risk + 1e-12
        assert (w >= 0.0).all()
    certain = np.random.default_rng(14).normal(size=(200_000, 2)) * [0.01, 0.02] + [0.001, 0.003]
    limit = resampled_frontier(certain, points=3, draws=3, seed=1)
    reference = efficient_frontier([0.001, 0.003], np.diag([1e-4, 4e-4]), 3)
    assert limit.weights == pytest.approx(reference.weights, abs=0.02)


def test_returns_with_dates_are_accepted() -> None:
    values = history(15, 60)
    days = [date(2024, 1, 1) + timedelta(days=k) for k in range(60)]
    returns = Returns(np.array(days, dtype="datetime64[D]"), ("A", "B", "C", "D"), values)
    first = weight_intervals(returns, inverse_variances, draws=10, seed=1)
    assert first.mean.tobytes() == weight_intervals(values, inverse_variances, draws=10, seed=1).mean.tobytes()
    one = resampled_frontier(returns, points=3, draws=4, seed=1)
    assert one.weights.tobytes() == resampled_frontier(values, points=3, draws=4, seed=1).weights.tobytes()


def test_draws_on_which_the_rule_fails_are_counted() -> None:
    returns = history(16, 25)

    def picky(worst: int) -> object:
        def rule(r: np.ndarray) -> np.ndarray:
            if (r[:worst, 0] == returns[20, 0]).any():
                raise Infeasible("no such weights")
            return inverse_variances(r)

        return rule

    few = weight_intervals(returns, picky(1), draws=300, seed=2, mean_block=1.0)  # pyright: ignore[reportArgumentType]
    assert 0 < few.failed_draws <= 30
    assert few.draws + few.failed_draws == 300
    with pytest.raises(Infeasible, match=r"`rule` fails on \d+ of 300 draws, more than a tenth.*no such weights"):
        weight_intervals(returns, picky(10), draws=300, seed=2, mean_block=1.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(Infeasible, match="no such weights"):
        weight_intervals(returns, picky(25), draws=300, seed=2)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda r: np.ones(3), r"`rule` must give weights of shape \(4,\); got \(3,\)"),
        (lambda r: np.array([0.0, np.nan, 0.0, 1.0]), "`rule` must give finite weights; that of asset 1 is nan"),
        (lambda r: np.full(4, np.nan if len(set(r[:, 0])) < len(r) else 0.25), "`rule` must give finite weights"),
    ],
)
def test_a_rule_that_gives_no_weights_is_an_error(rule: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        weight_intervals(history(17), rule, draws=5, seed=1)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"returns": [0.1, 0.2]}, r"`returns` must be of shape \(T, K\), T >= 2"),
        ({"returns": [[0.1, 0.2]]}, r"`returns` must be of shape \(T, K\), T >= 2"),
        ({"returns": [[0.1], [np.inf]]}, "`returns` must be finite; row 1, column 0 is inf"),
        ({"draws": 1}, "`draws` must be at least 2, got 1"),
        ({"mean_block": 0.5}, r"`mean_block` must lie in \[1, 50\], got 0.5"),
        ({"mean_block": 51}, r"`mean_block` must lie in \[1, 50\], got 51"),
        ({"mean_block": np.nan}, r"`mean_block` must lie in \[1, 50\], got nan"),
        ({"seed": -1}, "`seed` must not be negative, got -1"),
    ],
)
def test_refusals(changes: dict, words: str) -> None:
    arguments: dict = {"returns": history(1, 50), "draws": 5, "seed": 1} | changes
    with pytest.raises(DataError, match=words):
        weight_intervals(rule=inverse_variances, **arguments)
    with pytest.raises(DataError, match=words):
        resampled_frontier(**arguments)


def test_refused_levels_points_and_bounds() -> None:
    for level in (0.0, 1.0, np.nan):
        with pytest.raises(DataError, match="`level`"):
            weight_intervals(history(1, 50), inverse_variances, level=level, seed=1)
    with pytest.raises(DataError, match="`points`"):
        resampled_frontier(history(1, 50), points=1, seed=1)
    with pytest.raises(Infeasible):
        resampled_frontier(history(1, 50), upper=0.2, seed=1)
