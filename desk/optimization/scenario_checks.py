"""Checks before a search that simulated paths have the moments that their scenarios state."""

import hashlib
import math
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from desk.base.errors import InvalidInput
from desk.optimization.evaluation import World
from desk.optimization.inputs.safe_leg import bond_of
from desk.optimization.scenario_check_schemas import Moment, ScenarioCheck, ScenarioChecks
from quant.numeric.arrays import Floats
from quant.numeric.random_numbers import LANES
from quant.numeric.thread_count import thread_count
from quant.numeric.units import DAYS
from quant.worlds.bond import Bond, BondIndex
from quant.worlds.diagnostics import diagnose, without_standard_error
from quant.worlds.legs import sample_legs
from quant.worlds.paths import PathModel
from quant.worlds.scenario import Scenario

GATES = {"mean": "mean", "volatility": "volatility", "wealth": "mean growth"}
"""Moments that must match: those that a scenario states and, where the daily mean is known, mean growth.

A moment without a standard error, as the volatility of GARCH whose fourth moment is infinite, is only reported."""
MAX_STANDARD_ERRORS = 5.0
"""Tolerance in standard errors; rejects few valid requests, as far as the errors are those of a normal law."""
MIN_PATHS = 1_000
"""Minimum number of checked paths; the first ones are those of the search."""
BOND_GATES = {"bond mean": "mean of the bond", "bond correlation": "correlation of the legs"}
"""The same for the safe leg; the volatility of a bond that yields price is known to the first order only."""
BOND_YEARS = 5
"""Years of the paths of both legs; the first ones."""
MAX_PATHS = 10_000
"""Maximum number of checked paths, whose errors are a tenth of a percent of the volatility."""


def check_paths(world: World) -> ScenarioChecks:
    """Check the paths of every scenario."""

    def check(scenario: Scenario) -> ScenarioCheck:
        return check_scenario(scenario, world.model(scenario), check_bond(world, scenario))

    with ThreadPoolExecutor(thread_count()) as pool:
        return ScenarioChecks(scenarios=tuple(pool.map(check, world.request.scenarios)))


def check_bond(world: World, scenario: Scenario) -> tuple[Moment, ...]:
    """Mean and volatility of the simulated bond, and its correlation with the risky leg; none where cash is held.

    Errors are those over paths, of the correlation by the delta method.
    """
    bond, model = world.bond(scenario), world.model(scenario)
    if bond is None or world.market.bond is None:
        return ()
    leg = bond_of(world.market.bond, scenario, slice(0, world.market.train.stop))
    days = min(scenario.years, BOND_YEARS) * DAYS
    equity, bonds = sample_legs(model, bond, days=days, blocks=-(-MIN_PATHS // LANES))
    means = bonds.mean(axis=0)
    y, x = bonds - means.mean(), equity - equity.mean()
    xx, yy, xy = (np.mean(product, axis=0) for product in (x * x, y * y, x * y))
    deviation = math.sqrt(float(yy.mean()))
    correlation = float(xy.mean()) / (math.sqrt(float(xx.mean())) * deviation)
    slopes = xy / (math.sqrt(float(xx.mean())) * deviation) - 0.5 * correlation * (xx / xx.mean() + yy / yy.mean())
    rows = (
        ("bond mean", leg.mean_return, DAYS * float(means.mean()), DAYS * _error(means)),
        (
            "bond volatility",
            leg.return_volatility,
            math.sqrt(DAYS) * deviation,
            math.sqrt(DAYS) * _error(yy) / (2.0 * deviation),
        ),
        ("bond correlation", scenario.bond_correlation, correlation, _error(slopes)),
    )
    return tuple(
        Moment(
            name=name,
            implied=implied,
            simulated=simulated,
            error=error,
            passed=_holds(implied, simulated, error) if name in _bond_gates(scenario, model, leg) else None,
        )
        for name, implied, simulated, error in rows
    )


def _bond_gates(scenario: Scenario, model: PathModel, leg: Bond | BondIndex) -> frozenset[str]:
    """What must match: nothing of a replay, whose paths share their days, and no correlation without an error."""
    if scenario.engine == "replay":
        return frozenset()
    known = isinstance(leg, BondIndex) and not without_standard_error(scenario, model)
    return frozenset(BOND_GATES) if known else frozenset({"bond mean"})


def _error(values: Floats) -> float:
    """Standard error of the mean over paths."""
    return float(np.std(values, ddof=1)) / math.sqrt(values.size)


def check_scenario(scenario: Scenario, model: PathModel, bond: tuple[Moment, ...] = ()) -> ScenarioCheck:
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
        )
        + bond,
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
        measurement = (
            f"the {(GATES | BOND_GATES)[moment.name]} of its paths is {moment.simulated:.6g} +- {moment.error:.2g}"
        )
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
