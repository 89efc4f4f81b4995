"""Growth of a series of returns, and its ratios of reward to risk."""

import math
from dataclasses import dataclass

import numpy as np

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp
from quant.numeric.moments import Moments, moments
from quant.performance.growth import log_growth
from quant.performance.sharpe_ratio import probabilistic_sharpe, sharpe_error, sharpe_spread


@dataclass(frozen=True, eq=False)
class Sample:
    """One series of T returns, checked, and what several statistics share."""

    returns: Floats
    rate: Floats
    """Riskless rate of each period."""
    excess: Floats
    """Their difference."""
    periods: int
    """A, periods a year."""
    days: Ints | None
    """Days since 1970, ascending."""
    moments: Moments
    """Of the returns."""
    excess_moments: Moments
    log_moments: Moments
    """Of ln(1 + return)."""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What a series earned. A is the number of periods a year, T that of observations, r a simple return."""

    observations: int
    """T."""
    periods: int
    """A."""
    years: float
    """T / A."""
    rate: float
    """A times the mean rate per period."""
    time_in_market: float
    """Share of the periods with a return other than 0."""
    mean: float
    """Mean of r, per period."""
    mean_excess: float
    """Mean of the excess return x = r - rate, per period."""
    annual_return: float
    """A times `mean`: arithmetic."""
    annual_excess: float
    """A times `mean_excess`."""
    cumulative_return: float
    """Product of 1 + r, less 1."""
    cagr: float
    """(1 + `cumulative_return`) ** (A / T) - 1: compound growth a year, the all-time annual return."""
    risk_adjusted_return: float | None
    """`cagr` / `time_in_market`; None for a series of zeros."""
    expected_period: float
    """Geometric mean return of a period."""
    best: float
    """Highest r."""
    worst: float
    """Lowest r."""


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """Reward over risk, from the excess return x; None where the risk is 0 or the series too short."""

    sharpe: float | None
    """sqrt(A) mean(x) / deviation(x), T - 1 in the deviation."""
    sharpe_error: float | None
    """sqrt(A) times Mertens' (2002) standard error: skewness and kurtosis counted, dependence not."""
    sharpe_autocorrelated: float | None
    """Lo's (2002, equation 20): A / sqrt(A + 2 sum (A - k) rho_k), k < A, in place of sqrt(A); None unless T > A."""
    autocorrelation: float | None
    """Correlation of x with itself one period before."""
    smart_sharpe: float | None
    """`sharpe` over sqrt(1 + 2 sum (1 - k / T) abs(rho_1)**k), k < T: penalised even where rho_1 is negative."""
    probabilistic_sharpe: float | None
    """Probability that the true Sharpe ratio exceeds 0; see `quant.luck.probabilistic_sharpe`."""
    sortino: float | None
    """sqrt(A) mean(x) / sqrt(mean(min(x, 0)**2)), over all T."""
    smart_sortino: float | None
    """`sortino` over the penalty of `smart_sharpe`."""
    adjusted_sortino: float | None
    """`sortino` / sqrt(2): equal to the Sharpe ratio for a law that is symmetric about 0 (Schwager)."""
    smart_adjusted_sortino: float | None
    """`smart_sortino` / sqrt(2)."""
    omega: float | None
    """Sum of positive x over the sum of the negative ones, without sign (Keating and Shadwick 2002)."""
    gain_to_pain: float | None
    """Sum of r over the sum of the negative r, without sign (Schwager)."""
    risk_return: float | None
    """mean(r) / deviation(r), per period and without the rate."""
    kelly_fraction: float | None
    """mean(x) / variance(x): the leverage of the highest growth for small normal returns."""


@compiled
def _autocorrelation(x: Floats, mean: float, lags: int) -> tuple[float, float]:
    """Lag-one correlation, and the sum of (A - k) rho_k over lags k < A, in one backward pass.

    W, the sum of (A - k) c[t + k], follows from that of t + 1 by W - P + (A - 1) c, with P the sum over the window.
    """
    n = x.size
    squares = 0.0
    total = 0.0
    weighted = 0.0
    window = 0.0
    for i in range(n):
        t = n - 1 - i
        c = x[t] - mean
        squares += c * c
        total += c * weighted
        weighted = weighted - window + (lags - 1) * c
        leaving = t + lags - 1
        window += c - ((x[leaving] - mean) if leaving < n else 0.0)
    first = 0.0
    second = 0.0
    for t in range(n - 1):
        first += x[t]
        second += x[t + 1]
    first /= n - 1
    second /= n - 1
    xx = 0.0
    yy = 0.0
    xy = 0.0
    for t in range(n - 1):
        a = x[t] - first
        b = x[t + 1] - second
        xx += a * a
        yy += b * b
        xy += a * b
    scale = math.sqrt(xx * yy)
    return (xy / scale if scale > 0.0 else 0.0), total / squares


@compiled
def _penalty(correlation: float, n: int) -> float:
    base = min(abs(correlation), 1.0)
    power = 1.0
    total = 0.0
    for k in range(1, n):
        power *= base
        if power < 1e-18:
            break
        total += (n - k) / n * power
    return math.sqrt(1.0 + 2.0 * total)


@compiled
def _signs(x: Floats, r: Floats) -> tuple[float, float, float, float, float]:
    """Sums of positive x, of negative x and their squares, of r and of negative r."""
    up = 0.0
    down = 0.0
    squares = 0.0
    total = 0.0
    losses = 0.0
    for t in range(x.size):
        up += max(x[t], 0.0)
        below = min(x[t], 0.0)
        down -= below
        squares += below * below
        total += r[t]
        losses -= min(r[t], 0.0)
    return up, down, squares, total, losses


def sample_of(r: Floats, rate: Floats, periods: int, days: Ints | None) -> Sample:
    """`Sample` of checked arrays."""
    excess = r - rate
    return Sample(r, rate, excess, periods, days, moments(r), moments(excess), moments(log_growth(r)))


def growth(sample: Sample) -> Growth:
    """`Growth` of checked returns."""
    r, periods, log_mean = sample.returns, sample.periods, sample.log_moments.mean
    active = int(np.count_nonzero(r)) / r.size
    cagr = exp(periods * log_mean) - 1.0
    return Growth(
        observations=r.size,
        periods=periods,
        years=r.size / periods,
        rate=periods * moments(sample.rate).mean,
        time_in_market=active,
        mean=sample.moments.mean,
        mean_excess=sample.excess_moments.mean,
        annual_return=periods * sample.moments.mean,
        annual_excess=periods * sample.excess_moments.mean,
        cumulative_return=exp(r.size * log_mean) - 1.0,
        cagr=cagr,
        risk_adjusted_return=over(cagr, active),
        expected_period=exp(log_mean) - 1.0,
        best=float(r.max()),
        worst=float(r.min()),
    )


def over(reward: float, risk: float | None) -> float | None:
    """`reward` / `risk`; None where there is no risk."""
    return reward / risk if risk else None


def times(factor: float, value: float | None) -> float | None:
    """Their product; None where there is no value."""
    return None if value is None else factor * value


def ratios(sample: Sample) -> Ratios:
    """`Ratios` of checked returns."""
    r, x, periods = sample.returns, sample.excess, sample.periods
    own, m = sample.moments, sample.excess_moments
    root = math.sqrt(periods)
    up, down, squares, total, losses = _signs(x, r)
    sortino = over(root * m.mean, math.sqrt(squares / x.size))
    sharpe = error = probability = adjusted = correlation = smart = smart_sortino = None
    if m.varies:
        sharpe = root * m.sharpe
        if sharpe_spread(m.sharpe, skewness=m.skewness, kurtosis=m.kurtosis) > 0.0:
            error = root * sharpe_error(m.sharpe, observations=m.count, skewness=m.skewness, kurtosis=m.kurtosis)
            probability = probabilistic_sharpe(m.sharpe, observations=m.count, skewness=m.skewness, kurtosis=m.kurtosis)
        if x.size > 2:
            correlation, weighted = _autocorrelation(x, m.mean, periods)
            penalty = _penalty(correlation, x.size)
            smart, smart_sortino = sharpe / penalty, times(1.0 / penalty, sortino)
            spread = periods + 2.0 * weighted
            if x.size > periods and spread > 1e-12 * periods:
                adjusted = m.sharpe * periods / math.sqrt(spread)
    return Ratios(
        sharpe=sharpe,
        sharpe_error=error,
        sharpe_autocorrelated=adjusted,
        autocorrelation=correlation,
        smart_sharpe=smart,
        probabilistic_sharpe=probability,
        sortino=sortino,
        smart_sortino=smart_sortino,
        adjusted_sortino=times(math.sqrt(0.5), sortino),
        smart_adjusted_sortino=times(math.sqrt(0.5), smart_sortino),
        omega=over(up, down),
        gain_to_pain=over(total, losses),
        risk_return=own.sharpe if own.varies else None,
        kelly_fraction=m.mean / (m.deviation * m.deviation) if m.varies else None,
    )
