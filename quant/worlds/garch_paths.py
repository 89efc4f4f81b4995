"""Paths of GJR-GARCH, with shocks resampled from history or of Student's t.

The return of a day is m + e with e = sqrt(h) z, and h' = omega + (alpha + gamma' 1[e < 0]) e^2 + beta h. The shocks z
have mean 0 and variance 1: the residuals of the training history over its own filtered volatility, or Student's t.
gamma' = gamma / (2 E[z^2 1(z < 0)]), which is gamma for a symmetric law, so that the persistence is
alpha + gamma / 2 + beta whatever the law of the shocks. omega gives the scenario's variance, and a path starts in the
stationary law of h, so that its mean and variance hold from the first day on.

Glosten, Jagannathan and Runkle (1993), Journal of Finance 48(5); Barone-Adesi, Giannopoulos and Vosper (1999), "VaR
without correlations for portfolios of derivative securities", Journal of Futures Markets 19(5).
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, power, uniform
from quant.numeric.random_numbers import LANES, fill_words, philox
from quant.numeric.units import DAYS
from quant.worlds.scenario import FLOOR, Scenario

_PILOT_DAYS: Final = 20_480
_SNAPSHOT: Final = 80
"""Days between two draws from the stationary law."""
_PILOT_KEY: Final = 0x9E3779B97F4A7C15


def garch_model(
    scenario: Scenario, *, cash: float, premium: float, power_of_link: int, residuals: Floats
) -> tuple[Floats, Floats, Floats]:
    """Constants of `garch_paths`.

    Parameters
    ----------
    scenario : Scenario
    cash, premium : float
        Daily cash return, and daily expected return over it.
    power_of_link : {0, 1, 2}
    residuals : ndarray, shape (H,)
        Daily simple returns of the training history less their mean; H = 0 for Student's t.

    Returns
    -------
    numbers : ndarray, shape (9,)
        Cash, premium, power, omega, alpha, gamma', beta, degrees of freedom, mean variance.
    states : ndarray, shape (S, 1)
        Equally likely variances on the first day, over the mean variance.
    shocks : ndarray, shape (H,)
        Standardised residuals.
    """
    alpha, gamma, beta = scenario.garch_alpha, scenario.garch_gamma, scenario.garch_beta
    shocks = np.empty(residuals.size)
    loss = 0.5
    if residuals.size > 0:
        loss = _standardise_residuals(residuals, alpha, gamma, beta, shocks)
    response = 0.5 * gamma / loss
    root, starts = _stationary(alpha, response, beta, gamma, scenario.garch_nu, shocks.tobytes())
    moment = root if power_of_link == 1 else 1.0
    level = scenario.sigma * scenario.sigma / DAYS
    omega = level * (1.0 - alpha - 0.5 * gamma - beta)
    numbers = np.array(
        [cash, premium / moment, float(power_of_link), omega, alpha, response, beta, scenario.garch_nu, level]
    )
    return numbers, starts.reshape(-1, 1), shocks


def has_fourth_moment(scenario: Scenario, shocks: Floats) -> bool:
    """Whether the fourth moment of a day's return is finite, so that a sample variance has a standard error.

    Parameters
    ----------
    scenario : Scenario
    shocks : ndarray, shape (H,)
        Standardised residuals as `garch_model` returns them; H = 0 for Student's t.

    Returns
    -------
    bool
        Whether E[((alpha + gamma' 1[z < 0]) z^2 + beta)^2] < 1, and E[z^4] is finite: Ling and McAleer (2002),
        "Stationarity and the existence of moments of a family of GARCH processes", Journal of Econometrics 106(1).
        The bound on the loss of a day is disregarded.
    """
    alpha, gamma, beta, nu = scenario.garch_alpha, scenario.garch_gamma, scenario.garch_beta, scenario.garch_nu
    if shocks.size > 0:
        squares = shocks * shocks
        losses = np.where(shocks < 0.0, 1.0, 0.0)
        response = 0.5 * gamma / (math.fsum((losses * squares).tolist()) / shocks.size)
        growth = (alpha + response * losses) * squares + beta
        return math.fsum((growth * growth).tolist()) / shocks.size < 1.0
    if nu <= 4.0:
        return False
    fourth = 3.0 * (nu - 2.0) / (nu - 4.0)
    gain = alpha * alpha + alpha * gamma + 0.5 * gamma * gamma
    return fourth * gain + 2.0 * beta * (alpha + 0.5 * gamma) + beta * beta < 1.0


@lru_cache(maxsize=16)
def _stationary(
    alpha: float, response: float, beta: float, gamma: float, nu: float, shocks: bytes
) -> tuple[float, Floats]:
    """E[sqrt(h / mean h)] and draws of h / mean h, which do not depend on the scale; cached."""
    starts = np.empty(LANES * (_PILOT_DAYS // _SNAPSHOT))
    persistence = alpha + 0.5 * gamma + beta
    warm = min(int(8.0 / (1.0 - persistence)), 8_000)
    numbers = np.array([0.0, 0.0, 0.0, 1.0 - persistence, alpha, response, beta, nu, 1.0])
    root = _pilot(numbers, np.frombuffer(shocks), warm, np.uint64(_PILOT_KEY), starts)
    starts.setflags(write=False)
    return root, starts


@compiled
def _standardise_residuals(residuals: Floats, alpha: float, gamma: float, beta: float, out: Floats) -> float:
    """Residuals over their filtered volatility, with mean 0 and variance 1; the share of losses in that variance."""
    n = residuals.size
    variance = 0.0
    for t in range(n):
        variance += residuals[t] * residuals[t]
    variance /= n
    h = variance
    mean = 0.0
    for t in range(n):
        e = residuals[t]
        out[t] = e / math.sqrt(h)
        mean += out[t]
        gain = alpha + gamma if e < 0.0 else alpha
        h = (1.0 - alpha - 0.5 * gamma - beta) * variance + gain * e * e + beta * h
    mean /= n
    square = 0.0
    for t in range(n):
        out[t] -= mean
        square += out[t] * out[t]
    scale = math.sqrt(square / n)
    loss = 0.0
    for t in range(n):
        out[t] /= scale
        loss += out[t] * out[t] if out[t] < 0.0 else 0.0
    return loss / n


@compiled
def _student(nu: float, day: int, path: int, key: Word) -> float:
    """Student's t of variance 1 by Bailey's polar method (1994), Mathematics of Computation 62(206)."""
    attempt = np.uint64(0)
    while True:
        words = philox(attempt, np.uint64(path), np.uint64(day + 1), np.uint64(2), key)
        attempt += np.uint64(1)
        for k in range(2):
            u = 2.0 * uniform(words[2 * k]) - 1.0
            v = 2.0 * uniform(words[2 * k + 1]) - 1.0
            w = u * u + v * v
            if 0.0 < w <= 1.0:
                return u * math.sqrt((nu - 2.0) * (power(w, -2.0 / nu) - 1.0) / w)


@compiled
def _fill_shocks(
    history: Floats, nu: float, day: int, first_path: int, key: Word, words: NDArray[np.uint64], out: Floats
) -> None:
    if history.size > 0:
        fill_words(day, first_path, key, words)
        for j in range(LANES):
            out[j] = history[min(int(uniform(words[0, j]) * history.size), history.size - 1)]
    else:
        for j in range(LANES):
            out[j] = _student(nu, day, first_path + j, key)


@compiled
def _pilot(numbers: Floats, history: Floats, warm: int, key: Word, starts: Floats) -> float:
    """Fill `starts` with stationary variances of mean 1; the mean of their square root, with h as control variate."""
    omega, alpha, response, beta, nu = numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]
    words = np.empty((4, LANES), dtype=np.uint64)
    shock = np.empty(LANES)
    variance = np.ones(LANES)
    sums = np.zeros((3, LANES))
    for t in range(warm + _PILOT_DAYS):
        _fill_shocks(history, nu, t, 0, key, words, shock)
        for j in range(LANES):
            gain = alpha + response if shock[j] < 0.0 else alpha
            variance[j] = omega + (gain * shock[j] * shock[j] + beta) * variance[j]
        if t < warm:
            continue
        for j in range(LANES):
            root = math.sqrt(variance[j])
            sums[0, j] += root
            sums[1, j] += variance[j]
            sums[2, j] += root * variance[j]
        if (t - warm) % _SNAPSHOT == 0:
            place = (t - warm) // _SNAPSHOT * LANES
            for j in range(LANES):
                starts[place + j] = variance[j]
    n = float(LANES * _PILOT_DAYS)
    root, mean, product = 0.0, 0.0, 0.0
    for j in range(LANES):
        root += sums[0, j] / n
        mean += sums[1, j] / n
        product += sums[2, j] / n
    start, square = 0.0, 0.0
    for i in range(starts.size):
        start += starts[i]
        square += starts[i] * starts[i]
    start /= starts.size
    square = square / starts.size - start * start
    for i in range(starts.size):
        starts[i] /= start
    slope = (product - root * mean) / square if square > 0.0 else 0.0
    return root - slope * (mean - 1.0)


@compiled
def garch_paths(numbers: Floats, states: Floats, history: Floats, key: Word, first_path: int, out: Floats) -> None:
    """Daily returns of 64 paths into `out`, shape (T, 64); the other arguments as `garch_model` makes them."""
    cash, premium, p = numbers[0], numbers[1], numbers[2]
    omega, alpha, response, beta, nu, level = numbers[3], numbers[4], numbers[5], numbers[6], numbers[7], numbers[8]
    count = states.shape[0]
    words = np.empty((4, LANES), dtype=np.uint64)
    shock = np.empty(LANES)
    variance = np.empty(LANES)
    for j in range(LANES):
        a, _, _, _ = philox(np.uint64(0), np.uint64(first_path + j), np.uint64(0), np.uint64(1), key)
        variance[j] = level * states[min(int(uniform(a) * count), count - 1), 0]
    for t in range(out.shape[0]):
        _fill_shocks(history, nu, t, first_path, key, words, shock)
        for j in range(LANES):
            ratio = variance[j] / level
            link = 1.0 if p == 0.0 else math.sqrt(ratio) if p == 1.0 else ratio
            mean = cash + premium * link
            e = max(math.sqrt(variance[j]) * shock[j], FLOOR - mean)
            out[t, j] = mean + e
            gain = alpha + response if e < 0.0 else alpha
            variance[j] = omega + gain * e * e + beta * variance[j]
