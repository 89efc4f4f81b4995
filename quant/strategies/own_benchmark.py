"""Benefit of a config in a scenario: its utility less that of its own benchmark on the same paths.

The own benchmark is the constant weight of the config's own volatility in the scenario, rebalanced monthly, net of
costs. A simulation accounts for the constant weights of `REFERENCE_WEIGHTS` beside the configs. Cash has no volatility
and a utility of 0; between it and the references the utility on each path is nearly quadratic in the volatility (mean
and turnover are in the weight, which is nearly proportional), so that it is interpolated: within two basis points
where the asset has a volatility of at most 40%, within thirty at 100%. Borrowed weights can lose everything on a path,
and have no such interpolation.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.strategies.evaluation import Evaluation

REFERENCE_WEIGHTS = (0.5, 1.0)
"""The constant weights that a simulation accounts for beside the configs."""


def interpolation(volatilities: ArrayLike, references: ArrayLike) -> Floats:
    """Coefficients of the references whose sum has the utility of a constant weight of the given volatility.

    Parameters
    ----------
    volatilities : array_like, shape (K,)
        Annual, not negative.
    references : array_like, shape (2,)
        Volatilities of the `REFERENCE_WEIGHTS`, increasing.

    Returns
    -------
    ndarray, shape (K, 2)

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
    if nodes.shape != (2,) or not np.isfinite(nodes).all() or (np.diff(nodes, prepend=0.0) <= 0.0).any():
        raise DataError(f"`references` must be 2 positive, increasing volatilities; got {nodes.tolist()}")
    half, full = nodes
    return np.stack([v * (v - full) / (half * (half - full)), v * (v - half) / (full * (full - half))], axis=1)


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
