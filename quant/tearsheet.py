"""Everything about one return series: `tearsheet` and the statistics that are also useful alone."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.performance.calendar_returns import CalendarReturns, CrisisReturn
    from quant.performance.crises import HISTORICAL_WINDOWS, HistoricalWindow
    from quant.performance.drawdown_periods import Fall, drawdown_table
    from quant.performance.growth import Drawdown, calendar_years, drawdowns, worst_drawdown
    from quant.performance.held_weights import HeldReturns, held_returns
    from quant.performance.historical_tail import tail_losses
    from quant.performance.regression import AlphaBeta, alpha_beta, tracking_error
    from quant.performance.rolling_windows import Rolling, rolling
    from quant.performance.sharpe_ratio import (
        deflated_sharpe,
        deflated_sharpe_of_series,
        effective_trials,
        expected_maximum_sharpe,
        probabilistic_sharpe,
        sharpe_error,
        sharpe_variance,
    )
    from quant.performance.statistics import STATISTICS, Statistic
    from quant.performance.summary import Leverage, Tearsheet, tearsheet
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "HISTORICAL_WINDOWS",
    "STATISTICS",
    "AlphaBeta",
    "CalendarReturns",
    "CrisisReturn",
    "Drawdown",
    "Fall",
    "HeldReturns",
    "HistoricalWindow",
    "Leverage",
    "Rolling",
    "Statistic",
    "Tearsheet",
    "alpha_beta",
    "calendar_years",
    "deflated_sharpe",
    "deflated_sharpe_of_series",
    "drawdown_table",
    "drawdowns",
    "effective_trials",
    "expected_maximum_sharpe",
    "held_returns",
    "probabilistic_sharpe",
    "rolling",
    "sharpe_error",
    "sharpe_variance",
    "tail_losses",
    "tearsheet",
    "tracking_error",
    "worst_drawdown",
]
