import itertools
import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linprog

from quant.numeric.errors import DataError
from quant.strategies.goal import Goal
from quant.strategies.objective import (
    paired_error,
    retention,
    scenario_weights,
    scores,
)

GOALS: tuple[Goal, ...] = get_args(Goal)
WEIGHTS = scenario_weights([0.50, 0.15, 0.10, 0.10, 0.15])
SAMPLES = [np.random.default_rng(seed).normal(0.02, 0.03, size=(12, 6)) for seed in range(5)]
utilities = arrays(np.float64, (5, 6), elements=st.floats(-0.5, 0.5, width=32))


@pytest.mark.parametrize("table", SAMPLES)
def test_robust_utility_is_the_formula_of_the_method(table: np.ndarray) -> None:
    expected = table @ WEIGHTS - 0.25 * (table.max(axis=0) - table).max(axis=1)
    np.testing.assert_allclose(scores(table, WEIGHTS), expected, rtol=1e-13)
    np.testing.assert_array_equal(scores(table, WEIGHTS, goal="benefit"), scores(table, WEIGHTS))


@pytest.mark.parametrize("table", SAMPLES)
def test_sharpe_is_a_weighted_mean_and_worst_case_a_minimum(table: np.ndarray) -> None:
    sharpe = scores(np.zeros_like(table), WEIGHTS, goal="sharpe", sharpes=table)
    np.testing.assert_allclose(sharpe, np.average(table, axis=1, weights=WEIGHTS), rtol=1e-13)
    np.testing.assert_array_equal(scores(table, WEIGHTS, goal="worst_case"), table.min(axis=1))


@pytest.mark.parametrize("table", SAMPLES)
def test_cvar_utility_is_the_least_mean_under_densities_up_to_the_inverse_of_the_mass(
    table: np.ndarray,
) -> None:
    """Its dual: min q.table over probabilities q with q_s <= p_s / 0.4."""
    for row, score in zip(table, scores(table, WEIGHTS, goal="cvar_utility"), strict=True):
        bounds = [(0.0, p / 0.4) for p in WEIGHTS]
        dual = linprog(row, A_eq=np.ones((1, 6)), b_eq=[1.0], bounds=bounds)
        assert score == pytest.approx(dual.fun, abs=1e-12)


@given(utilities, st.floats(-0.25, 0.25, width=16))
@settings(max_examples=50, deadline=None)
def test_a_constant_added_everywhere_is_added_to_every_objective(table: np.ndarray, constant: float) -> None:
    for goal in GOALS:
        before = scores(table, WEIGHTS, goal=goal, sharpes=table)
        after = scores(table + constant, WEIGHTS, goal=goal, sharpes=table + constant)
        np.testing.assert_allclose(after, before + constant, atol=1e-12)


@given(utilities, st.permutations(range(5)), st.permutations(range(6)))
@settings(max_examples=50, deadline=None)
def test_order_of_configurations_and_scenarios_does_not_matter(
    table: np.ndarray, rows: list[int], columns: list[int]
) -> None:
    for goal in GOALS:
        straight = scores(table, WEIGHTS, goal=goal, sharpes=table)
        permuted = table[rows][:, columns]
        shuffled = scores(permuted, WEIGHTS[columns], goal=goal, sharpes=permuted)
        np.testing.assert_allclose(shuffled, straight[rows], atol=1e-12)


@given(utilities)
@settings(max_examples=50, deadline=None)
def test_a_configuration_better_in_every_scenario_scores_better(table: np.ndarray) -> None:
    table = np.vstack([table, table.max(axis=0) + 0.01])
    for goal in GOALS:
        assert np.argmax(scores(table, WEIGHTS, goal=goal, sharpes=table)) == 5


@pytest.mark.parametrize("goal", GOALS)
def test_a_scenario_of_weight_zero_has_no_part(goal: Goal) -> None:
    table = SAMPLES[0]
    wild = np.column_stack([table, np.linspace(-9.0, 9.0, len(table))])
    with_zero = scores(wild, np.append(WEIGHTS, 0.0), goal=goal, sharpes=wild)
    np.testing.assert_array_equal(with_zero, scores(table, WEIGHTS, goal=goal, sharpes=table))


def test_a_spread_across_scenarios_is_not_punished() -> None:
    """A configuration as good as any elsewhere and better in a bull market wins."""
    table = np.array([[0.02, 0.02, 0.02], [0.02, 0.10, 0.02]])
    assert scores(table, [0.4, 0.3, 0.3]).argmax() == 1


@pytest.mark.parametrize("goal", GOALS)
def test_one_configuration_in_one_scenario_scores_its_value(goal: Goal) -> None:
    assert scores([[0.03]], [1.0], goal=goal, sharpes=[[0.03]]).tolist() == [0.03]


def test_history_has_a_third_by_default() -> None:
    weights = scenario_weights([0.50, 0.15, 0.10, 0.10, 0.15])
    assert weights[-1] == 1 / 3
    assert math.fsum(weights) == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_allclose(weights[:-1] * 1.5, [0.50, 0.15, 0.10, 0.10, 0.15], rtol=1e-15)
    np.testing.assert_array_equal(scenario_weights([5.0, 1.5, 1.0, 1.0, 1.5]), weights)


@pytest.mark.parametrize(
    ("bad", "weights", "goal"),
    [
        ([[np.nan, 0.0]], [0.5, 0.5], "robust_utility"),
        ([[np.inf, 0.0]], [0.5, 0.5], "worst_case"),
        (np.zeros((0, 2)), [0.5, 0.5], "robust_utility"),
        ([0.1, 0.2], [0.5, 0.5], "robust_utility"),
        ([[0.1, 0.2]], [0.5, 0.4], "robust_utility"),
        ([[0.1, 0.2]], [1.5, -0.5], "robust_utility"),
        ([[0.1, 0.2]], [1.0], "robust_utility"),
        ([[0.1, 0.2]], [0.5, 0.5], "sharpe"),
    ],
)
def test_refuses_what_cannot_be_scored(bad: object, weights: list[float], goal: Goal) -> None:
    with pytest.raises(DataError):
        scores(bad, weights, goal=goal)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("probabilities", [[], [-0.1, 1.1], [np.nan], [0.0, 0.0]])
def test_refuses_weights_that_are_no_probabilities(probabilities: list[float]) -> None:
    with pytest.raises(DataError):
        scenario_weights(probabilities)
    with pytest.raises(DataError, match="history_weight"):
        scenario_weights([1.0], history_weight=1.0)


def test_retention_is_one_for_the_best_and_null_where_nothing_is_offered() -> None:
    assert retention(0.04, 0.04, 0.01, 0.002) == 1.0
    assert retention(0.01, 0.04, 0.01, 0.002) == 0.0
    assert retention(0.0, 0.04, 0.01, 0.002) == pytest.approx(-1 / 3)
    assert retention(0.04, 0.04, 0.04, 0.0) is None
    assert retention(0.041, 0.0419, 0.04, 0.002) is None
    with pytest.raises(DataError):
        retention(math.nan, 0.04, 0.01, 0.002)


def test_paired_error_is_that_of_the_mean_of_differences() -> None:
    rng = np.random.default_rng(1)
    common = rng.normal(size=400)
    a, b = common + 0.1 * rng.normal(size=400), common + 0.1 * rng.normal(size=400)
    assert paired_error(a, b) == pytest.approx((a - b).std(ddof=1) / 20.0, rel=1e-12)
    assert paired_error(a, b) < 0.2 * np.hypot(a.std(), b.std()) / 20.0
    for first, second in itertools.product(([1.0], [1.0, np.nan], np.zeros((2, 2))), ([1.0, 2.0],)):
        with pytest.raises(DataError):
            paired_error(first, second)
