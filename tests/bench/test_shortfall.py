"""Minimum conditional value at risk against PyPortfolioOpt: ten years of daily returns of 20 stocks."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false
import warnings

import numpy as np
import pytest

from quant.allocation.cvar import minimum_cvar
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench

DAYS, LEVEL = 2520, 0.95


def cvar(returns: np.ndarray, weights: np.ndarray) -> float:
    losses = np.sort(-returns @ weights)[::-1]
    tail = (1.0 - LEVEL) * len(losses)
    return float(losses @ np.clip(tail - np.arange(len(losses)), 0.0, 1.0) / tail)


def test_minimum_cvar(comparison: Comparison) -> None:
    from pypfopt import EfficientCVaR
    from skfolio.datasets import load_sp500_dataset

    frame = load_sp500_dataset().pct_change().dropna().iloc[-DAYS:]
    returns = frame.to_numpy()
    mean = frame.mean()

    def peer() -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.array(list(EfficientCVaR(mean, frame, beta=LEVEL).min_cvar().values()))

    def equal(ours: np.ndarray, theirs: np.ndarray) -> None:
        assert cvar(returns, ours) == pytest.approx(cvar(returns, theirs), rel=1e-6)

    row = comparison.add(
        "minimum CVaR",
        f"{DAYS} scenarios, {returns.shape[1]} assets",
        lambda: minimum_cvar(returns, LEVEL),
        {"PyPortfolioOpt": peer},
        equal=equal,
        target=15.0,
    )
    assert row.ratio is not None
