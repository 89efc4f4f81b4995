"""Correlated geometric Brownian motion of 20 assets against numpy: normal numbers, Cholesky by matmul, exp."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from quant.wealth.montecarlo import simulate_wealth, trajectory
from quant.wealth.terms import AccountTerms
from quant.worlds.joint import JointModel, joint_model, sample_joint
from tests.bench.comparison import Comparison

ASSETS, DAYS, PATHS, MONTH = 20, 252, 10_000, 21
WEIGHTS = np.full(ASSETS, 1.0 / ASSETS)
MU = np.linspace(0.03, 0.10, ASSETS)
SIGMA = np.linspace(0.10, 0.35, ASSETS)
YEAR = AccountTerms(initial=1.0, years=1)
CORRELATION = np.full((ASSETS, ASSETS), 0.4) + 0.6 * np.eye(ASSETS)

pytestmark = pytest.mark.bench


def model_of(seed: int) -> JointModel:
    return joint_model("gbm", mu=MU, sigma=SIGMA, correlation=CORRELATION, cash_rate=0.02, seed=seed)


def by_numpy(chunk: int = 256) -> Callable[[], np.ndarray]:
    """Terminal wealth of the equally weighted portfolio, rebalanced each month, from daily growth.

    In chunks that stay in the cache: one array of all paths takes longer.
    """
    mean, variance = MU / DAYS, SIGMA**2 / DAYS
    s2 = np.log(1.0 + variance / (1.0 + mean) ** 2)
    factor = np.ascontiguousarray((np.sqrt(s2)[:, None] * np.linalg.cholesky(CORRELATION)).T)
    level = np.log(1.0 + mean) - 0.5 * s2
    rng = np.random.default_rng(1)

    def terminal() -> np.ndarray:
        wealth = np.empty(PATHS)
        for first in range(0, PATHS, chunk):
            paths = min(chunk, PATHS - first)
            gross = rng.standard_normal((DAYS * paths, ASSETS)) @ factor
            gross += level
            np.exp(gross, out=gross)
            months = gross.reshape(DAYS // MONTH, MONTH, paths, ASSETS).prod(axis=1)
            wealth[first : first + paths] = (months @ WEIGHTS).prod(axis=0)
        return wealth

    return terminal


def same_law(ours: object, theirs: np.ndarray) -> None:
    """Means, deviations and quantiles of terminal wealth agree within 5 standard errors of the difference."""
    summary = simulate_wealth(model_of(1), WEIGHTS, YEAR, paths=PATHS)
    assert ours == summary.terminal
    error = math.sqrt(2.0) * theirs.std() / math.sqrt(PATHS)
    assert abs(summary.terminal.mean.value - theirs.mean()) < 5.0 * error
    assert abs(summary.terminal.deviation / theirs.std() - 1.0) < 5.0 / math.sqrt(PATHS)
    for level, value in zip(summary.levels, summary.terminal.percentiles, strict=True):
        assert value.error is not None
        assert abs(value.value - np.quantile(theirs, level)) < 5.0 * math.sqrt(2.0) * value.error


def test_correlated_gbm(comparison: Comparison) -> None:
    # the same returns make the same wealth, and the returns have the covariance asked for
    model = model_of(1)
    returns = sample_joint(model, days=DAYS, blocks=20)
    months = (1.0 + returns).reshape(DAYS // MONTH, MONTH, ASSETS, -1).prod(axis=1)
    wealth = np.einsum("mnp,n->mp", months, WEIGHTS).prod(axis=0)
    for path in (0, 70, 1_279):
        ours = trajectory(model, WEIGHTS, YEAR, path=path).wealth[-1]
        assert ours == pytest.approx(wealth[path], rel=1e-12)
    flat = returns.transpose(1, 0, 2).reshape(ASSETS, -1)
    covariance = np.outer(SIGMA, SIGMA) * CORRELATION / DAYS
    error = np.sqrt((np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2) / flat.shape[1])
    assert (np.abs(np.cov(flat) - covariance) < 5.0 * error).all()

    comparison.add(
        "correlated GBM, monthly rebalanced wealth",
        f"{ASSETS} x {DAYS} x {PATHS:,}",
        lambda: simulate_wealth(model, WEIGHTS, YEAR, paths=PATHS).terminal,
        {"numpy + Cholesky": by_numpy()},
        equal=same_law,
        target=5.0,
        note="ours: drawdowns, percentiles and costs besides",
        budget=3.0,
    )
