import math
from typing import Any

import numpy as np
import pytest
from arch.bootstrap import optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.elementary import log, uniform
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import philox
from quant.overfitting.block_length import automatic_block_length
from quant.overfitting.selection import backtest_overfitting
from quant.overfitting.winner_luck import luck_of_winner
from quant.strategies.goal import Goal
from quant.strategies.history_metrics import utility
from quant.strategies.objective import scores

GAMMA = 3.0
WEIGHTS = [0.3, 0.3, 0.4]
ARGUMENTS: dict[str, Any] = {
    "winner": 1, "train_days": 240, "risk_aversion": GAMMA, "asset_volatility": 0.16, "seed": 1
}  # fmt: skip


def trials_without_skill(seed: int, days: int = 400, trials: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Excess returns whose difference from their own benchmark is noise, and the benchmarks."""
    generator = np.random.default_rng(seed)
    asset = generator.normal(0.0002, 0.01, days)[:, None]
    benchmarks = asset * generator.uniform(0.4, 1.2, trials)
    return benchmarks + generator.normal(0.0, 0.002, (days, trials)), benchmarks


def drawn_rows(first: int, stop: int, mean_block: int, seed: int, draw: int, part: int) -> list[int]:
    """The rows of a resample, one after the other, as the stationary bootstrap defines them."""
    words = [np.uint64(word) for word in (draw, part, 0, seed)]
    rows: list[int] = []
    block = 0
    while len(rows) < stop - first:
        a, b, _, _ = philox(np.uint64(block), *words)
        length = 1 + int(log(uniform(a)) / log(1.0 - 1.0 / mean_block))
        start = int(uniform(b) * (stop - first))
        rows += [first + (start + i) % (stop - first) for i in range(length)]
        block += 1
    return rows[: stop - first]


def contributions(columns: np.ndarray) -> np.ndarray:
    return columns - 0.5 * GAMMA * (columns - columns.mean(axis=0)) ** 2


@pytest.mark.parametrize("goal", ["robust_utility", "worst_case", "benefit", "volatility_error"])
def test_equals_a_bootstrap_that_draws_day_by_day(goal: Goal) -> None:
    excess, benchmarks = trials_without_skill(1)
    excess[:, 2] += 0.0003
    simulated = np.random.default_rng(2).normal(0.0, 0.01, (6, 2))
    train, draws, block = 240, 500, 9
    result = luck_of_winner(
        excess, benchmarks, winner=2, train_days=train, risk_aversion=GAMMA, asset_volatility=0.16, seed=7,
        simulated=simulated, weights=WEIGHTS, goal=goal, eligible=[0, 2, 3, 5], replications=draws, mean_block=block,
        target_volatility=0.15,
    )  # fmt: skip
    active = contributions(excess) - contributions(benchmarks)
    errors, chosen = [], []
    for draw in range(draws):
        early = drawn_rows(0, train, block, 7, draw, 0)
        late = drawn_rows(train, 400, block, 7, draw, 1)
        first = active[early].mean(axis=0) - active[:train].mean(axis=0)
        second = active[late].mean(axis=0) - active[train:].mean(axis=0)
        errors.append((train * first + (400 - train) * second) / 400)
        exposure = [0.0 if goal == "benefit" else utility(benchmarks[early, k], GAMMA) for k in range(6)]
        history = [exposure[k] + 252 * first[k] for k in range(6)]
        if goal == "volatility_error":
            history = -np.abs(benchmarks[early].std(axis=0, ddof=1) * math.sqrt(252) - 0.15)
        objective = scores(np.column_stack([simulated, history])[[0, 2, 3, 5]], WEIGHTS, goal=goal)
        chosen.append([0, 2, 3, 5][int(np.argmax(objective))])
    scale = np.std(errors, axis=0, ddof=1)
    ratios = np.array(errors) / scale
    statistic = active[:, 2].mean() / scale[2]
    assert result.statistic == pytest.approx(statistic)
    assert result.error == pytest.approx(252 * scale[2])
    assert result.active_utility == pytest.approx(252 * active[:, 2].mean())
    chosen_ratios = ratios[np.arange(draws), chosen]
    assert result.p_value == pytest.approx((1 + (chosen_ratios >= statistic).sum()) / (draws + 1))
    assert result.single_step_p_value == pytest.approx((1 + (ratios.max(axis=1) >= statistic).sum()) / (draws + 1))


def p_values(seed: int, edge: float, goal: Goal = "robust_utility") -> tuple[float, float]:
    excess, benchmarks = trials_without_skill(seed, days=1000, trials=12)
    excess[:, 4] += edge
    values = np.array([utility(column, GAMMA) for column in excess[:700].T])
    if goal == "benefit":
        values -= [utility(column, GAMMA) for column in benchmarks[:700].T]
    luck = luck_of_winner(
        excess, benchmarks, winner=int(np.argmax(values)), train_days=700, risk_aversion=GAMMA, asset_volatility=0.16,
        seed=seed, replications=500, goal=goal,
    )  # fmt: skip
    assert luck.p_value is not None
    return luck.p_value, luck.single_step_p_value


@pytest.mark.parametrize("goal", ["robust_utility", "benefit"])
def test_a_search_without_skill_is_rarely_called_skilled(goal: Goal) -> None:
    rows = np.array([p_values(seed, 0.0, goal) for seed in range(100)])
    rates = (rows < 0.05).mean(axis=0)
    assert rates[0] <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)
    assert rates[1] <= rates[0]


def test_an_edge_of_six_errors_is_recognised() -> None:
    edge = 6 * 0.002 / math.sqrt(1000)
    rows = np.array([p_values(seed, edge) for seed in range(40)])
    assert (rows < 0.05).mean(axis=0).min() > 0.8


def test_exposure_alone_is_no_skill() -> None:
    """A trial that only holds more of a rising asset is its own benchmark."""
    asset = np.random.default_rng(3).normal(0.001, 0.01, 800)
    excess = asset[:, None] * np.array([0.5, 1.0, 1.5])
    luck = luck_of_winner(excess, excess, winner=2, train_days=500, risk_aversion=GAMMA, asset_volatility=0.16, seed=1)
    assert (luck.statistic, luck.own_benchmarks, luck.single_step_p_value) == (0.0, 3, 1.0)


def test_a_choice_that_cannot_be_rerun_has_the_single_step_p_value_alone() -> None:
    excess, benchmarks = trials_without_skill(5)
    extras: tuple[dict[str, Any], ...] = ({"eligible": ()}, {"goal": "sharpe"}, {"goal": "calmar"})
    for extra in extras:
        luck = luck_of_winner(excess, benchmarks, **ARGUMENTS | extra)
        assert luck.p_value is None
        assert 0.0 < luck.single_step_p_value <= 1.0


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.0, 0.001))
def test_a_larger_edge_never_raises_a_p_value_of_the_same_choice(seed: int, edge: float) -> None:
    excess, benchmarks = trials_without_skill(seed, days=200)
    # without curvature, an edge moves the mean alone and leaves every resample as it is
    arguments = ARGUMENTS | {
        "winner": 0,
        "train_days": 120,
        "risk_aversion": 1e-9,
        "replications": 500,
        "mean_block": 5,
    }
    before = luck_of_winner(excess, benchmarks, **arguments)
    excess[:, 0] += edge
    after = luck_of_winner(excess, benchmarks, **arguments)
    assert after.single_step_p_value <= before.single_step_p_value
    assert after.statistic >= before.statistic - 1e-9


def test_the_automatic_block_is_that_of_politis_and_white() -> None:
    generator = np.random.default_rng(4)
    for persistence in (-0.5, 0.0, 0.3, 0.9, 0.99):
        for days in (60, 700, 5000):
            steps = generator.normal(size=days)
            series = np.empty(days)
            series[0] = steps[0]
            for t in range(1, days):
                series[t] = persistence * series[t - 1] + steps[t]
            expected = optimal_block_length(series)["stationary"].iloc[0]
            assert automatic_block_length(series) == max(1, math.ceil(expected))


def test_a_constant_series_has_blocks_of_one_day() -> None:
    assert automatic_block_length(np.full(50, 0.01)) == 1


def test_the_probability_of_loss_compares_each_trial_with_its_own_benchmark() -> None:
    excess, benchmarks = trials_without_skill(6, days=320, trials=5)
    ahead = backtest_overfitting(benchmarks + 1e-4, risk_aversion=GAMMA, benchmarks=benchmarks)
    assert ahead.loss_probability == 0.0
    assert backtest_overfitting(benchmarks, risk_aversion=GAMMA, benchmarks=benchmarks).loss_probability == 1.0
    assert 0.0 < backtest_overfitting(excess, risk_aversion=GAMMA, benchmarks=benchmarks).loss_probability < 1.0


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"winner": 6}, "winner"),
        ({"train_days": 390}, "train_days"),
        ({"asset_volatility": 0.0}, "asset_volatility"),
        ({"risk_aversion": -1.0}, "risk_aversion"),
        ({"replications": 100}, "replications"),
        ({"mean_block": 0}, "mean_block"),
        ({"eligible": [7]}, "eligible"),
        ({"simulated": np.zeros((6, 2))}, "weights"),
        ({"simulated": np.zeros((5, 2)), "weights": WEIGHTS}, "simulated"),
    ],
)
def test_arguments_outside_their_range_are_refused(change: dict[str, Any], field: str) -> None:
    excess, benchmarks = trials_without_skill(1)
    arguments = ARGUMENTS | change
    with pytest.raises(DataError, match=field):
        luck_of_winner(excess, benchmarks, **arguments)
    with pytest.raises(DataError, match="benchmarks"):
        luck_of_winner(excess, benchmarks[:, :5], **ARGUMENTS)
