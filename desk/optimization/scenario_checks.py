"""Checks before a search that simulated paths have the moments that their scenarios state."""

import hashlib
import struct

import numpy as np

from desk.base.errors import InvalidInput
from desk.optimization.evaluation import World
from desk.optimization.scenario_check_schemas import Moment, ScenarioCheck, ScenarioChecks
from quant.worlds.diagnostics import diagnose, without_standard_error
from quant.worlds.paths import PathModel
from quant.worlds.scenario import Scenario

GATES = {"mean": "mean", "volatility": "volatility", "wealth": "mean growth"}
"""Moments that must match: those that a scenario states and, where the daily mean is known, mean growth.

A moment without a standard error, as the volatility of GARCH whose fourth moment is infinite, is only reported."""
MAX_STANDARD_ERRORS = 5.0
"""Tolerance in standard errors; rejects few valid requests, as far as the errors are those of a normal law."""
MIN_PATHS = 1_000
"""Minimum number of checked paths; the first ones are those of the search."""
MAX_PATHS = 10_000
"""Maximum number of checked paths, whose errors are a tenth of a percent of the volatility."""


def check_paths(world: World) -> ScenarioChecks:
    """Check the paths of every scenario."""
    return ScenarioChecks(
        scenarios=tuple(check_scenario(scenario, world.model(scenario)) for scenario in world.request.scenarios)
    )


def check_scenario(scenario: Scenario, model: PathModel) -> ScenarioCheck:
    diagnostics = diagnose(scenario, model, paths=min(max(scenario.paths, MIN_PATHS), MAX_PATHS))
    gates = GATES.keys() - without_standard_error(scenario, model)
    return ScenarioCheck(
        scenario=scenario.name,
        engine=scenario.engine,
        model=model_digest(model),
        paths=diagnostics.paths,
        days=diagnostics.days,
        moments=tuple(
            Moment(
                name=check.name,
                implied=check.implied,
                simulated=check.simulated,
                error=check.error,
                passed=_holds(check.implied, check.simulated, check.error) if check.name in gates else None,
            )
            for check in diagnostics.checks
        ),
        drawdowns={f"{q:.2f}": fall for q, fall in diagnostics.drawdowns.items()},
    )


def _holds(implied: float | None, simulated: float, error: float) -> bool | None:
    return (
        None
        if implied is None
        else abs(simulated - implied) <= MAX_STANDARD_ERRORS * error + 1e-12 * max(1.0, abs(implied))
    )


def require_passed(*checks: ScenarioCheck) -> None:
    """Raise `InvalidInput` for the first scenario whose paths deviate."""
    for check, moment in ((each, moment) for each in checks for moment in each.failures):
        measurement = f"the {GATES[moment.name]} of its paths is {moment.simulated:.6g} +- {moment.error:.2g}"
        raise InvalidInput(
            f"scenarios.{check.scenario}",
            moment.simulated,
            reason=f"{measurement} where it states {moment.implied:.6g}",
            allowed=f"paths within {MAX_STANDARD_ERRORS:.0f} standard errors of what the scenario states",
            code="scenario_gate",
        )


def model_digest(model: PathModel) -> str:
    content = hashlib.sha256(b"stratigos path model 1\n")
    content.update(struct.pack("<qdQ", model.code, model.cash, model.key))
    for array in (model.numbers, model.states, model.stay, model.history):
        content.update(struct.pack("<q", array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape))
        content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return content.hexdigest()


def require_same_models(world: World, checks: ScenarioChecks) -> None:
    """Reject a simulation whose models differ from the checked ones."""
    checked_models = {check.scenario: check.model for check in checks.scenarios}
    for scenario in world.request.scenarios:
        now = model_digest(world.model(scenario))
        if checked_models.get(scenario.name) != now:
            raise InvalidInput(
                f"scenarios.{scenario.name}",
                now[:16],
                reason="its model is not the checked one",
                allowed=f"the digest {checked_models[scenario.name][:16]}"
                if scenario.name in checked_models
                else "a scenario of scenarios.json",
                code="other_scenario",
            )
