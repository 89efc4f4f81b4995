"""Covariances cleaned of the eigenvalues that noise explains."""

import math
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.samples import complete_returns, deviations_from_mean, refuse_no_variance
from quant.covariance.semidefinite import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

_DENSITY_POINTS: Final = 1000
_BANDWIDTH: Final = 0.01


@dataclass(frozen=True, eq=False)
class DenoisedCovariance:
    """A covariance whose noise eigenvalues are replaced by their mean; its diagonal is the input's."""

    matrix: Floats
    """Per period, shape (N, N)."""
    factors: int
    """Eigenvalues of the correlation matrix above the noise."""
    noise_variance: float
    """Share of the variance of a standardised return that is noise."""
    threshold: float
    """Largest eigenvalue that noise explains."""


@checked_arguments
def denoised_covariance(
    returns: Returns | ArrayLike,
    *,
    noise_variance: float | None = None,
    alignment: Literal["inner"] | None = None,
) -> DenoisedCovariance:
    """Sample covariance cleaned of the eigenvalues that noise explains; see `denoise`.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period; T may be smaller than N.
    noise_variance : float, optional
        In (0, 1]; fitted to the eigenvalues by default.
    alignment : {"inner"}, optional
        Drop the sessions that miss a return.

    Returns
    -------
    DenoisedCovariance

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer than two sessions or
        an asset has no variance; if `noise_variance` is not in (0, 1].
    """
    values = complete_returns(returns, alignment)
    if len(values) < 2:
        raise DataError(f"`returns` must have at least 2 sessions, got {len(values)}")
    centred = deviations_from_mean(values)
    cov = centred.T @ centred / (len(values) - 1)
    refuse_no_variance(np.diag(cov), "returns")
    return _denoise(cov, len(values), noise_variance)


@checked_arguments
def denoise(cov: ArrayLike, *, observations: int, noise_variance: float | None = None) -> DenoisedCovariance:
    r"""Replace the eigenvalues of the correlation matrix that noise explains by their mean.

    The eigenvalues of the correlations of N independent series over T observations lie below
    :math:`\lambda_+ = \sigma^2 (1 + \sqrt{N / T})^2` (Marchenko and Pastur); :math:`\sigma^2` is fitted so that the
    Marchenko-Pastur density is nearest to the density of the eigenvalues. The variances stay what they were.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Covariance, positive semidefinite.
    observations : int
        T, at least 2: what the covariance was estimated from.
    noise_variance : float, optional
        :math:`\sigma^2` in (0, 1]; fitted by default. 1 keeps only what stands out from pure noise.

    Returns
    -------
    DenoisedCovariance

    Raises
    ------
    DataError
        If `cov` is not a covariance with positive variances, `observations` is below 2, or `noise_variance` is
        outside (0, 1].

    References
    ----------
    Lopez de Prado (2020), "Machine Learning for Asset Managers", section 2.5 (constant residual eigenvalue);
    Laloux, Cizeau, Bouchaud and Potters (2000), International Journal of Theoretical and Applied Finance 3(3).

    Examples
    --------
    >>> clean = denoise([[1.0, 0.1, 0.0], [0.1, 4.0, 0.0], [0.0, 0.0, 9.0]], observations=50, noise_variance=1.0)
    >>> clean.factors, clean.matrix.round(12).tolist()
    (0, [[1.0, 0.0, 0.0], [0.0, 4.0, 0.0], [0.0, 0.0, 9.0]])
    """
    matrix = checked_covariance(cov)
    if observations < 2:
        raise DataError(f"`observations` must be at least 2, got {observations}")
    return _denoise(matrix, observations, noise_variance)


def _denoise(cov: Floats, observations: int, noise_variance: float | None) -> DenoisedCovariance:
    if noise_variance is not None and not 0.0 < noise_variance <= 1.0:
        raise DataError(f"`noise_variance` must lie in (0, 1], got {noise_variance!r}")
    deviation = np.sqrt(np.diag(cov))
    eigenvalues, vectors = np.linalg.eigh(cov / deviation / deviation[:, None])
    assets_each = len(cov) / observations
    variance = _fitted_noise(eigenvalues, assets_each) if noise_variance is None else float(noise_variance)
    threshold = variance * (1.0 + math.sqrt(assets_each)) * (1.0 + math.sqrt(assets_each))
    noise = eigenvalues <= threshold
    clean = eigenvalues.copy()
    if noise.any():
        clean[noise] = max(float(eigenvalues[noise].mean()), 0.0)
    rebuilt = (vectors * clean) @ vectors.T
    scale = deviation / np.sqrt(np.diag(rebuilt))
    matrix = rebuilt * scale * scale[:, None]
    matrix.flat[:: len(cov) + 1] = np.diag(cov)
    return DenoisedCovariance(0.5 * (matrix + matrix.T), int(np.count_nonzero(~noise)), variance, threshold)


def _fitted_noise(eigenvalues: Floats, assets_each: float) -> float:
    """The noise variance in (0, 1] of the best fit: the best of a grid, then a golden section around it."""
    grid = np.linspace(0.02, 1.0, 50)
    errors = [_density_error(eigenvalues, assets_each, float(v)) for v in grid]
    best = int(np.argmin(errors))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, grid.size - 1)])
    ratio = 0.5 * (math.sqrt(5.0) - 1.0)
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    f_left, f_right = (_density_error(eigenvalues, assets_each, v) for v in (left, right))
    while high - low > 1e-5:
        if f_left <= f_right:
            high, right, f_right = right, left, f_left
            left = high - ratio * (high - low)
            f_left = _density_error(eigenvalues, assets_each, left)
        else:
            low, left, f_left = left, right, f_right
            right = low + ratio * (high - low)
            f_right = _density_error(eigenvalues, assets_each, right)
    return 0.5 * (low + high)


@compiled
def _density_error(eigenvalues: Floats, assets_each: float, variance: float) -> float:
    """Summed squared difference of the Marchenko-Pastur and the kernel density (bandwidth 0.01) at 1000 points."""
    root = math.sqrt(assets_each)
    low = variance * (1.0 - root) * (1.0 - root)
    high = variance * (1.0 + root) * (1.0 + root)
    total = 0.0
    start = 0
    for k in range(_DENSITY_POINTS):
        x = low + (high - low) * k / (_DENSITY_POINTS - 1)
        inside = max((high - x) * (x - low), 0.0)
        law = math.sqrt(inside) / (2.0 * math.pi * variance * assets_each * x) if x > 0.0 else 0.0
        kernel = 0.0
        # the eigenvalues increase as x does; what lies nine bandwidths away adds nothing
        while start < eigenvalues.size and eigenvalues[start] < x - 9.0 * _BANDWIDTH:
            start += 1
        for i in range(start, eigenvalues.size):
            z = (x - eigenvalues[i]) / _BANDWIDTH
            if z < -9.0:
                break
            kernel += math.exp(-0.5 * z * z)
        kernel /= _BANDWIDTH * math.sqrt(2.0 * math.pi) * eigenvalues.size
        total += (law - kernel) * (law - kernel)
    return total
