"""Constant mixes of a risky leg and a bond: the mix of a given volatility with the highest utility.

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
        inside = [w for w in roots if first <= w <= last]
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
