"""Counter-based random numbers: Philox 4x32-10, keyed by seed, counted by day, path and scenario stream.

Any number can be computed alone, in any order, by any worker. Salmon, Moraes, Dror and Shaw (2011), "Parallel random
numbers: as easy as 1, 2, 3", SC11.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from quant.compiled import compiled
from quant.elementary import Word

LANES: Final = 64
"""Paths of a block: what is computed side by side, and the unit in which sums over paths are merged."""

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
    """The four words of `philox(day, path, 0, 0, key)` for 64 paths from `first_path` on, into words (4, 64).

    Round by round over all lanes, which the compiler turns into vector instructions.
    """
    zero = np.uint64(0)
    for j in range(LANES):
        words[0, j] = np.uint64(day)
        words[1, j] = np.uint64(first_path + j)
        words[2, j] = zero
        words[3, j] = zero
    k0 = key & _LOW
    k1 = key >> _HALF
    for _ in range(10):
        for j in range(LANES):
            p0 = _MULTIPLIER_0 * (words[0, j] & _LOW)
            p1 = _MULTIPLIER_1 * (words[2, j] & _LOW)
            first = (p1 >> _HALF) ^ words[1, j] ^ k0
            third = (p0 >> _HALF) ^ words[3, j] ^ k1
            words[0, j] = first
            words[1, j] = p1 & _LOW
            words[2, j] = third
            words[3, j] = p0 & _LOW
        k0 = (k0 + _WEYL_0) & _LOW
        k1 = (k1 + _WEYL_1) & _LOW
