"""Risk of a portfolio: tail losses, contributions, backtests and stress."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.risk.backtest import (
        ConditionalCoverage,
        Coverage,
        LikelihoodRatio,
        christoffersen,
        kupiec,
        rolling_value_at_risk,
    )
    from quant.risk.correlation_stress import (
        ReverseStress,
        equicorrelation,
        reverse_stress,
        stressed_correlation,
        stressed_covariance,
    )
    from quant.risk.portfolio import Contributions, component_contributions, portfolio_returns
    from quant.risk.stress import FactorShock, WindowLoss, factor_exposures, factor_shock, stress_table
    from quant.risk.tails import TailLoss, expected_shortfall, tail_risk, value_at_risk
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "ConditionalCoverage",
    "Contributions",
    "Coverage",
    "FactorShock",
    "LikelihoodRatio",
    "ReverseStress",
    "TailLoss",
    "WindowLoss",
    "christoffersen",
    "component_contributions",
    "equicorrelation",
    "expected_shortfall",
    "factor_exposures",
    "factor_shock",
    "kupiec",
    "portfolio_returns",
    "reverse_stress",
    "rolling_value_at_risk",
    "stress_table",
    "stressed_correlation",
    "stressed_covariance",
    "tail_risk",
    "value_at_risk",
]
