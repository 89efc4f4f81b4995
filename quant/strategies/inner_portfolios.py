"""Weights of the assets inside a risky leg on each day, from the returns through its close."""

import math

import numpy as np

from quant.allocation.hierarchical import hrp_weights
from quant.allocation.risk_budgeting import risk_parity_weights
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS
from quant.strategies.choices import InnerPortfolio

_CODES: dict[InnerPortfolio, int] = {
    "inverse_volatility": 0,
    "risk_parity": 1,
    "hierarchical_risk_parity": 2,
    "minimum_variance": 3,
    "risk_control": 4,
}
_SMALLEST_VARIANCE = 1e-12
_TOLERANCE = 1e-8
"""Largest residual of a mix that has to be found by iteration."""


def daily_mix(inner: InnerPortfolio, legs: Floats, *, lookback: int, target: float | None = None) -> Floats:
    """Shares of the assets through each day.

    Parameters
    ----------
    inner : InnerPortfolio
    legs : ndarray, shape (T, N)
        Daily simple returns, fractions.
    lookback : int
        Sessions of the sample covariance that ends at each day; the days before it is full hold equal shares.
    target : float, optional
        Annual volatility aimed at by `risk_control`, which takes two assets, the riskier first: all of the first where
        its volatility is below the target, otherwise the mix that is on target, or the calmest where none is.

    Returns
    -------
    ndarray, shape (T, N)
        Each row sums to 1; row t depends on rows up to t alone.

    Raises
    ------
    DataError
        If `risk_control` is not given two assets and a target, or a covariance is such that the mix is not found.

    References
    ----------
    Maillard, Roncalli and Teiletche (2010), Journal of Portfolio Management 36(4); Lopez de Prado (2016), Journal of
    Portfolio Management 42(4); S&P Dow Jones Indices, Index Mathematics Methodology, risk control 2.0.
    """
    days, count = legs.shape
    mix = np.full((days, count), 1.0 / count)
    if inner == "equal_weight":
        return mix
    if inner == "risk_control" and (count != 2 or target is None):
        raise DataError(f"`inner` risk_control mixes two assets to a target; got {count} assets and target {target!r}")
    failed_day = _daily_mix(_CODES[inner], np.ascontiguousarray(legs), lookback, target or 0.0, mix)
    if failed_day >= 0:
        raise DataError(
            f"`inner` {inner} is not found at row {failed_day}: the covariance of {lookback} days is singular"
        )
    return mix


@compiled
def _daily_mix(code: int, legs: Floats, lookback: int, target: float, mix: Floats) -> int:
    """Write the mixes; returns the first day without a solution, or -1."""
    days, count = legs.shape
    total = np.zeros(count)
    products = np.zeros((count, count))
    cov = np.empty((count, count))
    n = float(lookback)
    for t in range(days):
        for i in range(count):
            total[i] += legs[t, i] - (legs[t - lookback, i] if t >= lookback else 0.0)
            for j in range(i + 1):
                old = legs[t - lookback, i] * legs[t - lookback, j] if t >= lookback else 0.0
                products[i, j] += legs[t, i] * legs[t, j] - old
        if t < lookback - 1:
            continue
        for i in range(count):
            for j in range(i + 1):
                cov[i, j] = (products[i, j] - total[i] * total[j] / n) / (n - 1.0)
                cov[j, i] = cov[i, j]
            cov[i, i] = max(cov[i, i], _SMALLEST_VARIANCE)
        residual = _mix_of(code, cov, target, mix[t])
        if not residual < _TOLERANCE:
            return t
    return -1


@compiled
def _mix_of(code: int, cov: Floats, target: float, out: Floats) -> float:
    """Write the mix of one covariance; returns its residual."""
    residual = 0.0
    if code == 0:
        _inverse_volatility(cov, out)
    elif code == 1:
        residual = risk_parity_weights(cov, np.full(out.size, 1.0 / out.size), out)
    elif code == 2:
        hrp_weights(cov, True, out)
    elif code == 3:
        residual = _minimum_variance(cov, out)
    else:
        _risk_control(cov, target, out)
    return residual


@compiled
def _inverse_volatility(cov: Floats, out: Floats) -> None:
    total = 0.0
    for i in range(out.size):
        out[i] = 1.0 / math.sqrt(cov[i, i])
        total += out[i]
    for i in range(out.size):
        out[i] /= total


@compiled
def _minimum_variance(cov: Floats, out: Floats) -> float:
    """Long-only weights of least variance, by coordinate descent on y'Cy / 2 - sum(y), y >= 0, C the correlation.

    Returns the largest violation of the optimality conditions, each asset's in units of its own volatility.
    """
    count = out.size
    deviation = np.empty(count)
    y = np.empty(count)
    for i in range(count):
        deviation[i] = math.sqrt(cov[i, i])
        y[i] = 1.0 / count
    scale = 0.0
    for i in range(count):
        scale = max(scale, 1.0 / deviation[i])
    worst = 1.0
    for _ in range(20_000):
        worst = 0.0
        for i in range(count):
            pull = 1.0 / (deviation[i] * scale)
            for j in range(count):
                pull -= cov[i, j] / (deviation[i] * deviation[j]) * y[j]
            weight = max(y[i] + pull, 0.0)
            worst = max(worst, abs(weight - y[i]))
            y[i] = weight
        if worst < 1e-12:
            break
    total = 0.0
    for i in range(count):
        out[i] = y[i] / deviation[i]
        total += out[i]
    for i in range(count):
        out[i] /= total
    return worst


@compiled
def _risk_control(cov: Floats, target: float, out: Floats) -> None:
    """The share a of the first asset at which a'Σa is the target's variance, the larger of two."""
    variance = target * target / DAYS
    curve = cov[0, 0] + cov[1, 1] - 2.0 * cov[0, 1]
    half = cov[0, 1] - cov[1, 1]
    share = 1.0
    if cov[0, 0] > variance and curve > 0.0:
        calmest = min(max(-half / curve, 0.0), 1.0)
        root = half * half - curve * (cov[1, 1] - variance)
        share = calmest if root <= 0.0 else max((math.sqrt(root) - half) / curve, calmest)
    out[0] = min(share, 1.0)
    out[1] = 1.0 - out[0]
