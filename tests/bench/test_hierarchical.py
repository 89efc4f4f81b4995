"""Hierarchical risk parity, from returns to weights, against PyPortfolioOpt and skfolio."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import numpy as np
import pandas as pd
import pytest

from quant.allocation.hierarchical import hierarchical_risk_parity, hrp_weights
from quant.covariance.estimators import sample
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


def returns_of(assets: int) -> pd.DataFrame:
    """Twenty stocks of the S&P 500, or simulated returns with factors, sectors and fat tails."""
    if assets == 20:
        from skfolio.datasets import load_sp500_dataset

        return load_sp500_dataset().pct_change().dropna().iloc[-2520:]
    rng = np.random.default_rng(assets)
    sectors = rng.standard_t(5, (2520, assets // 10)) * 0.006
    market = rng.standard_t(5, (2520, 1)) * 0.008 * rng.uniform(0.5, 1.5, assets)
    own = rng.standard_t(5, (2520, assets)) * rng.uniform(0.005, 0.02, assets)
    values = 0.0003 + market + sectors[:, np.arange(assets) % (assets // 10)] + own
    return pd.DataFrame(values, columns=[f"A{i:03}" for i in range(assets)])


def equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize(("assets", "target"), [(20, 40.0), (100, 100.0), (500, 100.0)])
def test_from_returns(comparison: Comparison, assets: int, target: float) -> None:
    from pypfopt import HRPOpt

    frame = returns_of(assets)
    values = np.ascontiguousarray(frame)

    def peer() -> np.ndarray:
        return np.array([*HRPOpt(frame).optimize().values()])

    comparison.add(
        "HRP from returns, single linkage on d",
        f"{assets} assets, 2,520 days",
        lambda: hierarchical_risk_parity(sample(values), variant="pyportfolioopt").weights,
        {"PyPortfolioOpt": peer},
        equal=equal,
        target=target,
        budget=1.0,
    )


@pytest.mark.parametrize("assets", [20, 100])
def test_of_skfolio(comparison: Comparison, assets: int) -> None:
    from skfolio.optimization import HierarchicalRiskParity

    values = np.ascontiguousarray(returns_of(assets))
    comparison.add(
        "HRP from returns, Ward, optimal order",
        f"{assets} assets, 2,520 days",
        lambda: hierarchical_risk_parity(sample(values), variant="skfolio").weights,
        {"skfolio": lambda: HierarchicalRiskParity().fit(values).weights_},
        equal=equal,
    )


@pytest.mark.parametrize("assets", [5, 20, 100, 500])
def test_from_covariance(comparison: Comparison, assets: int) -> None:
    """The paper's distance has no peer: the public function is compared with the compiled core."""
    cov = sample(np.ascontiguousarray(returns_of(max(assets, 20)))[:, :assets])
    out = np.empty(assets)
    hrp_weights(cov, True, out)
    equal(hierarchical_risk_parity(cov).weights, out)
    for layer, call in (
        ("public function", lambda: hierarchical_risk_parity(cov)),
        ("compiled core", lambda: hrp_weights(cov, True, out)),
    ):
        comparison.add(
            "HRP from a covariance, the paper's distance", f"{assets} assets", call, {}, equal=equal, note=layer
        )
