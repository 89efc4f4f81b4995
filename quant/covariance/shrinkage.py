"""Covariances shrunk towards a simpler target, with an intensity estimated from the sample."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.samples import complete_returns, deviations_from_mean, refuse_no_variance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

Target: TypeAlias = Literal["scaled_identity", "constant_correlation"]


@dataclass(frozen=True, eq=False)
class ShrunkCovariance:
    """A sample covariance shrunk towards a target: ``(1 - intensity) sample + intensity target``."""

    matrix: Floats
    """Per period, shape (N, N)."""
    intensity: float
    """In [0, 1]."""


@checked_arguments
def ledoit_wolf(
    returns: Returns | ArrayLike,
    *,
    target: Target = "scaled_identity",
    alignment: Literal["inner"] | None = None,
) -> ShrunkCovariance:
    """Covariance shrunk linearly, with the intensity that minimises the expected squared error.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period; T may be smaller than N.
    target : {"scaled_identity", "constant_correlation"}
        The mean variance on the diagonal and nothing else (2004, "well-conditioned"), or the sample variances
        with the mean correlation throughout (2004, "honey").
    alignment : {"inner"}, optional
        Drop the sessions that miss a return.

    Returns
    -------
    ShrunkCovariance
        The sample covariance inside divides by T, as the papers do.

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer than two sessions;
        if an asset has no variance and the target is its correlation.

    References
    ----------
    Ledoit and Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
    Multivariate Analysis 88(2). Ledoit and Wolf (2004), "Honey, I shrunk the sample covariance matrix", Journal of
    Portfolio Management 30(4), appendix B.

    Examples
    --------
    >>> shrunk = ledoit_wolf([[0.01, 0.02], [-0.01, -0.02], [0.02, -0.02], [-0.02, 0.02]])
    >>> round(shrunk.intensity, 6), (shrunk.matrix.round(8) + 0.0).tolist()
    (1.0, [[0.000325, 0.0], [0.0, 0.000325]])
    """
    if target not in {"scaled_identity", "constant_correlation"}:
        raise DataError(f"`target` must be scaled_identity or constant_correlation, got {target!r}")
    values = complete_returns(returns, alignment)
    if len(values) < 2:
        raise DataError(f"`returns` must have at least 2 sessions, got {len(values)}")
    centred = deviations_from_mean(values)
    cov = centred.T @ centred / len(values)
    if target == "constant_correlation":
        return _towards_constant_correlation(centred, cov)
    return _towards_identity(centred, cov)


def _towards_identity(centred: Floats, cov: Floats) -> ShrunkCovariance:
    observations, assets = centred.shape
    mean_variance = float(np.trace(cov)) / assets
    size = float(np.vdot(cov, cov))  # squared Frobenius norm
    dispersion = size - assets * mean_variance * mean_variance
    # sum_ij sum_t x_ti^2 x_tj^2 = sum_t |x_t|^4: the second matrix product of the textbook is not needed
    norms = np.einsum("ti,ti->t", centred, centred)
    error = (float(norms @ norms) / observations - size) / observations
    error = min(error, dispersion)
    # without rounding the error of the mean would be at least 0
    intensity = error / dispersion if error > 0.0 else 0.0
    if assets == 1:
        intensity = 0.0
    matrix = (1.0 - intensity) * cov
    matrix.flat[:: assets + 1] += intensity * mean_variance
    return ShrunkCovariance(matrix, intensity)


def _towards_constant_correlation(centred: Floats, cov: Floats) -> ShrunkCovariance:
    observations, assets = centred.shape
    variance = np.diag(cov).copy()
    refuse_no_variance(variance, "returns")
    if assets == 1:
        return ShrunkCovariance(cov, 0.0)
    deviation = np.sqrt(variance)
    mean = (float((cov / deviation / deviation[:, None]).sum()) - assets) / (assets * (assets - 1))
    target = mean * deviation * deviation[:, None]
    target.flat[:: assets + 1] = variance
    squares = centred * centred
    # pi: the asymptotic variances of the entries; rho: their covariances with the target's entries
    pi = squares.T @ squares / observations - cov * cov
    theta = (squares * centred).T @ centred / observations - variance[:, None] * cov
    theta.flat[:: assets + 1] = 0.0
    rho = float(np.trace(pi)) + mean * float((theta * (deviation / deviation[:, None])).sum())
    gamma = float(np.sum((cov - target) * (cov - target)))
    intensity = min(max((float(pi.sum()) - rho) / gamma / observations, 0.0), 1.0) if gamma > 0.0 else 0.0
    return ShrunkCovariance((1.0 - intensity) * cov + intensity * target, intensity)


@checked_arguments
def nonlinear_shrinkage(returns: Returns | ArrayLike, *, alignment: Literal["inner"] | None = None) -> Floats:
    """Covariance with every eigenvalue shrunk by its own amount, in closed form.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period; at least 12, and T may be smaller than N.
    alignment : {"inner"}, optional
        Drop the sessions that miss a return.

    Returns
    -------
    ndarray, shape (N, N)
        Per period, positive definite.

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer than 12 sessions;
        if assets are combinations of each other although there are more sessions than assets.

    References
    ----------
    Ledoit and Wolf (2020), "Analytical nonlinear shrinkage of large-dimensional covariance matrices", Annals of
    Statistics 48(5), section 4 and appendix C.
    """
    values = complete_returns(returns, alignment)
    if len(values) < 12:
        raise DataError(f"`returns` must have at least 12 sessions, got {len(values)}")
    centred = deviations_from_mean(values)
    n, p = len(values) - 1, values.shape[1]  # the mean costs one observation
    eigenvalues, vectors = np.linalg.eigh(centred.T @ centred / n)
    positive = eigenvalues[max(p - n, 0) :]
    if positive[0] <= 1e-14 * positive[-1]:
        raise DataError(
            f"`returns` have assets that are combinations of others: eigenvalue {positive[0]:g} beside "
            f"{positive[-1]:g}; drop one of them, or use `ledoit_wolf`"
        )
    h = float(np.cbrt(1.0 / n))
    widths = h * positive
    x = (positive[:, None] - positive) / widths
    root5 = math.sqrt(5.0)
    density = (0.75 / root5) * np.mean(np.maximum(1.0 - x * x / 5.0, 0.0) / widths, axis=1)
    edge = np.abs(x) == root5
    inside = np.where(edge, 1.0, np.abs((root5 - x) / (root5 + np.where(edge, 0.0, x))))
    hilbert = -0.3 / math.pi * x + 0.75 / root5 / math.pi * (1.0 - x * x / 5.0) * np.log(inside)
    transform = np.mean(hilbert / widths, axis=1)
    if p <= n:
        c = p / n
        noise = math.pi * c * positive * density
        signal = 1.0 - c - math.pi * c * positive * transform
        shrunk = positive / (noise * noise + signal * signal)
    else:
        reach = 1.0 - 0.2 / (h * h)
        # the kernel is even: beyond its support the logarithm's argument is the same with either sign
        ratio = math.log(abs((1.0 + root5 * h) / (1.0 - root5 * h)))
        at_zero = (0.3 / (h * h) + 0.75 / root5 / h * reach * ratio) / math.pi * float(np.mean(1.0 / positive))
        null = 1.0 / (math.pi * (p - n) / n * at_zero)
        rest = positive / (math.pi * math.pi * positive * positive * (density * density + transform * transform))
        shrunk = np.concatenate([np.full(p - n, null), rest])
    return (vectors * shrunk) @ vectors.T
