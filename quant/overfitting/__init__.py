"""Tests of a selection: probability of overfitting, predictive ability, cross-validation and the verdict's colour."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.overfitting.block_length import automatic_block_length
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
    from quant.overfitting.selection import Overfitting, backtest_overfitting, objective_rule
    from quant.overfitting.track_record import minimum_backtest_length, minimum_track_record
    from quant.overfitting.verdict import (
        ADVICE,
        HEADLINES,
        VERDICT,
        Light,
        VerdictRule,
        headline_and_advice,
        reasons_against_green,
        traffic_light,
    )
    from quant.overfitting.winner_luck import WinnerLuck, luck_of_winner
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "ADVICE",
    "HEADLINES",
    "VERDICT",
    "Light",
    "Overfitting",
    "OverfittingProbability",
    "PurgedSplit",
    "PurgedSplits",
    "SelectionRule",
    "Spa",
    "VerdictRule",
    "WalkForward",
    "WinnerLuck",
    "automatic_block_length",
    "backtest_overfitting",
    "backtest_paths",
    "combinatorial_purged_splits",
    "headline_and_advice",
    "highest_sharpe",
    "luck_of_winner",
    "minimum_backtest_length",
    "minimum_track_record",
    "objective_rule",
    "performance_differences",
    "probability_of_overfitting",
    "reasons_against_green",
    "superior_predictive_ability",
    "traffic_light",
    "walk_forward",
]
