"""Counter-based random numbers: Philox 4x32-10, keyed by seed, counted by day, path and scenario stream.

Any number can be computed alone, in any order, by any worker. Salmon, Moraes, Dror and Shaw (2011), "Parallel random
numbers: as easy as 1, 2, 3", SC11.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quant.numeric.compilation import compiled, inlined
from quant.numeric.elementary import Word, log, normal, power, uniform

LANES: Final = 64
"""Paths of a block: computed side by side, and the unit in which sums over paths are merged."""

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)


@compiled
def philox(c0: Word, c1: Word, c2: Word, c3: Word, key: Word) -> tuple[Word, Word, Word, Word]:
    """Four 32-bit words (held in uint64) for a 128-bit counter of four words and a 64-bit key."""
    k0 = key & _LOW
    k1 = key >> _HALF
    for _ in range(10):
        p0 = _MULTIPLIER_0 * c0
        p1 = _MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _HALF) ^ c1 ^ k0,
            p1 & _LOW,
            (p0 >> _HALF) ^ c3 ^ k1,
            p0 & _LOW,
        )
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
    return c0, c1, c2, c3


@compiled
def fill_words(day: int, first_path: int, key: Word, words: NDArray[np.uint64]) -> None:
    """The four words of `philox(day, path, 0, 0, key)` for 64 paths from `first_path` on, into words (4, 64)."""
    fill_counted_words(day, first_path, 0, 0, key, words)


@inlined
def fill_counted_words(
    day: int, first_path: int, group: int, stream: int, key: Word, words: NDArray[np.uint64]
) -> None:
    """The four words of `philox(day, path, group, stream, key)` for 64 paths from `first_path` on, into words (4, 64).

    All rounds of a lane in one go: they stay in vector registers, lane beside lane.
    """
    c0, c1, c2, c3 = np.uint64(day), np.uint64(first_path), np.uint64(group), np.uint64(stream)
    for j in range(LANES):
        a, b, c, d = c0, c1 + np.uint64(j), c2, c3
        k0, k1 = key & _LOW, key >> _HALF
        for _ in range(10):
            p0 = _MULTIPLIER_0 * a
            p1 = _MULTIPLIER_1 * c
            a, b, c, d = (p1 >> _HALF) ^ b ^ k0, p1 & _LOW, (p0 >> _HALF) ^ d ^ k1, p0 & _LOW
            k0 = (k0 + _WEYL_0) & _LOW
            k1 = (k1 + _WEYL_1) & _LOW
        words[0, j] = a
        words[1, j] = b
        words[2, j] = c
        words[3, j] = d


@compiled
def gamma_draw(shape: float, path: Word, stream: int, key: Word) -> float:
    """A gamma variate of unit scale: Marsaglia and Tsang (2000), ACM TOMS 26(3), on the numbers of `stream`."""
    d = (shape + 1.0 if shape < 1.0 else shape) - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    attempt = np.uint64(0)
    while True:
        a, b, boost, _ = philox(attempt, path, np.uint64(0), np.uint64(stream), key)
        attempt += np.uint64(1)
        z = normal(a)
        v = (1.0 + c * z) ** 3
        if v > 0.0 and log(uniform(b)) < 0.5 * z * z + d - d * v + d * log(v):
            draw = d * v
            return draw * power(uniform(boost), 1.0 / shape) if shape < 1.0 else draw
