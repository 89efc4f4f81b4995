"""Counter-based random numbers: Philox 4x32-10, keyed by seed, counted by day, path and scenario stream.

Any number can be computed alone, in any order, by any worker. Salmon, Moraes, Dror and Shaw (2011), "Parallel random
numbers: as easy as 1, 2, 3", SC11.
"""

import numpy as np

from quant.compiled import compiled

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)


@compiled
def philox(c0: int, c1: int, c2: int, c3: int, key: int) -> tuple[int, int, int, int]:
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
