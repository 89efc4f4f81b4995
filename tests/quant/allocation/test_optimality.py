"""First-order gaps: zero for the optimizers' answers under every kind of constraint, and a bound for all others."""

import numpy as np
import pytest

from quant.allocate import Group, efficient_frontier, maximum_sharpe, minimum_variance, minimum_variance_at
from quant.allocation.optimality import sharpe_gap, variance_gap
from quant.numeric.errors import DataError, Infeasible

CASES = [
    {},
    {"upper": 0.3},
    {"lower": -0.2, "upper": 0.6},
    {"groups": [Group("first", (0, 1, 2), 0.5, 0.6)]},
    {"turnover": 0.1, "current": np.full(6, 1 / 6)},
    {"upper": 0.4, "groups": [Group("last", (4, 5), 0.0, 0.2)], "turnover": 0.3, "current": np.full(6, 1 / 6)},
]


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sample = rng.normal(0.0005, rng.uniform(0.005, 0.02, 6), (300, 6)) + rng.normal(0.0, 0.01, (300, 1))
    return 252 * sample.mean(axis=0), 252 * np.cov(sample.T)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_optimizers_answers_leave_no_gap(case, seed):
    mean, cov = problem(seed)
    least = minimum_variance(cov, **case)
    assert abs(variance_gap(least, cov, **case)) < 1e-7
    target = 0.5 * (mean @ least + mean @ maximum_sharpe(mean, cov, rate=mean.min() - 0.05, **case))
    between = minimum_variance_at(mean, cov, float(target), **case)
    assert abs(variance_gap(between, cov, mean=mean, **case)) < 1e-7
    rate = float(mean.min() - 0.05)
    best = maximum_sharpe(mean, cov, rate=rate, **case)
    assert abs(sharpe_gap(best, mean, cov, rate=rate, **case)) < 1e-6


def test_the_gap_bounds_what_a_portfolio_could_shed():
    mean, cov = problem(3)
    least = minimum_variance(cov)
    rng = np.random.default_rng(4)
    for _ in range(20):
        weights = rng.dirichlet(np.ones(6))
        variance = weights @ cov @ weights
        gap = variance_gap(weights, cov)
        assert gap >= (variance - least @ cov @ least) / (2.0 * variance) > 0.0
        assert 0.0 <= variance_gap(weights, cov, mean=mean) <= gap


def test_every_portfolio_of_a_frontier_is_efficient():
    mean, cov = problem(5)
    for weights in efficient_frontier(mean, cov, points=10, upper=0.5).weights:
        assert abs(variance_gap(weights, cov, mean=mean, upper=0.5)) < 1e-9


def test_what_has_no_gap_to_speak_of():
    assert variance_gap([0.0, 1.0], [[0.04, 0.0], [0.0, 0.0]]) == 0.0
    assert variance_gap([0.5, 0.5], np.zeros((2, 2))) == 0.0
    with pytest.raises(DataError, match="excess return"):
        sharpe_gap([0.5, 0.5], [-0.1, -0.1], np.eye(2))
    with pytest.raises(DataError, match="shape"):
        sharpe_gap([0.5, 0.5], [0.1], np.eye(2))
    with pytest.raises(DataError, match="shapes"):
        variance_gap([0.5, 0.5], np.eye(3))
    with pytest.raises(Infeasible, match="upper"):
        variance_gap([0.5, 0.5], np.eye(2), upper=0.4)
