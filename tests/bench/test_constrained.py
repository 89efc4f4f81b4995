"""Least variance and highest Sharpe ratio between bounds against PyPortfolioOpt."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import numpy as np
import pytest

from quant.allocation.constrained import maximum_sharpe, minimum_variance
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


def moments_of(assets: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(assets)
    own = rng.standard_normal((1000, assets)) * rng.uniform(0.005, 0.03, assets)
    returns = own + rng.standard_normal((1000, 1)) * rng.uniform(0.2, 2.0, assets) * 0.01 + 0.0005
    return 252 * returns.mean(axis=0), 252 * np.cov(returns.T)


@pytest.mark.parametrize("assets", [20, 100])
def test_least_variance_and_highest_ratio(comparison: Comparison, assets: int) -> None:
    from pypfopt import EfficientFrontier

    mean, cov = moments_of(assets)

    def variance(w: np.ndarray) -> float:
        return float(w @ cov @ w)

    def ratio(w: np.ndarray) -> float:
        return float(mean @ w) / variance(w) ** 0.5

    def least(ours: np.ndarray, theirs: np.ndarray) -> None:
        assert variance(ours) == pytest.approx(variance(theirs), rel=1e-4)
        assert variance(ours) <= variance(theirs) * (1 + 1e-9)

    def highest(ours: np.ndarray, theirs: np.ndarray) -> None:
        assert ratio(ours) == pytest.approx(ratio(theirs), rel=1e-4)
        assert ratio(ours) >= ratio(theirs) * (1 - 1e-9)

    comparison.add(
        "least variance between bounds",
        str(assets),
        lambda: minimum_variance(cov, upper=0.2),
        {
            "PyPortfolioOpt": lambda: np.array(
                list(EfficientFrontier(None, cov, weight_bounds=(0, 0.2)).min_volatility().values())
            )
        },
        equal=least,
    )
    comparison.add(
        "highest Sharpe ratio between bounds",
        str(assets),
        lambda: maximum_sharpe(mean, cov, upper=0.2),
        {
            "PyPortfolioOpt": lambda: np.array(
                list(EfficientFrontier(mean, cov, weight_bounds=(0, 0.2)).max_sharpe(risk_free_rate=0.0).values())
            )
        },
        equal=highest,
    )
