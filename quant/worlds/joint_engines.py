"""Compiled engines of joint asset returns: one day of 64 paths at a time, N assets beside one another.

Every number is counted by (day, path, group of four assets, stream), so that a path is the same whichever others are
drawn with it. Given the state at the start of a day, returns are those of one asset in `quant.worlds.paths`.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, exp, log, normal, normal_cdf, uniform
from quant.numeric.random_numbers import LANES, fill_counted_words, gamma_draw, philox
from quant.numeric.units import DAYS
from quant.worlds.resampling import SHORTEST_BLOCK, first_age, first_day
from quant.worlds.scenario import FLOOR
from quant.worlds.square_root import (
    CUBES,
    MOVES,
    SQUARES,
    STEPS,
    VARIANCE,
    advance,
    draw_shocks,
    log_change,
    may_vanish,
    shock_weight,
    variance_step,
)

Words = NDArray[np.uint64]


GBM, HESTON, MERTON, BATES, REGIME, GARCH, BOOTSTRAP, LABELLED, REPLAY = range(9)


_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_GOLDEN = np.uint64(0x9E3779B1)
_ONE = np.uint64(1)
_QUARTER = np.uint64(0x3FFFFFFF)
_THIRTY = np.uint64(30)
_THIRTY_ONE = np.uint64(31)
_ANGLE = 0.5 * math.pi / 1073741824.0

_BELOW_ONE = 1.0 - 1e-15
_PRICE = 4
"""Row after the sums of `quant.worlds.square_root`: of the price's own shocks."""

SHOCKS, STATE, JUMPS, START, VARIANCE_STEPS = 2, 3, 4, 5, 6
"""Random streams: shocks of the assets, shared shocks, sizes of jumps, the first day's state, steps of a variance."""


class Tables(NamedTuple):
    """Constants of a model in the kernels' form.

    Attributes
    ----------
    code : int
        Engine.
    numbers : ndarray, shape (8,)
        Constants that the assets share.
    rows : ndarray, shape (R, N)
        Constants of each asset.
    lower : ndarray, shape (S, N, N)
        Cholesky factors.
    chain : ndarray, shape (S + 1, S)
        Cumulated transition probabilities of each state; the last row cumulates the stationary shares.
    history : ndarray, shape (H, N)
        Rows that are resampled; of labelled history those that have the label.
    starts : ndarray, shape (B,)
        Rows at which a labelled block may begin.
    runs : ndarray, shape (H, 4)
        Of labelled rows: see `quant.worlds.resampling.labelled_blocks`.
    key : uint64
    """

    code: int
    numbers: Floats
    rows: Floats
    lower: Floats
    chain: Floats
    history: Floats
    starts: Ints
    runs: Floats
    key: Word


class Scratch(NamedTuple):
    """State that a block of paths carries from day to day, and scratch memory."""

    words: Words
    state_words: Words
    shock: Floats
    jump: Floats
    part: Floats
    state: Floats
    place: Ints
    start: Floats
    sums: Floats


@compiled
def scratch(assets: int) -> Scratch:
    """Scratch memory for one block of `assets` assets."""
    return Scratch(
        np.zeros((4, LANES), dtype=np.uint64),
        np.zeros((4, LANES), dtype=np.uint64),
        np.zeros((4 * ((assets + 3) // 4), LANES)),
        np.zeros((2, assets)),
        np.zeros((7, LANES)),
        np.zeros((assets, LANES)),
        np.zeros((2, LANES), dtype=np.int64),
        np.zeros((assets, LANES)),
        np.zeros((assets, 5, LANES)),
    )


@compiled
def _normal_pairs(first: Words, second: Words, x: Floats, y: Floats) -> None:
    """Two independent standard normal numbers from two 32-bit words (Box and Muller 1958).

    Two bits of the second word choose a quarter of the circle, the others the angle within it; sine and cosine there
    are Taylor's series, absolute error below 1e-13.
    """
    for j in range(LANES):
        radius = math.sqrt(-2.0 * log(uniform(first[j])))
        word = second[j]
        angle = (np.float64(word & _QUARTER) + 0.5) * _ANGLE - 0.25 * math.pi
        t = angle * angle
        sine = 1.0 / 6227020800.0
        sine = sine * t - 1.0 / 39916800.0
        sine = sine * t + 1.0 / 362880.0
        sine = sine * t - 1.0 / 5040.0
        sine = sine * t + 1.0 / 120.0
        sine = sine * t - 1.0 / 6.0
        sine = (sine * t + 1.0) * angle
        cosine = -1.0 / 87178291200.0
        cosine = cosine * t + 1.0 / 479001600.0
        cosine = cosine * t - 1.0 / 3628800.0
        cosine = cosine * t + 1.0 / 40320.0
        cosine = cosine * t - 1.0 / 720.0
        cosine = cosine * t + 1.0 / 24.0
        cosine = cosine * t - 0.5
        cosine = cosine * t + 1.0
        quadrant = (word >> _THIRTY) & _ONE
        across = sine if quadrant == _ONE else cosine
        along = cosine if quadrant == _ONE else sine
        side = radius if word >> _THIRTY_ONE == _ONE else -radius
        x[j] = side * across
        y[j] = side * along


@compiled
def _fill_shocks(day: int, first_path: int, key: Word, words: Words, shock: Floats) -> None:
    """Independent standard normal numbers, shape (4 G, 64): four assets share the words of a group."""
    for group in range(shock.shape[0] // 4):
        fill_counted_words(day, first_path, group, SHOCKS, key, words)
        i = 4 * group
        _normal_pairs(words[0], words[1], shock[i], shock[i + 1])
        _normal_pairs(words[2], words[3], shock[i + 2], shock[i + 3])


@compiled
def _mix(level: float, lower: Floats, i: int, shock: Floats, row: Floats) -> None:
    """`level` plus row i of the lower triangular `lower` times `shock`, into `row`, four terms at a time."""
    a = lower[i, 0]
    for j in range(LANES):
        row[j] = level + a * shock[0, j]
    k = 1
    while k + 4 <= i + 1:
        a, b, c, d = lower[i, k], lower[i, k + 1], lower[i, k + 2], lower[i, k + 3]
        for j in range(LANES):
            row[j] += (a * shock[k, j] + b * shock[k + 1, j]) + (c * shock[k + 2, j] + d * shock[k + 3, j])
        k += 4
    while k < i + 1:
        a = lower[i, k]
        for j in range(LANES):
            row[j] += a * shock[k, j]
        k += 1


@compiled
def _grow(row: Floats, largest: float) -> None:
    """exp(x) - 1 of each x in `row`; where abs(x) <= `largest` <= 1.6, the short series of exp(x / 16), error 2e-15."""
    if largest > 1.6:
        for j in range(LANES):
            row[j] = exp(row[j]) - 1.0
        return
    for j in range(LANES):
        x = 0.0625 * row[j]
        series = 1.0 / 362880.0
        series = series * x + 1.0 / 40320.0
        series = series * x + 1.0 / 5040.0
        series = series * x + 1.0 / 720.0
        series = series * x + 1.0 / 120.0
        series = series * x + 1.0 / 24.0
        series = series * x + 1.0 / 6.0
        series = series * x + 0.5
        series = series * x + 1.0
        series = series * x + 1.0
        series *= series
        series *= series
        series *= series
        row[j] = series * series - 1.0


@compiled
def _lognormal_day(level: Floats, lower: Floats, shock: Floats, out: Floats) -> None:
    for i in range(out.shape[0]):
        row = out[i]
        _mix(level[i], lower, i, shock, row)
        reach = 0.0
        for k in range(i + 1):
            reach += abs(lower[i, k])
        # no shock is larger: the radius is at most sqrt(66 ln 2)
        _grow(row, abs(level[i]) + 6.77 * reach)


@compiled
def _add_mean(rows: Floats, i: int, state: Floats, row: Floats) -> None:
    """The growth exp(X) - 1 of asset i plus the mean that its variance over its mean, `state`, gives the day."""
    cash, premium, p = rows[0, i], rows[1, i], rows[2, i]
    for j in range(LANES):
        link = 1.0 if p == 0.0 else math.sqrt(state[j]) if p == 1.0 else state[j]
        row[j] = max(row[j] + (cash + premium * link), FLOOR)


@compiled
def _heston_day(tables: Tables, first_path: int, day: int, room: Scratch, out: Floats) -> None:
    """One variance for all assets, `state[0]` times the mean variance of each."""
    numbers, rows, y, sums = tables.numbers, tables.rows, room.state[0], room.sums[0]
    step = variance_step(numbers[0], numbers[1])
    shock, share = room.part[0], room.part[1]
    room.start[0] = y
    sums[:] = 0.0
    for k in range(STEPS):
        if k % 4 == 0:
            fill_counted_words(day, first_path, k // 4, VARIANCE_STEPS, tables.key, room.words)
        draw_shocks(room.words[k % 4], shock, share)
        advance(step, shock, share, y, sums, room.part[2:])
    for i in range(out.shape[0]):
        row, theta, rho = out[i], rows[4, i], rows[3, i]
        weight = shock_weight(numbers[0], numbers[1], rho, theta)
        _mix(0.0, tables.lower[0], i, room.shock, row)
        for j in range(LANES):
            daily = theta / DAYS * sums[VARIANCE, j]
            shocks = (sums[MOVES, j], sums[SQUARES, j], sums[CUBES, j])
            row[j] = exp(log_change(weight, (1.0 - rho * rho) * daily, math.sqrt(daily) * row[j], shocks)) - 1.0
        _add_mean(rows, i, room.start[0], row)


@compiled
def _own_heston_day(tables: Tables, first_path: int, day: int, room: Scratch, out: Floats) -> None:
    """A variance for each asset; its shock is leverage times that of the return, and the rest is one for all."""
    numbers, rows, rho = tables.numbers, tables.rows, tables.numbers[6]
    rest = math.sqrt(1.0 - rho * rho)
    step = variance_step(numbers[0], numbers[1])
    shock, share, price, before = room.part[0], room.part[1], room.part[2], room.part[3]
    room.sums[:] = 0.0
    room.start[:] = room.state
    for k in range(STEPS):
        _fill_shocks(day * STEPS + k, first_path, tables.key, room.words, room.shock)
        fill_counted_words(day, first_path, k, VARIANCE_STEPS, tables.key, room.words)
        for i in range(out.shape[0]):
            y, sums = room.state[i], room.sums[i]
            _mix(0.0, tables.lower[0], i, room.shock, price)
            for j in range(LANES):
                common = normal(room.words[0, j])
                shock[j] = rho * price[j] + rest * common
                price[j] = rest * (rest * price[j] - rho * common)
                before[j] = sums[VARIANCE, j]
            for j in range(LANES):
                # the uniform number of the shock; below 1 where the shock is beyond all that the words can hold
                share[j] = min(normal_cdf(shock[j]), _BELOW_ONE) if may_vanish(step, y[j]) else 0.5
            advance(step, shock, share, y, sums, room.part[4:])
            for j in range(LANES):
                sums[_PRICE, j] += math.sqrt(sums[VARIANCE, j] - before[j]) * price[j]
    for i in range(out.shape[0]):
        row, sums, theta = out[i], room.sums[i], rows[4, i]
        weight = shock_weight(numbers[0], numbers[1], rho, theta)
        for j in range(LANES):
            variance = rest * rest * theta / DAYS * sums[VARIANCE, j]
            shocks = (sums[MOVES, j], sums[SQUARES, j], sums[CUBES, j])
            row[j] = exp(log_change(weight, variance, math.sqrt(theta / DAYS) * sums[_PRICE, j], shocks)) - 1.0
        _add_mean(rows, i, room.start[i], row)


@compiled
def _add_jumps(tables: Tables, first_path: int, day: int, room: Scratch, out: Floats) -> None:
    """Common times; the size of asset i is jumps * rows[-1, i] plus correlated normal parts."""
    assets = out.shape[0]
    daily, none = tables.numbers[3], tables.numbers[4]
    centre = tables.rows[tables.rows.shape[0] - 1]
    spread = tables.lower[tables.lower.shape[0] - 1]
    independent, size = room.jump[0], room.jump[1]
    for j in range(LANES):
        u = uniform(room.state_words[1, j])
        if u <= none:
            continue
        jumps, mass, total = 0.0, none, none
        while u > total and jumps < 20.0:
            jumps += 1.0
            mass *= daily / jumps
            total += mass
        for group in range((assets + 3) // 4):
            four = philox(np.uint64(day), np.uint64(first_path + j), np.uint64(group), np.uint64(JUMPS), tables.key)
            for w in range(min(4, assets - 4 * group)):
                independent[4 * group + w] = normal(four[w])
        for i in range(assets):
            size[i] = 0.0
            for k in range(i + 1):
                size[i] += spread[i, k] * independent[k]
            out[i, j] += jumps * centre[i] + math.sqrt(jumps) * size[i]
    for i in range(assets):
        for j in range(LANES):
            out[i, j] = max(out[i, j], FLOOR)


@compiled
def _draw_state(cumulated: Floats, u: float) -> int:
    k = 0
    while k < cumulated.size - 1 and u > cumulated[k]:
        k += 1
    return k


@compiled
def _regime_day(tables: Tables, room: Scratch, out: Floats) -> None:
    """All lanes under each state in turn, and of each lane what belongs to its own state."""
    current = room.place[0]
    row = room.part[0]
    for s in range(tables.chain.shape[1]):
        any_lane = False
        for j in range(LANES):
            any_lane |= current[j] == s
        if not any_lane:
            continue
        for i in range(out.shape[0]):
            _mix(tables.rows[s, i], tables.lower[s], i, room.shock, row)
            for j in range(LANES):
                value = exp(row[j]) - 1.0
                out[i, j] = value if current[j] == s else out[i, j]
    for j in range(LANES):
        current[j] = _draw_state(tables.chain[current[j]], uniform(room.state_words[0, j]))


@compiled
def _row_of(word: Word, count: int) -> int:
    return min(int(uniform(word) * count), count - 1)


@compiled
def _garch_day(tables: Tables, room: Scratch, out: Floats) -> None:
    """Filtered residuals, rows resampled jointly; the variance follows Glosten, Jagannathan and Runkle (1993)."""
    rows, history, state, place = tables.rows, tables.history, room.state, room.place[0]
    for j in range(LANES):
        place[j] = _row_of(room.state_words[0, j], history.shape[0])
    for i in range(out.shape[0]):
        mean, omega, alpha, gamma, beta = rows[0, i], rows[2, i], rows[3, i], rows[4, i], rows[5, i]
        for j in range(LANES):
            shock = math.sqrt(state[i, j]) * history[place[j], i]
            out[i, j] = max(mean + shock, FLOOR)
            response = alpha + gamma if shock < 0.0 else alpha
            state[i, j] = omega + response * (shock * shock) + beta * state[i, j]


@compiled
def _history_day(tables: Tables, day: int, room: Scratch, out: Floats) -> None:
    """Stationary bootstrap (Politis and Romano 1994), blocks of labelled days, or history as it was."""
    history, place, age = tables.history, room.place[0], room.place[1]
    size, change = history.shape[0], tables.numbers[0]
    for j in range(LANES):
        if tables.code == REPLAY:
            place[j] += 1 if day > 0 else 0
        elif tables.code == BOOTSTRAP:
            if day == 0 or uniform(room.state_words[0, j]) < change:
                place[j] = _row_of(room.state_words[1, j], size)
            else:
                place[j] = place[j] + 1 if place[j] + 1 < size else 0
        elif day > 0:
            ends = age[j] >= SHORTEST_BLOCK and uniform(room.state_words[0, j]) < change
            if ends or place[j] == int(tables.runs[place[j], 1]):
                place[j] = tables.starts[_row_of(room.state_words[1, j], tables.starts.size)]
                age[j] = 1
            else:
                place[j] += 1
                age[j] = min(age[j] + 1, SHORTEST_BLOCK)
    for i in range(out.shape[0]):
        for j in range(LANES):
            out[i, j] = max(history[place[j], i], FLOOR)


@compiled
def start_block(tables: Tables, first_path: int, days: int, room: Scratch) -> None:
    """The state before the first day, drawn from its stationary law; a replay begins where `days` rows are left."""
    code = tables.code
    for j in range(LANES):
        path = np.uint64(first_path + j)
        words = philox(np.uint64(0), path, np.uint64(1), np.uint64(START), tables.key)
        u = uniform(words[0])
        if code in (HESTON, BATES):
            shape = tables.numbers[2]
            room.state[:, j] = gamma_draw(shape, path, START, tables.key) / shape
        elif code == REGIME:
            room.place[0, j] = _draw_state(tables.chain[tables.chain.shape[1]], u)
        elif code == GARCH:
            room.state[:, j] = tables.rows[1]
        elif code == LABELLED:
            place = first_day(tables.runs, u)
            room.place[0, j] = place
            lasted = first_age(place, tables.runs, tables.numbers[0], uniform(words[1]))
            room.place[1, j] = min(lasted + 1, SHORTEST_BLOCK)
        elif code == REPLAY:
            windows = np.uint64(tables.history.shape[0] - days + 1)
            # Weyl's sequence on 32 bits: any number of paths is spread evenly over the windows
            room.place[0, j] = np.int64((((path * _GOLDEN) & _LOW) * windows) >> _HALF)


@compiled
def next_day(tables: Tables, first_path: int, day: int, room: Scratch, out: Floats) -> None:
    """Simple returns of one day, into `out`, shape (N, 64)."""
    code, key = tables.code, tables.key
    if code <= REGIME:
        _fill_shocks(day, first_path, key, room.words, room.shock)
    if code not in (GBM, HESTON, REPLAY):
        fill_counted_words(day, first_path, 0, STATE, key, room.state_words)
    if code in (GBM, MERTON):
        _lognormal_day(tables.rows[0], tables.lower[0], room.shock, out)
    elif code in (HESTON, BATES):
        if tables.numbers[5] > 0.0:
            _own_heston_day(tables, first_path, day, room, out)
        else:
            _heston_day(tables, first_path, day, room, out)
    elif code == REGIME:
        _regime_day(tables, room, out)
    elif code == GARCH:
        _garch_day(tables, room, out)
    else:
        _history_day(tables, day, room, out)
    if code in (MERTON, BATES):
        _add_jumps(tables, first_path, day, room, out)


@compiled
def fill_joint(tables: Tables, first_path: int, out: Floats) -> None:
    """Simple returns of 64 paths from `first_path` on, into `out`, shape (T, N, 64)."""
    room = scratch(out.shape[1])
    start_block(tables, first_path, out.shape[0], room)
    for day in range(out.shape[0]):
        next_day(tables, first_path, day, room, out[day])
