"""Inner portfolios day by day, against their one-day definitions on the window that ends there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize

from quant.allocation.hierarchical import hierarchical_risk_parity
from quant.allocation.risk_budgeting import risk_parity
from quant.numeric.errors import DataError
from quant.strategies.choices import InnerPortfolio
from quant.strategies.inner_portfolios import daily_mix

LOOKBACK = 60
MIXES: tuple[InnerPortfolio, ...] = (
    "equal_weight",
    "inverse_volatility",
    "risk_parity",
    "hierarchical_risk_parity",
    "minimum_variance",
)


def legs_of(seed: int, days: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_t(5, size=(days, 1))
    return 0.006 * (
        common * rng.uniform(0.2, 1.5, count) + rng.uniform(0.5, 2.0, count) * rng.standard_t(5, (days, count))
    )


def window(legs: np.ndarray, t: int) -> np.ndarray:
    return np.cov(legs[t - LOOKBACK + 1 : t + 1], rowvar=False)


def calmest(cov: np.ndarray) -> np.ndarray:
    """Long-only minimum variance by sequential quadratic programming."""
    scaled = cov / np.trace(cov)
    count = len(cov)
    solution = minimize(
        lambda w: w @ scaled @ w,
        np.full(count, 1.0 / count),
        jac=lambda w: 2.0 * scaled @ w,
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": lambda w: np.ones(count)},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return solution.x


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("inner", MIXES)
def test_each_day_is_its_window(inner: InnerPortfolio, count: int) -> None:
    legs = legs_of(count, 150, count)
    mix = daily_mix(inner, legs, lookback=LOOKBACK)
    np.testing.assert_array_equal(mix[: LOOKBACK - 1], 1.0 / count)
    np.testing.assert_allclose(mix.sum(axis=1), 1.0, atol=1e-12)
    for t in (LOOKBACK - 1, 100, 149):
        cov = window(legs, t).reshape(count, count)
        match inner:
            case "inverse_volatility":
                expected, tolerance = 1.0 / np.sqrt(np.diag(cov)), 1e-9
            case "risk_parity":
                expected, tolerance = risk_parity(cov), 1e-8
            case "hierarchical_risk_parity":
                expected, tolerance = hierarchical_risk_parity(cov).weights, 1e-9
            case "minimum_variance":
                expected, tolerance = calmest(cov), 2e-5
            case _:
                expected, tolerance = np.ones(count), 1e-15
        np.testing.assert_allclose(mix[t], expected / expected.sum(), atol=tolerance)


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(max_examples=25, deadline=None)
def test_no_weights_are_calmer_than_minimum_variance(seed: int, count: int) -> None:
    """The optimality conditions: an asset that is held moves with the portfolio, one that is not moves more."""
    legs = legs_of(seed, LOOKBACK, count)
    weights = daily_mix("minimum_variance", legs, lookback=LOOKBACK)[-1]
    cov = window(legs, LOOKBACK - 1)
    beta = cov @ weights / (weights @ cov @ weights)
    assert (weights >= 0.0).all()
    np.testing.assert_allclose(beta[weights > 0.0], 1.0, atol=1e-6)
    assert (beta[weights == 0.0] >= 1.0 - 1e-6).all()


@given(st.integers(0, 10_000), st.sampled_from((0.03, 0.05, 0.10, 0.20, 0.60)))
@settings(max_examples=40, deadline=None)
def test_two_assets_are_mixed_to_the_target(seed: int, target: float) -> None:
    legs = legs_of(seed, LOOKBACK, 2) * np.array([1.5, 0.5])
    share = daily_mix("risk_control", legs, lookback=LOOKBACK, target=target)[-1, 0]
    cov = window(legs, LOOKBACK - 1)

    def volatility(a: float) -> float:
        w = np.array([a, 1.0 - a])
        return float(np.sqrt(252.0 * w @ cov @ w))

    grid = np.linspace(0.0, 1.0, 2001)
    levels = np.array([volatility(a) for a in grid])
    if levels[-1] <= target:
        assert share == 1.0
    elif levels.min() >= target:
        assert volatility(share) == pytest.approx(levels.min(), rel=1e-5)
    else:
        last = grid[np.flatnonzero(levels <= target)[-1]]
        expected = brentq(lambda a: volatility(a) - target, last, 1.0)
        assert share == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("inner", [*MIXES, "risk_control"])
def test_the_future_changes_no_mix(inner: InnerPortfolio) -> None:
    legs = legs_of(4, 150, 2)
    other = legs.copy()
    other[100:] = 0.05 * np.random.default_rng(1).standard_normal((50, 2))
    a, b = (daily_mix(inner, x, lookback=LOOKBACK, target=0.1) for x in (legs, other))
    assert a[:100].tobytes() == b[:100].tobytes()


def test_what_cannot_be_mixed_is_refused() -> None:
    with pytest.raises(DataError, match="`inner` risk_control mixes two assets to a target; got 3 assets"):
        daily_mix("risk_control", legs_of(0, 80, 3), lookback=LOOKBACK, target=0.1)
    with pytest.raises(DataError, match="target None"):
        daily_mix("risk_control", legs_of(0, 80, 2), lookback=LOOKBACK)
