"""Engine parameters of the training days, in place of those that a scenario states."""

import math
from dataclasses import replace

import numpy as np
import pytest

from desk.base.errors import InvalidInput
from desk.optimization.evaluation import World
from desk.optimization.inputs.engine_parameters import FITTED, describe_engines, fit_engine, with_fitted_engines
from desk.optimization.request import OptimizationRequest
from quant.worlds.calibration import calibrate
from quant.worlds.scenario import BUILT_IN, CYCLE, RegimeState

SMALL = BUILT_IN[0].model_copy(update={"paths": 100, "years": 1})


@pytest.mark.parametrize("engine", ["garch", "merton"])
def test_a_scenario_has_the_parameters_of_the_training_days_alone(world, make_request, engine) -> None:
    scenario = SMALL.model_copy(update={"engine": engine})
    request = make_request(engine_parameters="fitted", scenarios=(scenario,))
    fitted = World(world.market, request).request.scenarios[0]
    expected = calibrate(world.market.asset[: world.market.train.stop], engine).scenario
    for name in FITTED[engine]:
        assert getattr(fitted, name) == getattr(expected, name)
    assert (fitted.mu, fitted.sigma, fitted.probability) == (scenario.mu, scenario.sigma, scenario.probability)
    later = replace(world.market, train=slice(world.market.train.start, world.market.train.stop - 500))
    assert World(later, request).request.scenarios[0] != fitted
    assert World(world.market, World(world.market, request).request).request == World(world.market, request).request


def test_fitted_states_keep_the_mean_and_the_volatility_of_their_scenario() -> None:
    states = (
        RegimeState(name="calm", mu=0.12, sigma=0.10, mean_days=300),
        RegimeState(name="turbulent", mu=-0.08, sigma=0.30, mean_days=60),
    )
    scenario = SMALL.model_copy(update={"engine": "regime_switching", "mu": 0.05, "sigma": 0.24})
    request = OptimizationRequest(scenarios=(scenario, CYCLE.model_copy(update={"paths": 100, "years": 1})))
    fitted, cycle = with_fitted_engines(request, lambda _: {"states": states}).scenarios
    assert cycle.states == CYCLE.states, "the states of the cycle are the scenario"
    shares = np.array([300.0, 60.0]) / 360.0
    means, deviations = (np.array([getattr(state, name) for state in fitted.states]) for name in ("mu", "sigma"))
    mean = shares @ means
    variance = shares @ (deviations**2 / 252 + ((means - mean) / 252) ** 2)
    assert mean == pytest.approx(0.05)
    assert math.sqrt(252 * variance) == pytest.approx(0.24)
    assert deviations[1] / deviations[0] == pytest.approx(3.0)
    again = with_fitted_engines(request.model_copy(update={"scenarios": (fitted,)}), lambda _: {"states": states})
    assert again.scenarios == (fitted,)
    assert "calm for 300 sessions" in describe_engines((fitted,))


def test_days_that_an_engine_cannot_be_fitted_to_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"garch has no fit on the training days.*default, or another engine"):
        fit_engine(np.random.default_rng(0).normal(0.0003, 0.01, 100), "garch")


def test_the_default_is_the_request_that_it_was() -> None:
    assert "engine_parameters" not in OptimizationRequest().model_dump()
    assert OptimizationRequest(engine_parameters="fitted").content_digest() != OptimizationRequest().content_digest()
