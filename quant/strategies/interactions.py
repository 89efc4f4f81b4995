"""Interactions and partial dependence of the parameters of a search: functional analysis of variance of a forest."""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, uniform
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import philox
from quant.strategies.effects import DependencePoint, Interaction, ParameterEffects, PartialDependence
from quant.strategies.forest import INACTIVE, MOST_VALUES, Forest, grow_forest

_PAIRED = 6
"""Parameters whose pairs are measured: those that the trees gain most from."""
_LISTED = 5
"""Interactions listed."""
_SMALLEST_SHARE = 0.001
"""Least share of an interaction that is listed."""
_POINTS = 4096
"""Random configurations that the variance of the forest is estimated from."""
_BAND = (0.1, 0.9)


def parameter_effects(
    columns: Mapping[str, Sequence[object]], scores: ArrayLike, *, shown: Sequence[str] = (), seed: int = 0
) -> ParameterEffects:
    r"""Pairwise interactions and partial dependence of the objective on the parameters of the configurations tried.

    A forest is fitted to the configurations. Its mean over all parameters but one, :math:`f_j`, is the partial
    dependence; over all but two, :math:`f_{jk}`. Each parameter takes its values with equal weight and independently
    of the others, and a conditional parameter is without effect where the trees say so. The share of a pair is
    :math:`R^2 \, V_{jk} / V`, with :math:`V_{jk}` the variance of :math:`f_{jk} - f_j - f_k + f_0`, V that of the
    forest, and :math:`R^2` what the forest predicts of the variance of configurations that a tree did not see, so
    that noise is credited to no pair.

    Parameters
    ----------
    columns : mapping of str to sequence, each of length K
        The value of each parameter in each configuration; None where it has no effect. Numbers are ordered. A
        parameter of more than 62 values is left out.
    scores : array_like, shape (K,)
        Objective of each configuration.
    shown : sequence of str
        Parameters whose partial dependence is wanted.
    seed : int
        Seed of the forest's samples, not negative.

    Returns
    -------
    ParameterEffects

    Raises
    ------
    DataError
        If `scores` is empty, not of one dimension, or not finite, or a column differs in length.

    References
    ----------
    Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance", ICML.
    Friedman (2001), "Greedy function approximation", Annals of Statistics 29(5): partial dependence.
    """
    values = np.ascontiguousarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise DataError(f"`scores` must be finite, of shape (K,), K > 0; got {values.shape}")
    for name, column in columns.items():
        if len(column) != values.size:
            raise DataError(f"column {name!r} has {len(column)} rows, `scores` has {values.size}")
    grids = {name: grid for name, column in columns.items() if 1 < len(grid := _grid(column)) <= MOST_VALUES}
    names = tuple(grids)
    sizes = np.array([len(grids[name]) for name in names], dtype=np.int64)
    ordered = np.array([all(map(_is_number, grids[name])) for name in names], dtype=np.bool_)
    codes = np.empty((values.size, len(names)), dtype=np.int64)
    for p, name in enumerate(names):
        places = {value: place for place, value in enumerate(grids[name])}
        codes[:, p] = [INACTIVE if value is None else places[value] for value in columns[name]]
    forest = grow_forest(codes, sizes, ordered, values, seed=seed)
    explained = _explained(values, forest.out_of_bag)
    variance = _variance(forest, seed)
    if explained <= 0.0 or variance <= 0.0:
        return ParameterEffects(explained=0.0, interactions=(), dependence=())

    leading = sorted(range(len(names)), key=lambda p: (-forest.gains[p], p))[:_PAIRED]
    measured = list(dict.fromkeys([*leading, *(names.index(name) for name in shown if name in grids)]))
    single, pairs, centre = marginal_means(forest, np.array(measured, dtype=np.int64))
    shares: list[Interaction] = []
    for q, (a, b) in enumerate(combinations(range(len(measured)), 2)):
        if a < len(leading) and b < len(leading):
            m, n = sizes[measured[a]], sizes[measured[b]]
            alone_a, alone_b = single[:, a, :m].mean(axis=0), single[:, b, :n].mean(axis=0)
            together = pairs[q, :m, :n] - alone_a[:, None] - alone_b[None, :] + centre
            share = min(1.0, explained * float((together * together).mean()) / variance)
            if share >= _SMALLEST_SHARE:
                shares.append(Interaction(first=names[measured[a]], second=names[measured[b]], share=share))
    position = {names[p]: a for a, p in enumerate(measured)}
    return ParameterEffects(
        explained=explained,
        interactions=tuple(sorted(shares, key=lambda i: (-i.share, i.first, i.second))[:_LISTED]),
        dependence=tuple(
            _dependence(name, grids[name], single[:, position[name], : len(grids[name])])
            for name in shown
            if name in grids
        ),
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _grid(column: Sequence[object]) -> tuple[object, ...]:
    """The distinct values: numbers ascending, others in the order of their first row."""
    distinct = tuple(dict.fromkeys(value for value in column if value is not None))
    numbers = [value for value in distinct if isinstance(value, int | float) and not isinstance(value, bool)]
    return tuple(sorted(numbers)) if len(numbers) == len(distinct) else distinct


def _explained(scores: Floats, predictions: Floats) -> float:
    """Share of the variance of `scores` that `predictions` explain, from 0; rows without one are left out."""
    known = ~np.isnan(predictions)
    if known.sum() < 2:
        return 0.0
    residual, total = _squares(scores[known], predictions[known])
    return max(0.0, 1.0 - residual / total) if total > 0.0 else 0.0


@compiled
def _squares(scores: Floats, predictions: Floats) -> tuple[float, float]:
    """Sums of squares of the residuals, and about the mean; the latter 0 where it is rounding."""
    mean = 0.0
    raw = 0.0
    for k in range(scores.size):
        mean += scores[k]
        raw += scores[k] * scores[k]
    mean /= scores.size
    residual = 0.0
    total = 0.0
    for k in range(scores.size):
        residual += (scores[k] - predictions[k]) ** 2
        total += (scores[k] - mean) ** 2
    return residual, total if total > 1e-24 * raw else 0.0


@compiled
def _draw_codes(key: Word, sizes: Ints, codes: Ints) -> None:
    for r in range(codes.shape[0]):
        for p in range(sizes.size):
            a, _, _, _ = philox(np.uint64(r), np.uint64(p), np.uint64(0), np.uint64(1), key)
            codes[r, p] = min(int(uniform(a) * sizes[p]), sizes[p] - 1)


def _variance(forest: Forest, seed: int) -> float:
    """Variance of the forest over configurations whose parameters are drawn independently."""
    codes = np.empty((_POINTS, forest.sizes.size), dtype=np.int64)
    _draw_codes(np.uint64(seed), forest.sizes, codes)
    values = forest.predict(codes)
    _, total = _squares(values, values)
    return total / _POINTS


def marginal_means(forest: Forest, parameters: Ints) -> tuple[Floats, Floats, float]:
    """Means of a forest with one or two parameters fixed, the others uniform over their values.

    Parameters
    ----------
    forest : Forest
    parameters : ndarray of int64, shape (Q,)

    Returns
    -------
    ndarray, shape (trees, Q, V)
        Mean of each tree at each value of each parameter; V is the largest number of values, the rest is 0.
    ndarray, shape (Q (Q - 1) / 2, V, V)
        Mean of all trees at each pair of values, the pairs in the order of `itertools.combinations`.
    float
        Mean over everything.
    """
    count, most = parameters.size, int(forest.sizes.max(initial=1))
    trees = len(forest.feature)
    single = np.zeros((trees, count, most))
    pairs = np.zeros((count * (count - 1) // 2, most, most))
    centre = 0.0
    for tree in range(trees):
        centre += _add_leaves(
            forest.sizes, parameters, forest.feature[tree], forest.left_values[tree], forest.left[tree],
            forest.right[tree], forest.mean[tree], single[tree], pairs,
        )  # fmt: skip
    return single, pairs / trees, centre / trees


@compiled
def _shares(reaching: Ints, sizes: Ints, shares: Floats) -> None:
    """Share of each parameter's values that reach a leaf."""
    for p in range(sizes.size):
        bits = reaching[p]
        members = 0
        while bits:
            bits &= bits - 1
            members += 1
        shares[p] = members / sizes[p]


@compiled
def _weigh(mean: float, shares: Floats, first: int, second: int) -> float:
    """`mean` times the shares of all parameters but two, which may be one or, as -1, none."""
    for p in range(shares.size):
        if p not in (first, second):
            mean *= shares[p]
    return mean


@compiled
def _add_leaf(
    mean: float, reaching: Ints, shares: Floats, sizes: Ints, parameters: Ints, single: Floats, pairs: Floats
) -> None:
    pair = 0
    for i in range(parameters.size):
        a = parameters[i]
        weight = _weigh(mean, shares, a, a)
        for v in range(sizes[a]):
            if (reaching[a] >> v) & 1:
                single[i, v] += weight
        for b in parameters[i + 1 :]:
            weight = _weigh(mean, shares, a, b)
            for cell in range(sizes[a] * sizes[b]):
                v, w = cell // sizes[b], cell % sizes[b]
                if (reaching[a] >> v) & (reaching[b] >> w) & 1:
                    pairs[pair, v, w] += weight
            pair += 1


@compiled
def _add_leaves(
    sizes: Ints,
    parameters: Ints,
    feature: Ints,
    left_values: Ints,
    left: Ints,
    right: Ints,
    means: Floats,
    single: Floats,
    pairs: Floats,
) -> float:
    """Add each leaf's mean to the cells that it covers, by the share of the other parameters' values that reach it."""
    reaching = np.zeros((feature.size, sizes.size), dtype=np.int64)
    shares = np.empty(sizes.size)
    for p in range(sizes.size):
        reaching[0, p] = (1 << sizes[p]) - 1
    centre = 0.0
    for node in range(feature.size):
        if reaching[node, 0] == 0:
            break  # this tree grew no more nodes
        if feature[node] < 0:
            _shares(reaching[node], sizes, shares)
            _add_leaf(means[node], reaching[node], shares, sizes, parameters, single, pairs)
            centre += _weigh(means[node], shares, -1, -1)
            continue
        for child in (left[node], right[node]):
            reaching[child] = reaching[node]
        reaching[left[node], feature[node]] &= left_values[node]
        reaching[right[node], feature[node]] &= ~left_values[node]
    return centre


def _dependence(name: str, grid: Sequence[object], trees: Floats) -> PartialDependence:
    """From the means of each tree at each value, shape (trees, V)."""
    means, (low, high) = trees.mean(axis=0), np.quantile(trees, _BAND, axis=0)
    points = [
        DependencePoint(
            value=float(value) if isinstance(value, int | float) else str(value),
            objective=float(means[v]),
            low=float(low[v]),
            high=float(high[v]),
        )
        for v, value in enumerate(grid)
    ]
    return PartialDependence(parameter=name, points=tuple(points))
