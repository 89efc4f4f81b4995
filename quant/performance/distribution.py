"""Dispersion, tails and shape of a series of returns, per period."""

import math
from dataclasses import dataclass

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log, normal_quantile
from quant.numeric.moments import Moments
from quant.performance.historical_tail import TAIL_LEVEL, tail_of
from quant.performance.ratios import Sample, over

_SQRT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How returns spread; losses and risks are positive, per period unless a field says otherwise.

    The tail is that of the worst 5%. None where the series is too short or has no losses to compare with.
    """

    deviation: float
    """Sample deviation of r (T - 1)."""
    variance: float
    """Its square."""
    volatility: float
    """sqrt(A) times `deviation`."""
    semi_variance: float
    """Sum of min(r - mean, 0)**2 over T - 1."""
    semi_deviation: float
    """Its square root."""
    downside_deviation: float
    """sqrt(A mean(min(x, 0)**2)) of the excess return x, a year."""
    mean_absolute_deviation: float
    """Mean of abs(r - mean)."""
    first_lower_partial_moment: float
    """Mean of max(mean - r, 0)."""
    fourth_central_moment: float
    """Mean of (r - mean)**4."""
    fourth_lower_partial_moment: float
    """Mean of max(mean - r, 0)**4."""
    skewness: float
    """Third standardised moment (division by T); 0 without variation."""
    kurtosis: float
    """Fourth standardised moment (division by T), 3 for the normal law."""
    gini_mean_difference: float
    """Mean of abs(r_s - r_t) over pairs of different periods."""
    value_at_risk: float
    """k-th worst loss, k = ceil(5% of T)."""
    expected_shortfall: float
    """Mean of the worst 5%, the boundary observation counted in part (Acerbi and Tasche 2002)."""
    normal_value_at_risk: float
    """1.645 deviations less the mean: the loss of a normal law."""
    normal_expected_shortfall: float
    """Mean loss beyond it, for a normal law."""
    entropic_risk: float
    """ln(E[exp(-r)] / 5%): entropic risk measure at a risk aversion of 1."""
    entropic_value_at_risk: float
    """min over z > 0 of ln(E[exp(-z r)] / 5%) / z (Ahmadi-Javid 2012): the tightest Chernoff bound of the tail."""
    tail_ratio: float | None
    """95% quantile over the 5% quantile, without sign; quantiles are interpolated linearly."""
    outlier_win_ratio: float | None
    """99% quantile over the mean positive return."""
    outlier_loss_ratio: float | None
    """1% quantile over the mean negative return."""
    risk_of_ruin: float
    """Probability that wealth ever falls to half of today's if log returns stay normal, independent, with the sample's
    mean m and variance v: min(1, (1/2)**(2 m / v))."""


@compiled
def _below_the_mean(r: Floats, mean: float) -> tuple[float, float, float, float]:
    """Means of the absolute deviation, and of the first, second and fourth power of the shortfall below the mean."""
    absolute = 0.0
    first = 0.0
    second = 0.0
    fourth = 0.0
    for t in range(r.size):
        d = mean - r[t]
        below = max(d, 0.0)
        absolute += abs(d)
        first += below
        second += below * below
        fourth += (below * below) * (below * below)
    return absolute / r.size, first / r.size, second / r.size, fourth / r.size


@compiled
def _downside(x: Floats) -> float:
    squares = 0.0
    for t in range(x.size):
        below = min(x[t], 0.0)
        squares += below * below
    return math.sqrt(squares / x.size)


@compiled
def _of_order(ordered: Floats) -> tuple[float, float, float]:
    """Gini's mean difference of ascending numbers, and the means of the negative and of the positive."""
    n = ordered.size
    weighted = 0.0
    down = 0.0
    up = 0.0
    losses = 0
    wins = 0
    for i in range(n):
        weighted += (2.0 * (i + 1) - n - 1.0) * ordered[i]
        if ordered[i] < 0.0:
            down += ordered[i]
            losses += 1
        elif ordered[i] > 0.0:
            up += ordered[i]
            wins += 1
    return (
        2.0 * weighted / (n * (n - 1.0)),
        down / losses if losses > 0 else 0.0,
        up / wins if wins > 0 else 0.0,
    )


@compiled
def _tilted(below: Floats, z: float, e: Floats) -> tuple[float, float, float]:
    """Sums of e = exp(z y), y e and y**2 e over the y of `below`; four partial sums run side by side."""
    n = below.size
    for t in range(n):
        e[t] = exp(z * below[t])
    a0 = a1 = a2 = a3 = 0.0
    b0 = b1 = b2 = b3 = 0.0
    c0 = c1 = c2 = c3 = 0.0
    whole = n - n % 4
    for t in range(0, whole, 4):
        y0, y1, y2, y3 = below[t], below[t + 1], below[t + 2], below[t + 3]
        e0, e1, e2, e3 = e[t], e[t + 1], e[t + 2], e[t + 3]
        a0 += e0
        a1 += e1
        a2 += e2
        a3 += e3
        b0 += y0 * e0
        b1 += y1 * e1
        b2 += y2 * e2
        b3 += y3 * e3
        c0 += y0 * (y0 * e0)
        c1 += y1 * (y1 * e1)
        c2 += y2 * (y2 * e2)
        c3 += y3 * (y3 * e3)
    for t in range(whole, n):
        a0 += e[t]
        b0 += below[t] * e[t]
        c0 += below[t] * (below[t] * e[t])
    return (a0 + a1) + (a2 + a3), (b0 + b1) + (b2 + b3), (c0 + c1) + (c2 + c3)


@compiled
def _entropic(r: Floats) -> float:
    """Logarithm of E[exp(-r)]."""
    least = r[0]
    for t in range(r.size):
        least = min(least, r[t])
    below = np.empty(r.size)
    for t in range(r.size):
        below[t] = least - r[t]
    return log(_tilted(below, 1.0, np.empty(r.size))[0] / r.size) - least


@compiled
def entropic_at_risk(losses: Floats, tail: float) -> float:
    """Minimum over z > 0 of ln(E[exp(z loss)] / `tail`) / z, by Newton's method within a bracket.

    With K the cumulant generating function the derivative vanishes where z K' - K = -ln(tail); its slope is z K''.
    Where the largest loss has a probability of `tail` or more the bound falls towards that loss for ever.
    """
    n = losses.size
    most = losses[0]
    mean = 0.0
    for t in range(n):
        most = max(most, losses[t])
        mean += losses[t]
    mean /= n
    largest = 0
    squares = 0.0
    below = np.empty(n)
    for t in range(n):
        largest += losses[t] == most
        squares += (losses[t] - mean) * (losses[t] - mean)
        below[t] = losses[t] - most
    if largest >= tail * n * (1.0 - 1e-12) or squares == 0.0:
        return most
    entropy = -log(tail)
    z = math.sqrt(2.0 * entropy * n / squares)
    low = 0.0
    high = np.inf
    best = most
    e = np.empty(n)
    for _ in range(200):
        total, first, second = _tilted(below, z, e)
        first /= total
        level = log(total / n)
        best = min(best, most + (level + entropy) / z)
        miss = z * first - level - entropy
        if miss > 0.0:
            high = z
        else:
            low = z
        step = miss / (z * max(second / total - first * first, 1e-300))
        if abs(step) <= 1e-6 * z:  # the bound is flat there: its own error is of the second order
            break
        z = z - step
        if z <= low or z >= high:
            z = 0.5 * (low + high) if high < np.inf else 2.0 * low
    return best


def quantile(ordered: Floats, share: float) -> float:
    """Quantile of ascending numbers, interpolated linearly between neighbours."""
    place = share * (ordered.size - 1)
    below = min(math.floor(place), ordered.size - 2)
    low, high = float(ordered[below]), float(ordered[below + 1])
    return low + (place - below) * (high - low)


def _ruin(m: Moments) -> float:
    """Chance that a walk of log wealth with these moments ever falls by ln 2."""
    if m.mean <= 0.0:
        return 1.0 if m.mean < 0.0 or m.varies else 0.0
    return exp(-2.0 * log(2.0) * m.mean / (m.deviation * m.deviation)) if m.varies else 0.0


def distribution(sample: Sample) -> Distribution:
    """`Distribution` of checked returns."""
    r, m, periods = sample.returns, sample.moments, sample.periods
    n = r.size
    ordered = np.sort(r)
    tail = 1.0 - TAIL_LEVEL
    absolute, first, second, fourth = _below_the_mean(r, m.mean)
    gini, loss, win = _of_order(ordered)
    at_risk, shortfall = tail_of(ordered, n, TAIL_LEVEL)
    z = normal_quantile(tail)
    low = quantile(ordered, tail)
    semi = second * n / (n - 1)
    return Distribution(
        deviation=m.deviation,
        variance=m.deviation * m.deviation,
        volatility=math.sqrt(periods) * m.deviation,
        semi_variance=semi,
        semi_deviation=math.sqrt(semi),
        downside_deviation=math.sqrt(periods) * _downside(sample.excess),
        mean_absolute_deviation=absolute,
        first_lower_partial_moment=first,
        fourth_central_moment=m.fourth,
        fourth_lower_partial_moment=fourth,
        skewness=m.skewness,
        kurtosis=m.kurtosis,
        gini_mean_difference=gini,
        value_at_risk=at_risk,
        expected_shortfall=shortfall,
        normal_value_at_risk=-(m.mean + z * m.deviation),
        normal_expected_shortfall=m.deviation * exp(-0.5 * z * z) / (_SQRT_2PI * tail) - m.mean,
        entropic_risk=_entropic(r) - log(tail),
        entropic_value_at_risk=entropic_at_risk(-r, tail),
        tail_ratio=over(abs(quantile(ordered, TAIL_LEVEL)), abs(low)),
        outlier_win_ratio=over(quantile(ordered, 0.99), win),
        outlier_loss_ratio=over(quantile(ordered, 0.01), loss),
        risk_of_ruin=_ruin(sample.log_moments),
    )
