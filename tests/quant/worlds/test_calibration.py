"""Calibration recovers the parameters of a simulated history, and the shocks reproduce the built-in scenarios."""

import math
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.worlds.calibration import calibrate, empirical_scenario, implied_statistics, shocked_scenarios
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.regimes import labels
from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, Scenario

A = 252
BASE = BUILT_IN[0]
ENGINES = get_args(Engine)


def sample_path(engine: Engine, days: int, **changes: Any) -> tuple[Scenario, np.ndarray]:
    """A scenario, and one long path of it."""
    scenario = Scenario.model_validate(BASE.model_dump() | {"engine": engine, "premium_power": 0} | changes)
    return scenario, sample_paths(path_model(scenario, seed=5), days=days)[:, 0]


@cache
def volatile_history() -> np.ndarray:
    """Twelve years of returns with volatility clusters."""
    return sample_path("garch", 3_000, garch_nu=8.0)[1]


def clock(series: np.ndarray) -> Returns:
    days = np.arange("1990-01-01", series.size, dtype="datetime64[D]")
    return Returns(days, ("SPX",), series[:, None])


@pytest.mark.parametrize("engine", ENGINES)
def test_mean_and_volatility_are_the_samples(engine: Engine) -> None:
    calibration = calibrate(volatile_history(), engine)
    fits = {f.name: f for f in calibration.fits}
    assert fits["mean"].sample == pytest.approx(A * volatile_history().mean(), rel=1e-10)
    assert fits["volatility"].sample == pytest.approx(math.sqrt(A) * volatile_history().std(), rel=1e-10)
    centred = volatile_history() - volatile_history().mean()
    assert fits["skewness"].sample == pytest.approx((centred**3).mean() / volatile_history().std() ** 3, rel=1e-9)
    assert fits["kurtosis"].sample == pytest.approx((centred**4).mean() / volatile_history().var() ** 2, rel=1e-9)
    if engine != "regime_switching":  # its states have their own, by maximum likelihood
        assert fits["mean"].implied == pytest.approx(fits["mean"].sample, rel=1e-12)
        assert fits["volatility"].implied == pytest.approx(fits["volatility"].sample, rel=1e-12)
    else:
        assert fits["volatility"].implied == pytest.approx(fits["volatility"].sample, rel=0.05)
    assert calibration.scenario.engine == engine
    assert calibration.observations == volatile_history().size
    assert calibrate(clock(volatile_history()), engine) == calibration


# what a long path was made with is found again


@pytest.mark.parametrize(
    ("kappa", "vol_of_vol", "leverage"),
    [
        (3.0, 3.33, -0.7),
        pytest.param(6.0, 1.5, -0.3, marks=pytest.mark.soak),
        pytest.param(4.0, 2.0, 0.5, marks=pytest.mark.soak),
    ],
)
def test_heston_is_found_again(kappa: float, vol_of_vol: float, leverage: float) -> None:
    """400 years; the tolerances of kappa and xi are the errors of a moment of heavy-tailed squares."""
    _, path = sample_path("heston", 100_000, mean_reversion=kappa, vol_of_vol=vol_of_vol, leverage=leverage)
    calibration = calibrate(path, "heston")
    assert calibration.scenario.mean_reversion == pytest.approx(kappa, rel=0.25)
    assert calibration.scenario.vol_of_vol == pytest.approx(vol_of_vol, rel=0.15)
    assert calibration.scenario.leverage == pytest.approx(leverage, abs=0.08)
    assert calibration.feller == pytest.approx(
        2.0 * calibration.scenario.mean_reversion / calibration.scenario.vol_of_vol**2, rel=1e-12
    )
    assert calibration.at_bounds == ()
    kurtosis = next(f for f in calibration.fits if f.name == "kurtosis")
    assert kurtosis.implied == pytest.approx(kurtosis.sample, rel=0.1)


@pytest.mark.parametrize("rate", [0.5, pytest.param(2.0, marks=pytest.mark.soak)])
def test_the_rate_of_jumps_is_found_again(rate: float) -> None:
    for engine in ("merton", "bates"):
        _, path = sample_path(engine, 100_000, jumps_per_year=rate)
        calibration = calibrate(path, engine)
        assert calibration.scenario.jumps_per_year == pytest.approx(rate, rel=0.3), engine
        kurtosis = next(f for f in calibration.fits if f.name == "kurtosis")
        assert kurtosis.implied == pytest.approx(kurtosis.sample, rel=0.02), engine
        assert calibration.at_bounds == ()


def test_garch_is_found_again() -> None:
    _, path = sample_path("garch", 20_000, garch_alpha=0.03, garch_gamma=0.10, garch_beta=0.89, garch_nu=8.0)
    calibration = calibrate(path, "garch").scenario
    assert calibration.garch_alpha == pytest.approx(0.03, abs=0.012)
    assert calibration.garch_gamma == pytest.approx(0.10, abs=0.03)
    assert calibration.garch_beta == pytest.approx(0.89, abs=0.02)
    assert calibration.garch_nu == pytest.approx(8.0, rel=0.2)


def test_two_regimes_are_found_again() -> None:
    """Calm and turbulent last 240 and 60 days on average, and the volatilities are as 1 to 2.5."""
    _, path = sample_path("regime_switching", 20_000)
    calm, turbulent = calibrate(path, "regime_switching").scenario.states
    assert turbulent.sigma / calm.sigma == pytest.approx(2.5, rel=0.06)
    assert calm.mean_days == pytest.approx(240.0, rel=0.35)
    assert turbulent.mean_days == pytest.approx(60.0, rel=0.35)


def test_a_replay_of_its_own_calibration_is_history_as_it_was() -> None:
    scenario = calibrate(volatile_history(), "replay").scenario
    np.testing.assert_allclose(
        path_model(scenario, seed=1, history=volatile_history()).history, volatile_history(), rtol=0, atol=1e-14
    )


def test_a_conditional_bootstrap_is_calibrated_on_its_days() -> None:
    days = labels(volatile_history()).days("low_volatility")
    scenario = calibrate(volatile_history(), "conditional_bootstrap", label="low_volatility").scenario
    assert scenario.label == "low_volatility"
    assert scenario.mu == pytest.approx(A * volatile_history()[days].mean(), rel=1e-10)
    assert scenario.sigma == pytest.approx(math.sqrt(A) * volatile_history()[days].std(), rel=1e-10)


def test_long_memory_asks_for_long_blocks() -> None:
    slow = np.repeat([0.004, 0.02] * 8, 250) * np.random.default_rng(1).standard_normal(4_000)
    noise = 0.01 * np.random.default_rng(1).standard_normal(4_000)
    long, short = (calibrate(x, "bootstrap") for x in (slow, noise))
    assert long.scenario.mean_block == 60
    assert short.scenario.mean_block == 20
    assert short.at_bounds == ("mean_block",)


def test_what_a_scenario_cannot_hold_is_named() -> None:
    """Normal days can have fewer extremes than any jump rate implies."""
    thin = np.random.default_rng(3).uniform(-0.02, 0.02, 1_000)
    calibration = calibrate(thin, "merton")
    assert calibration.scenario.jumps_per_year == 0.0
    assert calibration.at_bounds == ("jumps_per_year",)


# refusals


@pytest.mark.parametrize(
    ("engine", "fewest"), [("gbm", 250), ("replay", 250), ("garch", 500), ("regime_switching", 500), ("heston", 1260)]
)
def test_a_short_history_is_refused(engine: Engine, fewest: int) -> None:
    with pytest.raises(DataError, match=rf"`returns` has shape \({fewest - 1},\); .* at least {fewest} days"):
        calibrate(volatile_history()[: fewest - 1], engine)
    calibrate(volatile_history()[:fewest], engine)


def test_a_history_that_cannot_be_used_is_refused() -> None:
    invalid = volatile_history().copy()
    invalid[5] = np.inf
    with pytest.raises(DataError, match="`returns` has inf on day 5; expected finite"):
        calibrate(invalid, "gbm")
    with pytest.raises(DataError, match="`returns` has a deviation of 0; expected returns that vary"):
        calibrate(np.zeros(300), "gbm")
    with pytest.raises(DataError, match=r"`returns` has shape \(300, 2\)"):
        calibrate(np.zeros((300, 2)), "gbm")
    two = Returns(np.arange("1990-01-01", 300, dtype="datetime64[D]"), ("A", "B"), np.zeros((300, 2)))
    with pytest.raises(DataError, match="`returns` has 2 assets; expected one"):
        calibrate(two, "gbm")
    with pytest.raises(DataError, match=r"`mu` of 'calibrated' is 2\.\d+; expected .* 0.5"):
        calibrate(volatile_history() + 0.01, "gbm")


def test_returns_without_lasting_variance_have_no_heston() -> None:
    """Months that alternate between calm and turbulent have a variance without persistence."""
    size = np.repeat([0.005, 0.02] * 60, 21)
    alternating = size * np.random.default_rng(1).choice([-1.0, 1.0], size.size)
    for engine in ("heston", "bates"):
        with pytest.raises(DataError, match=r"`returns` has variances of neighbouring months .* such as merton"):
            calibrate(alternating, engine)


def test_a_state_of_single_days_is_refused() -> None:
    """Every tenth day is turbulent: no state that lasts five days explains it."""
    storm = np.where(np.arange(2_000) % 10 == 0, 0.05, 0.005) * np.random.default_rng(1).standard_normal(2_000)
    with pytest.raises(DataError, match=r"`returns` has a turbulent state that lasts .* at least 5"):
        calibrate(storm, "regime_switching")


# worlds around a base


def test_the_shocks_of_the_seed_give_the_built_in_worlds() -> None:
    for world, expected in zip(shocked_scenarios(BASE), BUILT_IN, strict=True):
        assert world.name == expected.name
        assert world.mu == pytest.approx(expected.mu, abs=5e-4)
        assert world.sigma == pytest.approx(expected.sigma, abs=5e-4)
        assert world.cash_rate == pytest.approx(expected.cash_rate, abs=1e-12)
        assert (world.bond_correlation, world.probability) == (expected.bond_correlation, expected.probability)


def test_shocks_keep_the_engine_and_move_with_the_asset() -> None:
    base = calibrate(volatile_history(), "garch", cash_rate=0.01).scenario
    worlds = {w.name: w for w in shocked_scenarios(base)}
    assert {w.engine for w in worlds.values()} == {"garch"}
    assert {w.garch_beta for w in worlds.values()} == {base.garch_beta}
    bear = worlds["bear_market"]
    assert (bear.mu - base.mu) / base.sigma == pytest.approx(-0.722, rel=1e-9)
    assert bear.sigma / base.sigma == pytest.approx(1.944, rel=1e-9)
    assert bear.cash_rate == 0.0, "two points below one percent, and not below nothing"


def test_shocks_beyond_what_a_scenario_may_be_are_refused() -> None:
    with pytest.raises(DataError, match=r"`sigma` of 'high_volatility' is 1\.1\d*; expected .* 1"):
        shocked_scenarios(BASE.model_copy(update={"sigma": 0.5}))
    with pytest.raises(DataError, match="`base` has states"):
        shocked_scenarios(CYCLE)


@pytest.mark.parametrize("label", ["base", "bull", "low_volatility", "high_volatility"])
def test_an_empirical_world_has_the_moments_of_its_days(label: Any) -> None:
    world = empirical_scenario(BASE, volatile_history(), label)
    days = labels(volatile_history()).days(label)
    assert world.mu == pytest.approx(A * volatile_history()[days].mean(), rel=1e-10)
    assert world.sigma == pytest.approx(math.sqrt(A) * volatile_history()[days].std(), rel=1e-10)
    assert (world.name, world.probability, world.cash_rate) == (f"empirical_{label}", 0.0, BASE.cash_rate)


def test_an_empirical_world_of_too_few_days_is_refused() -> None:
    rising = np.abs(volatile_history())
    with pytest.raises(DataError, match="bear"):
        empirical_scenario(BASE, rising, "bear")


def test_what_a_scenario_means_is_read_off_its_paths() -> None:
    scenario = BASE.model_copy(update={"years": 1})
    statistics = implied_statistics(scenario, paths=256)
    assert (statistics.mu, statistics.sigma) == (0.08, 0.18)
    assert statistics.sharpe == pytest.approx((0.08 - 0.03) / 0.18, rel=1e-12)
    x = sample_paths(path_model(scenario, seed=0), days=A, blocks=4)
    assert statistics.worst_day == pytest.approx(np.median(x.min(axis=0)), rel=1e-12)
    wealth = np.vstack([np.ones(256), np.cumprod(1.0 + x, axis=0)])
    assert statistics.worst_month == pytest.approx(np.median((wealth[21:] / wealth[:-21] - 1.0).min(axis=0)), rel=1e-9)
    for paths in (63, 100_001):
        with pytest.raises(DataError, match=r"`paths` is .* expected 64 to 100000"):
            implied_statistics(scenario, paths=paths)
