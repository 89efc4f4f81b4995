"""Benefit of a config in a scenario: its utility less that of its own benchmark on the same paths.

The own benchmark is the constant weight of the config's own volatility in the scenario, rebalanced monthly, net of
costs. A simulation accounts for the constant weights of `reference_weights` beside the configs. Cash has no volatility
and a utility of 0; between it and the references the utility on each path is nearly quadratic in the volatility (mean
and turnover are in the weight, which is nearly proportional), so that it is interpolated: within two basis points, and
within ten where money is borrowed.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.strategies.evaluation import Evaluation

HIGHEST_WEIGHT = 2.0
"""The own benchmark has at most this weight."""
_UNBORROWED, _BORROWED = (0.5, 1.0), (1.5, HIGHEST_WEIGHT)


def reference_weights(max_weight: float) -> tuple[float, ...]:
    """The constant weights that a simulation accounts for beside configs of at most `max_weight`.

    Examples
    --------
    >>> reference_weights(1.0), reference_weights(1.5)
    ((0.5, 1.0), (0.5, 1.0, 1.5, 2.0))
    """
    return _UNBORROWED if max_weight <= 1.0 else (*_UNBORROWED, *_BORROWED)


def interpolation(volatilities: ArrayLike, references: ArrayLike) -> Floats:
    """Coefficients of the references whose sum has the utility of a constant weight of the given volatility.

    Quadratic in the volatility: through cash and the weights 0.5 and 1, and above the latter, where borrowing costs,
    through 1, 1.5 and 2.

    Parameters
    ----------
    volatilities : array_like, shape (K,)
        Annual, not negative; one above that of the weight 2 counts as that.
    references : array_like, shape (R,)
        Volatilities of the `reference_weights`, increasing; R is 2 or 4.

    Returns
    -------
    ndarray, shape (K, R)

    Raises
    ------
    DataError
        If a volatility is negative or not finite, or `references` are others.

    Examples
    --------
    >>> interpolation([0.5, 1.5], [1.0, 2.0]).tolist()
    [[0.75, -0.125], [0.75, 0.375]]
    """
    v = np.array(volatilities, dtype=np.float64, ndmin=1)
    nodes = np.array(references, dtype=np.float64, ndmin=1)
    if v.ndim != 1 or not np.isfinite(v).all() or (v < 0.0).any():
        raise DataError(f"`volatilities` must be finite and not negative, of shape (K,); got {v.shape}")
    if nodes.shape not in ((2,), (4,)) or not np.isfinite(nodes).all() or (np.diff(nodes, prepend=0.0) <= 0.0).any():
        raise DataError(f"`references` must be 2 or 4 positive, increasing volatilities; got {nodes.tolist()}")
    coefficients = np.zeros((v.size, nodes.size))
    if nodes.size == 2:
        coefficients[:] = _lagrange(v, 0.0, nodes[0], nodes[1])[:, 1:]
        return coefficients
    borrowed = v > nodes[1]
    coefficients[~borrowed, :2] = _lagrange(v[~borrowed], 0.0, nodes[0], nodes[1])[:, 1:]
    coefficients[borrowed, 1:] = _lagrange(np.minimum(v[borrowed], nodes[3]), nodes[1], nodes[2], nodes[3])
    return coefficients


def _lagrange(x: Floats, a: float, b: float, c: float) -> Floats:
    """Coefficients of the quadratic through three nodes, shape (K, 3)."""
    return np.stack(
        [
            (x - b) * (x - c) / ((a - b) * (a - c)),
            (x - a) * (x - c) / ((b - a) * (b - c)),
            (x - a) * (x - b) / ((c - a) * (c - b)),
        ],
        axis=1,
    )


def benefits_by_path(utilities: Floats, volatilities: Floats, references: int) -> Floats:
    """Benefit of each config on each path.

    Parameters
    ----------
    utilities : ndarray, shape (K + R, P)
        Of the configs and, last, of the reference weights.
    volatilities : ndarray, shape (K + R,)
        Means over the paths.
    references : int
        R.

    Returns
    -------
    ndarray, shape (K, P)
        Annual fractions; their means over paths are the benefits of `with_benefits`.
    """
    count = volatilities.size - references
    coefficients = interpolation(volatilities[:count], volatilities[count:])
    benefits = utilities[:count].copy()
    for reference, row in enumerate(utilities[count:]):  # no matrix product: its sums depend on the machine
        benefits -= coefficients[:, reference, None] * row
    return benefits


def with_benefits(evaluations: Sequence[Evaluation], references: int) -> list[Evaluation]:
    """Evaluations with the metric `benefit`.

    Parameters
    ----------
    evaluations : sequence of Evaluation, length K + R
        Of the configs and, last, of the reference weights, on the same paths.
    references : int
        R.

    Returns
    -------
    list of Evaluation, length K
        The error of a benefit takes config and benchmark as independent. They rarely are, so that it is too large.
    """
    count = len(evaluations) - references
    own = [one.metrics.utility for one in evaluations[count:]]
    volatilities = [one.metrics.volatility.value for one in evaluations]
    coefficients = interpolation(volatilities[:count], volatilities[count:]).tolist()
    compared: list[Evaluation] = []
    for one, shares in zip(evaluations[:count], coefficients, strict=True):
        utility = one.metrics.utility
        benchmark = math.fsum(share * of.value for share, of in zip(shares, own, strict=True))
        error = math.fsum(share * (of.error or 0.0) for share, of in zip(shares, own, strict=True))
        benefit = Measured(value=utility.value - benchmark, error=math.hypot(utility.error or 0.0, error))
        compared.append(one.model_copy(update={"metrics": one.metrics.model_copy(update={"benefit": benefit})}))
    return compared
