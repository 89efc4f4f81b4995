"""Likelihood of GJR-GARCH(1,1) and its maximum; see `quant.volatility.garch`."""

import math
from typing import Final

import numpy as np

from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log, log_gamma
from quant.numeric.units import DAYS

LARGEST_PERSISTENCE: Final = 0.9999
"""Upper bound in a fit: a half-life above 27 years cannot be distinguished from a variance without a long-run mean."""
SMALLEST_FREEDOM: Final = 2.05
LARGEST_FREEDOM: Final = 500.0
"""Above it Student's t cannot be distinguished from the normal law on daily returns."""

_BACKCAST_DAYS: Final = 75
_BACKCAST_DECAY: Final = 0.94
_SMALLEST_OMEGA: Final = 1e-8
"""Over the variance of the sample."""
_PARAMETERS: Final = 6
_LOSS: Final = 3
_NU: Final = 5
"""Places of the parameters that a symmetric or a normal model does not use."""
_ITERATIONS: Final = 200
_ROUNDING: Final = 1e-12
"""Rounding of the mean log-likelihood, mostly of `log_gamma`: near the maximum the slope is more exact."""
_GRADIENT: Final = 1e-8
"""Of the mean log-likelihood of standardised returns; below it a fit has converged."""
_STARTS: Final = (
    # alpha, gamma, persistence, degrees of freedom
    (0.03, 0.08, 0.97, 8.0),
    (0.10, 0.02, 0.90, 6.0),
    (0.05, 0.05, 0.60, 12.0),
)


@compiled
def _backcast(x: Floats) -> float:
    """Variance before the sample: weighted mean of the first squared deviations from the mean, which is 0."""
    total = 0.0
    weights = 0.0
    weight = 1.0
    for t in range(min(_BACKCAST_DAYS, x.size)):
        total += weight * x[t] * x[t]
        weights += weight
        weight *= _BACKCAST_DECAY
    return total / weights


@compiled
def _digamma(x: float) -> float:
    """Derivative of `log_gamma` for x > 0; absolute error below 1e-12."""
    shift = 0.0
    while x < 12.0:
        shift += 1.0 / x
        x += 1.0
    z = 1.0 / (x * x)
    series = 691.0 / 32760.0
    series = 1.0 / 132.0 - z * series
    series = 1.0 / 240.0 - z * series
    series = 1.0 / DAYS - z * series
    series = 1.0 / 120.0 - z * series
    series = 1.0 / 12.0 - z * series
    return log(x) - 0.5 / x - z * series - shift


@compiled
def _natural(z: Floats, active: Flags, natural: Floats) -> None:
    """mu, omega, weights of squared gains and losses, beta, nu from free numbers.

    With r the sum of squares of the free weights, the persistence is its bound times 4 r / (1 + r)^2: the bound is
    reached at r = 1 and a weight of zero at zero, so that the search never runs off to infinity for either.
    """
    r = z[2] * z[2] + z[4] * z[4] + (z[3] * z[3] if active[_LOSS] else 0.0)
    share = 4.0 * LARGEST_PERSISTENCE / ((1.0 + r) * (1.0 + r))
    natural[0] = z[0]
    natural[1] = _SMALLEST_OMEGA + exp(z[1])
    if active[_LOSS]:
        natural[2] = 2.0 * share * z[2] * z[2]
        natural[3] = 2.0 * share * z[3] * z[3]
    else:
        natural[2] = share * z[2] * z[2]
        natural[3] = natural[2]
    natural[4] = share * z[4] * z[4]
    least = 1.0 / LARGEST_FREEDOM
    natural[5] = 1.0 / (least + (1.0 / SMALLEST_FREEDOM - least) * z[5] * z[5] / (1.0 + z[5] * z[5]))


@compiled
def _loss(x: Floats, natural: Floats, before: float, active: Flags, slope: Floats) -> float:
    """Mean negative log-likelihood; writes its gradient by the natural parameters."""
    mu, omega, gain, loss, beta, nu = natural[0], natural[1], natural[2], natural[3], natural[4], natural[5]
    h = omega + (0.5 * (gain + loss) + beta) * before
    d_mu, d_omega, d_gain, d_loss, d_beta = 0.0, 1.0, 0.5 * before, 0.5 * before, before
    student = active[_NU]
    room = 1.0 / (nu - 2.0)
    total = 0.0
    product, tails = 1.0, 1.0  # one logarithm for some days
    g_mu, g_omega, g_gain, g_loss, g_beta, g_nu = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for t in range(x.size):
        e = x[t] - mu
        precision = 1.0 / h
        q = e * e * precision
        weight = 1.0
        if student:
            tails *= 1.0 + q * room
            weight = (nu + 1.0) / (nu - 2.0 + q)
            g_nu -= 0.5 * weight * q * room
        else:
            total += 0.5 * q
        product *= h
        if not 1e-30 < product < 1e30 or tails > 1e30 or t == x.size - 1:
            tail = log(tails)
            total += 0.5 * (log(product) + (nu + 1.0) * tail)
            g_nu += 0.5 * tail
            product, tails = 1.0, 1.0
        by_h = 0.5 * (1.0 - weight * q) * precision
        g_mu += by_h * d_mu - weight * e * precision
        g_omega += by_h * d_omega
        g_gain += by_h * d_gain
        g_loss += by_h * d_loss
        g_beta += by_h * d_beta
        down = e < 0.0
        slope_of_e = loss if down else gain
        d_mu = beta * d_mu - 2.0 * slope_of_e * e
        d_omega = 1.0 + beta * d_omega
        d_gain = beta * d_gain + (0.0 if down else e * e)
        d_loss = beta * d_loss + (e * e if down else 0.0)
        d_beta = beta * d_beta + h
        h = omega + slope_of_e * e * e + beta * h
    n = x.size
    slope[0], slope[1], slope[2], slope[3], slope[4] = g_mu / n, g_omega / n, g_gain / n, g_loss / n, g_beta / n
    slope[5] = 0.0
    if not student:
        return total / n + 0.5 * log(2.0 * math.pi)
    slope[5] = g_nu / n - 0.5 * (_digamma(0.5 * (nu + 1.0)) - _digamma(0.5 * nu) - 1.0 / (nu - 2.0))
    return total / n - log_gamma(0.5 * (nu + 1.0)) + log_gamma(0.5 * nu) + 0.5 * log(math.pi * (nu - 2.0))


@compiled
def _free_loss(x: Floats, z: Floats, before: float, active: Flags, slope: Floats) -> float:
    """`_loss` and its gradient by the free numbers; 0 for those that the model does not use."""
    natural = np.empty(_PARAMETERS)
    by = np.empty(_PARAMETERS)
    _natural(z, active, natural)
    value = _loss(x, natural, before, active, by)
    r = z[2] * z[2] + z[4] * z[4] + (z[3] * z[3] if active[_LOSS] else 0.0)
    share = 4.0 * LARGEST_PERSISTENCE / ((1.0 + r) * (1.0 + r))
    slope[0] = by[0]
    slope[1] = by[1] * (natural[1] - _SMALLEST_OMEGA)
    down = natural[2] * by[2] + natural[3] * by[3] + natural[4] * by[4]  # by the logarithm of their size
    shrink = 2.0 * down / (1.0 + r)
    slope[2] = 2.0 * z[2] * ((2.0 * by[2] if active[_LOSS] else by[2] + by[3]) * share - shrink)
    slope[3] = 2.0 * z[3] * (2.0 * by[3] * share - shrink) if active[_LOSS] else 0.0
    slope[4] = 2.0 * z[4] * (by[4] * share - shrink)
    span = 1.0 / SMALLEST_FREEDOM - 1.0 / LARGEST_FREEDOM
    room = 1.0 + z[5] * z[5]
    slope[5] = -by[5] * natural[5] * natural[5] * span * 2.0 * z[5] / (room * room)
    return value


@compiled
def _direction(inverse: Floats, slope: Floats, step: Floats) -> float:
    """-inverse @ slope into `step`, and the slope along it."""
    descent = 0.0
    for i in range(_PARAMETERS):
        step[i] = 0.0
        for k in range(_PARAMETERS):
            step[i] -= inverse[i, k] * slope[k]
        descent += step[i] * slope[i]
    return descent


@compiled
def _reset(inverse: Floats, scale: float) -> None:
    for i in range(_PARAMETERS):
        for k in range(_PARAMETERS):
            inverse[i, k] = scale if i == k else 0.0


@compiled
def _update(inverse: Floats, s: Floats, y: Floats, updates: int) -> None:
    """Broyden, Fletcher, Goldfarb and Shanno's update of an inverse Hessian; none without curvature."""
    sy = 0.0
    yy = 0.0
    for i in range(_PARAMETERS):
        sy += s[i] * y[i]
        yy += y[i] * y[i]
    if not sy > 1e-14 * yy:
        return
    if updates == 0:
        _reset(inverse, sy / yy)
    image = np.zeros(_PARAMETERS)
    yhy = 0.0
    for i in range(_PARAMETERS):
        for k in range(_PARAMETERS):
            image[i] += inverse[i, k] * y[k]
        yhy += image[i] * y[i]
    for i in range(_PARAMETERS):
        for k in range(_PARAMETERS):
            inverse[i, k] += ((1.0 + yhy / sy) * s[i] * s[k] - image[i] * s[k] - s[i] * image[k]) / sy


@compiled
def _steepest(slope: Floats) -> float:
    largest = 0.0
    for i in range(slope.size):
        largest = max(largest, abs(slope[i]))
    return largest


@compiled
def _minimise(x: Floats, z: Floats, before: float, active: Flags) -> tuple[float, float]:
    """Quasi-Newton descent from `z`, which becomes the minimiser; the mean loss there and its largest slope."""
    slope = np.empty(_PARAMETERS)
    trial_slope = np.empty(_PARAMETERS)
    trial = np.empty(_PARAMETERS)
    step = np.empty(_PARAMETERS)
    inverse = np.empty((_PARAMETERS, _PARAMETERS))
    value = _free_loss(x, z, before, active, slope)
    _reset(inverse, 0.1 / max(_steepest(slope), 0.1))
    level = value
    for iteration in range(_ITERATIONS):
        if _steepest(slope) < _GRADIENT:
            break
        descent = _direction(inverse, slope, step)
        if not descent < 0.0:
            _reset(inverse, 1.0)
            descent = _direction(inverse, slope, step)
        size = min(1.0, 1.0 / max(_steepest(step), 1e-300))  # no free number moves by more than 1
        converged = False
        for _ in range(40):
            for i in range(_PARAMETERS):
                trial[i] = z[i] + size * step[i]
            level = _free_loss(x, trial, before, active, trial_slope)
            if level <= value + 1e-4 * size * descent + _ROUNDING:
                converged = True
                break
            # minimum of the parabola through both values and the slope, within a tenth and a half of the step
            bend = level - value - size * descent
            size *= min(max(-0.5 * size * descent / bend, 0.1), 0.5) if bend > 0.0 else 0.5
        if not converged:
            break
        for i in range(_PARAMETERS):
            step[i] = trial[i] - z[i]
            slope[i] = trial_slope[i] - slope[i]
            z[i] = trial[i]
        _update(inverse, step, slope, iteration)
        value = level
        for i in range(_PARAMETERS):
            slope[i] = trial_slope[i]
    return value, _steepest(slope)


def _start(alpha: float, gamma: float, persistence: float, nu: float, *, asymmetric: bool) -> Floats:
    """Free numbers of a start whose long-run variance is that of the sample, 1."""
    if not asymmetric:
        alpha, gamma = alpha + 0.5 * gamma, 0.0
    beta = persistence - alpha - 0.5 * gamma
    weights = np.array([0.5 * alpha, 0.5 * (alpha + gamma), beta] if asymmetric else [alpha, 0.0, beta])
    q = math.sqrt(1.0 - persistence / LARGEST_PERSISTENCE)
    r = (1.0 - q) / (1.0 + q)
    free = np.sqrt(weights / (4.0 * LARGEST_PERSISTENCE)) * (1.0 + r)
    least = 1.0 / LARGEST_FREEDOM
    share = (1.0 / nu - least) / (1.0 / SMALLEST_FREEDOM - least)
    return np.array([0.0, log(1.0 - persistence - _SMALLEST_OMEGA), *free, math.sqrt(share / (1.0 - share))])


def maximise(x: Floats, *, student: bool, asymmetric: bool) -> tuple[Floats, float]:
    """Parameters of the largest likelihood over the starts, and the largest slope that is left there.

    Parameters
    ----------
    x : ndarray, shape (T,)
        Returns of mean 0 and variance 1.
    student : bool
        Innovations of Student's law, else normal.
    asymmetric : bool
        Whether losses have their own weight.

    Returns
    -------
    natural : ndarray, shape (6,)
        Mean, omega, weights of squared gains and of squared losses, beta, degrees of freedom.
    slope : float
        Of the mean log-likelihood, in the numbers of the search.
    """
    active = np.array([True, True, True, asymmetric, True, student])
    before = _backcast(x)
    least, slope, free = math.inf, math.inf, np.empty(0)
    for alpha, gamma, persistence, nu in _STARTS:
        z = _start(alpha, gamma, persistence, nu, asymmetric=asymmetric)
        value, residual_slope = _minimise(x, z, before, active)
        if value < least:
            least, slope, free = value, residual_slope, z
    natural = np.empty(_PARAMETERS)
    _natural(free, active, natural)
    return natural, slope


def log_likelihood(x: Floats, natural: Floats, *, student: bool) -> float:
    """Of `x`, shape (T,), with the natural parameters that `maximise` returns."""
    active = np.array([True, True, True, True, True, student])
    return -x.size * float(_loss(x, natural, _backcast(x), active, np.empty(_PARAMETERS)))
