"""Metrics that only a goal needs, against their definition over paths."""

import math

import numpy as np
import pytest

from quant.numeric.measured import Measured
from quant.strategies.goal import (
    GOAL_METRIC,
    RATIO_GOALS,
    SCALE_FREE_GOALS,
    calmar_ratio,
    target_volatility_error,
    with_goal_metric,
)
from quant.strategies.metrics import METRICS, Metrics
from quant.strategies.objective import GOAL_CODES, METRIC_CODES, scores

SAMPLE = Metrics(**{name: Measured(value=0.1, error=0.01) for name, row in METRICS.items() if not row.for_a_goal})


def measured(values: np.ndarray) -> Measured:
    return Measured(value=float(values.mean()), error=float(values.std(ddof=1) / math.sqrt(values.size)))


def test_every_goal_has_a_metric_and_codes() -> None:
    assert {*GOAL_CODES} == {*GOAL_METRIC} >= RATIO_GOALS | SCALE_FREE_GOALS
    assert {*METRIC_CODES} == {*GOAL_METRIC.values()} <= {*METRICS}
    assert {METRICS[GOAL_METRIC[goal]].unit for goal in RATIO_GOALS} == {"ratio"}


@pytest.mark.parametrize("centre", [0.09, 0.10, 0.15])
def test_the_volatility_error_is_the_root_mean_square_over_paths(centre) -> None:
    random = np.random.default_rng(1)
    draws = random.normal(centre, 0.02, (2_000, 400))
    roots = np.sqrt(((draws - 0.10) ** 2).mean(axis=1))
    errors = [target_volatility_error(measured(row), paths=400, target=0.10) for row in draws[:200]]
    np.testing.assert_allclose([one.value for one in errors], roots[:200], rtol=1e-12)
    assert np.mean([one.error or 0.0 for one in errors]) == pytest.approx(roots.std(), rel=0.1)


def test_on_history_the_volatility_error_is_the_distance() -> None:
    assert target_volatility_error(Measured(value=0.08, error=0.5), paths=1, target=0.1).value == pytest.approx(0.02)
    assert target_volatility_error(Measured(value=0.1, error=0.0), paths=50, target=0.1) == Measured(value=0, error=0)


def test_the_error_of_a_calmar_ratio_is_an_upper_bound() -> None:
    random = np.random.default_rng(2)
    growth = random.normal(0.06, 0.04, (1_000, 300))
    for shared in (-0.9, 0.0, 0.9):
        falls = 0.2 + 0.05 * (
            shared * (growth - 0.06) / 0.04 + math.sqrt(1 - shared**2) * random.normal(size=(1_000, 300))
        )
        ratios = growth.mean(axis=1) / falls.mean(axis=1)
        one = calmar_ratio(measured(growth[0]), measured(falls[0]))
        assert one.value == pytest.approx(ratios[0])
        assert one.error is not None
        assert one.error > 0.95 * ratios.std()
    assert calmar_ratio(Measured(value=0.03, error=0.0), Measured(value=0.0, error=0.0)).value == 0.0


def test_only_the_metric_of_the_goal_is_added() -> None:
    for metric in METRIC_CODES:
        added = with_goal_metric(SAMPLE, metric, paths=100, target=0.07)
        new = {name for name, _, _ in added.measured()} - {name for name, _, _ in SAMPLE.measured()}
        assert new == ({metric} & {"calmar", "volatility_error"})
    added = with_goal_metric(SAMPLE, "volatility_error", paths=1, target=0.07)
    assert added.gain("volatility_error") == pytest.approx(-0.03)
    assert added.gain("utility") == added.utility.value


@pytest.mark.parametrize("goal", ["calmar", "volatility_error"])
def test_the_objective_is_the_weighted_mean(goal) -> None:
    values = [[0.3, 0.9], [0.5, 0.1]]
    np.testing.assert_allclose(scores(values, [0.75, 0.25], goal=goal), [0.45, 0.4])
