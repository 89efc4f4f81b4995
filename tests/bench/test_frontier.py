"""The efficient frontier against cvxcla (corners), PyPortfolioOpt and skfolio (50 points)."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

from typing import Any

import numpy as np
import pytest

from quant.allocation.frontier import Frontier, efficient_frontier
from tests.bench.comparison import Comparison

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore:Solution may be inaccurate")]

SESSIONS = 1000
POINTS = 50


def returns_of(assets: int) -> np.ndarray:
    rng = np.random.default_rng(assets)
    own = rng.standard_normal((SESSIONS, assets)) * rng.uniform(0.005, 0.03, assets)
    return own + rng.standard_normal((SESSIONS, 1)) * rng.uniform(0.2, 2.0, assets) * 0.01 + 0.0005


def moments_of(assets: int) -> tuple[np.ndarray, np.ndarray]:
    """Annual: on daily ones the peers' solvers stop too early."""
    returns = returns_of(assets)
    return 252 * returns.mean(axis=0), 252 * np.cov(returns.T)


@pytest.mark.parametrize("assets", [20, 100, 500])
def test_corners(comparison: Comparison, assets: int) -> None:
    from cvxcla import CLA

    mean, cov = moments_of(assets)

    def equal(ours: Frontier, theirs: Any) -> None:
        corners = [point.weights for point in theirs.turning_points]
        for weights in corners:
            at_same_return = ours.at_return(min(float(weights @ mean), float(ours.returns[0])))
            np.testing.assert_allclose(at_same_return.weights, weights, rtol=0, atol=1e-7)
        assert len(ours.corners.lambdas) in {len(corners), len(corners) - 1}  # cvxcla repeats the first corner

    comparison.add(
        "frontier, corners",
        str(assets),
        lambda: efficient_frontier(mean, cov, 2),
        {
            "cvxcla": lambda: CLA(
                mean=mean,
                covariance=cov,
                lower_bounds=np.zeros(assets),
                upper_bounds=np.ones(assets),
                a=np.ones((1, assets)),
                b=np.ones(1),
            )
        },
        equal=equal,
        note="ours checks the matrix and lays out two points too",
    )


@pytest.mark.parametrize(("assets", "ratio"), [(20, 200), (100, 1000), (500, 5000)])
def test_fifty_points(comparison: Comparison, assets: int, ratio: float) -> None:
    from pypfopt import CLA, EfficientFrontier
    from skfolio.optimization import MeanRisk

    returns = returns_of(assets)
    mean, cov = moments_of(assets)
    ours = efficient_frontier(mean, cov, POINTS)

    def pypfopt_conic() -> np.ndarray:
        frontier = EfficientFrontier(mean, cov, solver="CLARABEL")  # its default, OSQP, fails on some targets
        most, least = ours.returns[0], ours.returns[-1]
        targets = np.linspace(least, most - 1e-4 * (most - least), POINTS)  # its solver calls the end itself infeasible
        return np.array([list(frontier.efficient_return(target).values()) for target in targets])

    def pypfopt_line() -> np.ndarray:
        return np.array([w.ravel() for w in CLA(mean, cov).efficient_frontier(POINTS)[2]])

    def skfolio() -> np.ndarray:
        return np.asarray(MeanRisk(efficient_frontier_size=POINTS).fit(returns).weights_)

    def equal(ours: Frontier, theirs: np.ndarray) -> None:
        """At their returns our volatility is theirs, or less where their solver stops early."""
        for weights in theirs:
            target = float(np.clip(weights @ mean, ours.returns[-1], ours.returns[0]))
            volatility = np.sqrt(weights @ cov @ weights)
            assert ours.at_return(target).volatility == pytest.approx(volatility, rel=1e-4)
            assert ours.at_return(target).volatility <= volatility * (1 + 1e-5)

    peers = {"PyPortfolioOpt": pypfopt_conic, "skfolio": skfolio}
    if assets <= 100:
        peers["PyPortfolioOpt CLA"] = pypfopt_line
    comparison.add(
        f"frontier, {POINTS} points",
        str(assets),
        lambda: efficient_frontier(mean, cov, POINTS),
        peers,
        equal=equal,
        target=ratio,
    )
