"""Tests for luck: luck of the winner, probability of loss, overfitting, deflated Sharpe ratio (method, section 5)."""

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
    luck_of_winner,
    minimum_track_record,
    probabilistic_sharpe,
    sharpe_error,
    sharpe_variance,
    superior_predictive_ability,
)
from quant.numeric.arrays import Floats
from quant.numeric.moments import kurtosis, moments, skewness
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.overfitting.predictive_ability import utility_contributions
from quant.overfitting.stationary_bootstrap import resampled_means
from quant.strategies.search import stream_seed
from quant.strategies.trial import Trial


@dataclass(frozen=True)
class Records:
    """Daily excess returns over train and validate, net of costs, shape (T,)."""

    winner: Floats
    benchmark: Floats
    """Constant weight of the winner's volatility on training days."""
    asset: Floats


def judge_luck(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    winner: Trial,
    records: Records,
    ledger_trials: int,
    earlier: Sequence[Floats] = (),
) -> Luck:
    """Judge the winner; `earlier` are series (2, T) of other trials of the ledger, which end on the last judged day.

    They enter the test of the best trial, on the days of this run; a shorter one is not covered.
    """
    request = world.request
    gamma = request.mandate.risk_aversion
    everyone = np.column_stack([series[t.series][0] for t in trials])
    place = next(k for k, trial in enumerate(trials) if trial.digest == winner.digest)
    own = world.own_benchmarks(everyone)
    active = everyone[:, place] - own[:, place]
    unsteered = [k for k, t in enumerate(trials) if t.origin == "sobol"]
    unsteered = unsteered if len(unsteered) > 1 else list(range(len(trials)))
    eligible = [k for k, t in enumerate(trials) if is_selectable(request, t)]
    if len(eligible) < 2:  # a single eligible trial cannot be overfitted; use all trials instead
        eligible = list(range(len(trials)))
    simulated, weights = goal_values(request, trials)[:, :-1], objective_weights(world)
    others = [excess[-everyone.shape[0] :] for excess, _ in earlier if excess.size >= everyone.shape[0]]
    tried = np.column_stack([everyone, *others])
    tried_benchmarks = np.column_stack([own, world.own_benchmarks(tried[:, len(trials) :])]) if others else own
    train_days = world.market.train.stop - world.market.train.start

    luck = luck_of_winner(
        tried,
        tried_benchmarks,
        winner=place,
        train_days=train_days,
        risk_aversion=gamma,
        asset_volatility=moments(records.asset).deviation * math.sqrt(DAYS),
        seed=stream_seed(request.seed, "luck"),
        # the rule cannot choose an earlier trial, so that its simulated terms do not matter
        simulated=np.vstack([simulated, np.zeros((len(others), simulated.shape[1]))]),
        weights=weights,
        goal=request.goal,
        target_volatility=request.mandate.target_volatility,
        # an agent's candidate is not chosen by the rule alone
        eligible=eligible if place in eligible and winner.origin != "candidate" else (),
    )
    overfit = backtest_overfitting(
        everyone[:, eligible],
        risk_aversion=gamma,
        simulated=simulated[eligible],
        weights=weights,
        goal=request.goal,
        target_volatility=request.mandate.target_volatility,
        benchmarks=own[:, eligible],
    )
    spa = superior_predictive_ability(
        utility_contributions(everyone, gamma) - utility_contributions(own, gamma),
        seed=stream_seed(request.seed, "spa"),
    )
    late = np.ascontiguousarray(everyone[train_days:, [place]])
    advantage, validate_t = _advantage(
        late, world.own_benchmarks(late, world.market.validate), gamma, luck.mean_block,
        stream_seed(request.seed, "validate"),
    )  # fmt: skip
    ratio = moments(active)
    spread = {"skewness": skewness(active), "kurtosis": kurtosis(active)} if ratio.varies else {}
    length = minimum_track_record(ratio.sharpe, **spread) if min(luck.statistic, ratio.sharpe) > 0.0 else None
    return Luck(
        trials=len(trials),
        ledger_trials=ledger_trials,
        uncovered_trials=ledger_trials - len(trials) - len(others),
        observations=records.winner.size,
        winner_p=luck.p_value,
        single_step_p=luck.single_step_p_value,
        active_t=luck.statistic,
        active_utility_bps=BASIS_POINTS * luck.active_utility,
        active_error_bps=BASIS_POINTS * luck.error,
        mean_block=luck.mean_block,
        own_benchmarks=luck.own_benchmarks,
        loss=overfit.loss_probability,
        validate_t=validate_t,
        sharpe=moments(records.winner).sharpe * math.sqrt(DAYS),
        deflated_sharpe=deflated_sharpe_of_series(
            records.winner, variance=sharpe_variance(everyone[:, unsteered]), trials=ledger_trials
        ),
        probabilistic_sharpe=probabilistic_sharpe(ratio.sharpe, observations=active.size, **spread),
        active_sharpe=ratio.sharpe * math.sqrt(DAYS),
        active_deflated_sharpe=deflated_sharpe_of_series(
            active,
            variance=sharpe_error(0.0, observations=active.size, skewness=0.0, kurtosis=3.0) ** 2,
            trials=ledger_trials,
        ),
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


def _advantage(returns: Floats, benchmark: Floats, gamma: float, block: int, seed: int) -> tuple[float, float]:
    """Active utility a year of one column, and its ratio to its bootstrap error (0 if it does not vary)."""
    active = utility_contributions(returns, gamma) - utility_contributions(benchmark, gamma)
    means = resampled_means(active, seed=seed, mean_block=min(block, active.shape[0] // 4))
    error = moments(means[:, 0]).deviation
    mean = float(np.sum(active)) / active.shape[0]
    return DAYS * mean, mean / error if error > 0.0 else 0.0
