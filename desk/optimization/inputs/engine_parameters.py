"""Parameters of the simulation engines, fitted to training days on request."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import spaced
from desk.optimization.request import OptimizationRequest
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS
from quant.worlds.calibration import calibrate
from quant.worlds.scenario import Engine, RegimeState, Scenario

FITTED: Final[Mapping[Engine, tuple[str, ...]]] = {
    "heston": ("mean_reversion", "vol_of_vol", "leverage"),
    "bates": ("mean_reversion", "vol_of_vol", "leverage", "jumps_per_year"),
    "merton": ("jumps_per_year",),
    "garch": ("garch_alpha", "garch_gamma", "garch_beta", "garch_nu"),
    "regime_switching": ("states",),
    "bootstrap": ("mean_block",),
    "conditional_bootstrap": ("mean_block",),
}
"""Fields of a scenario that `fitted` replaces; the other engines have none."""
STATE_NAMES: Final = ("calm", "turbulent")

Fit: TypeAlias = Callable[[Engine], Mapping[str, Any]]


def fit_engine(returns: Floats, engine: Engine) -> dict[str, Any]:
    """The parameters of an engine that daily returns of training days have; raises `InvalidInput` if they have none."""
    try:
        fitted = calibrate(np.ascontiguousarray(returns), "bootstrap" if engine == "conditional_bootstrap" else engine)
    except DataError as error:
        raise InvalidInput(
            "engine_parameters",
            "fitted",
            reason=f"the engine {engine} has no fit on the training days: {error}",
            allowed="default, or another engine",
        ) from error
    return {name: getattr(fitted.scenario, name) for name in FITTED.get(engine, ())}


def with_fitted_engines(request: OptimizationRequest, fit: Fit) -> OptimizationRequest:
    """The request whose scenarios have the fitted parameters of their engines; means and volatilities stay."""
    return request.model_copy(update={"scenarios": tuple(_fitted(scenario, fit) for scenario in request.scenarios)})


def describe_engines(scenarios: tuple[Scenario, ...]) -> str:
    """What a result says about fitted parameters, as a sentence."""
    values: dict[str, None] = {}
    for scenario in scenarios:
        for name in FITTED.get(scenario.engine, ()):
            if name != "states":
                values[f"{spaced(name)} {getattr(scenario, name):.3g}"] = None
            elif _is_fitted(scenario):
                days = ", ".join(f"{state.name} for {state.mean_days:.0f} sessions" for state in scenario.states)
                values[f"states: {days}"] = None
    return f"The parameters of the engines are fitted to the training days: {'; '.join(values)}."


def _fitted(scenario: Scenario, fit: Fit) -> Scenario:
    if scenario.engine not in FITTED or (scenario.states and not _is_fitted(scenario)):
        return scenario  # states of its own, such as those of the cycle, are the scenario
    update = dict(fit(scenario.engine))
    if "states" in update:
        update["states"] = _states_around(update["states"], mu=scenario.mu, sigma=scenario.sigma)
    return Scenario.model_validate(scenario.model_dump() | update)


def _is_fitted(scenario: Scenario) -> bool:
    return tuple(state.name for state in scenario.states) == STATE_NAMES


def _states_around(states: tuple[RegimeState, ...], *, mu: float, sigma: float) -> list[dict[str, Any]]:
    """The states with the mean and the volatility of a scenario; their ratios and durations stay."""
    total = math.fsum(state.mean_days for state in states)
    shares = [state.mean_days / total for state in states]
    mean = math.fsum(share * state.mu for share, state in zip(shares, states, strict=True))
    # of a day: the variance within the states, and that of their means
    variance = math.fsum(
        share * (state.sigma * state.sigma / DAYS + ((state.mu - mean) / DAYS) ** 2)
        for share, state in zip(shares, states, strict=True)
    )
    scale = sigma / math.sqrt(DAYS * variance)
    return [
        state.model_dump() | {"mu": mu + scale * (state.mu - mean), "sigma": scale * state.sigma} for state in states
    ]
