"""A forest of regression trees over parameters with few values, some of them without effect in some rows."""

import math
from dataclasses import dataclass

import numpy as np

from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, uniform
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import philox

MOST_VALUES = 62
"""Values of a parameter: a set of them is the bits of an integer."""
INACTIVE = -1
"""Code of a parameter in a row where it has no effect."""


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees as arrays of shape (trees, nodes); node 0 is the root, a leaf has the feature -1."""

    sizes: Ints
    """Shape (P,): values of each parameter, coded from 0."""
    feature: Ints
    left_values: Ints
    """Bit v is set if the value v of the node's parameter goes to the left."""
    left: Ints
    right: Ints
    mean: Floats
    """Mean score of the node's rows."""
    gains: Floats
    """Shape (P,): decrease of the sum of squares by the splits on each parameter, over all trees."""
    out_of_bag: Floats
    """Shape (K,): prediction for each row by the trees that were grown without it; NaN where there is none."""

    def predict(self, codes: Ints) -> Floats:
        """Mean prediction of all trees, shape (R,), for `codes` of shape (R, P)."""
        values = np.zeros(len(codes))
        for tree in range(len(self.feature)):
            _add_predictions(
                codes, self.feature[tree], self.left_values[tree], self.left[tree], self.right[tree], self.mean[tree],
                values,
            )  # fmt: skip
        return values / len(self.feature)


def grow_forest(
    codes: Ints, sizes: Ints, ordered: Flags, scores: Floats, *, trees: int = 64, smallest_leaf: int = 3, seed: int = 0
) -> Forest:
    """Grow trees on bootstrap samples of the rows.

    A node is split on the parameter and the set of its values that decrease the sum of squares most: below and above a
    value if the parameter is ordered, otherwise along the values sorted by their means, which holds the best set
    (Breiman, Friedman, Olshen and Stone 1984, section 4.2). A parameter splits only nodes in whose rows it has an
    effect, so a tree first splits on what switches it on.

    Parameters
    ----------
    codes : ndarray of int64, shape (K, P)
        Value of each parameter in each row, from 0; -1 where the parameter has no effect.
    sizes : ndarray of int64, shape (P,)
        Number of values of each parameter, at most 62.
    ordered : ndarray of bool, shape (P,)
        Whether the order of a parameter's codes means something.
    scores : ndarray, shape (K,)
        Finite.
    trees : int
    smallest_leaf : int
        Rows of a leaf, at least.
    seed : int
        Seed of the samples, not negative.

    Returns
    -------
    Forest

    Raises
    ------
    DataError
        If shapes differ, a code lies outside its range, or there are no rows.

    References
    ----------
    Breiman (2001), "Random forests", Machine Learning 45; all parameters are candidates at every node.
    """
    rows, parameters = codes.shape
    if rows == 0 or scores.shape != (rows,) or sizes.shape != (parameters,) or ordered.shape != (parameters,):
        raise DataError(f"needs K > 0 rows of {parameters} parameters; got scores of shape {scores.shape}")
    if parameters and ((codes < INACTIVE).any() or (codes >= sizes).any() or sizes.max() > MOST_VALUES):
        raise DataError(f"each code must lie from -1 to below its size, which is at most {MOST_VALUES}")
    nodes = max(1, 2 * (rows // smallest_leaf) - 1)
    integers = np.full((4, trees, nodes), -1, dtype=np.int64)
    feature, left_values, left, right = integers
    means = np.zeros((trees, nodes))
    gains = np.zeros(parameters)
    sums = np.zeros(rows)
    counts = np.zeros(rows)
    for tree in range(trees):
        bag = np.empty(rows, dtype=np.int64)
        _draw_rows(np.uint64(seed), tree, bag)
        _grow(
            codes, sizes, ordered, scores, bag, smallest_leaf,
            feature[tree], left_values[tree], left[tree], right[tree], means[tree], gains,
        )  # fmt: skip
        unseen = np.ones(rows, dtype=np.bool_)
        unseen[bag] = False
        predictions = np.zeros(int(unseen.sum()))
        _add_predictions(
            codes[unseen], feature[tree], left_values[tree], left[tree], right[tree], means[tree], predictions
        )
        sums[unseen] += predictions
        counts[unseen] += 1.0
    out_of_bag = np.where(counts > 0.0, sums / np.maximum(counts, 1.0), math.nan)
    return Forest(sizes, feature, left_values, left, right, means, gains, out_of_bag)


@compiled
def _draw_rows(key: Word, tree: int, bag: Ints) -> None:
    """Fill `bag` with rows drawn with replacement."""
    count = bag.size
    for k in range(count):
        a, _, _, _ = philox(np.uint64(k), np.uint64(tree), np.uint64(0), np.uint64(0), key)
        bag[k] = min(int(uniform(a) * count), count - 1)


@compiled
def _sort_values(order: Ints, count: int, sums: Floats, sizes: Floats) -> None:
    """Sort the first `count` values of `order` by their mean; equal ones keep their order."""
    for i in range(1, count):
        value = order[i]
        mean = sums[value] / sizes[value]
        j = i
        while j > 0 and sums[order[j - 1]] / sizes[order[j - 1]] > mean:
            order[j] = order[j - 1]
            j -= 1
        order[j] = value


@compiled
def _sum_by_value(codes: Ints, scores: Floats, rows: Ints, parameter: int, sums: Floats, counts: Floats) -> bool:
    """Add the scores of `rows` to the sums of their values; False where the parameter has no effect in one."""
    for row in rows:
        value = codes[row, parameter]
        if value < 0:
            return False
        sums[value] += scores[row]
        counts[value] += 1.0
    return True


@compiled
def _best_cut(order: Ints, present: int, sums: Floats, counts: Floats, smallest: int) -> tuple[float, int]:
    """Largest decrease of the sum of squares by a cut of the sorted values, and the last value before it, or -1."""
    total = 0.0
    whole = 0.0
    for i in range(present):
        total += sums[order[i]]
        whole += counts[order[i]]
    best = 0.0
    last = -1
    left_sum = 0.0
    left_count = 0.0
    for i in range(present - 1):
        left_sum += sums[order[i]]
        left_count += counts[order[i]]
        if left_count < smallest or whole - left_count < smallest:
            continue
        rest = total - left_sum
        gain = left_sum * left_sum / left_count + rest * rest / (whole - left_count) - total * total / whole
        if gain > best:
            best = gain
            last = i
    return float(best), last


@compiled
def _left_side(order: Ints, present: int, last: int, ordered: int, counts: Floats) -> int:
    """The values up to a cut as bits; those that no row has stay in order, or else go with the more numerous rows."""
    chosen = 0
    if ordered:
        for value in range(order[last] + 1):
            chosen |= 1 << value
        return chosen
    balance = 0.0
    for i in range(present):
        balance += counts[order[i]] if i <= last else -counts[order[i]]
        if i <= last:
            chosen |= 1 << order[i]
    if balance > 0.0:
        for value in range(counts.size):
            if counts[value] == 0.0:
                chosen |= 1 << value
    return chosen


@compiled
def _best_split(
    codes: Ints, scores: Floats, rows: Ints, parameter: int, size: int, ordered: int, smallest: int
) -> tuple[float, int]:
    """Decrease of the sum of squares, and the values that go to the left; 0 where nothing can be split."""
    sums = np.zeros(size)
    counts = np.zeros(size)
    if not _sum_by_value(codes, scores, rows, parameter, sums, counts):
        return 0.0, 0
    order = np.empty(size, dtype=np.int64)
    present = 0
    for value in range(size):
        if counts[value] > 0.0:
            order[present] = value
            present += 1
    if not ordered:
        _sort_values(order, present, sums, counts)
    best, last = _best_cut(order, present, sums, counts, smallest)
    return (best, _left_side(order, present, last, ordered, counts)) if last >= 0 else (0.0, 0)


@compiled
def _partition(codes: Ints, rows: Ints, parameter: int, chosen: int, buffer: Ints) -> int:
    """Move the rows of the chosen values to the front, in their order; return how many they are."""
    lower = 0
    upper = 0
    for row in rows:
        if (chosen >> codes[row, parameter]) & 1:
            rows[lower] = row
            lower += 1
        else:
            buffer[upper] = row
            upper += 1
    for k in range(upper):
        rows[lower + k] = buffer[k]
    return lower


@compiled
def _grow(
    codes: Ints,
    sizes: Ints,
    ordered: Flags,
    scores: Floats,
    bag: Ints,
    smallest: int,
    feature: Ints,
    left_values: Ints,
    left: Ints,
    right: Ints,
    means: Floats,
    gains: Floats,
) -> None:
    """Grow one tree on the rows `bag`, which are reordered; the nodes are written in the order of their creation."""
    first = np.zeros(feature.size, dtype=np.int64)
    stop = np.zeros(feature.size, dtype=np.int64)
    stop[0] = bag.size
    buffer = np.empty(bag.size, dtype=np.int64)
    created = 1
    node = 0
    while node < created:
        rows = bag[first[node] : stop[node]]
        total = 0.0
        raw = 0.0
        for row in rows:
            total += scores[row]
            raw += scores[row] * scores[row]
        means[node] = total / rows.size
        negligible = 1e-12 * raw
        best = 0.0
        chosen = 0
        parameter = -1
        for p in range(sizes.size):
            if rows.size >= 2 * smallest and sizes[p] > 1:
                gain, values = _best_split(codes, scores, rows, p, sizes[p], ordered[p], smallest)
                if gain > negligible and gain > best:
                    best, chosen, parameter = gain, values, p
        if parameter >= 0:
            gains[parameter] += best
            lower = _partition(codes, rows, parameter, chosen, buffer)
            feature[node] = parameter
            left_values[node] = chosen
            left[node] = created
            right[node] = created + 1
            first[created], stop[created] = first[node], first[node] + lower
            first[created + 1], stop[created + 1] = first[node] + lower, stop[node]
            created += 2
        node += 1


@compiled
def _add_predictions(
    codes: Ints, feature: Ints, left_values: Ints, left: Ints, right: Ints, means: Floats, out: Floats
) -> None:
    """Add a tree's prediction for each row of `codes` to `out`; it ends where a parameter has no effect in the row."""
    for r in range(out.size):
        node = 0
        while feature[node] >= 0 and codes[r, feature[node]] >= 0:
            node = left[node] if (left_values[node] >> codes[r, feature[node]]) & 1 else right[node]
        out[r] += means[node]
