"""Paths of historical days: blocks from the days of one regime, and history in its own order.

The stationary bootstrap itself is in `quant.worlds.paths`.
"""

import math
from typing import Final

import numpy as np

from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, uniform
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES, fill_words, philox
from quant.worlds.scenario import FLOOR

SHORTEST_BLOCK: Final = 5
"""Sessions; shorter runs of a label are not used, and a block ends no sooner."""
LABELLED_DAYS: Final = 250
"""Minimum days in usable runs of a label; with fewer, its blocks repeat one episode."""

_GOLDEN: Final = 2_654_435_769
"""2**32 over the golden ratio: its multiples modulo 2**32 lie evenly however many are taken."""


def labelled_blocks(labelled: Flags, mean_block: float, *, name: str = "labelled") -> tuple[Ints, Floats, Floats]:
    """Where the blocks of a conditional bootstrap may begin, and how often each day is drawn.

    A block begins on any day that at least four more of its run follow, each alike; from its fifth day on it ends
    with the same probability every day, and at the latest with its run.

    Parameters
    ----------
    labelled : ndarray of bool, shape (H,)
        Whether each day of the training history has the label.
    mean_block : float
        Mean length of a block that no run cuts short, sessions.
    name : str
        How the error calls the labels.

    Returns
    -------
    days : ndarray of int64, shape (D,)
        Places in the history of the days that can be drawn.
    states : ndarray, shape (D, 4)
        For each: first and last day of its run, counted among the D; weight, cumulated weight. A weight is the
        share of time that the process spends on the day.
    starts : ndarray, shape (S,)
        Days, counted among the D, on which a block may begin.

    Raises
    ------
    DataError
        If fewer than 250 days lie in runs of at least 5.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labelled.astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= SHORTEST_BLOCK]
    size = 0
    for a, b in runs:
        size += b - a
    if size < LABELLED_DAYS:
        raise DataError(
            f"`{name}` has {int(np.count_nonzero(labelled))} days, {size} of them in runs of {SHORTEST_BLOCK} and "
            f"more; expected at least {LABELLED_DAYS} in such runs"
        )
    days = np.concatenate([np.arange(a, b) for a, b in runs])
    states = np.empty((size, 4))
    place = 0
    for a, b in runs:
        states[place : place + b - a, 0] = place
        states[place : place + b - a, 1] = place + b - a - 1
        place += b - a
    starts = np.array([i for i in range(size) if i + SHORTEST_BLOCK - 1 <= states[i, 1]], dtype=np.float64)
    _weigh(states, 1.0 / (mean_block - SHORTEST_BLOCK + 1.0))
    return days, states, starts


@compiled
def _weigh(states: Floats, change: float) -> None:
    """Of a day: the sum over the blocks that can hold it of the probability that they last until it."""
    total = 0.0
    for i in range(states.shape[0]):
        first, last = int(states[i, 0]), int(states[i, 1])
        weight, lasts = 0.0, 1.0
        for age in range(i - first + 1):
            if age >= SHORTEST_BLOCK:
                lasts *= 1.0 - change
            if i - age + SHORTEST_BLOCK - 1 <= last:
                weight += lasts
        states[i, 2] = weight
        total += weight
    cumulated = 0.0
    for i in range(states.shape[0]):
        states[i, 2] /= total
        cumulated += states[i, 2]
        states[i, 3] = cumulated


def standardised(days: Floats, weights: Floats) -> Floats:
    """`days` shifted and scaled to a weighted mean of 0 and variance of 1; the weights add to 1.

    Raises
    ------
    DataError
        If the days do not vary.
    """
    out = np.empty(days.size)
    deviation = _standardise(days, weights, out)
    if not deviation > 1e-12:
        raise DataError(
            f"`history` has a deviation of {deviation:.3g} on the days that are drawn; expected returns that vary"
        )
    return out


@compiled
def _standardise(days: Floats, weights: Floats, out: Floats) -> float:
    mean = 0.0
    for i in range(days.size):
        mean += weights[i] * days[i]
    variance = 0.0
    for i in range(days.size):
        out[i] = days[i] - mean
        variance += weights[i] * out[i] * out[i]
    deviation = math.sqrt(variance)
    for i in range(days.size):
        out[i] /= deviation
    return deviation


@compiled
def conditional_paths(
    history: Floats, states: Floats, starts: Floats, change: float, key: Word, first_path: int, out: Floats
) -> None:
    """Blocks of labelled days; each path starts within a block, in the stationary state."""
    count = starts.size
    words = np.empty((4, LANES), dtype=np.uint64)
    place = np.empty(LANES, dtype=np.int64)
    age = np.empty(LANES, dtype=np.int64)
    for j in range(LANES):
        a, b, _, _ = philox(np.uint64(0), np.uint64(first_path + j), np.uint64(0), np.uint64(1), key)
        place[j] = first_day(states, uniform(a))
        age[j] = first_age(place[j], states, change, uniform(b))
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            if t > 0:
                ends = place[j] == int(states[place[j], 1])
                if ends or (age[j] >= SHORTEST_BLOCK - 1 and uniform(words[0, j]) < change):
                    place[j] = int(starts[min(int(uniform(words[1, j]) * count), count - 1)])
                    age[j] = 0
                else:
                    place[j] += 1
                    age[j] += 1
            out[t, j] = max(history[place[j]], FLOOR)


@compiled
def first_day(states: Floats, u: float) -> int:
    """The labelled day on which a path begins, by the weights of the days."""
    low, high = 0, states.shape[0] - 1
    rank = u * states[high, 3]
    while low < high:
        middle = (low + high) // 2
        if states[middle, 3] < rank:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def first_age(place: int, states: Floats, change: float, u: float) -> int:
    """Days that a block which holds day `place` has lasted before it."""
    first, last = int(states[place, 0]), int(states[place, 1])
    total, oldest = 0.0, 0
    for turn in range(2):
        lasts, cumulated = 1.0, 0.0
        for age in range(place - first + 1):
            if age >= SHORTEST_BLOCK:
                lasts *= 1.0 - change
            if place - age + SHORTEST_BLOCK - 1 <= last:
                cumulated += lasts
                oldest = age
            if turn == 1 and cumulated >= u * total:
                return oldest
        total = cumulated
    return oldest


@compiled
def replay_paths(history: Floats, key: Word, first_path: int, out: Floats) -> None:
    """The days in their order, after the last the first again; starts lie evenly over them, turned by the key."""
    size = history.size
    turn, _, _, _ = philox(np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(3), key)
    for j in range(LANES):
        word = (turn + np.uint64(first_path + j) * np.uint64(_GOLDEN)) & np.uint64(0xFFFFFFFF)
        place = min(int(uniform(word) * size), size - 1)
        for t in range(out.shape[0]):
            out[t, j] = max(history[place], FLOOR)
            place = place + 1 if place + 1 < size else 0
