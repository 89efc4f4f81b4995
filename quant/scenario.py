"""Scenarios in one place: their type, the built-in ones, calibration, the paths they simulate and their diagnostics."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.worlds.calibration import (
        Calibration,
        ImpliedStatistics,
        calibrate,
        empirical_scenario,
        implied_statistics,
        shocked_scenarios,
    )
    from quant.worlds.diagnostics import Check, Diagnostics, diagnose
    from quant.worlds.paths import PathModel, path_model, sample_paths
    from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, RegimeState, Scenario
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "BUILT_IN",
    "CYCLE",
    "Calibration",
    "Check",
    "Diagnostics",
    "Engine",
    "ImpliedStatistics",
    "PathModel",
    "RegimeState",
    "Scenario",
    "calibrate",
    "diagnose",
    "empirical_scenario",
    "implied_statistics",
    "path_model",
    "sample_paths",
    "shocked_scenarios",
]
