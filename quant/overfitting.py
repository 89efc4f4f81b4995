"""How much of a search's winner is luck.

Deflated Sharpe ratio, probability of backtest overfitting, superior predictive ability, and the
verdict's colour. All of it looks at daily historical series, never at simulated days.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from quant.compiled import compiled
from quant.elementary import log, normal_cdf, normal_quantile
from quant.errors import DataError
from quant.goal import Goal
from quant.metrics import NO_VARIATION, checked_series, moments, sharpe_error
from quant.objective import GOAL_CODES, checked_weights, score_into
from quant.strategy import Frozen

Light: TypeAlias = Literal["green", "amber", "red"]

_EULER_GAMMA = 0.57721566490153286
_NULL_DEVIATION = 0.16
"""Deviation of the PBO over samples in which nothing has skill (16 blocks, by simulation)."""
_HISTOGRAM_BINS = 20


def _checked_matrix(values: ArrayLike, *, name: str, shortest: int) -> NDArray[np.float64]:
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim == 1:
        array = np.ascontiguousarray(array[:, None])
    if array.ndim != 2 or array.shape[0] < shortest or array.shape[1] < 1:
        raise DataError(f"`{name}` must be of shape (T, K), T >= {shortest}; got {array.shape}")
    if not np.isfinite(array).all():
        raise DataError(f"`{name}` holds NaN or infinity")
    return array


def probabilistic_sharpe_ratio(
    sharpe: float,
    *,
    benchmark: float = 0.0,
    observations: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    r"""Probability that the true Sharpe ratio lies above a benchmark.

    .. math:: \Phi\left[\frac{(SR - SR^*) \sqrt{T - 1}}
              {\sqrt{1 - \gamma_3 SR + \frac{\gamma_4 - 1}{4} SR^2}}\right]

    Parameters
    ----------
    sharpe, benchmark : float
        Per period, not annual.
    observations : int
        T, at least 2.
    skewness, kurtosis : float
        Standardised moments of the returns; 3 is the kurtosis of the normal law.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        If T < 2 or the moments are ones that no sample has.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", Journal of Risk 15(2).

    Examples
    --------
    >>> probabilistic_sharpe_ratio(0.05, benchmark=0.05, observations=1000)
    0.5
    """
    error = sharpe_error(sharpe, observations=observations, skewness=skewness, kurtosis=kurtosis)
    return normal_cdf((sharpe - benchmark) / error)


def expected_maximum_sharpe(variance: float, trials: int) -> float:
    r"""Sharpe ratio that the luckiest of N trials without skill is expected to show.

    .. math:: \sqrt{V} \left[(1 - \gamma_E) \Phi^{-1}(1 - \tfrac1N)
              + \gamma_E \Phi^{-1}(1 - \tfrac1{N e})\right]

    Parameters
    ----------
    variance : float
        V, the variance of the trials' Sharpe ratios, per period.
    trials : int
        N, the raw number of trials.

    Returns
    -------
    float
        Per period, not below 0; 0 for one trial.

    Raises
    ------
    DataError
        If `variance` is negative or not finite, or `trials` < 1.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", Journal of Portfolio Management
    40(5).

    Examples
    --------
    The paper's: 100 trials, an annual variance of 1/2, 250 days a year.

    >>> round(expected_maximum_sharpe(0.5 / 250, 100), 4)
    0.1132
    """
    if not (math.isfinite(variance) and variance >= 0.0) or trials < 1:
        raise DataError(f"needs variance >= 0 and trials >= 1; got {variance!r} and {trials!r}")
    if trials == 1:
        return 0.0
    common = -normal_quantile(1.0 / trials)
    rare = -normal_quantile(1.0 / (trials * math.e))
    expected = (1.0 - _EULER_GAMMA) * common + _EULER_GAMMA * rare
    return max(0.0, math.sqrt(variance) * expected)


def deflated_sharpe_ratio(series: ArrayLike, *, variance: float, trials: int) -> float:
    """Probability that a series has skill, given that it is the best of `trials`.

    Parameters
    ----------
    series : array_like, shape (T,)
        The winner's daily historical excess (or active) returns, never pooled simulated days. A
        series without variation counts as a Sharpe ratio of 0.
    variance : float
        Variance of the trials' per-day Sharpe ratios. It already holds their correlation.
    trials : int
        Raw number of trials, this run's and the ledger's; 1 gives the probabilistic Sharpe ratio.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more, or another argument lies outside its
        range.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", Journal of Portfolio Management
    40(5).
    """
    m = moments(series)
    return probabilistic_sharpe_ratio(
        m.sharpe,
        benchmark=expected_maximum_sharpe(variance, trials),
        observations=m.count,
        skewness=m.skewness,
        kurtosis=m.kurtosis,
    )


def sharpe_variance(series: ArrayLike) -> float:
    """Variance of the trials' per-day Sharpe ratios, the V of `deflated_sharpe_ratio`.

    Parameters
    ----------
    series : array_like, shape (T, K)
        Daily excess (or active) returns of the K trials of the Sobol start, which no result
        steered. A trial without variation counts as a Sharpe ratio of 0.

    Returns
    -------
    float
        Sample variance (K - 1), per day; 0 for one trial.

    Raises
    ------
    DataError
        If `series` is not finite or T < 2.
    """
    returns = _checked_matrix(series, name="series", shortest=2)
    if returns.shape[1] == 1:
        return 0.0
    ratios = moments([moments(column).sharpe for column in returns.T])
    return ratios.deviation * ratios.deviation


def minimum_backtest_length(trials: int, target: float) -> float:
    """Years below which the luckiest of `trials` is expected to reach an annual Sharpe ratio.

    Parameters
    ----------
    trials : int
        Independent trials without skill.
    target : float
        Annual Sharpe ratio, positive.

    Returns
    -------
    float
        Years: the square of (expected maximum of `trials` standard normals / `target`).

    Raises
    ------
    DataError
        If `target` is not positive or `trials` < 1.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2014), "Pseudo-mathematics and financial
    charlatanism", Notices of the AMS 61(5).

    Examples
    --------
    >>> round(minimum_backtest_length(45, 1.0), 1)
    5.0
    """
    if not (math.isfinite(target) and target > 0.0):
        raise DataError(f"`target` must be positive; got {target!r}")
    years = expected_maximum_sharpe(1.0, trials) / target
    return years * years


@compiled
def _standardised(series: NDArray[np.float64], negligible: float, out: NDArray[np.float64]) -> int:
    """Write the columns that vary into `out`, centred and of length 1; their number."""
    days, trials = series.shape
    kept = 0
    for k in range(trials):
        mean = 0.0
        for t in range(days):
            mean += series[t, k]
        mean /= days
        squares = 0.0
        for t in range(days):
            squares += (series[t, k] - mean) * (series[t, k] - mean)
        if squares > negligible * (squares + days * mean * mean):
            scale = math.sqrt(squares)
            for t in range(days):
                out[t, kept] = (series[t, k] - mean) / scale
            kept += 1
    return kept


@compiled
def _participation(standard: NDArray[np.float64]) -> float:
    days, trials = standard.shape
    correlation = np.zeros((trials, trials))
    for t in range(days):
        for i in range(trials):
            z = standard[t, i]
            for j in range(trials):
                correlation[i, j] += z * standard[t, j]
    squared = 0.0
    for i in range(trials):
        for j in range(trials):
            squared += correlation[i, j] * correlation[i, j]
    return trials * trials / squared


def effective_trials(series: ArrayLike) -> float:
    r"""How many independent trials K correlated ones amount to; for information only.

    The participation ratio :math:`(\sum \lambda)^2 / \sum \lambda^2` of the eigenvalues of the
    correlation matrix C, computed as :math:`K^2 / \mathrm{tr}(C^2)` without eigenvalues. It never
    takes the raw number's place in `deflated_sharpe_ratio`.

    Parameters
    ----------
    series : array_like, shape (T, K)
        Daily excess returns; those without variation are left out.

    Returns
    -------
    float
        Between 1 and K; 1 if none varies.

    Raises
    ------
    DataError
        If `series` is not finite or T < 2.
    """
    returns = _checked_matrix(series, name="series", shortest=2)
    standard = np.empty(returns.shape)
    kept = _standardised(returns, NO_VARIATION, standard)
    return _participation(np.ascontiguousarray(standard[:, :kept])) if kept else 1.0


class Overfitting(Frozen):
    """Probability of backtest overfitting, by combinatorially symmetric cross-validation."""

    probability: Annotated[float, Field(ge=0.0, le=1.0)]
    """Share of splits in which the selected trial ranks at or below the middle out of sample."""
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
    """Share of splits in which the selected does worse than cash out of sample."""


@compiled
def _block_sums(
    series: NDArray[np.float64],
    first: int,
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
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
    return 252.0 * (mean - 0.5 * gamma * (squares - total * mean) / (days - 1.0))


@compiled
def _sharpe_of(total: float, squares: float, days: float) -> float:
    mean = total / days
    variance = (squares - total * mean) / (days - 1.0)
    if variance * days <= 1e-12 * squares:
        return 0.0
    return mean / math.sqrt(variance) * math.sqrt(252.0)


@compiled
def _rank(values: NDArray[np.float64], chosen: int) -> float:
    """Rank of one value from below, 1 for the lowest; ties share the average rank."""
    below = 0
    equal = 0
    for k in range(values.size):
        below += values[k] < values[chosen]
        equal += values[k] == values[chosen]
    return below + 0.5 * (equal + 1)


@compiled
def _first_maximum(values: NDArray[np.float64]) -> int:
    best = 0
    for k in range(1, values.size):
        if values[k] > values[best]:
            best = k
    return best


@compiled
def _halves(sums: NDArray[np.float64], mask: int, total: NDArray[np.float64]) -> None:
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
    sums: NDArray[np.float64],
    squares: NDArray[np.float64],
    days: float,
    gamma: float,
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    goal: int,
    out: NDArray[np.float64],
) -> None:
    """Fill `out` (splits, 4): rank, performance in and out of sample, rank by the Sharpe ratio.

    `values` (K, S + 1) holds the constant terms; its last column is overwritten with the history
    term of each half in turn.
    """
    blocks, trials = sums.shape
    history = values.shape[1] - 1
    total = np.empty((2, trials))
    square = np.empty((2, trials))
    term = np.empty((2, trials))
    sharpe = np.empty((2, trials))
    scores = np.empty(trials)
    split = 0
    for mask in range(1, 1 << blocks, 2):  # each pair of halves once: block 0 is in the first
        if 2 * _members(mask) != blocks:
            continue
        _halves(sums, mask, total)
        _halves(squares, mask, square)
        for half in range(2):
            for k in range(trials):
                sharpe[half, k] = _sharpe_of(total[half, k], square[half, k], days)
                if goal == 1:
                    term[half, k] = sharpe[half, k]
                else:
                    term[half, k] = _utility_of(total[half, k], square[half, k], days, gamma)
        for half in range(2):
            for k in range(trials):
                values[k, history] = term[half, k]
            score_into(values, weights, goal, scores)
            chosen = _first_maximum(scores)
            out[split, 0] = _rank(term[1 - half], chosen)
            out[split, 1] = term[half, chosen]
            out[split, 2] = term[1 - half, chosen]
            out[split, 3] = _rank(sharpe[1 - half], _first_maximum(sharpe[half]))
            split += 1


@compiled
def _summary(
    out: NDArray[np.float64], trials: int, edges: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[int, int, int, float, float]:
    """Count logits <= 0, the same by Sharpe, losses; the sums of a regression; fill `counts`."""
    splits = out.shape[0]
    mean_in = 0.0
    mean_out = 0.0
    for i in range(splits):
        mean_in += out[i, 1]
        mean_out += out[i, 2]
    mean_in /= splits
    mean_out /= splits
    failed = 0
    failed_sharpe = 0
    losses = 0
    xx = 0.0
    xy = 0.0
    for i in range(splits):
        failed += 2.0 * out[i, 0] <= trials + 1.0
        failed_sharpe += 2.0 * out[i, 3] <= trials + 1.0
        losses += out[i, 2] < 0.0
        xx += (out[i, 1] - mean_in) * (out[i, 1] - mean_in)
        xy += (out[i, 1] - mean_in) * (out[i, 2] - mean_out)
        logit = log(out[i, 0] / (trials + 1.0 - out[i, 0]))
        b = 0
        while b < counts.size - 1 and logit >= edges[b + 1]:
            b += 1
        counts[b] += 1
    scale = 1e-24 * splits * (mean_in * mean_in)
    return failed, failed_sharpe, losses, xy, xx if xx > scale else 0.0


def _wilson(share: float, count: float) -> tuple[float, float]:
    z = normal_quantile(0.975)
    middle = (share + z * z / (2.0 * count)) / (1.0 + z * z / count)
    spread = share * (1.0 - share) / count + z * z / (4.0 * count * count)
    half = z * math.sqrt(spread) / (1.0 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _constant_terms(
    simulated: ArrayLike | None, weights: ArrayLike | None, trials: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of shape (K, S + 1) with a free last column, and their weights."""
    if simulated is None:
        if weights is not None:
            raise DataError("`weights` is given without `simulated`")
        return np.zeros((trials, 1)), np.ones(1)
    given = np.ascontiguousarray(simulated, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != trials or not np.isfinite(given).all():
        raise DataError(f"`simulated` must be finite, of shape ({trials}, S); got {given.shape}")
    if weights is None:
        raise DataError("`weights` is required with `simulated`")
    values = np.zeros((trials, given.shape[1] + 1))
    values[:, :-1] = given
    return values, checked_weights(weights, scenarios=values.shape[1])


def backtest_overfitting(
    series: ArrayLike,
    *,
    risk_aversion: float,
    blocks: int = 16,
    simulated: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    goal: Goal = "robust_utility",
) -> Overfitting:
    r"""Probability that the selection rule picks a trial of the worse half.

    History is cut into equal blocks. For each way to choose half of them, the selection rule runs
    on that half: the objective of `quant.objective.scores`, its simulated terms constant, its
    history term recomputed from the half; the first of equal maxima wins. The winner's rank by the
    history term on the other half, :math:`\omega = \mathrm{rank} / (K + 1)` with average ranks for
    ties, gives the logit :math:`\lambda = \ln(\omega / (1 - \omega))`; the probability is the share
    of :math:`\lambda \le 0`. Rows that do not fill a block are dropped from the start.

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
        ratios). Without them the history term alone decides.
    weights : array_like, shape (S + 1,), optional
        Probabilities of the simulated scenarios and, last, of history; required with `simulated`.
    goal : Goal
        What the search maximised.

    Returns
    -------
    Overfitting
        Performance is the history term: annual utility, or the Sharpe ratio for ``sharpe``.

    Raises
    ------
    DataError
        If there are fewer than two trials or two days a block, a value is not finite, or an
        argument lies outside its range.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2017), "The probability of backtest overfitting",
    Journal of Computational Finance 20(4).
    """
    if blocks % 2 or not 4 <= blocks <= 20:
        raise DataError(f"`blocks` must be even, from 4 to 20; got {blocks!r}")
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    returns = _checked_matrix(series, name="series", shortest=2 * blocks)
    days, trials = returns.shape
    if trials < 2:
        raise DataError("overfitting by selection needs two trials at least; got 1")
    values, probabilities = _constant_terms(simulated, weights, trials)

    dropped = days % blocks
    sums = np.zeros((blocks, trials))
    squares = np.zeros((blocks, trials))
    _block_sums(returns, dropped, sums, squares)
    splits = math.comb(blocks, blocks // 2)
    out = np.empty((splits, 4))
    half_days = float((days - dropped) // 2)
    _splits(sums, squares, half_days, risk_aversion, values, probabilities, GOAL_CODES[goal], out)
    reach = log(float(trials))
    edges = np.arange(_HISTOGRAM_BINS + 1, dtype=np.float64) * (2.0 * reach / _HISTOGRAM_BINS)
    edges -= reach
    counts = np.zeros(_HISTOGRAM_BINS, dtype=np.int64)
    failed, failed_sharpe, losses, xy, xx = _summary(out, trials, edges, counts)
    low, high = _wilson(failed / splits, 0.25 / (_NULL_DEVIATION * _NULL_DEVIATION))
    return Overfitting(
        probability=failed / splits,
        low=low,
        high=high,
        sharpe_probability=failed_sharpe / splits,
        trials=trials,
        blocks=blocks,
        splits=splits,
        rows_dropped=dropped,
        logit_edges=tuple(float(e) for e in edges),
        logit_counts=tuple(int(c) for c in counts),
        degradation_slope=xy / xx if xx > 0.0 else None,
        loss_probability=losses / splits,
    )


@compiled
def _performance(series: NDArray[np.float64], gamma: float, out: NDArray[np.float64]) -> None:
    days, trials = series.shape
    for k in range(trials):
        mean = 0.0
        for t in range(days):
            mean += series[t, k]
        mean /= days
        for t in range(days):
            d = series[t, k] - mean
            out[t, k] = series[t, k] - 0.5 * gamma * (d * d)


def performance_differences(excess: ArrayLike, benchmark: ArrayLike, risk_aversion: float) -> NDArray[np.float64]:
    r"""Daily utility of each trial less the benchmark's.

    :math:`d_{kt} = [x - \frac{\gamma}{2} (x - \bar x)^2]_k - [\cdot]_{benchmark}`; 252 times its
    mean is the difference of their annual utilities (with variances that divide by T).

    Parameters
    ----------
    excess : array_like, shape (T, K) or (T,)
        Daily excess returns of the trials.
    benchmark : array_like, shape (T,)
        Daily excess return of the volatility-matched constant weight.
    risk_aversion : float
        Gamma, positive.

    Returns
    -------
    ndarray, shape (T, K)
        Per day.

    Raises
    ------
    DataError
        If lengths differ, a value is not finite, or `risk_aversion` is not positive.
    """
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    trials = _checked_matrix(excess, name="excess", shortest=2)
    against = checked_series(benchmark, name="benchmark")[:, None]
    if against.shape[0] != trials.shape[0]:
        raise DataError(f"`benchmark` has {against.shape[0]} days, `excess` {trials.shape[0]}")
    performance = np.empty(trials.shape)
    reference = np.empty(against.shape)
    _performance(trials, risk_aversion, performance)
    _performance(against, risk_aversion, reference)
    return performance - reference


@dataclass(frozen=True)
class Spa:
    """Test that the best trial beats the benchmark, whatever the number of trials tried."""

    p_value: float
    """Consistent p-value: share of resamples whose best t-ratio exceeds the observed one."""
    best: int | None
    """Trial with the highest t-ratio; None if no difference varies."""
    statistic: float
    """Its t-ratio, the mean difference over its standard error."""
    mean_block: int
    replications: int


@compiled
def _scales(differences: NDArray[np.float64], mean_block: int, scales: NDArray[np.float64]) -> None:
    """Write the long-run deviation of each column; 0 where a column does not vary.

    The variance is that of sqrt(T) times the mean under the stationary bootstrap (Politis and
    Romano 1994, lemma 1), by circular autocovariances; lags of a weight below 1e-13 are left out.
    """
    days, trials = differences.shape
    centred = np.empty((days, trials))
    magnitude = np.zeros(trials)
    for k in range(trials):
        mean = 0.0
        for t in range(days):
            mean += differences[t, k]
            magnitude[k] += abs(differences[t, k])
        mean /= days
        for t in range(days):
            centred[t, k] = differences[t, k] - mean
    variance = np.zeros(trials)
    covariance = np.empty(trials)
    keep = 1.0 - 1.0 / mean_block
    weight = 1.0
    for lag in range(min(days, 30 * mean_block + 1)):
        covariance[:] = 0.0
        for t in range(days):
            other = t + lag if t + lag < days else t + lag - days
            for k in range(trials):
                covariance[k] += centred[t, k] * centred[other, k]
        share = 1.0 if lag == 0 else 2.0 * (1.0 - lag / days) * weight
        for k in range(trials):
            variance[k] += share * covariance[k] / days
        weight *= keep
    for k in range(trials):
        deviation = math.sqrt(max(variance[k], 0.0))
        noise = max(1e-12, 1e-9 * magnitude[k] / days)
        scales[k] = deviation if deviation > noise else 0.0


@compiled
def _means(rows: NDArray[np.float64], counts: NDArray[np.int64], out: NDArray[np.float64]) -> None:
    """Column means of a resample that holds row t `counts[t]` times."""
    days, trials = rows.shape
    out[:] = 0.0
    for t in range(days):
        if counts[t] > 0:
            times = np.float64(counts[t])
            for k in range(trials):
                out[k] += times * rows[t, k]
    for k in range(trials):
        out[k] /= days


@compiled
def _stationary_counts(
    starts: NDArray[np.int64],
    uniforms: NDArray[np.float64],
    mean_block: int,
    counts: NDArray[np.int64],
) -> None:
    """How often a stationary bootstrap resample holds each row (Politis and Romano 1994)."""
    restart = 1.0 / mean_block
    days = starts.size
    counts[:] = 0
    row = starts[0]
    counts[row] += 1
    for t in range(1, days):
        following = row + 1 if row + 1 < days else 0
        row = following if uniforms[t] > restart else starts[t]
        counts[row] += 1


def _draws(generator: np.random.Generator, days: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows where blocks start, and what decides whether one does, in the order arch draws them."""
    starts = generator.integers(days, size=days, dtype=np.int64)
    return starts, generator.random(days)


def superior_predictive_ability(
    differences: ArrayLike, *, seed: int, replications: int = 1000, mean_block: int = 21
) -> Spa:
    """Test whether any of K trials beats the benchmark, after Hansen.

    Each column is divided by its long-run deviation first; the test on the scaled columns is that
    of `arch.bootstrap.SPA`, draw for draw for the same seed (its own option `studentize` leaves the
    statistic unscaled: with it a volatile trial could hide a reliable one). Here a resample is a
    count of rows, which makes it several times faster.

    Parameters
    ----------
    differences : array_like, shape (T, K)
        Daily performance of each trial less the benchmark's; see `performance_differences`. Columns
        that do not vary, a trial equal to the benchmark, are left out.
    seed : int
        Seed of the resamples, not negative.
    replications : int
        Number of resamples, at least 500.
    mean_block : int
        Expected sessions of a block of the stationary bootstrap, a month by default; at most T / 4.

    Returns
    -------
    Spa
        If no column varies, a p-value of 1: there is nothing that beats the benchmark.

    Raises
    ------
    DataError
        If `differences` is not finite or an argument lies outside its range.

    References
    ----------
    Hansen (2005), "A test for superior predictive ability", Journal of Business & Economic
    Statistics 23(4).
    """
    if replications < 500 or mean_block < 1 or seed < 0:
        raise DataError(
            "needs replications >= 500, mean_block >= 1 and seed >= 0; "
            f"got {replications!r}, {mean_block!r} and {seed!r}"
        )
    rows = _checked_matrix(differences, name="differences", shortest=max(20, 4 * mean_block))
    days = rows.shape[0]
    scales = np.empty(rows.shape[1])
    _scales(rows, mean_block, scales)
    varying = np.flatnonzero(scales)
    if varying.size == 0:
        return Spa(1.0, None, 0.0, mean_block, replications)

    scaled = np.ascontiguousarray(rows[:, varying] / scales[varying])
    mean = np.empty(varying.size)
    counts = np.ones(days, dtype=np.int64)
    _means(scaled, counts, mean)
    relevant = mean >= -math.sqrt(2.0 * log(log(float(days))) / days)
    centre = np.where(relevant, mean, 0.0)
    best = int(np.argmax(mean))

    generator: np.random.Generator = np.random.default_rng(seed)
    resampled = np.empty(varying.size)
    exceeding = 0
    for _ in range(replications):
        starts, uniforms = _draws(generator, days)
        _stationary_counts(starts, uniforms, mean_block, counts)
        _means(scaled, counts, resampled)
        exceeding += bool((resampled - centre).max() > mean[best])
    return Spa(
        p_value=exceeding / replications,
        best=int(varying[best]),
        statistic=float(mean[best]) * math.sqrt(days),
        mean_block=mean_block,
        replications=replications,
    )


def traffic_light(*, active_dsr: float, pbo: float | None, spa_p: float, validate_advantage: float) -> Light:
    """Colour of the verdict.

    Green: deflated Sharpe ratio of the active return >= .95, and probability of overfitting < .2,
    and p-value < .05, and a positive advantage on the validation history. Red: active deflated
    Sharpe ratio < .5 or probability of overfitting >= .5; it reads "no configuration is
    distinguishable from the benchmark". Amber otherwise.

    Parameters
    ----------
    active_dsr : float
        Deflated Sharpe ratio of winner minus volatility-matched constant weight.
    pbo : float or None
        Probability of backtest overfitting; None where it has no meaning (one trial), which rules
        green out and nothing else.
    spa_p : float
        Consistent p-value of superior predictive ability.
    validate_advantage : float
        Utility over the benchmark on the validation history.

    Returns
    -------
    Light

    Raises
    ------
    DataError
        If an argument is not finite, or a probability lies outside [0, 1].

    Examples
    --------
    >>> traffic_light(active_dsr=0.97, pbo=0.1, spa_p=0.01, validate_advantage=0.002)
    'green'
    >>> traffic_light(active_dsr=0.97, pbo=0.1, spa_p=0.20, validate_advantage=0.002)
    'amber'
    """
    for name, value in (("active_dsr", active_dsr), ("pbo", pbo), ("spa_p", spa_p)):
        if value is not None and not 0.0 <= value <= 1.0:
            raise DataError(f"`{name}` must lie in [0, 1]; got {value!r}")
    if not math.isfinite(validate_advantage):
        raise DataError(f"`validate_advantage` must be finite; got {validate_advantage!r}")
    if active_dsr < 0.5 or (pbo is not None and pbo >= 0.5):
        return "red"
    passed = active_dsr >= 0.95 and pbo is not None and pbo < 0.2 and spa_p < 0.05
    return "green" if passed and validate_advantage > 0.0 else "amber"
