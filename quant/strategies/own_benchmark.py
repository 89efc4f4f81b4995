"""Benefit of a config in a scenario: its utility less that of its own benchmark on the same paths.

The own benchmark is the constant weight of the config's own volatility in the scenario, rebalanced monthly, net of
costs; with a bond beside the risky leg, the constant mix of the two of that volatility with the highest utility. A
simulation accounts for the constant weights of `REFERENCE_WEIGHTS`, or of `REFERENCE_MIXES` with a bond, beside the
configs. Cash has no volatility and a utility of 0; between it and the references the utility on each path is nearly
quadratic in the volatility (mean and turnover are in the weight, which is nearly proportional), so that it is
interpolated: within two basis points where the asset has a volatility of at most 40%, within thirty at 100%. Borrowed
weights can lose everything on a path, and have no such interpolation.

The variance of a mix and, nearly, its utility are quadratic in the weight of the risky leg up to full investment; the
mean over paths of volatilities is nearly so, on short stretches. Two mixes may have one volatility, since a little
equity may calm a bond. Above a weight of 1 the bond is not held, cash is borrowed, and the volatility is proportional
to the weight.
"""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
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


def mix_weights(
    volatilities: ArrayLike, references: ArrayLike, utilities: ArrayLike, *, weights: Sequence[float], highest: float
) -> Floats:
    """Weight of the risky leg in the constant mix of each volatility; of two such mixes, the one of higher utility.

    Parameters
    ----------
    volatilities : array_like, shape (K,)
        Annual, not negative. One below that of the calmest mix has the calmest; one above all has `highest`.
    references, utilities : array_like, shape (R,)
        Volatilities and utilities of the mixes of `weights`.
    weights : sequence of float, length R
        Increasing from 0 to 1, an odd number of them; a quadratic passes through each three, the last of which begins
        the next.
    highest : float
        Largest weight, at least 1.

    Returns
    -------
    ndarray, shape (K,)

    Raises
    ------
    DataError
        If a number is not finite, a volatility is negative, or `weights` are others.

    Examples
    --------
    >>> mix_weights([0.1], [0.0, 0.1, 0.2], [0.0, 0.01, 0.02], weights=(0.0, 0.5, 1.0), highest=2.0).tolist()
    [0.5]
    """
    v, nodes, levels = (np.array(values, dtype=np.float64, ndmin=1) for values in (volatilities, references, utilities))
    if v.ndim != 1 or not np.isfinite(v).all() or (v < 0.0).any():
        raise DataError(f"`volatilities` must be finite and not negative, of shape (K,); got {v.shape}")
    if nodes.shape != (len(weights),) or levels.shape != nodes.shape or not np.isfinite([nodes, levels]).all():
        raise DataError(f"`references` {nodes.shape} and `utilities` {levels.shape} must be finite, ({len(weights)},)")
    stretches = [
        (
            tuple(weights[k : k + 3]),
            _quadratic(weights[k : k + 3], np.square(nodes[k : k + 3])),
            _quadratic(weights[k : k + 3], levels[k : k + 3]),
        )
        for k in _stretches(weights)
    ]
    return np.array([_weight(float(x), stretches, float(nodes[-1]), highest) for x in v])


def mix_coefficients(mixes: Floats, weights: Sequence[float]) -> Floats:
    """Coefficients of the mixes of `weights` whose sum has the utility of each of `mixes`.

    Parameters
    ----------
    mixes : ndarray, shape (K,)
        Weights of the risky leg, at most 1.
    weights : sequence of float, length R
        As of `mix_weights`.

    Returns
    -------
    ndarray, shape (K, R)
    """
    coefficients = np.zeros((mixes.size, len(weights)))
    stretches = _stretches(weights)
    for k in stretches:
        rows = ((mixes > weights[k]) | (k == 0)) & ((mixes <= weights[k + 2]) | (k == stretches[-1]))
        a, b, c = weights[k : k + 3]
        coefficients[rows, k : k + 3] = _lagrange(mixes[rows], a, b, c)
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


_ROUNDING = 1e-9
"""Error of a root: that of the mix at an end of a stretch must not fall outside of all stretches."""
_Quadratic: TypeAlias = tuple[float, float, float]
"""Coefficients, constant first."""


def _stretches(weights: Sequence[float]) -> range:
    """Where each three weights of a quadratic begin."""
    if len(weights) < 3 or len(weights) % 2 == 0 or (weights[0], weights[-1]) != (0.0, 1.0):
        raise DataError(f"`weights` are {list(weights)}; expected an odd number of them, from 0 to 1")
    return range(0, len(weights) - 2, 2)


def _quadratic(weights: Sequence[float], values: Floats) -> _Quadratic:
    a, b, c = weights
    at_a, at_b, at_c = (float(value) for value in values)
    first, second = (at_b - at_a) / (b - a), (at_c - at_b) / (c - b)
    curve = (second - first) / (c - a)
    return at_a - a * first + a * b * curve, first - (a + b) * curve, curve


def _value(quadratic: _Quadratic, weight: float) -> float:
    level, slope, curve = quadratic
    return level + weight * (slope + weight * curve)


def _weight(
    volatility: float,
    stretches: Sequence[tuple[tuple[float, ...], _Quadratic, _Quadratic]],
    invested: float,
    highest: float,
) -> float:
    target = volatility * volatility
    candidates: list[tuple[float, float]] = []  # utility and weight
    if volatility > invested > 0.0:
        candidates.append((_value(stretches[-1][2], 1.0), min(volatility / invested, highest)))
    calmest = (math.inf, 0.0)  # variance and weight
    for (first, _, last), variance, utility in stretches:
        roots, bottom = _roots(variance, target)
        inside = [min(max(w, first), last) for w in roots if first - _ROUNDING <= w <= last + _ROUNDING]
        candidates += [(_value(utility, w), w) for w in inside]
        for w in (first, last, min(max(bottom, first), last)):
            calmest = min(calmest, (_value(variance, w), w))
    return max(candidates)[1] if candidates else calmest[1]


def _roots(variance: _Quadratic, target: float) -> tuple[tuple[float, ...], float]:
    """Weights at which the quadratic has the target's value, and that of its extreme."""
    level, slope, curve = variance
    if curve == 0.0:
        return () if slope == 0.0 else ((target - level) / slope,), 0.0
    extreme = -0.5 * slope / curve
    square = extreme * extreme - (level - target) / curve
    if square < 0.0:
        return (), extreme
    return (extreme - math.sqrt(square), extreme + math.sqrt(square)), extreme
