"""Luck of a search's winner: how often a search without skill ends with so good a winner."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_matrix
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.overfitting.block_length import automatic_block_length
from quant.overfitting.predictive_ability import utility_contributions
from quant.overfitting.ranks import first_maximum
from quant.overfitting.stationary_bootstrap import add_blocks, cumulate
from quant.strategies.goal import RATIO_GOALS, Goal
from quant.strategies.objective import GOAL_CODES, checked_target, checked_weights, score_into

SHORTEST_BLOCK = 21
"""Least mean block of the resamples, in sessions."""
LEAST_TRACKING = 0.001
"""Annual tracking below which a trial counts as its own benchmark, at the least."""
LEAST_RELATIVE_TRACKING = 0.01
"""The same as a share of the asset's volatility."""

_TERMS: dict[Goal, int] = {"benefit": 0, "volatility_error": 2}
"""The history term of a world without skill, as `_resample` names it; 1 for the other goals."""


@dataclass(frozen=True)
class WinnerLuck:
    """Tests of the winner's active utility against what luck gives the best of all trials."""

    p_value: float | None
    """Share of resamples without skill in which the trial chosen by the rule reaches the winner's t-ratio; None where
    the choice cannot be rerun."""
    single_step_p_value: float
    """The same for the highest t-ratio of any trial: valid for every way to choose, and conservative."""
    statistic: float
    """The winner's t-ratio: mean daily active utility over its bootstrap error; 0 if it is its own benchmark."""
    active_utility: float
    """The winner's active utility over all days, an annual fraction."""
    error: float
    """Bootstrap error of `active_utility`."""
    tracking: float
    """Annual deviation of the winner's daily active utility, blocks included."""
    own_benchmarks: int
    """Trials that count as their own benchmark: their active return is nearly zero."""
    mean_block: int
    replications: int


@checked_arguments
def luck_of_winner(
    excess: ArrayLike | Returns,
    benchmarks: ArrayLike | Returns,
    *,
    winner: int,
    train_days: int,
    risk_aversion: float,
    asset_volatility: float,
    seed: int,
    simulated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    goal: Goal = "robust_utility",
    target_volatility: float | None = None,
    eligible: Sequence[int] | None = None,
    replications: int = 2000,
    mean_block: int | None = None,
) -> WinnerLuck:
    r"""Test the winner of a search against the luck of the best of all trials.

    The active utility of trial k on day t is that of its excess return less that of its own benchmark, the constant
    weight of its own volatility. Resamples draw blocks of days (stationary bootstrap) apart within train and within
    validate, the same days for all trials; with e1 and e2 the centred means, :math:`e_k = (n_1 e_{1k} + n_2 e_{2k})/n`
    and :math:`t_k = \bar d_k / s_k`, :math:`s_k` the deviation of :math:`e_k`.

    In each resample the selection runs anew in a world without skill: the history term of a trial is the utility of its
    benchmark on the drawn training days plus :math:`252\, e_{1k}`, the simulated terms stay. For the goal ``benefit``,
    which leaves out the benchmark's utility, it is :math:`252\, e_{1k}` alone; for ``volatility_error``, which no skill
    enters, the negative error of the benchmark's volatility on the drawn training days. `p_value` is
    :math:`(1 + \#\{e_{k^*}/s_{k^*} \ge t_w\})/(B + 1)`, `single_step_p_value` the same with the largest of all
    :math:`e_k / s_k` (Romano and Wolf 2005).

    Parameters
    ----------
    excess : array_like, shape (T, K)
        Daily excess returns over train and validate of all trials, screened ones and earlier searches' included.
    benchmarks : array_like, shape (T, K)
        Daily excess returns of each trial's own constant weight, net of costs.
    winner : int
        Column of the winner.
    train_days : int
        Rows of train; the others are validate. Each part has at least 20.
    risk_aversion : float
        Gamma, positive.
    asset_volatility : float
        Annual, of the risky leg; positive.
    seed : int
        Seed of the resamples, not negative.
    simulated : array_like, shape (K, S), optional
        Values of the goal's metric (utility, or benefit) in the simulated scenarios; without them the history term
        alone decides.
    weights : array_like, shape (S + 1,), optional
        Probabilities of the scenarios and, last, of history; required with `simulated`.
    goal : Goal
        What the search maximised. The choice by ``sharpe`` and ``calmar`` is not rerun: their history term is no sum
        over days.
    target_volatility : float, optional
        Annual fraction, required by the goal ``volatility_error``.
    eligible : sequence of int, optional
        Columns that the rule may choose; all by default. Empty if the choice cannot be rerun.
    replications : int
        B, at least 500.
    mean_block : int, optional
        Expected sessions of a block; by default the automatic length of the winner's active utility, at least 21 and
        at most an eighth of the shorter part.

    Returns
    -------
    WinnerLuck

    Raises
    ------
    DataError
        If shapes differ, a value is not finite, or an argument lies outside its range.

    References
    ----------
    Romano and Wolf (2005), "Stepwise multiple testing as formalized data snooping", Econometrica 73(4).
    Politis and Romano (1994), "The stationary bootstrap", Journal of the American Statistical Association 89(428).
    """
    returns = checked_matrix(excess, name="excess", shortest=40)
    own = checked_matrix(benchmarks, name="benchmarks", shortest=40)
    days, trials = returns.shape
    _check_shapes(returns, own, winner, train_days)
    if not (math.isfinite(asset_volatility) and asset_volatility > 0.0):
        raise DataError(f"`asset_volatility` must be positive; got {asset_volatility!r}")
    if replications < 500 or seed < 0 or (mean_block is not None and mean_block < 1):
        raise DataError(
            "needs replications >= 500, seed >= 0 and mean_block >= 1; "
            f"got {replications!r}, {seed!r} and {mean_block!r}"
        )
    target = checked_target(goal, target_volatility)
    columns = _eligible_columns(eligible, trials)
    terms, probabilities = _history_free_terms(simulated, weights, trials)

    active = utility_contributions(returns, risk_aversion) - utility_contributions(own, risk_aversion)
    if mean_block is None:
        longest = max(SHORTEST_BLOCK, min(train_days, days - train_days) // 8)
        mean_block = min(max(SHORTEST_BLOCK, automatic_block_length(active[:, winner])), longest)

    sums = np.zeros((3, days + 1, trials))
    for part, rows in enumerate((active, own, own * own)):
        cumulate(rows, sums[part])
    errors = np.empty((replications, trials))
    terms_without_skill = np.empty((replications, trials))
    _resample(
        sums, train_days, float(mean_block), np.uint64(seed), risk_aversion, _TERMS.get(goal, 1), target, errors,
        terms_without_skill,
    )  # fmt: skip

    scales = np.empty(trials)
    means = np.empty(trials)
    _scale(errors, sums[0, days], float(days), scales, means)
    tracking = scales * math.sqrt(DAYS * days)
    own_benchmark = tracking < max(LEAST_TRACKING, LEAST_RELATIVE_TRACKING * asset_volatility)
    statistic = 0.0 if own_benchmark[winner] else float(means[winner] / scales[winner])

    inverse = np.where(own_benchmark, 0.0, 1.0 / np.where(own_benchmark, 1.0, scales))
    highest = _highest_ratios(errors, inverse, ~own_benchmark)
    p_value = None
    if columns.size and goal not in RATIO_GOALS:
        chosen = np.empty(replications, dtype=np.int64)
        _select(terms[columns], probabilities, GOAL_CODES[goal], terms_without_skill[:, columns], chosen)
        ratios = (errors * inverse)[np.arange(replications), columns[chosen]]
        p_value = float((1 + np.count_nonzero(ratios >= statistic)) / (replications + 1))
    return WinnerLuck(
        p_value=p_value,
        single_step_p_value=float((1 + np.count_nonzero(highest >= statistic)) / (replications + 1)),
        statistic=statistic,
        active_utility=float(DAYS * means[winner]),
        error=float(DAYS * scales[winner]),
        tracking=float(tracking[winner]),
        own_benchmarks=int(np.count_nonzero(own_benchmark)),
        mean_block=mean_block,
        replications=replications,
    )


def _check_shapes(returns: Floats, own: Floats, winner: int, train_days: int) -> None:
    days, trials = returns.shape
    if own.shape != returns.shape:
        raise DataError(f"`benchmarks` must have the shape of `excess`, {returns.shape}; got {own.shape}")
    if not 0 <= winner < trials:
        raise DataError(f"`winner` must be a column from 0 to {trials - 1}; got {winner!r}")
    if not 20 <= train_days <= days - 20:
        raise DataError(f"`train_days` must lie from 20 to {days - 20}; got {train_days!r}")


def _eligible_columns(eligible: Sequence[int] | None, trials: int) -> Ints:
    if eligible is None:
        return np.array(range(trials), dtype=np.int64)
    columns = np.array(eligible, dtype=np.int64)
    if columns.size and not 0 <= columns.min() <= columns.max() < trials:
        raise DataError(f"`eligible` must hold columns from 0 to {trials - 1}; got {list(eligible)}")
    return columns


def _history_free_terms(simulated: ArrayLike | None, weights: ArrayLike | None, trials: int) -> tuple[Floats, Floats]:
    """The objective's terms, shape (K, S + 1), with a free last column, and their weights."""
    if (simulated is None) != (weights is None):
        raise DataError("`simulated` and `weights` must be given together")
    if simulated is None or weights is None:
        return np.zeros((trials, 1)), np.ones(1)
    matrix = np.ascontiguousarray(simulated, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != trials or not np.isfinite(matrix).all():
        raise DataError(f"`simulated` must be finite, of shape ({trials}, S); got {matrix.shape}")
    terms = np.zeros((trials, matrix.shape[1] + 1))
    terms[:, :-1] = matrix
    return terms, checked_weights(weights, scenarios=terms.shape[1])


def _highest_ratios(errors: Floats, inverse: Floats, counted: Flags) -> Floats:
    if not counted.any():
        return np.zeros(len(errors))
    ratios: Floats = errors[:, counted] * inverse[counted]
    return ratios.max(axis=1)


@compiled
def _resample(
    sums: Floats,
    train_days: int,
    mean_block: float,
    key: Word,
    gamma: float,
    kind: int,
    target: float,
    errors: Floats,
    terms: Floats,
) -> None:
    """Write the centred means `errors` (B, K) and the history terms without skill `terms` (B, K).

    `sums` (3, T + 1, K) are prefix sums of active utilities, of the benchmarks' returns and of their squares. A term
    holds the utility of the benchmark if `kind` is 1, and is the negative error of its volatility from `target` if 2.
    """
    days, trials = sums.shape[1] - 1, sums.shape[2]
    n1, n2 = float(train_days), float(days - train_days)
    train = np.empty((3, trials))
    validate = np.empty((1, trials))
    for draw in range(errors.shape[0]):
        add_blocks(sums, 0, train_days, mean_block, key, draw, 0, train)
        add_blocks(sums[:1], train_days, days, mean_block, key, draw, 1, validate)
        for k in range(trials):
            centred = train[0, k] - sums[0, train_days, k]
            late = validate[0, k] - (sums[0, days, k] - sums[0, train_days, k])
            errors[draw, k] = (centred + late) / (n1 + n2)
            mean = train[1, k] / n1
            variance = (train[2, k] - train[1, k] * mean) / (n1 - 1.0)
            if kind == 2:
                terms[draw, k] = -abs(math.sqrt(DAYS * max(variance, 0.0)) - target)
            else:
                terms[draw, k] = DAYS * ((mean - 0.5 * gamma * variance if kind > 0 else 0.0) + centred / n1)


@compiled
def _scale(
    errors: Floats,
    totals: Floats,
    days: float,
    scales: Floats,
    means: Floats,
) -> None:
    """Deviation of each column of `errors`, and the mean of each trial's active utility."""
    draws, trials = errors.shape
    centre = np.zeros(trials)
    scales[:] = 0.0
    for b in range(draws):
        for k in range(trials):
            centre[k] += errors[b, k]
    for b in range(draws):
        for k in range(trials):
            gap = errors[b, k] - centre[k] / draws
            scales[k] += gap * gap
    for k in range(trials):
        scales[k] = math.sqrt(scales[k] / (draws - 1.0))
        means[k] = totals[k] / days


@compiled
def _select(
    terms: Floats,
    weights: Floats,
    goal: int,
    history: Floats,
    chosen: Ints,
) -> None:
    """The trial with the highest objective in each resample, whose history terms are `history` (B, K)."""
    last = terms.shape[1] - 1
    objective = np.empty(terms.shape[0])
    for draw in range(chosen.size):
        for k in range(objective.size):
            terms[k, last] = history[draw, k]
        score_into(terms, weights, goal, objective)
        chosen[draw] = first_maximum(objective)
