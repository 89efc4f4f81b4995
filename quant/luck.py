"""How much of a search's winner is luck: every test in one place.

Probabilistic and deflated Sharpe ratio, track record and backtest lengths, probability of backtest overfitting,
combinatorial purged cross-validation, walk-forward selection, superior predictive ability, and the verdict's colour.
Everything is per period, never annual, and takes historical series, never simulated days.
"""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.overfitting.cross_validation import (
        PurgedSplit,
        PurgedSplits,
        WalkForward,
        backtest_paths,
        combinatorial_purged_splits,
        walk_forward,
    )
    from quant.overfitting.cscv import OverfittingProbability, SelectionRule, highest_sharpe, probability_of_overfitting
    from quant.overfitting.predictive_ability import Spa, performance_differences, superior_predictive_ability
    from quant.overfitting.selection import Overfitting, backtest_overfitting
    from quant.overfitting.track_record import minimum_backtest_length, minimum_track_record
    from quant.overfitting.verdict import Light, traffic_light
    from quant.overfitting.winner_luck import WinnerLuck, luck_of_winner
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
    "Light",
    "Overfitting",
    "OverfittingProbability",
    "PurgedSplit",
    "PurgedSplits",
    "SelectionRule",
    "Spa",
    "WalkForward",
    "WinnerLuck",
    "backtest_overfitting",
    "backtest_paths",
    "combinatorial_purged_splits",
    "deflated_sharpe",
    "deflated_sharpe_of_series",
    "effective_trials",
    "expected_maximum_sharpe",
    "highest_sharpe",
    "luck_of_winner",
    "minimum_backtest_length",
    "minimum_track_record",
    "performance_differences",
    "probabilistic_sharpe",
    "probability_of_overfitting",
    "sharpe_error",
    "sharpe_variance",
    "superior_predictive_ability",
    "traffic_light",
    "walk_forward",
]
