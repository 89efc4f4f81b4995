"""Hierarchical risk parity: assets are clustered by correlation, and risk is split down the tree of clusters."""

import math
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError

Linkage: TypeAlias = Literal["single", "ward", "average", "complete"]
Distance: TypeAlias = Literal["lopez_de_prado_2016", "correlation"]
"""Between columns of d = sqrt((1 - rho) / 2), as in the paper of 2016, or d itself, as in most packages."""
LeafOrder: TypeAlias = Literal["tree", "optimal"]
"""Leaves as the tree was built, or turned so that neighbours are as near as possible (Bar-Joseph et al. 2001)."""
Variant: TypeAlias = Literal["lopez_de_prado_2016", "pyportfolioopt", "skfolio"]
"""The choices of the paper, or those that reproduce the named package."""

VARIANTS: Final[dict[Variant, tuple[Linkage, Distance, LeafOrder]]] = {
    "lopez_de_prado_2016": ("single", "lopez_de_prado_2016", "tree"),
    "pyportfolioopt": ("single", "correlation", "tree"),
    "skfolio": ("ward", "correlation", "optimal"),
}

_SMALLEST: Final = 1e-60
_DIRECT: Final = 64
"""Assets up to which distances between columns are summed directly, without a matrix product."""
_CANCELLED: Final = 1e-4
"""Share of the squared norms below which the matrix product has cancelled digits of a squared distance."""


@dataclass(frozen=True, eq=False)
class HierarchicalPortfolio:
    """Weights of hierarchical risk parity and the tree behind them."""

    weights: Floats
    """Shape (N,), positive, sum 1."""
    linkage: Floats
    """Shape (N - 1, 4), in scipy's format: the two clusters that are joined, their distance, the joint size."""
    order: Ints
    """Shape (N,): the assets from one end of the tree to the other; the bisection halves this list."""


@checked_arguments
def hierarchical_risk_parity(
    cov: ArrayLike,
    *,
    variant: Variant = "lopez_de_prado_2016",
    linkage: Linkage | None = None,
    distance: Distance | None = None,
    order: LeafOrder | None = None,
) -> HierarchicalPortfolio:
    """Weights by recursive bisection of the assets in the order of their hierarchical clustering.

    Each half of a list of assets is valued by the variance of its inverse-variance portfolio, and the list's weight
    is split between the halves in inverse proportion to these variances.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance of returns, of any period; positive semidefinite, every variance positive.
    variant : {"lopez_de_prado_2016", "pyportfolioopt", "skfolio"}
        Sets the next three; the answers are the paper's, or those of PyPortfolioOpt's and skfolio's defaults.
    linkage : {"single", "ward", "average", "complete"}, optional
        How far two clusters are apart.
    distance : {"lopez_de_prado_2016", "correlation"}, optional
        How far two assets are apart: the Euclidean distance between their columns of d, or their entry of it;
        d = sqrt((1 - rho) / 2).
    order : {"tree", "optimal"}, optional
        Of the leaves.

    Returns
    -------
    HierarchicalPortfolio

    Raises
    ------
    DataError
        If `cov` is not a covariance, an asset has no variance, or an option is unknown.

    References
    ----------
    Lopez de Prado (2016), "Building diversified portfolios that outperform out of sample", Journal of Portfolio
    Management 42(4). Ties in distance are resolved as in scipy.

    Examples
    --------
    >>> portfolio = hierarchical_risk_parity([[0.04, 0.0, 0.018], [0.0, 0.01, 0.0], [0.018, 0.0, 0.0225]])
    >>> portfolio.weights.round(4).tolist(), portfolio.order.tolist()
    ([0.1101, 0.6941, 0.1958], [1, 0, 2])
    """
    options = _checked_options(variant, linkage, distance, order)
    matrix = checked_covariance(cov)
    largest = float(matrix.diagonal().max())
    if not _SMALLEST < largest < 1.0 / _SMALLEST:
        # products of variances must neither vanish nor overflow; a power of two rounds nothing
        matrix = np.ldexp(matrix, -math.frexp(largest)[1])
    assets = len(matrix)
    weights = np.empty(assets)
    links = np.empty((assets - 1, 4))
    leaves = np.empty(assets, dtype=np.int64)
    if options == ("single", "lopez_de_prado_2016", "tree") and assets <= _DIRECT:
        _single_linkage_weights(matrix, True, links, leaves, weights)
    elif options == ("single", "correlation", "tree"):
        _single_linkage_weights(matrix, False, links, leaves, weights)
    else:
        links = _links(_distances(matrix, options[1]), options[0], options[2])
        _leaf_order(links, leaves)
        _bisection(matrix, leaves, weights)
    return HierarchicalPortfolio(weights, links, leaves)


def _checked_options(
    variant: Variant, linkage: Linkage | None, distance: Distance | None, order: LeafOrder | None
) -> tuple[Linkage, Distance, LeafOrder]:
    arguments = (("variant", variant, Variant), ("linkage", linkage, Linkage), ("distance", distance, Distance))
    for name, value, allowed in (*arguments, ("order", order, LeafOrder)):
        if value is not None and value not in get_args(allowed):
            raise DataError(f"`{name}` must be one of {', '.join(get_args(allowed))}; got {value!r}")
    preset = VARIANTS[variant]
    return linkage or preset[0], distance or preset[1], order or preset[2]


def _distances(cov: Floats, distance: Distance) -> Floats:
    distances = np.empty_like(cov)
    _correlation_distances(cov, distances)
    if distance == "correlation":
        return distances
    columns = np.empty_like(cov)
    if len(cov) <= _DIRECT:
        _column_distances(distances, columns)
    else:
        _column_distances_of_products(distances, distances.T @ distances, columns)
    return columns


def _links(distances: Floats, linkage: Linkage, order: LeafOrder) -> Floats:
    assets = len(distances)
    links = np.empty((assets - 1, 4))
    if linkage == "single" or assets < 3:
        _single_linkage(distances, links)
        if order == "tree" or assets < 3:
            return links
    # scipy.cluster takes longer to import than all of this module
    from scipy.cluster import hierarchy  # pyright: ignore[reportMissingTypeStubs]

    scipy_hierarchy: Any = hierarchy
    condensed = distances[np.triu_indices(assets, 1)]
    if linkage != "single":
        links = scipy_hierarchy.linkage(condensed, linkage)
    return scipy_hierarchy.optimal_leaf_ordering(links, condensed) if order == "optimal" else links


@compiled
def hrp_weights(cov: Floats, of_columns: bool, out: Floats) -> None:  # noqa: FBT001  (kernels take positions)
    """Weights into `out`, shape (N,), for kernels that call it: single linkage, leaves in the order of the tree.

    `cov` must be a covariance with positive variances; nothing is checked. `of_columns` chooses the paper's distance
    (else d itself). The answer is that of `hierarchical_risk_parity` with `variant` "lopez_de_prado_2016" (else
    "pyportfolioopt"), and has the same bits on every machine; for more than 64 assets that function finds the paper's
    distances by a matrix product, which can decide between two that differ by rounding alone.
    """
    assets = len(cov)
    _single_linkage_weights(cov, of_columns, np.empty((assets - 1, 4)), np.empty(assets, dtype=np.int64), out)


@compiled
def _single_linkage_weights(
    cov: Floats,
    of_columns: bool,  # noqa: FBT001
    links: Floats,
    leaves: Ints,
    weights: Floats,
) -> None:
    distances = np.empty_like(cov)
    _correlation_distances(cov, distances)
    if of_columns:
        columns = np.empty_like(cov)
        _column_distances(distances, columns)
        distances = columns
    _single_linkage(distances, links)
    _leaf_order(links, leaves)
    _bisection(cov, leaves, weights)


@compiled
def _correlation_distances(cov: Floats, out: Floats) -> None:
    """sqrt((1 - rho) / 2), with correlations that rounding lifts above 1 set to 1."""
    assets = len(cov)
    inverse = np.empty(assets)
    for i in range(assets):
        inverse[i] = 1.0 / math.sqrt(cov[i, i])
    for i in range(assets):
        for j in range(assets):
            out[i, j] = math.sqrt(max(0.5 - 0.5 * (cov[i, j] * inverse[i]) * inverse[j], 0.0))
        out[i, i] = 0.0


@compiled
def _column_distances(d: Floats, out: Floats) -> None:
    """Euclidean distances between the columns of a symmetric matrix."""
    assets = len(d)
    for i in range(assets):
        row = out[i]
        row[i:] = 0.0
        for k in range(assets):
            own = d[k, i]
            for j in range(i + 1, assets):
                row[j] += (d[k, j] - own) * (d[k, j] - own)
        for j in range(i + 1, assets):
            row[j] = math.sqrt(row[j])
            out[j, i] = row[j]


@compiled
def _column_distances_of_products(d: Floats, products: Floats, out: Floats) -> None:
    """The same from the products of all columns; pairs so near that digits cancelled are summed again."""
    assets = len(d)
    for i in range(assets):
        out[i, i] = 0.0
        for j in range(i):
            both = products[i, i] + products[j, j]
            square = both - 2.0 * products[i, j]
            if square < _CANCELLED * both:
                square = 0.0
                for k in range(assets):
                    square += (d[i, k] - d[j, k]) * (d[i, k] - d[j, k])
            out[i, j] = math.sqrt(square)
            out[j, i] = out[i, j]


@compiled
def _single_linkage(distances: Floats, links: Floats) -> None:
    """Prim's minimum spanning tree, its edges sorted by length and joined one after the other."""
    assets = len(distances)
    edges = np.empty((assets - 1, 2), dtype=np.int64)
    lengths = np.empty(assets - 1)
    nearest = np.full(assets, np.inf)
    outside = np.full(assets, True)
    at = 0
    for k in range(assets - 1):
        outside[at] = False
        following = -1
        least = np.inf
        for j in range(assets):
            if outside[j]:
                nearest[j] = min(nearest[j], distances[at, j])
                if nearest[j] < least:
                    least = nearest[j]
                    following = j
        # every asset between the last one and this one in the tree is already joined below this length
        edges[k, 0], edges[k, 1], lengths[k] = at, following, least
        at = following
    _join(edges, lengths, links)


@compiled
def _join(edges: Ints, lengths: Floats, links: Floats) -> None:
    """Clusters in scipy's numbering: assets first, then a new number for each join."""
    assets = len(lengths) + 1
    parent = np.arange(2 * assets - 1)
    size = np.ones(2 * assets - 1)
    for k, edge in enumerate(_stable_order(lengths)):
        first = _root(parent, edges[edge, 0])
        second = _root(parent, edges[edge, 1])
        new = assets + k
        parent[first] = new
        parent[second] = new
        size[new] = size[first] + size[second]
        links[k, 0], links[k, 1] = min(first, second), max(first, second)
        links[k, 2], links[k, 3] = lengths[edge], size[new]


@compiled
def _stable_order(lengths: Floats) -> Ints:
    """Sorted by insertion: of equal lengths the earlier comes first. numpy's sort takes a second to compile."""
    order = np.empty(lengths.size, dtype=np.int64)
    for k in range(lengths.size):
        at = k
        while at > 0 and lengths[order[at - 1]] > lengths[k]:
            order[at] = order[at - 1]
            at -= 1
        order[at] = k
    return order


@compiled
def _root(parent: Ints, cluster: int) -> int:
    root = cluster
    while parent[root] != root:
        root = parent[root]
    while parent[cluster] != root:
        parent[cluster], cluster = root, parent[cluster]
    return root


@compiled
def _leaf_order(links: Floats, order: Ints) -> None:
    """Assets from left to right, the first cluster of a join to the left of the second."""
    assets = len(order)
    stack = np.empty(assets + 1, dtype=np.int64)
    stack[0] = 2 * assets - 2
    depth = 1
    position = 0
    while depth > 0:
        depth -= 1
        cluster = stack[depth]
        if cluster < assets:
            order[position] = cluster
            position += 1
        else:
            stack[depth] = int(links[cluster - assets, 1])
            stack[depth + 1] = int(links[cluster - assets, 0])
            depth += 2


@compiled
def _bisection(cov: Floats, order: Ints, weights: Floats) -> None:
    """Split weight 1 down the halves of `order`, in inverse proportion to their variances.

    A cluster's inverse-variance portfolio has the variance sum_ij u_i u_j cov_ij / (sum_i u_i)**2, u_i = 1 / cov_ii.
    The sums over a list are those over its halves and between them, so that each pair of assets is visited once.
    """
    assets = len(order)
    start = np.empty(2 * assets - 1, dtype=np.int64)
    stop = np.empty(2 * assets - 1, dtype=np.int64)
    left = np.full(2 * assets - 1, -1)
    start[0], stop[0] = 0, assets
    lists = 1
    for k in range(2 * assets - 1):
        if stop[k] - start[k] > 1:
            middle = start[k] + (stop[k] - start[k]) // 2
            left[k] = lists
            start[lists], stop[lists] = start[k], middle
            start[lists + 1], stop[lists + 1] = middle, stop[k]
            lists += 2
    inverse = np.empty(assets)
    for i in range(assets):
        inverse[i] = 1.0 / cov[order[i], order[i]]
    square = np.empty(lists)
    total = np.empty(lists)
    for k in range(lists - 1, -1, -1):
        first = left[k]
        if first < 0:
            square[k] = inverse[start[k]]
            total[k] = inverse[start[k]]
            continue
        between = 0.0
        for i in range(start[first], stop[first]):
            row = cov[order[i]]
            product = 0.0
            for j in range(start[first + 1], stop[first + 1]):
                product += row[order[j]] * inverse[j]
            between += product * inverse[i]
        square[k] = square[first] + square[first + 1] + 2.0 * between
        total[k] = total[first] + total[first + 1]
    share = np.empty(lists)
    share[0] = 1.0
    for k in range(lists):
        first = left[k]
        if first < 0:
            weights[order[start[k]]] = share[k]
            continue
        one = square[first] / (total[first] * total[first])
        other = square[first + 1] / (total[first + 1] * total[first + 1])
        share[first] = share[k] * (other / (one + other))
        share[first + 1] = share[k] * (one / (one + other))
