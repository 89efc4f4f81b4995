"""Simulated daily returns of one risky leg, in blocks of 64 paths.

Each engine draws simple daily returns whose unconditional mean is mu / 252 and whose variance is sigma**2 / 252. Under
Heston sigma**2 is the mean of the variance process; where the premium moves with it, the dispersion of the daily means
comes on top: a quarter of a percent of the variance at most in the built-in scenarios.
Given the state at the start of a day, a return is (1 + m) exp(s z - s**2 / 2) - 1 with s**2 = ln(1 + v / (1 + m)**2):
its conditional mean m and variance v hold exactly, and it never falls below -1. Under Heston and Bates the variance
moves within the day: a return is m + exp(X) - 1 with X of `quant.worlds.square_root`.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled, inlined
from quant.numeric.elementary import Word, exp, log, log_gamma, normal, power, uniform
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES, fill_counted_words, fill_words, gamma_draw, philox
from quant.numeric.units import DAYS
from quant.worlds.garch_paths import garch_model, garch_paths
from quant.worlds.resampling import (
    SHORTEST_BLOCK,
    conditional_paths,
    labelled_blocks,
    replay_paths,
    standardised,
)
from quant.worlds.scenario import CALM_DAYS, FLOOR, JUMP, TURBULENCE, TURBULENT_DAYS, Engine, Scenario
from quant.worlds.square_root import (
    CUBES,
    MOVES,
    SQUARES,
    STEPS,
    VARIANCE,
    advance,
    draw_shocks,
    log_change,
    shock_weight,
    variance_step,
)
from quant.worlds.square_root_moments import daily_theta

_CODES: Final[dict[Engine, int]] = {
    "gbm": 0,
    "heston": 1,
    "merton": 2,
    "regime_switching": 3,
    "bootstrap": 4,
    "bates": 5,
    "garch": 6,
    "conditional_bootstrap": 7,
    "replay": 8,
}
_ENOUGH_DAYS: Final = 250
_REPLAYED_DAYS: Final = 20
"""Minimum days of a historical window, which is replayed and not resampled."""


@dataclass(frozen=True)
class PathModel:
    """A scenario in the kernel's form.

    Attributes
    ----------
    code : int
        Engine.
    numbers : ndarray, shape (C,)
        Engine constants, per day.
    states : ndarray, shape (S, M)
        Regimes: daily mean, daily variance, stationary probability. GARCH: variances to start from
        (`quant.worlds.garch_paths.garch_model`). Conditional bootstrap: its days
        (`quant.worlds.resampling.labelled_blocks`).
    stay : ndarray, shape (S,)
        Probability of staying in a regime for a day; leaving goes to each other regime alike. Conditional bootstrap:
        where blocks begin.
    history : ndarray, shape (H,)
        Daily returns that are drawn from, at the scenario's mean and volatility; standardised shocks of GARCH.
    cash : float
        Daily return of the cash leg, a fraction.
    key : int
        Of the random numbers.
    """

    code: int
    numbers: Floats
    states: Floats
    stay: Floats
    history: Floats
    cash: float
    key: int


def path_model(
    scenario: Scenario, *, seed: int, history: Floats | None = None, labelled: Flags | None = None
) -> PathModel:
    """Engine constants of `scenario`.

    Parameters
    ----------
    scenario : Scenario
    seed : int
        Of the run; the paths depend on it, on the scenario's own seed and on its name.
    history : ndarray, shape (H,), optional
        Daily simple returns: training data only. Both bootstraps and the replay are made of them; the shocks of GARCH
        are their filtered residuals, or Student's t where there are none.
    labelled : ndarray of bool, shape (H,), optional
        Days of `history` with the scenario's label, for the conditional bootstrap; not needed for `base`, which is
        every day. A label must use no later day than its own.

    Returns
    -------
    PathModel

    Notes
    -----
    Historical days are shifted and scaled to the scenario's mu and sigma; with those of the history they are
    unchanged. A replayed path runs through them in their order and restarts with the first where it is longer; the
    starting days of the paths lie evenly over the history for any number of paths.

    Raises
    ------
    DataError
        If a bootstrap has no `history` or one of fewer than 250 days (a replay: 20; GARCH, where it has one: 250), or
        it is not finite or does not vary; if a label other than `base` has no `labelled`, or fewer than 250 days in
        runs of five and more; or if the jumps or the means of the regimes alone exceed the scenario's variance; or if
        the variance of Heston or Bates reverts so slowly that the premium of a day exceeds 100%.

    References
    ----------
    Heston (1993), Review of Financial Studies 6(2); Merton (1976), Journal of Financial Economics 3; Bates (1996),
    Review of Financial Studies 9(1); Hamilton (1989), Econometrica 57(2); Politis and Romano (1994), Journal of the
    American Statistical Association 89.
    """
    cash = power(1.0 + scenario.cash_rate, 1.0 / DAYS) - 1.0
    mean = scenario.mu / DAYS
    variance = scenario.sigma * scenario.sigma / DAYS
    premium = mean - cash
    p = scenario.premium_power if scenario.mu >= scenario.cash_rate else 0
    numbers = np.zeros(8)
    states, stay, sample = np.zeros((0, 3)), np.zeros(0), np.zeros(0)
    match scenario.engine:
        case "gbm":
            numbers[:2] = mean, variance
        case "heston":
            numbers[:] = _heston(scenario, variance, cash, premium, p)
        case "merton":
            numbers[:6] = _merton(scenario, mean)
        case "bates":
            numbers = _bates(scenario, cash, premium, p)
        case "garch":
            residuals = np.zeros(0) if history is None else _centred_history(history, _ENOUGH_DAYS)
            numbers, states, sample = garch_model(
                scenario, cash=cash, premium=premium, power_of_link=p, residuals=residuals
            )
        case "regime_switching":
            states, stay = _cycle(scenario) if scenario.states else _two_states(scenario, cash, premium, p)
        case "bootstrap":
            numbers[:2] = 1.0 / scenario.mean_block, 0.0
            sample = mean + math.sqrt(variance) * _standardised_history(history, _ENOUGH_DAYS)
        case "conditional_bootstrap":
            numbers[0] = 1.0 / (scenario.mean_block - SHORTEST_BLOCK + 1)
            sample, states, stay = _conditional(scenario, history, labelled)
            sample = mean + math.sqrt(variance) * sample
        case "replay":
            sample = mean + math.sqrt(variance) * _standardised_history(history, _REPLAYED_DAYS)
    text = f"{seed}/{scenario.seed}/{scenario.name}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return PathModel(_CODES[scenario.engine], numbers, states, stay, sample, cash, key)


def without_premium(model: PathModel) -> PathModel | None:
    """The model with the same moves of `heston_moves` whatever the premium; None for other engines."""
    if model.code != _CODES["heston"]:
        return None
    return replace(model, numbers=np.concatenate([np.zeros(3), model.numbers[3:]]))


def engine_of(model: PathModel) -> Engine:
    """Name of the model's engine."""
    return next(engine for engine, code in _CODES.items() if code == model.code)


def implied_moments(scenario: Scenario) -> tuple[float, float]:
    """Annual mean and volatility of simple daily returns that the engine aims at, closed form."""
    if not scenario.states:
        return scenario.mu, scenario.sigma
    states, _ = _cycle(scenario)
    total = math.fsum(float(s[2]) for s in states)
    mean = math.fsum(float(s[0] * s[2]) for s in states) / total
    variance = math.fsum(float(s[2] * (s[1] + (s[0] - mean) * (s[0] - mean))) for s in states) / total
    return mean * DAYS, math.sqrt(variance * DAYS)


def _heston(scenario: Scenario, variance: float, cash: float, premium: float, p: int) -> list[float]:
    kappa, xi, rho = scenario.mean_reversion, scenario.vol_of_vol, scenario.leverage
    shape = 2.0 * kappa / (xi * xi)
    # E[(v / theta)**(p / 2)] under the stationary gamma law, so that the mean premium does not depend on p
    moment = exp(log_gamma(shape + 0.5 * p) - log_gamma(shape) - 0.5 * p * log(shape)) if shape > 0.0 else 0.0
    if moment == 0.0 or abs(premium) > moment:
        msg = (
            f"`mean_reversion` {scenario.mean_reversion:g} leaves almost no variance on almost all days, and a premium "
            "of more than 100% on the others; expected a larger one"
        )
        raise DataError(msg)
    return [cash, premium / moment, float(p), kappa, daily_theta(variance, kappa=kappa, xi=xi, rho=rho), xi, rho, shape]


def _merton(scenario: Scenario, mean: float) -> list[float]:
    jump_mean, jump_deviation = -JUMP * scenario.sigma, JUMP * scenario.sigma
    rate = scenario.jumps_per_year
    diffusion = scenario.sigma * scenario.sigma - rate * (jump_mean * jump_mean + jump_deviation * jump_deviation)
    if diffusion <= 0.0:
        msg = (
            f"`jumps_per_year` {rate:g} gives the jumps more variance than the scenario has; "
            f"expected below {1.0 / (2.0 * JUMP * JUMP):.2f}"
        )
        raise DataError(msg)
    daily = rate / DAYS
    return [mean - daily * jump_mean, diffusion / DAYS, daily, jump_mean, jump_deviation, exp(-daily)]


def _bates(scenario: Scenario, cash: float, premium: float, p: int) -> Floats:
    # the conditional mean of the diffusion is lowered by what the jumps add
    drift, diffusion, *jumps = _merton(scenario, cash)
    return np.array([*_heston(scenario, diffusion, drift, premium, p), *jumps])


def _two_states(scenario: Scenario, cash: float, premium: float, p: int) -> tuple[Floats, Floats]:
    share = TURBULENT_DAYS / (CALM_DAYS + TURBULENT_DAYS)
    within = (1.0 - share) + share * (TURBULENCE * TURBULENCE)  # E[sigma_k**2] over the calm state's variance
    calm = 1.0 / within
    ratios = np.array([calm, calm * (TURBULENCE * TURBULENCE)])  # sigma_k**2 / E[sigma_k**2]
    links = ratios if p == 2 else np.sqrt(ratios) if p == 1 else np.ones(2)
    shares = np.array([1.0 - share, share])
    links = links / (shares[0] * links[0] + shares[1] * links[1])
    means = cash + premium * links
    mean = cash + premium
    away = means - mean
    between = float(shares[0] * away[0] * away[0] + shares[1] * away[1] * away[1])
    variance = scenario.sigma * scenario.sigma / DAYS - between
    if variance <= 0.0:
        msg = (
            f"`mu` {scenario.mu:g} gives the means of the regimes more variance than `sigma` {scenario.sigma:g} has; "
            f"expected sigma above {math.sqrt(between * DAYS):.3g}, or `premium_power` 0"
        )
        raise DataError(msg)
    states = np.column_stack([means, variance * ratios, shares])
    return states, np.array([1.0 - 1.0 / CALM_DAYS, 1.0 - 1.0 / TURBULENT_DAYS])


def _cycle(scenario: Scenario) -> tuple[Floats, Floats]:
    # leaving goes to each other state alike, so the time spent is proportional to the mean duration
    days = np.array([s.mean_days for s in scenario.states])
    shares = days / math.fsum(s.mean_days for s in scenario.states)
    means = np.array([s.mu / DAYS for s in scenario.states])
    variances = np.array([s.sigma * s.sigma / DAYS for s in scenario.states])
    return np.column_stack([means, variances, shares]), 1.0 - 1.0 / days


def _centred_history(history: Floats | None, fewest: int) -> Floats:
    if history is None or history.ndim != 1 or history.size < fewest:
        size = None if history is None else history.shape
        raise DataError(f"`history` must hold at least {fewest} daily returns for this engine, got {size}")
    if not np.isfinite(history).all():
        day = int(np.argmin(np.isfinite(history)))
        raise DataError(f"`history` has {history[day]} on day {day}; expected finite returns")
    if history.min() == history.max():
        raise DataError(f"`history` has {history[0]} on every day; expected returns that vary")
    mean = float(np.sum(history)) / history.size
    return history - mean


def _standardised_history(history: Floats | None, fewest: int) -> Floats:
    centred = _centred_history(history, fewest)
    return centred / math.sqrt(float(np.sum(centred * centred)) / centred.size)


def _conditional(scenario: Scenario, history: Floats | None, labelled: Flags | None) -> tuple[Floats, Floats, Floats]:
    days = _standardised_history(history, _ENOUGH_DAYS)
    if labelled is None and scenario.label != "base":
        raise DataError(f"`labelled` is missing; expected the days of the history with the label {scenario.label!r}")
    mask = np.ones(days.size, dtype=np.bool_) if labelled is None else labelled
    if mask.shape != days.shape or mask.dtype != np.bool_:
        raise DataError(
            f"`labelled` has shape {mask.shape} and type {mask.dtype}; expected one bool for each of {days.size} days"
        )
    places, states, starts = labelled_blocks(mask, scenario.mean_block)
    return standardised(np.ascontiguousarray(days[places]), np.ascontiguousarray(states[:, 2])), states, starts


@inlined
def _lognormal_return(mean: float, variance: float, z: float) -> float:
    """Simple return with the given mean and variance, log-normal."""
    gross = 1.0 + mean
    s2 = log(1.0 + variance / (gross * gross))
    return gross * exp(math.sqrt(s2) * z - 0.5 * s2) - 1.0


@compiled
def _gbm(numbers: Floats, key: Word, first_path: int, out: Floats) -> None:
    words = np.empty((4, LANES), dtype=np.uint64)
    shock = np.empty(LANES)
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            shock[j] = normal(words[0, j])
        for j in range(LANES):
            out[t, j] = _lognormal_return(numbers[0], numbers[1], shock[j])


@compiled
def heston_moves(numbers: Floats, key: Word, first_path: int, out: Floats) -> None:
    """Write the variance over its mean at the start of each day, and exp(X) - 1, into `out`, shape (2, T, 64).

    Neither depends on the premium. Several steps of the variance a day, and one normal number for what of the price is
    apart from it.
    """
    kappa, theta, xi, rho, shape = numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]
    step = variance_step(kappa, xi)
    weight, own = shock_weight(kappa, xi, rho, theta), (1.0 - rho * rho) * theta / DAYS
    words = np.empty((2 * 4, LANES), dtype=np.uint64)  # of the steps, and the last of the price
    y = np.empty(LANES)
    shock, share = np.empty(LANES), np.empty(LANES)
    sums, part = np.empty((4, LANES)), np.empty((3, LANES))
    for j in range(LANES):
        y[j] = gamma_draw(shape, np.uint64(first_path + j), 1, key) / shape
    # short loops over the lanes: the compiler turns each into vector instructions
    for t in range(out.shape[1]):
        fill_counted_words(t, first_path, 0, 0, key, words[:4])
        fill_counted_words(t, first_path, 1, 0, key, words[4:])
        out[0, t] = y
        sums[:] = 0.0
        for k in range(STEPS):
            draw_shocks(words[k], shock, share)
            advance(step, shock, share, y, sums, part)
        for j in range(LANES):
            shock[j] = normal(words[STEPS, j])
        for j in range(LANES):
            shocks = (sums[MOVES, j], sums[SQUARES, j], sums[CUBES, j])
            variance = own * sums[VARIANCE, j]
            out[1, t, j] = exp(log_change(weight, variance, math.sqrt(variance) * shock[j], shocks)) - 1.0


@compiled
def heston_returns(numbers: Floats, moves: Floats, out: Floats) -> None:
    """Write the daily returns with these moves of `heston_moves` into `out`, shape (T, 64)."""
    cash, premium, p = numbers[0], numbers[1], numbers[2]
    for t in range(out.shape[0]):
        for j in range(LANES):
            y = moves[0, t, j]
            link = 1.0 if p == 0.0 else math.sqrt(y) if p == 1.0 else y
            out[t, j] = max((cash + premium * link) + moves[1, t, j], FLOOR)


@compiled
def _heston_paths(numbers: Floats, key: Word, first_path: int, out: Floats) -> None:
    moves = np.empty((2, *out.shape))
    heston_moves(numbers, key, first_path, moves)
    heston_returns(numbers, moves, out)


@compiled
def _jumps(u: float, word: Word, law: Floats) -> float:
    """Sum of a day's jumps: a Poisson number by inversion of `u`, and one normal number for their sum."""
    daily, jump_mean, jump_deviation, none = law[0], law[1], law[2], law[3]
    if u <= none:
        return 0.0
    jumps, mass, total = 0.0, none, none
    while u > total and jumps < 20.0:
        jumps += 1.0
        mass *= daily / jumps
        total += mass
    return jumps * jump_mean + math.sqrt(jumps) * jump_deviation * normal(word)


@compiled
def _merton_paths(numbers: Floats, key: Word, first_path: int, out: Floats) -> None:
    mean, variance, law = numbers[0], numbers[1], numbers[2:]
    words = np.empty((4, LANES), dtype=np.uint64)
    shock = np.empty(LANES)
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            shock[j] = normal(words[0, j])
        for j in range(LANES):
            out[t, j] = _lognormal_return(mean, variance, shock[j])
        for j in range(LANES):
            out[t, j] += _jumps(uniform(words[1, j]), words[2, j], law)
            out[t, j] = max(out[t, j], FLOOR)


@compiled
def _bates_paths(numbers: Floats, key: Word, first_path: int, out: Floats) -> None:
    """Heston's diffusion, and jumps from words of their own."""
    _heston_paths(numbers[:8], key, first_path, out)
    law = numbers[8:]
    words = np.empty((4, LANES), dtype=np.uint64)
    for t in range(out.shape[0]):
        fill_counted_words(t, first_path, 2, 0, key, words)
        for j in range(LANES):
            out[t, j] += _jumps(uniform(words[0, j]), words[1, j], law)
            out[t, j] = max(out[t, j], FLOOR)


@compiled
def _regime_paths(states: Floats, stay: Floats, key: Word, first_path: int, out: Floats) -> None:
    count = states.shape[0]
    words = np.empty((4, LANES), dtype=np.uint64)
    shock = np.empty((3, LANES))  # of the return, with the mean and variance of its state
    current = np.empty(LANES, dtype=np.int64)
    for j in range(LANES):
        a, _, _, _ = philox(np.uint64(0), np.uint64(first_path + j), np.uint64(0), np.uint64(1), key)
        u = uniform(a)
        k = 0
        while k < count - 1 and u > states[k, 2]:
            u -= states[k, 2]
            k += 1
        current[j] = k
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            shock[0, j] = normal(words[0, j])
            shock[1, j] = states[current[j], 0]
            shock[2, j] = states[current[j], 1]
        for j in range(LANES):
            out[t, j] = _lognormal_return(shock[1, j], shock[2, j], shock[0, j])
        for j in range(LANES):
            k = current[j]
            if uniform(words[1, j]) > stay[k]:
                other = min(int(uniform(words[2, j]) * (count - 1)), count - 2)
                current[j] = other + 1 if other >= k else other


@compiled
def _bootstrap_paths(history: Floats, change: float, key: Word, first_path: int, out: Floats) -> None:
    size = history.size
    words = np.empty((4, LANES), dtype=np.uint64)
    place = np.empty(LANES, dtype=np.int64)
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            if t == 0 or uniform(words[0, j]) < change:
                place[j] = min(int(uniform(words[1, j]) * size), size - 1)
            else:
                place[j] = place[j] + 1 if place[j] + 1 < size else 0
            out[t, j] = max(history[place[j]], FLOOR)


@compiled
def fill_block(
    code: int,
    numbers: Floats,
    states: Floats,
    stay: Floats,
    history: Floats,
    key: Word,
    first_path: int,
    out: Floats,
) -> None:
    """Write the daily simple returns of paths `first_path` ... `first_path` + 63 into `out`, shape (T, 64)."""
    if code == 0:
        _gbm(numbers, key, first_path, out)
    elif code == 1:
        _heston_paths(numbers, key, first_path, out)
    elif code == 2:
        _merton_paths(numbers, key, first_path, out)
    elif code == 3:
        _regime_paths(states, stay, key, first_path, out)
    elif code == 4:
        _bootstrap_paths(history, numbers[0], key, first_path, out)
    elif code == 5:
        _bates_paths(numbers, key, first_path, out)
    elif code == 6:
        garch_paths(numbers, states, history, key, first_path, out)
    elif code == 7:
        conditional_paths(history, states, stay, numbers[0], key, first_path, out)
    else:
        replay_paths(history, key, first_path, out)


def sample_paths(model: PathModel, *, days: int, first_block: int = 0, blocks: int = 1) -> Floats:
    """Daily simple returns of `blocks` blocks of 64 paths.

    Parameters
    ----------
    model : PathModel
    days : int
        Sessions of each path.
    first_block, blocks : int
        Block b holds the paths 64 b ... 64 b + 63; a path does not depend on which others are requested.

    Returns
    -------
    ndarray, shape (days, 64 * blocks)
        Fractions per session.
    """
    out = np.empty((days, LANES * blocks))
    block = np.empty((days, LANES))
    for b in range(blocks):
        fill_block(
            model.code,
            model.numbers,
            model.states,
            model.stay,
            model.history,
            np.uint64(model.key),
            LANES * (first_block + b),
            block,
        )
        out[:, LANES * b : LANES * (b + 1)] = block
    return out
