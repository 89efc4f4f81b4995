"""Benefit of a config in a scenario: its utility less that of its own benchmark on the same paths.

The own benchmark is the constant weight of the config's own volatility in the scenario, rebalanced monthly, net of
costs; with a bond beside the risky leg, the constant mix of the two of that volatility with the highest utility
(`quant.strategies.constant_mixes`). A simulation accounts for the constant weights of `REFERENCE_WEIGHTS`, or of
`REFERENCE_MIXES` with a bond, beside the configs. Cash has no volatility and a utility of 0; between it and the
references the utility on each path is nearly quadratic in the volatility (mean and turnover are in the weight, which is
nearly proportional), so that it is interpolated: within two basis points where the asset has a volatility of at most
40%, within thirty at 100%. Borrowed weights can lose everything on a path, and have no such interpolation.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.strategies.constant_mixes import mix_coefficients, mix_weights
from quant.strategies.evaluation import Evaluation

REFERENCE_WEIGHTS = (0.5, 1.0)
"""The constant weights that a simulation accounts for beside the configs."""
REFERENCE_MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The same where the other leg is a bond, which has a volatility and a utility of its own."""


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


def _coefficients(volatilities: Floats, weights: Sequence[float], utilities: Floats) -> Floats:
    """Shares (K, R) of the last R entries, the references of these `weights`, in the benchmarks of the first K.

    volatilities (K + R,); utilities (R,), of the references.
    """
    count = volatilities.size - len(weights)
    own, references = volatilities[:count], volatilities[count:]
    if weights[0] > 0.0:
        return interpolation(own, references)
    return mix_coefficients(mix_weights(own, references, utilities, weights=weights, highest=1.0), weights)


def benefits_by_path(utilities: Floats, volatilities: Floats, weights: Sequence[float]) -> Floats:
    """Benefit of each config on each path.

    Parameters
    ----------
    utilities : ndarray, shape (K + R, P)
        Of the configs and, last, of the references.
    volatilities : ndarray, shape (K + R,)
        Means over the paths.
    weights : sequence of float, length R
        `REFERENCE_WEIGHTS` or `REFERENCE_MIXES`.

    Returns
    -------
    ndarray, shape (K, P)
        Annual fractions; their means over paths are the benefits of `with_benefits`.
    """
    count = volatilities.size - len(weights)
    means = np.array([math.fsum(row.tolist()) / row.size for row in utilities[count:]])
    coefficients = _coefficients(volatilities, weights, means)
    benefits = utilities[:count].copy()
    for reference, row in enumerate(utilities[count:]):  # no matrix product: its sums depend on the machine
        benefits -= coefficients[:, reference, None] * row
    return benefits


def with_benefits(evaluations: Sequence[Evaluation], weights: Sequence[float]) -> list[Evaluation]:
    """Evaluations with the metric `benefit`.

    Parameters
    ----------
    evaluations : sequence of Evaluation, length K + R
        Of the configs and, last, of the references, on the same paths.
    weights : sequence of float, length R
        `REFERENCE_WEIGHTS` or `REFERENCE_MIXES`.

    Returns
    -------
    list of Evaluation, length K
        The error of a benefit takes config and benchmark as independent. They rarely are, so that it is too large.
    """
    count = len(evaluations) - len(weights)
    own = [one.metrics.utility for one in evaluations[count:]]
    volatilities = np.array([one.metrics.volatility.value for one in evaluations])
    coefficients = _coefficients(volatilities, weights, np.array([of.value for of in own])).tolist()
    compared: list[Evaluation] = []
    for one, shares in zip(evaluations[:count], coefficients, strict=True):
        utility = one.metrics.utility
        benchmark = math.fsum(share * of.value for share, of in zip(shares, own, strict=True))
        error = math.fsum(share * (of.error or 0.0) for share, of in zip(shares, own, strict=True))
        benefit = Measured(value=utility.value - benchmark, error=math.hypot(utility.error or 0.0, error))
        compared.append(one.model_copy(update={"metrics": one.metrics.model_copy(update={"benefit": benefit})}))
    return compared
