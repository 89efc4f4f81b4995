"""Simulated markets: scenarios, engines, calibration, diagnostics, regimes, bond and cash legs."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.worlds.bond import Bond, BondIndex, BondModel, BondPaths, bond_model, bond_paths
    from quant.worlds.bond_proxy import BondHistory, bond_history, par_bond_history, par_duration
    from quant.worlds.calibration import (
        Calibration,
        ImpliedStatistics,
        calibrate,
        empirical_scenario,
        implied_statistics,
        shocked_scenarios,
    )
    from quant.worlds.cash import accrual
    from quant.worlds.diagnostics import Check, Diagnostics, diagnose
    from quant.worlds.hidden_markov import HiddenMarkov, filtered_probabilities, fit_hidden_markov
    from quant.worlds.joint import JointModel, joint_model, sample_joint
    from quant.worlds.joint_history import FilteredResiduals, filtered_residuals
    from quant.worlds.legs import sample_legs
    from quant.worlds.paths import PathModel, path_model, sample_paths
    from quant.worlds.regime_evidence import RegimeEvidence, examine_regimes
    from quant.worlds.regimes import Labels, labels, market_state, trend_state, volatility_state, weighted_volatility
    from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, RegimeState, Scenario
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "BUILT_IN",
    "CYCLE",
    "Bond",
    "BondHistory",
    "BondIndex",
    "BondModel",
    "BondPaths",
    "Calibration",
    "Check",
    "Diagnostics",
    "Engine",
    "FilteredResiduals",
    "HiddenMarkov",
    "ImpliedStatistics",
    "JointModel",
    "Labels",
    "PathModel",
    "RegimeEvidence",
    "RegimeState",
    "Scenario",
    "accrual",
    "bond_history",
    "bond_model",
    "bond_paths",
    "calibrate",
    "diagnose",
    "empirical_scenario",
    "examine_regimes",
    "filtered_probabilities",
    "filtered_residuals",
    "fit_hidden_markov",
    "implied_statistics",
    "joint_model",
    "labels",
    "market_state",
    "par_bond_history",
    "par_duration",
    "path_model",
    "sample_joint",
    "sample_legs",
    "sample_paths",
    "shocked_scenarios",
    "trend_state",
    "volatility_state",
    "weighted_volatility",
]
