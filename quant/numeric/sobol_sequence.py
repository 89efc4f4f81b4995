"""A scrambled Sobol sequence, point for point that of `scipy.stats.qmc.Sobol`, whose import takes most of a second."""

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError

BITS = 30
"""Binary digits of a coordinate; the sequence has 2**BITS points."""

# Of Joe and Kuo's table `new-joe-kuo-6.21201`: each axis's primitive polynomial over the integers modulo 2, as the
# binary digits of a number, and its initial direction numbers.
_TABLE: tuple[tuple[int, tuple[int, ...]], ...] = (
    (1, (1,)),
    (3, (1,)),
    (7, (1, 3)),
    (11, (1, 3, 1)),
    (13, (1, 1, 1)),
    (19, (1, 1, 3, 3)),
    (25, (1, 3, 5, 13)),
    (37, (1, 1, 5, 5, 17)),
    (41, (1, 1, 5, 5, 5)),
    (47, (1, 1, 7, 11, 19)),
    (55, (1, 1, 5, 1, 1)),
    (59, (1, 1, 1, 3, 11)),
    (61, (1, 3, 5, 5, 31)),
    (67, (1, 3, 3, 9, 7, 49)),
    (91, (1, 1, 1, 15, 21, 21)),
    (97, (1, 3, 1, 13, 27, 49)),
    (103, (1, 1, 1, 15, 7, 5)),
    (109, (1, 3, 1, 15, 13, 25)),
    (115, (1, 1, 5, 5, 19, 61)),
    (131, (1, 3, 7, 11, 23, 15, 103)),
    (137, (1, 3, 7, 13, 13, 15, 69)),
    (143, (1, 1, 3, 13, 7, 35, 63)),
    (145, (1, 3, 5, 9, 1, 25, 53)),
    (157, (1, 3, 1, 13, 9, 35, 107)),
    (167, (1, 3, 1, 5, 27, 61, 31)),
    (171, (1, 1, 5, 11, 19, 41, 61)),
    (185, (1, 3, 5, 3, 3, 13, 69)),
    (191, (1, 1, 7, 13, 1, 19, 1)),
    (193, (1, 3, 7, 5, 13, 19, 59)),
    (203, (1, 1, 3, 9, 25, 29, 41)),
    (211, (1, 3, 5, 13, 23, 1, 55)),
    (213, (1, 3, 7, 3, 13, 59, 17)),
)
AXES = len(_TABLE)
"""Most axes that a sequence may have."""


def scrambled_sobol(axes: int, count: int, generator: np.random.Generator) -> Floats:
    """The first `count` points in the unit cube of a Sobol sequence, with a random linear scrambling and shift.

    Parameters
    ----------
    axes : int
        At most `AXES`.
    count : int
        At most 2**BITS.
    generator : numpy.random.Generator
        Of the scrambling.

    Returns
    -------
    ndarray, shape (count, axes)

    Raises
    ------
    DataError
        If `axes` or `count` lies outside its range.

    References
    ----------
    Joe and Kuo (2008), SIAM Journal on Scientific Computing 30(5); the scrambling is that of Matousek (1998), Journal
    of Complexity 14(4).

    Examples
    --------
    >>> scrambled_sobol(2, 4, np.random.default_rng(0)).shape
    (4, 2)
    """
    if not (0 < axes <= AXES and 0 < count <= 2**BITS):
        raise DataError(f"needs 1 to {AXES} axes and 1 to 2**{BITS} points; got {axes!r} and {count!r}")
    (generator,) = generator.spawn(1)  # scipy draws from a child of the generator
    weights = 1 << np.arange(BITS, dtype=np.int64)
    shift = generator.integers(2, size=(axes, BITS), dtype=np.uint32) @ weights
    matrices = np.tril(generator.integers(2, size=(axes, BITS, BITS), dtype=np.uint32), -1) + np.eye(BITS)
    directions = np.array([_directions(*row) for row in _TABLE[:axes]], dtype=np.int64)
    digits = (directions[:, None, :] >> np.arange(BITS - 1, -1, -1)[:, None]) & 1  # (axes, digit, direction)
    scrambled = (matrices.astype(np.int64) @ digits) % 2
    directions = np.einsum("abd,b->ad", scrambled, weights[::-1])

    order = np.arange(count, dtype=np.int64)
    gray = order ^ (order >> 1)
    points = np.tile(shift, (count, 1))
    for bit in range(int(count - 1).bit_length()):
        points ^= ((gray >> bit) & 1)[:, None] * directions[:, bit]
    return points / float(1 << BITS)


def _directions(polynomial: int, initial: tuple[int, ...]) -> list[int]:
    """The BITS direction numbers of an axis, each scaled to BITS binary digits."""
    numbers = list(initial)
    degree = polynomial.bit_length() - 1
    for j in range(len(numbers), BITS):
        number = numbers[j - degree] if degree else 1
        for k in range(1, degree + 1):
            if (polynomial >> (degree - k)) & 1:
                number ^= numbers[j - k] << k
        numbers.append(number)
    return [number << (BITS - 1 - j) for j, number in enumerate(numbers)]
