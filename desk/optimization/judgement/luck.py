"""Tests for luck: deflated Sharpe ratio, overfitting, superior predictive ability (method, section 5)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from desk.optimization.evaluation import World, goal_values
from desk.optimization.judgement.finalists import objective_weights
from desk.optimization.result import Luck
from desk.optimization.search.search import is_selectable
from quant.luck import (
    backtest_overfitting,
    deflated_sharpe_of_series,
    effective_trials,
    minimum_track_record,
    performance_differences,
    sharpe_variance,
    superior_predictive_ability,
)
from quant.numeric.arrays import Floats
from quant.numeric.moments import kurtosis, moments, skewness
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.strategies.history_metrics import utility
from quant.strategies.search import stream_seed
from quant.strategies.trial import Trial


@dataclass(frozen=True)
class Records:
    """Daily excess returns over train and validate, net of costs, shape (T,)."""

    winner: Floats
    benchmark: Floats
    asset: Floats


def judge_luck(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    records: Records,
    ledger_trials: int,
) -> Luck:
    request = world.request
    gamma = request.mandate.risk_aversion
    everyone = np.column_stack([series[t.series][0] for t in trials])
    start = [k for k, t in enumerate(trials) if t.origin == "sobol"]
    unsteered = everyone[:, start] if len(start) > 1 else everyone
    eligible = [k for k, t in enumerate(trials) if is_selectable(request, t)]
    if len(eligible) < 2:  # a single eligible trial cannot be overfitted; use all trials instead
        eligible = list(range(len(trials)))
    active = records.winner - records.benchmark
    active_variance = sharpe_variance(unsteered - records.benchmark[:, None])

    overfit = backtest_overfitting(
        everyone[:, eligible],
        risk_aversion=gamma,
        simulated=goal_values(request, [trials[k] for k in eligible])[:, :-1],
        weights=objective_weights(world),
        goal=request.goal,
    )
    spa = superior_predictive_ability(
        performance_differences(everyone, records.benchmark, gamma), seed=stream_seed(request.seed, "spa")
    )
    late = slice(world.market.validate.start - world.market.train.start, None)
    advantage = utility(records.winner[late], gamma) - utility(records.benchmark[late], gamma)
    sharpe = moments(active).sharpe
    length = None
    if sharpe > 0.0:
        length = minimum_track_record(sharpe, skewness=skewness(active), kurtosis=kurtosis(active))
    return Luck(
        trials=len(trials),
        ledger_trials=ledger_trials,
        observations=records.winner.size,
        sharpe=moments(records.winner).sharpe * math.sqrt(DAYS),
        deflated_sharpe=deflated_sharpe_of_series(
            records.winner, variance=sharpe_variance(unsteered), trials=ledger_trials
        ),
        active_sharpe=sharpe * math.sqrt(DAYS),
        active_deflated_sharpe=deflated_sharpe_of_series(active, variance=active_variance, trials=ledger_trials),
        overfitting=overfit.probability,
        overfitting_low=overfit.low,
        overfitting_high=overfit.high,
        overfitting_sharpe=overfit.sharpe_probability,
        dropped_rows=overfit.rows_dropped,
        logits=tuple(zip(overfit.logit_edges[:-1], overfit.logit_counts, strict=True)),
        spa_p=spa.p_value,
        minimum_track_record_years=None if length is None else length / DAYS,
        effective_trials=effective_trials(everyone),
        validate_advantage_bps=BASIS_POINTS * advantage,
    )
