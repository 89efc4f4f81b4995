"""Whether the best of many strategies beats a benchmark beyond luck: Hansen's test, by the stationary bootstrap."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_matrix, checked_series
from quant.numeric.returns import Returns


@compiled
def _performance(series: Floats, gamma: float, out: Floats) -> None:
    days, trials = series.shape
    for k in range(trials):
        mean = 0.0
        for t in range(days):
            mean += series[t, k]
        mean /= days
        for t in range(days):
            d = series[t, k] - mean
            out[t, k] = series[t, k] - 0.5 * gamma * (d * d)


def utility_contributions(excess: Floats, risk_aversion: float) -> Floats:
    r"""Daily contributions to utility, :math:`x - \frac{\gamma}{2} (x - \bar x)^2`, of checked columns, shape (T, K).

    Parameters
    ----------
    excess : ndarray, shape (T, K)
        Daily excess returns.
    risk_aversion : float
        Gamma, positive.

    Returns
    -------
    ndarray, shape (T, K)

    Raises
    ------
    DataError
        If `risk_aversion` is not positive.
    """
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    contributions = np.empty(excess.shape)
    _performance(excess, risk_aversion, contributions)
    return contributions


@checked_arguments
def performance_differences(
    excess: ArrayLike | Returns, benchmark: ArrayLike | Returns, risk_aversion: float
) -> Floats:
    r"""Daily utility of each trial less the benchmark's.

    :math:`d_{kt} = [x - \frac{\gamma}{2} (x - \bar x)^2]_k - [\cdot]_{benchmark}`; 252 times its
    mean is the difference of their annual utilities (with variances that divide by T).

    Parameters
    ----------
    excess : array_like of shape (T, K) or (T,), or Returns
        Daily excess returns of the trials.
    benchmark : array_like of shape (T,), or Returns of one asset
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
    trials = checked_matrix(excess, name="excess", shortest=2)
    against = checked_series(benchmark, name="benchmark")[:, None]
    if against.shape[0] != trials.shape[0]:
        raise DataError(f"`benchmark` has {against.shape[0]} days, `excess` {trials.shape[0]}")
    return utility_contributions(trials, risk_aversion) - utility_contributions(against, risk_aversion)


@dataclass(frozen=True)
class Spa:
    """Result of the test that the best trial beats the benchmark, corrected for the number of trials."""

    p_value: float
    """Consistent p-value: share of resamples whose best t-ratio exceeds the observed one."""
    best: int | None
    """Trial with the highest t-ratio; None if no difference varies."""
    statistic: float
    """Its t-ratio, the mean difference over its standard error."""
    mean_block: int
    replications: int


@compiled
def _scales(differences: Floats, mean_block: int, scales: Floats) -> None:
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
def _means(rows: Floats, counts: Ints, out: Floats) -> None:
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
    starts: Ints,
    uniforms: Floats,
    mean_block: int,
    counts: Ints,
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


def _draws(generator: np.random.Generator, days: int) -> tuple[Ints, Floats]:
    """Rows where blocks start, and what decides whether one does, in the order arch draws them."""
    starts = generator.integers(days, size=days, dtype=np.int64)
    return starts, generator.random(days)


@checked_arguments
def superior_predictive_ability(
    differences: ArrayLike | Returns, *, seed: int, replications: int = 1000, mean_block: int = 21
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
    rows = checked_matrix(differences, name="differences", shortest=max(20, 4 * mean_block))
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
