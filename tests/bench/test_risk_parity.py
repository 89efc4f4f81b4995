"""Risk parity against riskparityportfolio (C++, the same accuracy) and skfolio."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import importlib.machinery
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quant.allocation.risk_budgeting import risk_parity
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench

SESSIONS = 1000


def returns_of(assets: int) -> np.ndarray:
    rng = np.random.default_rng(assets)
    own = rng.standard_normal((SESSIONS, assets)) * rng.uniform(0.005, 0.03, assets)
    return own + rng.standard_normal((SESSIONS, 1)) * rng.uniform(0.2, 2.0, assets) * 0.01


def compiled_peer() -> Any:
    """The C++ of riskparityportfolio, whose Python package has undeclared dependencies."""
    spec = importlib.util.find_spec("riskparityportfolio")
    assert spec is not None
    assert spec.submodule_search_locations
    path = next(Path(spec.submodule_search_locations[0]).glob("vanilla*.so"))
    loader = importlib.machinery.ExtensionFileLoader("vanilla", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("vanilla", loader))  # pyright: ignore[reportArgumentType]
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(("assets", "target"), [(20, 0.6), (100, 1.2), (500, 1.5)])
def test_from_a_covariance(comparison: Comparison, assets: int, target: float) -> None:
    peer = compiled_peer()
    cov, budgets = np.cov(returns_of(assets).T), np.full(assets, 1 / assets)

    def equal(ours: np.ndarray, theirs: Any) -> None:
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=0, atol=1e-9)

    def spinu() -> Any:
        return peer.design(cov, budgets, 1e-10, 1000)

    def choi() -> Any:
        return peer.design(cov, budgets, 1e-10, 1000, "choi")

    comparison.add(
        "risk parity from covariance, 1e-10",
        str(assets),
        lambda: risk_parity(cov, semidefinite=True),
        {"riskparityportfolio": spinu},
        equal=equal,
        target=target,
        note="finite and symmetric checked, the peer checks nothing",
    )
    comparison.add(
        "risk parity from covariance, 1e-10, checked",
        str(assets),
        lambda: risk_parity(cov),
        {"riskparityportfolio": spinu, 'riskparityportfolio "choi"': choi},
        equal=equal,
        note="positive semidefinite checked too",
    )


@pytest.mark.parametrize(("assets", "target"), [(20, 40), (100, 30), (500, 70)])
def test_from_returns(comparison: Comparison, assets: int, target: float) -> None:
    from skfolio.optimization import RiskBudgeting

    returns = returns_of(assets)

    def equal(ours: np.ndarray, theirs: Any) -> None:
        cov = np.cov(returns.T)
        shares = [w * (cov @ w) / (w @ cov @ w) for w in (ours, theirs.weights_)]
        assert abs(shares[0] - 1 / assets).max() <= abs(shares[1] - 1 / assets).max()
        np.testing.assert_allclose(ours, theirs.weights_, rtol=0, atol=1e-4)

    comparison.add(
        "risk parity from returns",
        str(assets),
        lambda: risk_parity(np.cov(returns.T)),
        {"skfolio": lambda: RiskBudgeting().fit(returns)},
        equal=equal,
        target=target,
    )
