"""Probability of backtest overfitting of a selection rule, rerun on every half of history."""

import math
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log
from quant.numeric.errors import DataError
from quant.numeric.frozen import Frozen
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.overfitting.cscv import SelectionRule, apply_rule, checked_blocks, wilson_interval
from quant.overfitting.ranks import failure, first_maximum, rank_from_below
from quant.strategies.goal import GOAL_METRIC, SHALLOWEST, Goal
from quant.strategies.objective import GOAL_CODES, METRIC_CODES, checked_target, checked_weights, score_into

_HISTOGRAM_BINS = 20


class Overfitting(Frozen):
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation."""

    probability: Annotated[float, Field(ge=0.0, le=1.0)]
    """Share of splits in which the selected trial ranks at or below the middle out of sample; a tie around the middle
    counts half."""
    low: float
    """95% interval, Wilson's: the share counts as one of about ten independent splits."""
    high: float
    sharpe_probability: Annotated[float, Field(ge=0.0, le=1.0)]
    """The classical version: selected and ranked by the Sharpe ratio."""
    trials: int
    blocks: int
    splits: int
    rows_dropped: int
    """Sessions left out at the start, so that all blocks are of one length."""
    logit_edges: tuple[float, ...]
    logit_counts: tuple[int, ...]
    """Splits by the logit of the out-of-sample rank, between the edges."""
    degradation_slope: float | None
    """Out-of-sample on in-sample performance of the selected; None if the latter is constant."""
    loss_probability: Annotated[float, Field(ge=0.0, le=1.0)]
    """Share of splits in which the selected does no better out of sample than its own benchmark (cash, if none)."""


@compiled
def _block_sums(
    series: Floats,
    first: int,
    sums: Floats,
    squares: Floats,
) -> None:
    blocks, trials = sums.shape
    length = (series.shape[0] - first) // blocks
    for b in range(blocks):
        for t in range(first + b * length, first + (b + 1) * length):
            for k in range(trials):
                sums[b, k] += series[t, k]
                squares[b, k] += series[t, k] * series[t, k]


@compiled
def _utility_of(total: float, squares: float, days: float, gamma: float) -> float:
    mean = total / days
    return DAYS * (mean - 0.5 * gamma * (squares - total * mean) / (days - 1.0))


@compiled
def _sharpe_of(total: float, squares: float, days: float) -> float:
    mean = total / days
    variance = (squares - total * mean) / (days - 1.0)
    if variance * days <= 1e-12 * squares:
        return 0.0
    return mean / math.sqrt(variance) * math.sqrt(DAYS)


@compiled
def _benefit_of(total: float, squares: float, own_total: float, own_squares: float, days: float) -> float:
    """Annual utility less that of the own benchmark, scaled to the same volatility over these days."""
    mean, own_mean = total / days, own_total / days
    variance = squares - total * mean
    own_variance = own_squares - own_total * own_mean
    scale = math.sqrt(max(variance, 0.0) / own_variance) if own_variance > 0.0 else 0.0
    return DAYS * (mean - scale * own_mean)


@compiled
def _volatility_error_of(total: float, squares: float, days: float, target: float) -> float:
    """Distance of the annual volatility from `target`, as a negative number."""
    variance = (squares - total * (total / days)) / (days - 1.0)
    return -abs(math.sqrt(DAYS * max(variance, 0.0)) - target)


@compiled
def _calmar_of(growth: float, deepest: float, days: float) -> float:
    """Growth a year over the deepest fall; 0 where there is none."""
    if deepest <= SHALLOWEST:
        return 0.0
    return (exp(DAYS / days * log(growth)) - 1.0) / deepest


@compiled
def _add_run(run: Floats, k: int, growth: float, peak: float, low: float, deepest: float) -> None:
    """Append days to those of column `k` of `run` (4, K): growth, highest and lowest wealth, deepest fall."""
    fall = max(deepest, 1.0 - run[0, k] * low / run[1, k])
    run[3, k] = max(run[3, k], fall)
    run[1, k] = max(run[1, k], run[0, k] * peak)
    run[2, k] = min(run[2, k], run[0, k] * low)
    run[0, k] *= growth


@compiled
def _start_run(run: Floats) -> None:
    run[:3] = 1.0
    run[3] = 0.0


@compiled
def _block_runs(series: Floats, first: int, runs: Floats) -> None:
    """Write growth, highest and lowest wealth and deepest fall of each block into `runs` (blocks, 4, K)."""
    blocks, trials = runs.shape[0], runs.shape[2]
    length = (series.shape[0] - first) // blocks
    for b in range(blocks):
        _start_run(runs[b])
        for t in range(first + b * length, first + (b + 1) * length):
            for k in range(trials):
                wealth = 1.0 + series[t, k]
                _add_run(runs[b], k, wealth, max(wealth, 1.0), min(wealth, 1.0), max(1.0 - wealth, 0.0))


@compiled
def _half_runs(runs: Floats, mask: int, total: Floats) -> None:
    """Join the blocks of `mask` into `total[0]`, the others into [1], each in time order."""
    for half in range(2):
        _start_run(total[half])
    for b in range(runs.shape[0]):
        half = 1 - ((mask >> b) & 1)
        for k in range(runs.shape[2]):
            _add_run(total[half], k, runs[b, 0, k], runs[b, 1, k], runs[b, 2, k], runs[b, 3, k])


@compiled
def _term_of(
    metric: int,
    total: float,
    squares: float,
    own_total: float,
    own_squares: float,
    growth: float,
    deepest: float,
    days: float,
    gamma: float,
    target: float,
) -> float:
    """The history term of one trial, of the `metric` of `METRIC_CODES`."""
    if metric == 1:
        return _sharpe_of(total, squares, days)
    if metric == 2:
        return _benefit_of(total, squares, own_total, own_squares, days)
    if metric == 3:
        return _calmar_of(growth, deepest, days)
    if metric == 4:
        return _volatility_error_of(total, squares, days, target)
    return _utility_of(total, squares, days, gamma)


@compiled
def _halves(sums: Floats, mask: int, total: Floats) -> None:
    """Write the sums over the blocks of `mask` into `total[0]`, over the others into [1]."""
    blocks, trials = sums.shape
    total[:] = 0.0
    for b in range(blocks):
        half = 1 - ((mask >> b) & 1)
        for k in range(trials):
            total[half, k] += sums[b, k]


@compiled
def _members(mask: int) -> int:
    count = 0
    while mask > 0:
        count += mask & 1
        mask >>= 1
    return count


@compiled
def _splits(
    sums: Floats,
    squares: Floats,
    days: float,
    gamma: float,
    values: Floats,
    weights: Floats,
    goal: int,
    metric: int,
    choices: Ints,
    own_sums: Floats,
    own_squares: Floats,
    runs: Floats,
    target: float,
    out: Floats,
) -> None:
    """Fill `out` (splits, 6): rank, performance in and out of sample, failure by the Sharpe ratio, utility over the
    trial's own benchmark, whose block sums are `own_sums` and `own_squares`, failure.

    `values` (K, S + 1) holds the constant terms; its last column is overwritten with the history term of each half in
    turn, of the `metric` of `METRIC_CODES`; the Calmar ratio needs `runs` (blocks, 4, K), which otherwise hold no
    block, the volatility error `target`. `choices` (splits,) holds what a rule chose; if empty, the objective
    chooses.
    """
    blocks, trials = sums.shape
    history = values.shape[1] - 1
    total = np.empty((2, trials))
    square = np.empty((2, trials))
    term = np.empty((2, trials))
    own_total = np.empty((2, trials))
    own_square = np.empty((2, trials))
    sharpe = np.empty((2, trials))
    run = np.ones((2, 4, trials))
    scores = np.empty(trials)
    split = 0
    for mask in range(1, 1 << blocks, 2):  # each pair of halves once: block 0 is in the first
        if 2 * _members(mask) != blocks:
            continue
        _halves(sums, mask, total)
        _halves(squares, mask, square)
        _halves(own_sums, mask, own_total)
        _halves(own_squares, mask, own_square)
        if runs.shape[0] > 0:
            _half_runs(runs, mask, run)
        for half in range(2):
            for k in range(trials):
                sharpe[half, k] = _sharpe_of(total[half, k], square[half, k], days)
                term[half, k] = _term_of(
                    metric, total[half, k], square[half, k], own_total[half, k], own_square[half, k], run[half, 0, k],
                    run[half, 3, k], days, gamma, target,
                )  # fmt: skip
        for half in range(2):
            if choices.size > 0:
                winner = choices[split]
            else:
                for k in range(trials):
                    values[k, history] = term[half, k]
                score_into(values, weights, goal, scores)
                winner = first_maximum(scores)
            out[split, 0] = rank_from_below(term[1 - half], winner)
            out[split, 1] = term[half, winner]
            out[split, 2] = term[1 - half, winner]
            out[split, 3] = failure(sharpe[1 - half], first_maximum(sharpe[half]))
            other = 1 - half
            out[split, 4] = _utility_of(total[other, winner], square[other, winner], days, gamma)
            out[split, 4] -= _utility_of(own_total[other, winner], own_square[other, winner], days, gamma)
            out[split, 5] = failure(term[other], winner)
            split += 1


@compiled
def _summary(out: Floats, trials: int, edges: Floats, counts: Ints) -> tuple[float, float, int, float, float]:
    """Count failures, the same by Sharpe, losses; the sums of a regression; fill `counts`."""
    splits = out.shape[0]
    mean_in = 0.0
    mean_out = 0.0
    for i in range(splits):
        mean_in += out[i, 1]
        mean_out += out[i, 2]
    mean_in /= splits
    mean_out /= splits
    failures = 0.0
    failed_sharpe = 0.0
    losses = 0
    xx = 0.0
    xy = 0.0
    for i in range(splits):
        failures += out[i, 5]
        failed_sharpe += out[i, 3]
        losses += out[i, 4] <= 0.0
        xx += (out[i, 1] - mean_in) * (out[i, 1] - mean_in)
        xy += (out[i, 1] - mean_in) * (out[i, 2] - mean_out)
        logit = log(out[i, 0] / (trials + 1.0 - out[i, 0]))
        b = 0
        while b < counts.size - 1 and logit >= edges[b + 1]:
            b += 1
        counts[b] += 1
    scale = 1e-24 * splits * (mean_in * mean_in)
    return failures, failed_sharpe, losses, xy, xx if xx > scale else 0.0


def _constant_terms(simulated: ArrayLike | None, weights: ArrayLike | None, trials: int) -> tuple[Floats, Floats]:
    """Values of shape (K, S + 1) with a free last column, and their weights."""
    if simulated is None:
        if weights is not None:
            raise DataError("`weights` is given without `simulated`")
        return np.zeros((trials, 1)), np.ones(1)
    matrix = np.ascontiguousarray(simulated, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != trials or not np.isfinite(matrix).all():
        raise DataError(f"`simulated` must be finite, of shape ({trials}, S); got {matrix.shape}")
    if weights is None:
        raise DataError("`weights` is required with `simulated`")
    values = np.zeros((trials, matrix.shape[1] + 1))
    values[:, :-1] = matrix
    return values, checked_weights(weights, scenarios=values.shape[1])


def _choices(returns: Floats, blocks: int, rule: SelectionRule) -> Ints:
    """The column that `rule` chooses on each half, in the order of `_splits`."""
    parts = np.split(returns, blocks)
    choices: list[int] = []
    for mask in range(1, 1 << blocks, 2):
        if mask.bit_count() * 2 == blocks:
            for half in (1, 0):
                inside = [part for b, part in enumerate(parts) if (mask >> b) & 1 == half]
                choices.append(apply_rule(rule, np.concatenate(inside)))
    return np.array(choices, dtype=np.int64)


@compiled
def _history_terms(returns: Floats, gamma: float, metric: int, target: float, terms: Floats) -> None:
    """Write the history term of each of the first K columns of `returns` into `terms` (K,).

    `returns` has K columns, or for the benefit 2 K: the trials, then the benchmark of each.
    """
    days, columns = returns.shape
    trials = terms.size
    sums = np.zeros((2, columns))
    run = np.ones((1, 4, trials))
    if metric == 3:
        _block_runs(returns, 0, run)
    for t in range(days):
        for k in range(columns):
            sums[0, k] += returns[t, k]
            sums[1, k] += returns[t, k] * returns[t, k]
    for k in range(trials):
        own = trials + k if columns > trials else k
        terms[k] = _term_of(
            metric, sums[0, k], sums[1, k], sums[0, own], sums[1, own], run[0, 0, k], run[0, 3, k], float(days), gamma,
            target,
        )  # fmt: skip


@checked_arguments
def objective_rule(
    *,
    risk_aversion: float,
    simulated: ArrayLike,
    weights: ArrayLike,
    goal: Goal = "robust_utility",
    target_volatility: float | None = None,
) -> SelectionRule:
    """The choice of a search as a rule: the objective with its simulated terms constant, history from the rows given.

    Parameters
    ----------
    risk_aversion : float
        Gamma of the history term's utility, positive.
    simulated : array_like, shape (K, S)
        Utilities of the trials in the simulated scenarios (for the goal ``sharpe``: annual Sharpe ratios; for
        ``benefit``: benefits; for ``calmar``: Calmar ratios; for ``volatility_error``: negative errors).
    weights : array_like, shape (S + 1,)
        Probabilities of the simulated scenarios and, last, of history.
    goal : Goal
        What the search maximised.
    target_volatility : float, optional
        Annual fraction, required by the goal ``volatility_error``.

    Returns
    -------
    SelectionRule
        Takes daily excess returns of the K trials on at least two days; the first of equal maxima wins. For the goal
        ``benefit`` K more columns hold the returns of each trial's own benchmark, which is scaled to the trial's
        volatility on these days. The Calmar ratio of history is that of the excess returns.

    Raises
    ------
    DataError
        If an argument lies outside its range; the rule raises one for returns of another shape.

    Examples
    --------
    >>> rule = objective_rule(risk_aversion=2.0, simulated=[[0.02], [0.02]], weights=[0.5, 0.5])
    >>> rule(np.array([[0.01, 0.02], [0.02, 0.01], [-0.01, 0.01]]))
    1
    """
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    trials = len(np.asarray(simulated))
    constant, probabilities = _constant_terms(simulated, weights, trials)
    code, metric = GOAL_CODES[goal], METRIC_CODES[GOAL_METRIC[goal]]
    target = checked_target(goal, target_volatility)
    columns = 2 * trials if GOAL_METRIC[goal] == "benefit" else trials

    def choose(returns: Floats) -> int:
        if returns.ndim != 2 or returns.shape[0] < 2 or returns.shape[1] != columns:
            raise DataError(f"needs returns of shape (t, {columns}), t > 1; got {returns.shape}")
        values = constant.copy()
        terms, scores = np.empty((2, trials))
        _history_terms(returns, risk_aversion, metric, target, terms)
        values[:, -1] = terms
        score_into(values, probabilities, code, scores)
        return int(first_maximum(scores))

    return choose


@checked_arguments
def backtest_overfitting(
    series: ArrayLike | Returns,
    *,
    risk_aversion: float,
    blocks: int = 16,
    simulated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    goal: Goal = "robust_utility",
    rule: SelectionRule | None = None,
    benchmarks: ArrayLike | Returns | None = None,
    target_volatility: float | None = None,
) -> Overfitting:
    r"""Probability that the selection rule picks a trial of the worse half.

    History is cut into equal blocks. For each way to choose half of them, the selection rule runs
    on that half: the objective of `quant.strategies.objective.scores`, its simulated terms constant, its
    history term recomputed from the half; the first of equal maxima wins. The winner's rank by the
    history term on the other half, :math:`\omega = \mathrm{rank} / (K + 1)` with average ranks for
    ties, gives the logit :math:`\lambda = \ln(\omega / (1 - \omega))`; the probability is the share
    of :math:`\lambda \le 0`. A :math:`\lambda` of 0 that comes from ties counts half: equal trials
    have a probability of 0.5. Rows that do not fill a block are dropped from the start.

    Splits share their blocks, so 12,870 of them carry far less evidence: where nothing has skill
    the share has a deviation of about 0.16 from one sample to the next, that of
    0.25 / 0.16**2 = 9.8 independent splits, and the interval is Wilson's for so many.

    Parameters
    ----------
    series : array_like, shape (T, K)
        Daily excess returns of all K > 1 trials, screened ones included.
    risk_aversion : float
        Gamma of the history term's utility, positive.
    blocks : int
        Even, 4 to 20; each must hold two days at least.
    simulated : array_like, shape (K, S), optional
        Utilities of the trials in the simulated scenarios (for the goal ``sharpe``: annual Sharpe
        ratios; for ``benefit``: benefits; for ``calmar``: Calmar ratios; for ``volatility_error``: negative errors).
        Without them the history term alone decides.
    weights : array_like, shape (S + 1,), optional
        Probabilities of the simulated scenarios and, last, of history; required with `simulated`.
    goal : Goal
        What the search maximised.
    rule : SelectionRule, optional
        Runs in place of the objective on each half, its rows in time order; the history term still ranks its choice.
        It holds its own constant terms, so it excludes `simulated`.
    benchmarks : array_like, shape (T, K), optional
        Daily excess returns of each trial's own benchmark, for the probability of loss; cash by default. The goal
        ``benefit`` requires them: its history term compares each trial with its benchmark, scaled to the trial's
        volatility on the half.
    target_volatility : float, optional
        Annual fraction, required by the goal ``volatility_error``.

    Returns
    -------
    Overfitting
        Performance is the history term: annual utility, the Sharpe ratio for ``sharpe``, the benefit, the Calmar ratio
        of the excess returns for ``calmar``, or the negative error of the target volatility.

    Raises
    ------
    DataError
        If there are fewer than two trials or two days a block, a value is not finite, an argument lies outside its
        range, or `rule` chooses no column.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting",
    Journal of Computational Finance 20(4).
    """
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    if rule is not None and simulated is not None:
        raise DataError("`simulated` is given with `rule`, which holds its own constant terms")
    metric = GOAL_METRIC[goal]
    if metric == "benefit" and benchmarks is None:
        raise DataError("`benchmarks` are required by the goal 'benefit'")
    returns = checked_blocks(series, blocks, name="series")
    own = np.zeros_like(returns) if benchmarks is None else checked_blocks(benchmarks, blocks, name="benchmarks")
    target = checked_target(goal, target_volatility)
    if own.shape != returns.shape:
        raise DataError(f"`benchmarks` must have the shape of `series`, {returns.shape}; got {own.shape}")
    days, trials = returns.shape
    values, probabilities = _constant_terms(simulated, weights, trials)

    remainder = days % blocks
    sums, squares, own_sums, own_squares = np.zeros((4, blocks, trials))
    _block_sums(returns, remainder, sums, squares)
    _block_sums(own, remainder, own_sums, own_squares)
    runs = np.empty((blocks if metric == "calmar" else 0, 4, trials))
    _block_runs(returns, remainder, runs)
    splits = math.comb(blocks, blocks // 2)
    out = np.empty((splits, 6))
    half_days = float((days - remainder) // 2)
    choices = np.empty(0, dtype=np.int64) if rule is None else _choices(returns[remainder:], blocks, rule)
    _splits(
        sums, squares, half_days, risk_aversion, values, probabilities, GOAL_CODES[goal], METRIC_CODES[metric], choices,
        own_sums, own_squares, runs, target, out,
    )  # fmt: skip
    reach = log(float(trials))
    edges = np.arange(_HISTOGRAM_BINS + 1, dtype=np.float64) * (2.0 * reach / _HISTOGRAM_BINS)
    edges -= reach
    counts = np.zeros(_HISTOGRAM_BINS, dtype=np.int64)
    failures, failed_sharpe, losses, xy, xx = _summary(out, trials, edges, counts)
    low, high = wilson_interval(failures / splits)
    return Overfitting(
        probability=failures / splits,
        low=low,
        high=high,
        sharpe_probability=failed_sharpe / splits,
        trials=trials,
        blocks=blocks,
        splits=splits,
        rows_dropped=remainder,
        logit_edges=tuple(float(e) for e in edges),
        logit_counts=tuple(int(c) for c in counts),
        degradation_slope=xy / xx if xx > 0.0 else None,
        loss_probability=losses / splits,
    )
