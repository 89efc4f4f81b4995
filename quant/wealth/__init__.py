"""Simulated wealth of a portfolio with cash flows, fees and inflation."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.wealth.montecarlo import Trajectory, paths_for_error, simulate_wealth, trajectories, trajectory
    from quant.wealth.summary import Distribution, TerminalRisk, WealthSummary
    from quant.wealth.terms import AccountTerms
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "AccountTerms",
    "Distribution",
    "TerminalRisk",
    "Trajectory",
    "WealthSummary",
    "paths_for_error",
    "simulate_wealth",
    "trajectories",
    "trajectory",
]
