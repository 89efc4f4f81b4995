"""The bond of constant duration: its correlation under every engine, and Vasicek's moments."""

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.worlds.bond import Bond, bond_paths
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, Scenario

A = 252
ENGINES = get_args(Engine)
TEN_YEARS = Bond(duration=8.0, convexity=76.0, level=0.04, mean_reversion=0.3, volatility=0.011)
HISTORY = 0.01 * np.random.default_rng(11).standard_t(5, size=1_500) + 3e-4


def world(engine: Engine = "heston", **changes: Any) -> Scenario:
    return Scenario.model_validate(BUILT_IN[0].model_dump() | {"engine": engine} | changes)


def equity_of(scenario: Scenario, days: int, blocks: int) -> np.ndarray:
    return sample_paths(path_model(scenario, seed=3, history=HISTORY), days=days, blocks=blocks)


def matches(by_path: np.ndarray, expected: float, slack: float = 0.0) -> None:
    error = by_path.std(ddof=1) / math.sqrt(by_path.size)
    assert abs(by_path.mean() - expected) < 4.0 * error + slack, (by_path.mean(), expected, error)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.5])
def test_bond_and_equity_returns_are_correlated_as_asked(engine: Engine, rho: float) -> None:
    """Also with a positive sign, as in 2022. Convexity and the skewness of jumps may add half a hundredth."""
    scenario = world(engine, bond_correlation=rho)
    equity = equity_of(scenario, A, 100)
    bond = bond_paths(TEN_YEARS, scenario, equity, seed=3).returns
    x, y = ((r - r.mean()) / r.std() for r in (equity, bond))
    product = (x * y).mean(axis=0)
    # the error of a correlation: that of the product less the share of the two variances
    influence = product - 0.5 * rho * ((x * x).mean(axis=0) + (y * y).mean(axis=0)) + rho
    matches(influence, rho, slack=0.005)


def test_states_with_their_own_moments_keep_the_correlation() -> None:
    scenario = CYCLE.model_copy(update={"bond_correlation": 0.4})
    equity = equity_of(scenario, A, 100)
    bond = bond_paths(TEN_YEARS, scenario, equity, seed=3).returns
    assert np.corrcoef(equity.ravel(), bond.ravel())[0, 1] == pytest.approx(0.4, abs=0.02)


@pytest.mark.parametrize("rho", [-1.0, 1.0])
def test_full_correlation_leaves_the_bond_no_shock_of_its_own(rho: float) -> None:
    scenario = world("gbm", bond_correlation=rho)
    equity = equity_of(scenario, A, 2)
    first, second = (bond_paths(TEN_YEARS, scenario, equity, seed=seed).returns for seed in (3, 4))
    np.testing.assert_array_equal(first, second)
    assert np.corrcoef(equity.ravel(), first.ravel())[0, 1] == pytest.approx(rho, abs=0.005)


def test_the_yield_has_vasiceks_moments() -> None:
    """E y_t = level + (start - level) exp(-kappa t), Var y_t = v**2 (1 - exp(-2 kappa t)) / (2 kappa)."""
    bond = Bond(duration=8.0, convexity=76.0, level=0.04, mean_reversion=0.9, volatility=0.012, start=0.01)
    scenario = world("heston", bond_correlation=-0.3)
    yields = bond_paths(bond, scenario, equity_of(scenario, 2 * A, 100), seed=3).yields
    for day in (1, 63, 2 * A):
        time = day / A
        mean = 0.04 - 0.03 * math.exp(-0.9 * time)
        variance = 0.012**2 * (1.0 - math.exp(-1.8 * time)) / 1.8
        matches(yields[day - 1], mean)
        matches((yields[day - 1] - mean) ** 2, variance)


@pytest.mark.parametrize("rho", [-0.6, 0.6])
def test_the_mean_bond_return_is_the_level_and_the_gain_of_convexity(rho: float) -> None:
    bond = Bond(duration=15.0, convexity=300.0, level=0.03, mean_reversion=0.5, volatility=0.015)
    assert bond.mean_return == pytest.approx(0.03 + 0.5 * 300.0 * 0.015**2, rel=1e-3)
    scenario = world("regime_switching", bond_correlation=rho, premium_power=0)
    returns = bond_paths(bond, scenario, equity_of(scenario, A, 300), seed=3).returns
    matches(A * returns.mean(axis=0), bond.mean_return)


def test_a_return_is_carry_duration_and_convexity() -> None:
    scenario = world("merton")
    bond = bond_paths(TEN_YEARS, scenario, equity_of(scenario, 300, 1), seed=3)
    before = np.vstack([np.full(64, 0.04), bond.yields[:-1]])
    change = bond.yields - before
    np.testing.assert_allclose(bond.returns, before / A - 8.0 * change + 38.0 * change**2, rtol=0, atol=1e-14)


def test_a_path_does_not_depend_on_what_else_is_asked_for() -> None:
    scenario = world("bates")
    equity = equity_of(scenario, 100, 3)
    whole = bond_paths(TEN_YEARS, scenario, equity, seed=3)
    part = bond_paths(TEN_YEARS, scenario, equity[:60, 64:128], seed=3, first_block=1)
    np.testing.assert_array_equal(part.returns, whole.returns[:60, 64:128])
    np.testing.assert_array_equal(part.yields, whole.yields[:60, 64:128])
    other = bond_paths(TEN_YEARS, scenario, equity, seed=4)
    assert not np.isclose(other.returns, whole.returns, rtol=0, atol=1e-12).any()


@given(
    st.floats(0.1, 50.0),
    st.floats(1.0, 2.0),
    st.floats(-0.05, 0.25),
    st.floats(0.01, 20.0),
    st.floats(0.001, 0.1),
    st.floats(-1.0, 1.0),
)
@settings(max_examples=40, deadline=None)
def test_no_bond_loses_everything(
    duration: float, curve: float, level: float, rate: float, volatility: float, rho: float
) -> None:
    """Convexity of at least the square of duration bounds a day's loss by a half, carry aside."""
    convexity = curve * duration**2
    bond = Bond(duration, convexity, level, rate, volatility)
    scenario = world("merton", bond_correlation=rho, sigma=0.4, jumps_per_year=5.0)
    paths = bond_paths(bond, scenario, equity_of(scenario, 60, 1), seed=1)
    assert np.isfinite(paths.returns).all()
    carry = np.vstack([np.full(64, level), paths.yields[:-1]]) / A
    assert (paths.returns - carry).min() >= -0.5 - 1e-12


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"duration": 0.0}, "`duration` is 0.0; expected above 0, at most 50"),
        ({"duration": math.nan}, "`duration` is nan"),
        ({"convexity": 63.9}, "`convexity` is 63.9; expected 64 to 5000"),
        ({"level": 4.0}, "`level` is 4.0; expected -0.05 to 0.25"),
        ({"mean_reversion": 0.0}, "`mean_reversion` is 0.0; expected above 0"),
        ({"volatility": 1.1}, "`volatility` is 1.1; expected above 0, at most 0.1"),
        ({"volatility": math.inf}, "`volatility` is inf"),
        ({"start": 0.5}, "`start` is 0.5; expected -0.05 to 0.25"),
    ],
)
def test_impossible_bonds_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Bond(**({"duration": 8.0, "convexity": 76.0, "level": 0.04} | changes))


def test_equity_that_is_no_block_of_paths_is_refused() -> None:
    scenario = world()
    good = np.zeros((10, 64))
    for shape in ((10,), (10, 63), (0, 64)):
        with pytest.raises(DataError, match=r"`equity` has shape .* multiple of 64 paths"):
            bond_paths(TEN_YEARS, scenario, np.zeros(shape), seed=1)
    for wrong in (np.nan, -1.0):
        bad = good.copy()
        bad[3, 5] = wrong
        with pytest.raises(DataError, match=f"`equity` has {wrong} on day 3 of path 5"):
            bond_paths(TEN_YEARS, scenario, bad, seed=1)
    with pytest.raises(DataError, match="`first_block` is -1"):
        bond_paths(TEN_YEARS, scenario, good, seed=1, first_block=-1)
