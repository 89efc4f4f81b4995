"""How much of a search's winner is luck: every test in one place.

Probabilistic and deflated Sharpe ratio, track record and backtest lengths, probability of backtest overfitting,
combinatorial purged cross-validation, walk-forward selection, superior predictive ability, and the verdict's colour.
Everything is per period, never annual, and takes historical series, never simulated days.
"""

from typing import TYPE_CHECKING

from quant import overfitting
from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.overfitting import *
    from quant.performance.sharpe_ratio import (
        deflated_sharpe,
        deflated_sharpe_of_series,
        effective_trials,
        expected_maximum_sharpe,
        probabilistic_sharpe,
        sharpe_error,
        sharpe_variance,
    )
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "deflated_sharpe",
    "deflated_sharpe_of_series",
    "effective_trials",
    "expected_maximum_sharpe",
    "probabilistic_sharpe",
    "sharpe_error",
    "sharpe_variance",
]
__all__ += overfitting.__all__
