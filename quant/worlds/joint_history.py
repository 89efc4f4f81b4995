"""Engines that draw rows of history or of residuals: their moments, labels and filters."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_correlation
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.volatility.garch import fit_garch, garch_variances
from quant.worlds.joint_moments import (
    Covariance,
    EngineConstants,
    Given,
    Settings,
    cholesky,
    correlation_of,
    empty_constants,
    moments_of,
    vector,
)
from quant.worlds.resampling import SHORTEST_BLOCK, labelled_blocks

SHORTEST_HISTORY: Final = 250


@dataclass(frozen=True, eq=False)
class FilteredResiduals:
    """GJR-GARCH(1,1) of each asset and its standardised residuals: h' = omega + (alpha + gamma 1[e < 0]) e**2 + beta h.

    Attributes
    ----------
    alpha, gamma, beta : array_like, shape (N,)
        The constant follows from sigma.
    residuals : array_like, shape (H, N)
        Standardised residuals, a row for each day, H >= 250; they are brought to mean 0 and variance 1.
    """

    alpha: ArrayLike
    gamma: ArrayLike
    beta: ArrayLike
    residuals: ArrayLike


@checked_arguments
def filtered_residuals(history: Returns | ArrayLike) -> FilteredResiduals:
    """GJR-GARCH(1,1) with Student's t fitted to each asset, and its standardised residuals.

    Parameters
    ----------
    history : Returns or array_like, shape (H, N)
        Daily returns, fractions; H >= 500.

    Returns
    -------
    FilteredResiduals

    Raises
    ------
    DataError
        If the history is not finite, too short, or a column cannot be fitted.
    """
    rows = _rows("history", history, SHORTEST_HISTORY)
    fits = [fit_garch(column) for column in rows.T]
    deviations = np.sqrt(np.stack([garch_variances(fit, column) for fit, column in zip(fits, rows.T, strict=True)]))
    means = np.array([fit.mu for fit in fits])
    return FilteredResiduals(
        alpha=[fit.alpha for fit in fits],
        gamma=[fit.gamma for fit in fits],
        beta=[fit.beta for fit in fits],
        residuals=(rows - means) / deviations.T,
    )


def _rows(name: str, values: Returns | ArrayLike | None, shortest: int) -> Floats:
    if values is None:
        raise DataError(f"`{name}` is missing; this engine draws its rows")
    array = np.array(values.values if isinstance(values, Returns) else values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < shortest or array.shape[1] == 0:
        raise DataError(f"`{name}` must have shape (H, N), H >= {shortest}, N > 0; got {array.shape}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"`{name}` must be finite; row {row}, column {column} is {array[row, column]}")
    if name == "history" and array.min() <= -1.0:
        row, column = np.argwhere(array <= -1.0)[0]
        raise DataError(f"`{name}` must stay above -1; row {row}, column {column} is {array[row, column]}")
    return array


@compiled
def _weighted_moments(rows: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of `rows` under `weights` of sum one, in index order."""
    count, assets = rows.shape
    mean = np.zeros(assets)
    for t in range(count):
        for i in range(assets):
            mean[i] += weights[t] * rows[t, i]
    covariance = np.zeros((assets, assets))
    for t in range(count):
        for i in range(assets):
            deviation = weights[t] * (rows[t, i] - mean[i])
            for k in range(i + 1):
                covariance[i, k] += deviation * (rows[t, k] - mean[k])
    for i in range(assets):
        for k in range(i):
            covariance[k, i] = covariance[i, k]
    return mean, covariance


@compiled
def _recolour(rows: Floats, mean: Floats, old: Floats, new: Floats) -> Floats:
    """Rows of covariance old old' made rows of mean zero and covariance new new'."""
    count, assets = rows.shape
    out = np.zeros((count, assets))
    plain = np.empty(assets)
    for t in range(count):
        for i in range(assets):
            rest = rows[t, i] - mean[i]
            for k in range(i):
                rest -= old[i, k] * plain[k]
            plain[i] = rest / old[i, i]
        for i in range(assets):
            for k in range(i + 1):
                out[t, i] += new[i, k] * plain[k]
    return out


def _standardised(name: str, rows: Floats, weights: Floats, correlation: ArrayLike | None) -> tuple[Covariance, Floats]:
    """Moments of the rows (daily), and the rows with mean 0, variance 1 and the target correlation."""
    mean, covariance = _weighted_moments(rows, weights)
    deviation = np.sqrt(np.diagonal(covariance))
    flat = deviation <= 1e-12 * (1.0 + np.abs(mean))
    if flat.any():
        raise DataError(f"`{name}` must vary; column {int(flat.argmax())} does not")
    own = correlation_of(covariance)
    if correlation is None:
        return (mean, deviation, own), (rows - mean) / deviation
    target = checked_correlation(correlation, mean.size)
    root = cholesky(own)
    if (np.diagonal(root) <= 1e-6).any():
        column = int((np.diagonal(root) <= 1e-6).argmax())
        raise DataError(
            f"`{name}` cannot be given another correlation: column {column} is a combination of those before it; "
            "leave `correlation` out"
        )
    return (mean, deviation, target), _recolour(rows, mean, deviation[:, None] * root, cholesky(target))


def history_law(
    engine: str,
    moments: Given,
    history: Returns | ArrayLike | None,
    labels: ArrayLike | None,
    settings: Settings,
) -> tuple[Covariance, EngineConstants]:
    """Moments and constants of the engines that draw rows of history."""
    rows = _rows("history", history, 1 if engine == "replay" else SHORTEST_HISTORY)
    constants = empty_constants(rows.shape[1])
    weights = np.ones(rows.shape[0]) / rows.shape[0]
    constants.numbers[0] = 1.0 / settings.mean_block
    if engine == "conditional_bootstrap":
        constants.numbers[0] = 1.0 / (settings.mean_block - SHORTEST_BLOCK + 1.0)
        days, constants.runs, starts = labelled_blocks(
            _flags(labels, rows.shape[0]), settings.mean_block, name="labels"
        )
        rows, weights, constants.starts = (
            rows[days],
            np.ascontiguousarray(constants.runs[:, 2]),
            starts.astype(np.int64),
        )
    mu, sigma, correlation = moments
    for argument, value in (("mu", mu), ("sigma", sigma)):
        if value is not None and value.size != rows.shape[1]:
            raise DataError(f"`{argument}` must have one entry for each of {rows.shape[1]} columns; got {value.size}")
    if mu is None and sigma is None and correlation is None:
        mean, covariance = _weighted_moments(rows, weights)
        constants.history = rows
        return (
            mean * DAYS,
            np.sqrt(DAYS * np.diagonal(covariance)),
            correlation_of(covariance),
        ), constants
    (mean, deviation, sample_covariance), unit = _standardised("history", rows, weights, correlation)
    mu = mean * DAYS if mu is None else mu
    sigma = deviation * math.sqrt(DAYS) if sigma is None else sigma
    constants.history = mu / DAYS + (sigma / math.sqrt(DAYS)) * unit
    return (mu, sigma, sample_covariance), constants


def _flags(labels: ArrayLike | None, count: int) -> Flags:
    if labels is None:
        raise DataError("`labels` is missing; it says which days conditional_bootstrap may use")
    flags = np.asarray(labels)
    if flags.shape != (count,) or flags.dtype != np.bool_:
        raise DataError(f"`labels` must be booleans of shape ({count},); got {flags.dtype} of shape {flags.shape}")
    return flags


def garch_law(
    mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None, garch: FilteredResiduals | None
) -> tuple[Covariance, EngineConstants]:
    """Moments and constants of filtered historical simulation."""
    if garch is None:
        raise DataError("`history` is missing, or `garch`: this engine needs returns to filter, or what a filter left")
    residuals = _rows("garch.residuals", garch.residuals, SHORTEST_HISTORY)
    count, assets = residuals.shape
    equal = np.ones(count) / count
    (_, _, covariance), unit = _standardised("garch.residuals", residuals, equal, correlation)
    mean, deviation, covariance = moments_of(mu, sigma, covariance)
    alpha, gamma, beta = (
        vector(f"garch.{name}", values, low, 1.0)
        for name, values, low in (("alpha", garch.alpha, 0.0), ("gamma", garch.gamma, -1.0), ("beta", garch.beta, 0.0))
    )
    for name, values in (("alpha", alpha), ("gamma", gamma), ("beta", beta)):
        if values.size != mean.size:
            raise DataError(f"`garch.{name}` must have one entry for each of {mean.size} assets; got {values.size}")
    if (alpha + gamma < 0.0).any():
        i = int((alpha + gamma < 0.0).argmax())
        raise DataError(f"`garch.alpha` + `garch.gamma` must not be negative; asset {i} has {alpha[i] + gamma[i]:g}")
    # what a loss adds counts by the share of the variance that losses have in these residuals
    losses = np.array([math.fsum(z[z < 0.0] * z[z < 0.0]) / count for z in unit.T])
    persistence = alpha + gamma * losses + beta
    if (persistence >= 1.0).any():
        i = int((persistence >= 1.0).argmax())
        raise DataError(
            f"`garch` must have a persistence alpha + gamma E[z**2 1[z < 0]] + beta below 1; "
            f"asset {i} has {persistence[i]:.6g}"
        )
    variance = deviation * deviation / DAYS
    constants = empty_constants(assets)
    constants.rows = np.stack([mean / DAYS, variance, variance * (1.0 - persistence), alpha, gamma, beta])
    constants.history = unit
    return (mean, deviation, covariance), constants
