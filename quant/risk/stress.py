"""Losses of a portfolio in historical and hypothetical crises, as positive fractions of wealth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.crises import HISTORICAL_WINDOWS, HistoricalWindow
from quant.risk.correlation_stress import (
    checked_weights,
    finite_array,
)

COVERAGE: Final = 0.95
"""Minimum share of a window's sessions that the data must cover."""


@dataclass(frozen=True)
class WindowLoss:
    """Loss over a window of a portfolio bought at its start and not rebalanced.

    Attributes
    ----------
    window : HistoricalWindow
    coverage : float
        Sessions that the data have over those of the window, at most 1.
    loss : float or None
        Fraction of wealth, negative for a gain; None where the data do not cover the window.
    assets : tuple of float
        Each asset's part of the loss, which add up to it; empty without one.
    reason : str or None
        Why the window is not offered; None where it is.
    """

    window: HistoricalWindow
    coverage: float
    loss: float | None
    assets: tuple[float, ...]
    reason: str | None = None


@dataclass(frozen=True)
class FactorShock:
    """Loss of a portfolio under a shock; `assets` (N) and `factors` (K) are its parts, which add up to it."""

    loss: float
    assets: tuple[float, ...]
    factors: tuple[float, ...]


@checked_arguments
def stress_table(
    returns: Returns, weights: ArrayLike, *, windows: Sequence[HistoricalWindow] = HISTORICAL_WINDOWS
) -> tuple[WindowLoss, ...]:
    """Loss of a portfolio over each historical window that the data cover.

    Parameters
    ----------
    returns : Returns
        Of T sessions and N assets.
    weights : array_like, shape (N,)
        Fractions of wealth at the start of each window, of either sign; what they leave of 1 earns nothing. Nothing
        is traded within a window.
    windows : sequence of HistoricalWindow

    Returns
    -------
    tuple of WindowLoss
        One row for each window. Windows of which the data have less than 95% of the sessions have no loss but a
        reason.

    Raises
    ------
    DataError
        If `weights` does not fit or is not finite.

    Examples
    --------
    >>> days = Returns.from_prices(["2024-07-15", "2024-07-16", "2024-08-05"], ["SPX"], [[100.0], [101.0], [92.0]])
    >>> row = stress_table(days, [1.0])[-2]
    >>> row.loss, row.reason
    (None, 'the data have 1 of the 14 sessions from 2024-07-16 to 2024-08-05')
    """
    w = checked_weights(weights, len(returns.assets))
    rows: list[WindowLoss] = []
    for window in windows:
        inside = (returns.dates > np.datetime64(window.first)) & (returns.dates <= np.datetime64(window.last))
        sessions = int(np.count_nonzero(inside))
        coverage = min(sessions / window.sessions, 1.0)
        if coverage < COVERAGE:
            reason = f"the data have {sessions} of the {window.sessions} sessions from {window.first} to {window.last}"
            rows.append(WindowLoss(window, coverage, None, (), reason))
            continue
        parts = -w * (np.prod(1.0 + returns.values[inside], axis=0) - 1.0)
        rows.append(WindowLoss(window, coverage, math.fsum(parts), tuple(float(p) for p in parts)))
    return tuple(rows)


@checked_arguments
def factor_exposures(returns: ArrayLike | Returns, factors: ArrayLike | Returns) -> Floats:
    """Least-squares betas of each asset on the factors, with an intercept.

    Parameters
    ----------
    returns : array_like of shape (T, N), or Returns
        Of the assets per session.
    factors : array_like of shape (T, K), or Returns
        Returns or changes of the factors in the same sessions; T > K + 1.

    Returns
    -------
    ndarray, shape (N, K)

    Raises
    ------
    DataError
        If the shapes do not fit, there are too few sessions, a number is not finite, or the factors are collinear.

    Examples
    --------
    >>> market = [[0.01], [-0.02], [0.03], [0.0]]
    >>> factor_exposures([[0.02], [-0.04], [0.06], [0.0]], market).round(12).tolist()
    [[2.0]]
    """
    y, x = finite_array(returns, "returns", 2), finite_array(factors, "factors", 2)
    if y.shape[0] != x.shape[0] or y.shape[0] < x.shape[1] + 2:
        raise DataError(
            f"`returns` (T, N) and `factors` (T, K) must have the same T, at least K + 2; got {y.shape} and {x.shape}"
        )
    centred = x - x.mean(axis=0)
    deviations = np.sqrt(np.mean(centred * centred, axis=0))
    if not (deviations > 1e-14 * np.abs(x).max(axis=0)).all():
        raise DataError(f"`factors` column {int(np.argmin(deviations))} does not vary")
    left, singular, right = np.linalg.svd(centred / deviations, full_matrices=False)
    if singular[-1] < 1e-10 * singular[0]:
        rank = int(np.count_nonzero(singular >= 1e-10 * singular[0]))
        raise DataError(f"`factors` are collinear: {x.shape[1]} columns of rank {rank}")
    betas: Floats = right.T @ ((left.T @ (y - y.mean(axis=0))) / singular[:, None])
    return np.ascontiguousarray(betas.T) / deviations


@checked_arguments
def factor_shock(exposures: ArrayLike, shocks: ArrayLike, weights: ArrayLike) -> FactorShock:
    """Loss of a portfolio when the factors move.

    Parameters
    ----------
    exposures : array_like, shape (N, K)
        Betas of the assets, as `factor_exposures` gives them.
    shocks : array_like, shape (K,)
        Move of each factor, in the unit that the exposures were measured in; -0.2 is a fall of 20%.
    weights : array_like, shape (N,)
        Fractions of wealth.

    Returns
    -------
    FactorShock

    Raises
    ------
    DataError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> shock = factor_shock([[1.2, 0.0], [0.4, -5.0]], [-0.2, 0.01], [0.6, 0.4])
    >>> round(shock.loss, 6), [round(f, 6) for f in shock.factors]
    (0.196, [0.176, 0.02])
    """
    b, f = finite_array(exposures, "exposures", 2), finite_array(shocks, "shocks", 1)
    w = checked_weights(weights, b.shape[0])
    if f.size != b.shape[1]:
        raise DataError(f"`shocks` must have shape ({b.shape[1]},), one for each factor; got {f.shape}")
    parts = -w[:, None] * b * f
    return FactorShock(
        math.fsum(parts.ravel()),
        tuple(math.fsum(row) for row in parts),
        tuple(math.fsum(column) for column in parts.T),
    )
