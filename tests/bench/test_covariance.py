"""Ledoit and Wolf's shrinkage against scikit-learn."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

from typing import Any

import numpy as np
import pytest

from quant.covariance.shrinkage import ledoit_wolf
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


def simulate(assets: int, sessions: int) -> np.ndarray:
    """Daily returns with five common factors and fat tails."""
    rng = np.random.default_rng(assets)
    common = rng.standard_t(5, (sessions, 5)) @ rng.normal(0.0, 0.004, (5, assets))
    return 0.0003 + common + 0.01 * rng.standard_t(5, (sessions, assets))


@pytest.mark.parametrize(("assets", "target"), [(20, None), (100, None), (500, 2.0)])
def test_ledoit_wolf(comparison: Comparison, assets: int, target: float | None) -> None:
    from sklearn.covariance import ledoit_wolf as peer

    returns = simulate(assets, 2520)

    def equal(ours: Any, theirs: Any) -> None:
        assert ours.intensity == pytest.approx(theirs[1], rel=1e-12)
        np.testing.assert_allclose(ours.matrix, theirs[0], rtol=1e-12, atol=1e-12 * np.abs(theirs[0]).max())

    comparison.add(
        "Ledoit-Wolf",
        f"{assets} assets, 2,520 days",
        lambda: ledoit_wolf(returns),
        {"scikit-learn": lambda: peer(returns)},
        equal=equal,
        target=target,
        budget=1.5,
    )
