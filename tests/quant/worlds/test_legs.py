"""Two legs of one world: the correlation of the scenario in every engine, the same days, a constant mix."""

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.strategies.config import StrategyConfig
from quant.strategies.kernel import STATISTIC
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out
from quant.strategies.simulation import merge_parts, simulate, simulate_part
from quant.worlds.bond import Bond, BondIndex, BondModel, bond_model
from quant.worlds.legs import sample_legs
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, Engine, Scenario

A = 252
ENGINES = get_args(Engine)
DRAWS = ("bootstrap", "conditional_bootstrap", "replay")
INDEX = BondIndex(mean_return=0.035, return_volatility=0.06)
RNG = np.random.default_rng(11)
EQUITY = 0.01 * RNG.standard_t(5, size=1_500) + 3e-4
BONDS = 0.003 * RNG.standard_t(6, size=1_500) + 0.08 * EQUITY + 1e-4


def world(engine: Engine, **changes: Any) -> Scenario:
    return Scenario.model_validate(BUILT_IN[0].model_dump() | {"engine": engine, "premium_power": 0} | changes)


def bond_of(scenario: Scenario, bond: Bond | BondIndex = INDEX, seed: int = 3) -> BondModel:
    return bond_model(bond, scenario, seed=seed, equity=EQUITY, bonds=BONDS)


def legs_of(scenario: Scenario, *, days: int = A, blocks: int = 40) -> tuple[np.ndarray, np.ndarray]:
    model = path_model(scenario, seed=3, history=EQUITY)
    return sample_legs(model, bond_of(scenario), days=days, blocks=blocks)


def within_errors(by_path: np.ndarray, expected: float, errors: float = 3.0) -> None:
    error = by_path.std(ddof=1) / math.sqrt(by_path.size)
    assert abs(by_path.mean() - expected) < errors * error, (by_path.mean(), expected, error)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.4])
def test_the_correlation_and_the_moments_are_the_scenarios(engine: Engine, rho: float) -> None:
    """With jumps and without, and whatever the correlation of the historical days that are drawn."""
    scenario = world(engine, bond_correlation=rho)
    equity, bonds = legs_of(scenario)
    within_errors(A * bonds.mean(axis=0), 0.035)
    x, y = equity - scenario.mu / A, bonds - 0.035 / A
    x, y = x / x.std(), y / y.std()
    # the error of a correlation: that of the product less the share of the two variances
    within_errors((x * y - 0.5 * rho * (x * x + y * y) + rho).mean(axis=0), rho)
    within_errors((A * (bonds - 0.035 / A) ** 2).mean(axis=0), 0.06**2)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_risky_leg_is_the_one_that_it_is_alone(engine: Engine) -> None:
    scenario = world(engine)
    equity, _ = legs_of(scenario, days=30, blocks=2)
    np.testing.assert_array_equal(equity, sample_paths(path_model(scenario, seed=3, history=EQUITY), days=30, blocks=2))


@pytest.mark.parametrize("engine", DRAWS)
def test_both_legs_of_a_day_are_from_one_day_of_the_history(engine: Engine) -> None:
    """With the moments and the correlation of the history, each drawn pair is a pair of the history."""
    mean, deviation = EQUITY.mean(), EQUITY.std()
    scenario = world(
        engine,
        mu=float(A * mean),
        sigma=float(math.sqrt(A) * deviation),
        bond_correlation=float(np.corrcoef(EQUITY, BONDS)[0, 1]),
    )
    index = BondIndex(float(A * BONDS.mean()), float(math.sqrt(A) * BONDS.std()))
    model = path_model(scenario, seed=3, history=EQUITY)
    legs = sample_legs(model, bond_of(scenario, index), days=40, blocks=1)
    if engine == "conditional_bootstrap":  # its days have unequal weights, so that their moments are others
        model = replace(model, history=EQUITY)
        legs = sample_legs(model, replace(bond_of(scenario, index), rows=BONDS), days=40, blocks=1)
    place = {round(float(x), 12): k for k, x in enumerate(EQUITY)}
    for x, y in zip(legs[0].ravel(), legs[1].ravel(), strict=True):
        assert y == pytest.approx(BONDS[place[round(float(x), 12)]], abs=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_sixty_forty_has_the_mean_and_variance_of_the_closed_form(engine: Engine) -> None:
    """Rebalanced monthly without costs; within a month the weights drift, which adds a thousandth to the variance."""
    rho = 0.4
    scenario = world(engine, bond_correlation=rho)
    model = path_model(scenario, seed=3, history=EQUITY)
    mix = StrategyConfig(weight_function="constant", constant_weight=0.6, rebalancing="monthly")
    simulated = simulate(
        lay_out([mix], Mandate(transaction_cost_bps=0.0)),
        model,
        paths=2_560,
        days=A,
        warm_up=5,
        lag=2,
        risk_aversion=2.0,
        bond=bond_of(scenario),
    )
    variance = 0.36 * scenario.sigma**2 + 0.16 * 0.06**2 + 0.48 * rho * scenario.sigma * 0.06
    mean = 0.6 * scenario.mu + 0.4 * 0.035 - A * model.cash
    for name, expected in (("mean", mean / A), ("square", variance / A + (mean / A) ** 2)):
        row = STATISTIC[name]
        error = math.sqrt(simulated.spread[0, row] / (simulated.paths - 1) / simulated.paths)
        assert abs(simulated.mean[0, row] - expected) < 3.0 * error, (name, simulated.mean[0, row], expected, error)


def test_another_correlation_changes_the_paths_of_the_bond() -> None:
    rules = lay_out([StrategyConfig(weight_function="constant", constant_weight=0.6)], Mandate())
    utilities = [
        simulate(
            rules,
            path_model(scenario, seed=3, history=EQUITY),
            paths=64,
            days=60,
            warm_up=5,
            lag=2,
            risk_aversion=2.0,
            bond=bond_of(scenario),
            keep_paths=True,
        ).utilities
        for scenario in (world("bootstrap", bond_correlation=rho) for rho in (-0.4, -0.39))
    ]
    assert not np.array_equal(utilities[0], utilities[1])


def test_parts_with_a_bond_make_the_whole() -> None:
    scenario = world("merton")
    rules = lay_out([StrategyConfig(weight_function="constant", constant_weight=0.6)], Mandate())
    model, bond = path_model(scenario, seed=3), bond_of(scenario)
    settings: dict[str, Any] = {"days": 30, "warm_up": 5, "lag": 2, "risk_aversion": 2.0, "bond": bond}
    parts = [
        simulate_part(rules, model, paths=paths, first_block=first, **settings)
        for paths, first in ((1_024, 0), (64, 16))
    ]
    whole = simulate(rules, model, paths=1_088, **settings)
    np.testing.assert_array_equal(merge_parts(parts).mean, whole.mean)


def test_legs_that_cannot_be_drawn_are_refused() -> None:
    scenario = world("bootstrap")
    with pytest.raises(DataError, match=r"`equity` and `bonds` have shapes None and None; the engine bootstrap draws"):
        bond_model(INDEX, scenario, seed=3)
    with pytest.raises(DataError, match=r"shapes \(1500,\) and \(1499,\)"):
        bond_model(INDEX, scenario, seed=3, equity=EQUITY, bonds=BONDS[1:])
    with pytest.raises(DataError, match=r"`bonds` have a correlation of -1\.000000 with `equity`"):
        bond_model(INDEX, scenario, seed=3, equity=EQUITY, bonds=-0.3 * EQUITY)
    for changes, message in (
        ({"mean_return": 3.0}, "`mean_return` is 3.0; expected -0.1 to 0.3"),
        ({"return_volatility": 0.0}, "`return_volatility` is 0.0; expected above 0, at most 0.5"),
    ):
        with pytest.raises(DataError, match=message):
            BondIndex(**{"mean_return": 0.03, "return_volatility": 0.06} | changes)
