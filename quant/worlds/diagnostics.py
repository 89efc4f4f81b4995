"""Checks that simulated paths have the moments that their scenario states."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log, normal_cdf
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.numeric.units import DAYS
from quant.worlds.garch_paths import has_fourth_moment
from quant.worlds.paths import PathModel, engine_of, fill_block, implied_moments, path_model
from quant.worlds.scenario import Scenario
from quant.worlds.square_root_moments import CentralMoments, VarianceProcess, central_moments

LAGS: Final = (1, 5, 21)
"""Sessions between the absolute returns whose correlation is shown."""
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
ERRORS: Final = 3.0
"""Standard errors within which a check passes."""

_BINS: Final = 4096
_MOMENTS: Final = 7 + len(LAGS)
_CLUSTERED: Final = {"heston", "bates", "garch"}
_REAL_DAYS: Final = {"bootstrap", "conditional_bootstrap", "replay"}


@dataclass(frozen=True)
class Check:
    """One statistic of the paths.

    Attributes
    ----------
    name : str
    implied : float or None
        What the scenario states, in closed form; None where there is none.
    simulated, error : float
        Estimate and its standard error over paths.
    passed : bool or None
        Whether the two lie within 3 standard errors; for the memory of a clustered volatility without a closed form,
        whether it is above 0 by as much. None where nothing is stated.
    """

    name: str
    implied: float | None
    simulated: float
    error: float
    passed: bool | None


@dataclass(frozen=True)
class Diagnostics:
    """Result of `diagnose`.

    Attributes
    ----------
    scenario, engine : str
    paths, days : int
    checks : tuple of Check
        `mean` and `volatility` (annual), `skewness`, `kurtosis` (daily; 3 for a normal law),
        `memory_1`, `memory_5`, `memory_21` (autocorrelation of absolute returns), `wealth` (mean growth of 1 over all
        days, against (1 + mu / 252)**days; only where the mean of a day does not depend on the past).
    drawdowns : dict of float to float
        Quantiles of the deepest fall from a peak over all days.
    """

    scenario: str
    engine: str
    paths: int
    days: int
    checks: tuple[Check, ...]
    drawdowns: dict[float, float]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(check.passed is not False for check in self.checks)


@checked_arguments
def diagnose(scenario: Scenario, model: PathModel, *, paths: int | None = None, days: int | None = None) -> Diagnostics:
    """Compare simulated paths with what their scenario states.

    Blocks of 64 paths are drawn one after the other and only sums are stored, so that memory does not grow with the
    number of paths; the same arguments give the same bits.

    Parameters
    ----------
    scenario : Scenario
    model : PathModel
        Of `path_model`, for this scenario.
    paths, days : int, optional
        By default the scenario's own paths, and 252 days for each of its years.

    Returns
    -------
    Diagnostics
        With few paths errors are wide and little is excluded; with heavy tails (GARCH near the border where the
        fourth moment ends) the error of the volatility is itself an estimate with few effective observations.

    Raises
    ------
    DataError
        If there are fewer than 100 paths or 22 days, or if the scenario's engine draws real days and the model's is
        another, so that there are none to compare with.

    Notes
    -----
    Standard errors come from the covariance over paths of the mean of each power and product (delta method).

    Examples
    --------
    >>> from quant.worlds.paths import path_model
    >>> from quant.worlds.scenario import BUILT_IN
    >>> base, bear = BUILT_IN[0], BUILT_IN[2]
    >>> diagnose(base, path_model(base, seed=1), paths=2_000, days=252).passed
    True
    >>> diagnose(base, path_model(bear, seed=1), paths=2_000, days=252).passed
    False
    """
    count = scenario.paths if paths is None else paths
    length = scenario.years * DAYS if days is None else days
    if count < 100 or length <= max(LAGS):
        raise DataError(
            f"`paths` {count} and `days` {length} are too few; expected at least 100 paths and {max(LAGS) + 1} days"
        )
    if scenario.engine in _REAL_DAYS and engine_of(model) != scenario.engine:
        raise DataError(f"`model` is of the engine {engine_of(model)!r}; expected {scenario.engine!r}")
    mu, sigma = implied_moments(scenario)
    mean, products, falls = np.zeros(_MOMENTS), np.zeros((_MOMENTS, _MOMENTS)), np.zeros(_BINS, dtype=np.int64)
    block, rows = np.empty((length, LANES)), np.empty((_MOMENTS, LANES))
    for first in range(0, count, LANES):
        fill_block(
            model.code,
            model.numbers,
            model.states,
            model.stay,
            model.history,
            np.uint64(model.key),
            first,
            block,
        )
        lanes = min(LANES, count - first)
        _summarise(block, mu / DAYS, rows, falls, lanes)
        _add(rows, lanes, first, mean, products)
    covariance = products / (count - 1.0) / count
    shape = implied_shape(scenario, model)
    return Diagnostics(
        scenario=scenario.name,
        engine=scenario.engine,
        paths=count,
        days=length,
        checks=_checks(scenario, mean, covariance, mu, sigma, length, shape),
        drawdowns={q: _quantile(falls, q) for q in QUANTILES},
    )


@dataclass(frozen=True)
class Shape:
    """Daily skewness, kurtosis and autocorrelations of absolute returns (by `LAGS`); None without a closed form."""

    skewness: float | None = None
    kurtosis: float | None = None
    memory: tuple[float, ...] | None = None


def _checks(
    scenario: Scenario, mean: Floats, covariance: Floats, mu: float, sigma: float, days: int, shape: Shape
) -> tuple[Check, ...]:
    a1, a2, a3, a4, size, square, wealth, *crossed = (float(v) for v in mean)
    m2 = a2 - a1 * a1
    m3 = a3 - 3.0 * a1 * a2 + 2.0 * a1 * a1 * a1
    m4 = a4 - 4.0 * a1 * a3 + 6.0 * a1 * a1 * a2 - 3.0 * a1 * a1 * a1 * a1
    # derivatives of the central moments by the four means of powers
    d2 = np.array([-2.0 * a1, 1.0, 0.0, 0.0])
    d3 = np.array([6.0 * a1 * a1 - 3.0 * a2, -3.0 * a1, 1.0, 0.0])
    d4 = np.array([-4.0 * a3 + 12.0 * a1 * a2 - 12.0 * a1 * a1 * a1, 6.0 * a1 * a1, -4.0 * a1, 1.0])
    deviation = math.sqrt(m2)
    skewness, kurtosis = m3 / (m2 * deviation), m4 / (m2 * m2)
    annual = math.sqrt(DAYS)

    def checked(name: str, implied: float | None, simulated: float, gradient: dict[int, float]) -> Check:
        return _check(name, implied, simulated, _error(covariance, gradient))

    def powers(gradient: Floats) -> dict[int, float]:
        return {k: float(g) for k, g in enumerate(gradient)}

    checks = [
        checked("mean", mu, mu + DAYS * a1, {0: float(DAYS)}),
        checked("volatility", sigma, annual * deviation, powers(d2 * (0.5 * annual / deviation))),
        checked("skewness", shape.skewness, skewness, powers(d3 / (m2 * deviation) - d2 * (1.5 * skewness / m2))),
        checked("kurtosis", shape.kurtosis, kurtosis, powers(d4 / (m2 * m2) - d2 * (2.0 * kurtosis / m2))),
    ]
    variance = square - size * size
    for k, lag in enumerate(LAGS):
        memory = (crossed[k] - size * size) / variance
        gradient = {4: 2.0 * size * (memory - 1.0) / variance, 5: -memory / variance, 7 + k: 1.0 / variance}
        check = checked(f"memory_{lag}", shape.memory[k] if shape.memory else None, memory, gradient)
        if shape.memory is None and scenario.engine in _CLUSTERED:
            check = Check(check.name, None, check.simulated, check.error, memory > ERRORS * check.error)
        checks.append(check)
    if _fair(scenario):
        checks.append(checked("wealth", exp(days * log(1.0 + mu / DAYS)), wealth, {6: 1.0}))
    return tuple(checks)


@checked_arguments
def without_standard_error(scenario: Scenario, model: PathModel) -> frozenset[str]:
    """Names of the checks of `diagnose` whose errors are no measure of the deviation from the scenario.

    Parameters
    ----------
    scenario : Scenario
    model : PathModel
        Of `path_model`, for this scenario.

    Returns
    -------
    frozenset of str
        Where the fourth moment of GARCH is infinite: `volatility`, whose estimate is too low in most samples and its
        error too, and `mean` if it moves with the volatility. Otherwise empty.
    """
    if scenario.engine != "garch" or has_fourth_moment(scenario, model.history):
        return frozenset()
    return frozenset({"volatility"} if _fair(scenario) else {"volatility", "mean"})


def _check(name: str, implied: float | None, simulated: float, error: float) -> Check:
    if implied is None:
        return Check(name, None, simulated, error, None)
    rounding = 1e-12 * max(1.0, abs(implied))
    return Check(name, implied, simulated, error, abs(simulated - implied) <= ERRORS * error + rounding)


def _error(covariance: Floats, gradient: dict[int, float]) -> float:
    terms = [u * v * float(covariance[i, j]) for i, u in gradient.items() for j, v in gradient.items()]
    return math.sqrt(max(math.fsum(terms), 0.0))


def _fair(scenario: Scenario) -> bool:
    """Whether the mean of a day does not depend on the past, so that mean wealth compounds it."""
    constant = scenario.premium_power == 0 or scenario.mu <= scenario.cash_rate
    match scenario.engine:
        case "gbm" | "merton":
            return True
        case "heston" | "bates" | "garch":
            return constant
        case "regime_switching":
            return constant and not scenario.states
        case _:
            return False


def _quantile(counts: Ints, share: float) -> float:
    cumulated = np.cumsum(counts)
    rank = share * int(cumulated[-1])
    place = min(int(np.searchsorted(cumulated, rank)), _BINS - 1)
    inside = int(counts[place])
    before = int(cumulated[place]) - inside
    return (place + ((rank - before) / inside if inside else 0.0)) / _BINS


@compiled
def _summarise(returns: Floats, centre: float, rows: Floats, falls: Ints, lanes: int) -> None:
    """Means over the days of each path: powers about `centre`, size, square, wealth, products of sizes."""
    days = returns.shape[0]
    rows[:] = 0.0
    for j in range(LANES):
        wealth, peak, deepest = 1.0, 1.0, 0.0
        for t in range(days):
            r = returns[t, j]
            d = r - centre
            rows[0, j] += d
            rows[1, j] += d * d
            rows[2, j] += d * d * d
            rows[3, j] += d * d * d * d
            rows[4, j] += abs(r)
            rows[5, j] += r * r
            wealth *= 1.0 + r
            peak = max(peak, wealth)
            deepest = max(deepest, 1.0 - wealth / peak)
        for k in range(6):
            rows[k, j] /= days
        rows[6, j] = wealth
        for k in range(len(LAGS)):
            lag = LAGS[k]
            for t in range(days - lag):
                rows[7 + k, j] += abs(returns[t, j] * returns[t + lag, j])
            rows[7 + k, j] /= days - lag
        if j < lanes:
            falls[min(int(deepest * _BINS), _BINS - 1)] += 1


@compiled
def _add(rows: Floats, lanes: int, path_count: int, mean: Floats, products: Floats) -> None:
    """Welford's update of the means and of the sums of products of deviations, path by path."""
    count = rows.shape[0]
    before = np.empty(count)
    for j in range(lanes):
        path_count += 1
        for k in range(count):
            before[k] = rows[k, j] - mean[k]
            mean[k] += before[k] / path_count
        for k in range(count):
            for m in range(count):
                products[k, m] += before[k] * (rows[m, j] - mean[m])


# what the engines imply


@checked_arguments
def implied_shape(scenario: Scenario, model: PathModel) -> Shape:
    """Shape of a day that `scenario` states.

    By its own constants, not by those of the model to be judged, of which only the days of history are used.
    """
    law = model if scenario.engine in _REAL_DAYS else path_model(scenario, seed=0)
    none = (0.0,) * len(LAGS)
    numbers = [float(v) for v in law.numbers]
    match scenario.engine:
        case "gbm":
            return _standard(*_lognormal(1.0 + numbers[0], numbers[1]), none)
        case "merton":
            moments = _with_jumps(_lognormal(1.0 + numbers[0], numbers[1]), numbers[2:5])
            return _standard(*moments, none)
        case "heston":
            moments = _stochastic(numbers)
            return _standard(*moments, None) if moments else Shape()
        case "bates":
            moments = _stochastic(numbers[:8])
            return _standard(*_with_jumps(moments, numbers[8:11]), None) if moments else Shape()
        case "regime_switching":
            return _regimes(law.states, law.stay)
        case "garch":
            # symmetric shocks have no skewness; the fourth moment of the others may not exist, and the error of its
            # estimate does not for Student's t of few degrees of freedom
            return Shape(skewness=None if model.history.size else 0.0) if _fair(scenario) else Shape()
        case "bootstrap":
            weights = np.full(model.history.size, 1.0 / model.history.size)
            goes_on = 1.0 - numbers[0]
            memory = tuple(exp(lag * log(goes_on)) * _circular(model.history, lag) for lag in LAGS)
            return _sample_shape(model.history, weights, memory)
        case "conditional_bootstrap":
            return _sample_shape(model.history, model.states[:, 2], None)
        case "replay":
            weights = np.full(model.history.size, 1.0 / model.history.size)
            return _sample_shape(model.history, weights, tuple(_circular(model.history, lag) for lag in LAGS))


def _standard(second: float, third: float, fourth: float, memory: tuple[float, ...] | None) -> Shape:
    return Shape(third / (second * math.sqrt(second)), fourth / (second * second), memory)


def _lognormal(gross: float, variance: float) -> CentralMoments:
    """Central moments of order 2 to 4 of a log-normal law with this mean and variance."""
    q = variance / (gross * gross)
    g2 = gross * gross
    third = g2 * gross * q * q * (q + 3.0)
    fourth = g2 * g2 * q * q * (q * q * q * q + 6.0 * q * q * q + 15.0 * q * q + 16.0 * q + 3.0)
    return variance, third, fourth


def _with_jumps(diffusion: CentralMoments, law: list[float]) -> CentralMoments:
    """Cumulants of a compound Poisson sum of normal jumps are the rate times the raw moments of a jump."""
    second, third, fourth = diffusion
    rate, m, s = law
    v = s * s
    jump2 = rate * (m * m + v)
    jump3 = rate * (m * m * m + 3.0 * m * v)
    jump4 = rate * (m * m * m * m + 6.0 * m * m * v + 3.0 * v * v)
    total = second + jump2
    excess = (fourth - 3.0 * second * second) + jump4
    return total, third + jump3, excess + 3.0 * total * total


def _stochastic(numbers: list[float]) -> CentralMoments | None:
    _, premium, p, kappa, theta, xi, rho, _ = numbers
    return central_moments(VarianceProcess(kappa, xi, rho, theta), premium, p)


def _regimes(states: Floats, stay: Floats) -> Shape:
    count = stay.size
    share = states[:, 2]
    centre = math.fsum((share * states[:, 0]).tolist())
    second, third, fourth = 0.0, 0.0, 0.0
    sizes = np.empty(count)
    for k in range(count):
        mean, variance = float(states[k, 0]), float(states[k, 1])
        gap = mean - centre
        _, own3, own4 = _lognormal(1.0 + mean, variance)
        second += float(share[k]) * (variance + gap * gap)
        third += float(share[k]) * (own3 + 3.0 * variance * gap + gap * gap * gap)
        square = gap * gap
        fourth += float(share[k]) * (own4 + 4.0 * own3 * gap + 6.0 * variance * square + square * square)
        deviation = math.sqrt(variance)
        # a folded normal law; that a day is log-normal changes its size by a share of the variance of a day
        folded = math.sqrt(2.0 / math.pi) * deviation * exp(-0.5 * mean * mean / variance)
        sizes[k] = folded + mean * (2.0 * normal_cdf(mean / deviation) - 1.0)
    size = math.fsum((share * sizes).tolist())
    variance = second + centre * centre - size * size
    move = np.diag(stay) + (1.0 - np.eye(count)) * ((1.0 - stay) / (count - 1))[:, None]
    memory: list[float] = []
    expected = sizes.copy()
    for lag in range(1, max(LAGS) + 1):
        expected = np.array([math.fsum((row * expected).tolist()) for row in move])
        if lag in LAGS:
            memory.append((math.fsum((share * sizes * expected).tolist()) - size * size) / variance)
    return _standard(second, third, fourth, tuple(memory))


def _sample_shape(days: Floats, weights: Floats, memory: tuple[float, ...] | None) -> Shape:
    centred = days - math.fsum((weights * days).tolist())
    square = centred * centred
    second = math.fsum((weights * square).tolist())
    third = math.fsum((weights * square * centred).tolist())
    fourth = math.fsum((weights * square * square).tolist())
    return _standard(second, third, fourth, memory)


def _circular(days: Floats, lag: int) -> float:
    """Autocorrelation of the absolute returns of days that repeat circularly."""
    sizes = np.abs(days)
    centred = sizes - math.fsum(sizes.tolist()) / sizes.size
    return math.fsum((centred * np.roll(centred, -lag)).tolist()) / math.fsum((centred * centred).tolist())
