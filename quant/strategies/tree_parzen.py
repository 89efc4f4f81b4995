"""The tree-structured Parzen estimator over a tree of discrete choices.

A point maps each choice that it makes to a place; choices that it does not reach are absent. Every observed point is a
kernel: each of its choices keeps its place or moves, to near places first where the places have an order.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from quant.numeric.arrays import Floats, Ints

Point: TypeAlias = Mapping[str, int]

_WIDTH = 0.125
"""Width of a kernel over ordered places, as a share of their number."""
_LEAST_WIDTH = 0.4
_FAR = 1e-3
"""Weight of a place far from a kernel, beside 1 for its centre."""


class ParzenDensity:
    """A mixture, with equal weights, of one kernel per point and the even distribution.

    Parameters
    ----------
    sizes : mapping from str to int
        Number of places of each choice.
    unordered : collection of str
        The choices whose places have no order.
    points : sequence of mapping from str to int, length N

    References
    ----------
    Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for hyper-parameter optimization", NeurIPS 24.
    Falkner, Klein and Hutter (2018), "BOHB", ICML 35: joint kernels over all choices.
    """

    def __init__(self, sizes: Mapping[str, int], unordered: Collection[str], points: Sequence[Point]) -> None:
        self._sizes = sizes
        even: Point = {}  # a kernel without a place
        self._points = (*points, even)
        kernels = {
            name: _categorical_kernel(size, len(points)) if name in unordered else _ordered_kernel(size)
            for name, size in sizes.items()
        }
        self._cumulative = {name: np.cumsum(kernel, axis=1) for name, kernel in kernels.items()}
        # with a column of zeros, since an absent choice of a candidate has no density
        self._logarithms = [np.pad(np.log(kernel), ((0, 0), (0, 1))) for kernel in kernels.values()]
        self._places = self.table(self._points)

    def table(self, points: Sequence[Point]) -> Ints:
        """Places of points, shape (points, choices); an absent choice has the place after the last."""
        rows = [[point.get(name, size) for name, size in self._sizes.items()] for point in points]
        return np.array(rows, dtype=np.int64)

    def draw_point(self, generator: np.random.Generator) -> Point:
        """The point whose kernel a candidate is drawn from."""
        return self._points[int(generator.integers(len(self._points)))]

    def draw_place(self, name: str, point: Point, generator: np.random.Generator) -> int:
        """A place of the choice `name`, from the kernel of `point`."""
        size = self._sizes[name]
        row = self._cumulative[name][point.get(name, size)]
        return min(int(np.searchsorted(row, generator.random(), side="right")), size - 1)

    def log_density(self, candidates: Ints) -> Floats:
        """Logarithm of the density, shape (C,), at the rows of a `table`."""
        logarithms = np.zeros((len(candidates), len(self._places)))
        for column, table in enumerate(self._logarithms):
            logarithms += table[self._places[:, column][None, :], candidates[:, column][:, None]]
        highest = logarithms.max(axis=1)
        return highest + np.log(np.mean(np.exp(logarithms - highest[:, None]), axis=1))


def _categorical_kernel(size: int, points: int) -> Floats:
    """Probabilities of the places, shape (size + 1, size), from each place and from an absent choice."""
    return _normalised(np.eye(size) + 1.0 / max(points, 1), size)


def _ordered_kernel(size: int) -> Floats:
    distance = np.subtract.outer(np.arange(size), np.arange(size)) / max(_WIDTH * size, _LEAST_WIDTH)
    return _normalised(np.exp(-0.5 * distance * distance) + _FAR, size)


def _normalised(kernel: Floats, size: int) -> Floats:
    return np.vstack([kernel / np.sum(kernel, axis=1, keepdims=True), np.full(size, 1.0 / size)])
