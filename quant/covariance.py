"""Covariances of returns per period: estimated, shrunk, cleaned of noise, checked and repaired on request.

Nothing here is annualised: a covariance of daily returns is per day, and allocations do not depend on the scale.
Matrix products and eigenvalues are BLAS and LAPACK's, whose last bits change with the processor.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.compiled import compiled
from quant.errors import DataError
from quant.returns import Returns

Floats: TypeAlias = NDArray[np.float64]
Alignment: TypeAlias = Literal["inner", "pairwise"]
"""What becomes of missing returns: sessions that miss one are dropped, or each pair uses the sessions it has."""
Target: TypeAlias = Literal["scaled_identity", "constant_correlation"]

ILL_CONDITIONED: Final = 1e4
"""Condition number above which an optimiser's answer amplifies the noise of its input."""
RECOMMENDED_OBSERVATIONS: Final = 3
"""Observations per asset below which a sample covariance is mostly noise."""

_ASYMMETRY: Final = 1e-8
_INDEFINITE: Final = 1e-8
"""Of a correlation matrix: what decimals of a printed matrix explain, relative to a diagonal of 1."""
_SMALL: Final = 48
"""Assets up to which our own Cholesky decomposition is faster than a call of LAPACK."""
_DENSITY_POINTS: Final = 1000
_BANDWIDTH: Final = 0.01


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A sample covariance drawn towards a target: ``(1 - intensity) sample + intensity target``."""

    matrix: Floats
    """Per period, shape (N, N)."""
    intensity: float
    """In [0, 1]."""


@dataclass(frozen=True, eq=False)
class Denoised:
    """A covariance whose noise eigenvalues are replaced by their mean; its diagonal is the input's."""

    matrix: Floats
    """Per period, shape (N, N)."""
    factors: int
    """Eigenvalues of the correlation matrix above the noise."""
    noise_variance: float
    """Share of the variance of a standardised return that is noise."""
    threshold: float
    """Largest eigenvalue that noise explains."""


@dataclass(frozen=True, eq=False)
class NearestCorrelation:
    """The correlation matrix nearest to a symmetric matrix."""

    matrix: Floats
    """Shape (N, N), unit diagonal, positive semidefinite."""
    distance: float
    """Frobenius norm of the change."""
    iterations: int


def sample(returns: Returns | ArrayLike, *, alignment: Alignment | None = None) -> Floats:
    """Sample covariance, with division by T - 1.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period. At least N observations; `RECOMMENDED_OBSERVATIONS` times N are advisable.
    alignment : {"inner", "pairwise"}, optional
        What becomes of NaN, which stands for a missing return: "inner" drops every session that misses one,
        "pairwise" takes for each pair the sessions that both have (as `pairwise` does).

    Returns
    -------
    ndarray, shape (N, N)
        Per period.

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer sessions than assets
        or fewer than two; if the pairwise matrix is not positive semidefinite.

    Examples
    --------
    >>> sample([[0.01, 0.02], [-0.01, -0.02], [0.01, -0.02], [-0.01, 0.02]]).round(8).tolist()
    [[0.00013333, 0.0], [0.0, 0.00053333]]
    """
    if alignment == "pairwise":
        cov = pairwise(returns)
        try:
            return checked_covariance(cov, name="returns", allow_zero_variance=True)
        except DataError as error:
            raise DataError(
                f"`returns` aligned pairwise have a covariance that is not positive semidefinite ({error}); repair "
                "`correlation(pairwise(returns))` with `nearest_correlation`, or align them with 'inner'"
            ) from None
    values = _values(returns, alignment)
    _check_enough(values)
    centred = _centred(values)
    return centred.T @ centred / (len(values) - 1)


def pairwise(returns: Returns | ArrayLike) -> Floats:
    """Covariance of every pair of assets over the sessions that both have; it may be indefinite.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period; NaN where one is missing.

    Returns
    -------
    ndarray, shape (N, N)
        Per period, division by the pair's sessions less one.

    Raises
    ------
    DataError
        If a return is infinite, or a pair has fewer than N sessions in common, or fewer than two.
    """
    values = _matrix(returns)
    _refuse_infinite(values)
    here = np.isfinite(values)
    counts = here.T.astype(np.float64) @ here
    if counts.min() < max(values.shape[1], 2):
        first, second = divmod(int(counts.argmin()), len(counts))
        raise DataError(
            f"`returns` columns {first} and {second} have {int(counts.min())} sessions in common; "
            f"at least {max(values.shape[1], 2)} are needed, one per asset; or shrink: `ledoit_wolf`"
        )
    # the deviations from each column's own mean keep the digits that the products of means would cancel
    own = np.where(here, values, 0.0).sum(axis=0) / here.sum(axis=0)
    deviations = np.where(here, values - own, 0.0)
    sums = deviations.T @ here
    cov = (deviations.T @ deviations - sums * sums.T / counts) / (counts - 1.0)
    return 0.5 * (cov + cov.T)


def exponential(
    returns: Returns | ArrayLike,
    *,
    halflife: float | None = None,
    decay: float | None = None,
    centred: bool = True,
    alignment: Literal["inner"] | None = None,
) -> Floats:
    r"""Exponentially weighted covariance: a session weighs `decay` times the one after it.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per period.
    halflife : float, optional
        Sessions after which a weight has halved, positive; give either this or `decay`.
    decay : float, optional
        In (0, 1).
    centred : bool
        Whether the weighted mean is subtracted, and the result divided by :math:`1 - \sum w_t^2` so that it is
        unbiased; otherwise the mean counts as zero, as in RiskMetrics.
    alignment : {"inner"}, optional
        Drop the sessions that miss a return.

    Returns
    -------
    ndarray, shape (N, N)
        Per period. The weights are worth about (1 + decay) / (1 - decay) even ones: see `condition_number`.

    Raises
    ------
    DataError
        As `sample`, or unless exactly one of `halflife` and `decay` is given, in its range.

    References
    ----------
    J.P. Morgan and Reuters (1996), "RiskMetrics: Technical Document", section 5.2.

    Examples
    --------
    >>> exponential([[0.03], [0.01], [0.02]], decay=0.5, centred=False).round(8).tolist()
    [[0.00038571]]
    """
    if (halflife is None) == (decay is None):
        raise DataError("give either `halflife` or `decay`")
    if decay is None:
        assert halflife is not None
        if not (math.isfinite(halflife) and halflife > 0.0):
            raise DataError(f"`halflife` must be positive, got {halflife!r}")
        decay = math.exp(-math.log(2.0) / halflife)
    if not 0.0 < decay < 1.0:
        raise DataError(f"`decay` must lie in (0, 1), got {decay!r}")
    values = _values(returns, alignment)
    _check_enough(values)
    weights = np.full(len(values), decay)
    weights[0] = 1.0
    weights = np.cumprod(weights)[::-1]
    weights = weights / weights.sum()
    if centred:
        values = values - weights @ values
    scaled = values * np.sqrt(weights)[:, None]
    cov = scaled.T @ scaled
    return cov / (1.0 - float(weights @ weights)) if centred else cov


def ledoit_wolf(
    returns: Returns | ArrayLike,
    *,
    target: Target = "scaled_identity",
    alignment: Literal["inner"] | None = None,
) -> Shrunk:
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
    Shrunk
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
    values = _values(returns, alignment)
    if len(values) < 2:
        raise DataError(f"`returns` must have at least 2 sessions, got {len(values)}")
    centred = _centred(values)
    cov = centred.T @ centred / len(values)
    if target == "constant_correlation":
        return _towards_constant_correlation(centred, cov)
    return _towards_identity(centred, cov)


def _towards_identity(centred: Floats, cov: Floats) -> Shrunk:
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
    return Shrunk(matrix, intensity)


def _towards_constant_correlation(centred: Floats, cov: Floats) -> Shrunk:
    observations, assets = centred.shape
    variance = np.diag(cov).copy()
    _refuse_no_variance(variance, "returns")
    if assets == 1:
        return Shrunk(cov, 0.0)
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
    return Shrunk((1.0 - intensity) * cov + intensity * target, intensity)


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
    values = _values(returns, alignment)
    if len(values) < 12:
        raise DataError(f"`returns` must have at least 12 sessions, got {len(values)}")
    centred = _centred(values)
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


def denoised(
    returns: Returns | ArrayLike,
    *,
    noise_variance: float | None = None,
    alignment: Literal["inner"] | None = None,
) -> Denoised:
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
    Denoised

    Raises
    ------
    DataError
        If a return is infinite, or is missing and no `alignment` is chosen; if there are fewer than two sessions or
        an asset has no variance; if `noise_variance` is not in (0, 1].
    """
    values = _values(returns, alignment)
    if len(values) < 2:
        raise DataError(f"`returns` must have at least 2 sessions, got {len(values)}")
    centred = _centred(values)
    cov = centred.T @ centred / (len(values) - 1)
    _refuse_no_variance(np.diag(cov), "returns")
    return _denoise(cov, len(values), noise_variance)


def denoise(cov: ArrayLike, *, observations: int, noise_variance: float | None = None) -> Denoised:
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
    Denoised

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


def _denoise(cov: Floats, observations: int, noise_variance: float | None) -> Denoised:
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
    return Denoised(0.5 * (matrix + matrix.T), int(np.count_nonzero(~noise)), variance, threshold)


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


def nearest_correlation(
    matrix: ArrayLike,
    *,
    smallest_eigenvalue: float = 0.0,
    tolerance: float = 1e-10,
    max_iterations: int = 10_000,
) -> NearestCorrelation:
    """The nearest correlation matrix in the Frobenius norm, by alternating projections with Dykstra's correction.

    Parameters
    ----------
    matrix : array_like, shape (N, N)
        Symmetric, with ones on its diagonal; not positive semidefinite, or this changes nothing but rounding.
    smallest_eigenvalue : float
        In [0, 1): what the eigenvalues of the answer shall not fall below; a small positive number makes it
        invertible.
    tolerance : float
        Largest change per step, relative to the norm, at which the projections count as converged.
    max_iterations : int

    Returns
    -------
    NearestCorrelation

    Raises
    ------
    DataError
        If `matrix` is not square, finite and symmetric, or its diagonal is not 1; if an option is out of its range;
        if `max_iterations` do not suffice.

    References
    ----------
    Higham (2002), "Computing the nearest correlation matrix: a problem from finance", IMA Journal of Numerical
    Analysis 22(3), algorithm 3.3.

    Examples
    --------
    >>> near = nearest_correlation([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    >>> near.matrix.round(4).tolist(), round(near.distance, 4)
    ([[1.0, 0.7607, 0.1573], [0.7607, 1.0, 0.7607], [0.1573, 0.7607, 1.0]], 0.5278)
    """
    given = _square(matrix, "matrix")
    wrong = np.abs(np.diag(given) - 1.0)
    if wrong.max() > _ASYMMETRY:
        i = int(wrong.argmax())
        raise DataError(
            f"`matrix` must have ones on its diagonal, [{i}, {i}] is {float(given[i, i])!r}; see `correlation`"
        )
    _refuse_asymmetric(given, np.ones(len(given)), "matrix")
    if not 0.0 <= smallest_eigenvalue < 1.0:
        raise DataError(f"`smallest_eigenvalue` must lie in [0, 1), got {smallest_eigenvalue!r}")
    if not 0.0 < tolerance < 1.0 or max_iterations < 1:
        raise DataError(
            f"`tolerance` must lie in (0, 1) and `max_iterations` be positive, got {tolerance!r} and {max_iterations}"
        )
    start = 0.5 * (given + given.T)
    unit = start.copy()
    correction = np.zeros_like(unit)
    previous = unit
    for iteration in range(1, max_iterations + 1):
        shifted = unit - correction
        definite = _clipped(shifted, smallest_eigenvalue)
        correction = definite - shifted
        last, unit = unit, definite.copy()
        np.fill_diagonal(unit, 1.0)
        norm = float(np.linalg.norm(unit))
        moves = (definite - previous, unit - last, unit - definite)
        previous = definite
        if max(float(np.linalg.norm(move)) for move in moves) <= tolerance * norm:
            # a last projection and a rescaling make it exact on both sets; they move it by the tolerance
            final = _clipped(unit, smallest_eigenvalue)
            scale = 1.0 / np.sqrt(np.diag(final))
            final = final * scale * scale[:, None]
            np.fill_diagonal(final, 1.0)
            return NearestCorrelation(final, float(np.linalg.norm(final - start)), iteration)
    raise DataError(f"`max_iterations` {max_iterations} do not suffice for `tolerance` {tolerance:g}; allow more")


def _clipped(matrix: Floats, smallest: float) -> Floats:
    eigenvalues, vectors = np.linalg.eigh(matrix)
    raised = (vectors * np.maximum(eigenvalues, smallest)) @ vectors.T
    return 0.5 * (raised + raised.T)


def correlation(cov: ArrayLike) -> Floats:
    """Correlation matrix of a covariance; its definiteness is not checked.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Symmetric, with positive variances.

    Returns
    -------
    ndarray, shape (N, N)
        In [-1, 1] for a covariance that is one; exactly 1 on the diagonal.

    Raises
    ------
    DataError
        If `cov` is not square, finite and symmetric, or a variance is not positive.

    Examples
    --------
    >>> correlation([[0.04, 0.03], [0.03, 0.09]]).tolist()
    [[1.0, 0.5], [0.5, 1.0]]
    """
    matrix = _square(cov, "cov")
    _refuse_no_variance(np.diag(matrix), "cov")
    deviation = np.sqrt(np.diag(matrix))
    _refuse_asymmetric(matrix, deviation, "cov")
    found = matrix / (deviation * deviation[:, None])
    np.fill_diagonal(found, 1.0)
    return 0.5 * (found + found.T)


def condition_number(cov: ArrayLike) -> float:
    """Largest over smallest eigenvalue; above `ILL_CONDITIONED` an optimiser amplifies noise.

    Parameters
    ----------
    cov : array_like, shape (N, N)

    Returns
    -------
    float
        At least 1; infinite for a singular matrix.

    Raises
    ------
    DataError
        If `cov` is not a covariance; zero variances are allowed, but not all of them zero.

    Examples
    --------
    >>> condition_number([[0.04, 0.0], [0.0, 0.01]])
    4.0
    """
    eigenvalues = np.linalg.eigvalsh(checked_covariance(cov, allow_zero_variance=True))
    if eigenvalues[-1] <= 0.0:
        raise DataError("`cov` must have a positive variance, all are 0")
    singular = eigenvalues[0] <= len(eigenvalues) * np.finfo(np.float64).eps * eigenvalues[-1]
    return math.inf if singular else float(eigenvalues[-1] / eigenvalues[0])


def checked_covariance(cov: ArrayLike, *, name: str = "cov", allow_zero_variance: bool = False) -> Floats:
    """`cov` as a contiguous symmetric array, if it is a covariance.

    Parameters
    ----------
    cov : array_like, shape (N, N)
        Symmetric within 1e-8 of the product of the volatilities; positive semidefinite within rounding.
    name : str
        How the error calls it.
    allow_zero_variance : bool
        Whether an asset may have no variance; its covariances must then be 0.

    Returns
    -------
    ndarray, shape (N, N)
        The input itself if nothing had to be copied: not to be written to.

    Raises
    ------
    DataError
        If `cov` is not square, finite and symmetric, if a variance is negative or, unless allowed, 0, or if the
        smallest eigenvalue of its correlation matrix is below -1e-8.

    Examples
    --------
    >>> checked_covariance([[0.04, 0.07], [0.07, 0.09]])
    Traceback (most recent call last):
        ...
    quant.errors.DataError: `cov` must be positive semidefinite; the smallest eigenvalue of its correlations is -0.167
    """
    try:
        matrix = np.ascontiguousarray(cov, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"`{name}` must be a matrix of numbers: {error}") from None
    if matrix.ndim == 2 and 0 < matrix.shape[0] == matrix.shape[1] <= _SMALL and _is_definite(matrix):
        return matrix
    matrix = _square(matrix, name)
    variance = np.diag(matrix)
    if allow_zero_variance and (variance == 0.0).any() and (variance >= 0.0).all():
        return _checked_with_zeros(matrix, name)
    _refuse_no_variance(variance, name)
    deviation = np.sqrt(variance)
    if not np.array_equal(matrix, matrix.T):
        _refuse_asymmetric(matrix, deviation, name)
        matrix = 0.5 * (matrix + matrix.T)
    _refuse_indefinite(matrix, deviation, name)
    return matrix


def _checked_with_zeros(matrix: Floats, name: str) -> Floats:
    zero = np.diag(matrix) == 0.0
    linked = (matrix != 0.0) & (zero | zero[:, None])
    if linked.any():
        i, j = np.argwhere(linked)[0]
        raise DataError(
            f"`{name}` gives asset {i if zero[i] else j} no variance but a covariance: [{i}, {j}] is {matrix[i, j]:g}"
        )
    if not zero.all():
        some = np.flatnonzero(~zero)
        matrix = matrix.copy()
        matrix[np.ix_(some, some)] = checked_covariance(matrix[np.ix_(some, some)], name=name)
    return matrix


@compiled
def _is_definite(matrix: Floats) -> bool:
    """Whether a matrix is finite, exactly symmetric and positive definite (row-wise Cholesky decomposition)."""
    n = len(matrix)
    root = np.empty((n, n))
    for i in range(n):
        for j in range(i):
            if matrix[i, j] != matrix[j, i]:
                return False
            rest = matrix[i, j]
            for k in range(j):
                rest -= root[i, k] * root[j, k]
            root[i, j] = rest / root[j, j]
        rest = matrix[i, i]
        for k in range(i):
            rest -= root[i, k] * root[i, k]
        # a pivot that is rounding alone is left to the eigenvalues; the comparison is false for NaN
        if not (1e-14 * matrix[i, i] < rest < math.inf):
            return False
        root[i, i] = math.sqrt(rest)
    return True


def _refuse_indefinite(matrix: Floats, deviation: Floats, name: str) -> None:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        smallest = float(np.linalg.eigvalsh(matrix / deviation / deviation[:, None])[0])
        if smallest < -_INDEFINITE:
            raise DataError(
                f"`{name}` must be positive semidefinite; the smallest eigenvalue of its correlations is {smallest:.3g}"
            ) from None


def _square(matrix: ArrayLike, name: str) -> Floats:
    array = np.ascontiguousarray(matrix, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] != array.shape[1] or array.size == 0:
        raise DataError(f"`{name}` must have shape (N, N), N > 0; got {array.shape}")
    if not np.isfinite(array).all():
        i, j = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"`{name}` must be finite, [{i}, {j}] is {array[i, j]}")
    return array


def _refuse_asymmetric(matrix: Floats, deviation: Floats, name: str) -> None:
    excess = np.abs(matrix - matrix.T) - _ASYMMETRY * deviation * deviation[:, None]
    if excess.max() > 0.0:
        i, j = divmod(int(excess.argmax()), len(matrix))
        raise DataError(
            f"`{name}` must be symmetric; [{i}, {j}] is {float(matrix[i, j])!r} "
            f"and [{j}, {i}] is {float(matrix[j, i])!r}"
        )


def _refuse_no_variance(variance: Floats, name: str) -> None:
    if not (variance > 0.0).all():
        i = int((variance <= 0.0).argmax())
        raise DataError(f"`{name}` must have positive variances; asset {i} has {float(variance[i])!r}")


def _matrix(returns: Returns | ArrayLike) -> Floats:
    if isinstance(returns, Returns):
        return returns.values
    try:
        values = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"`returns` must be a matrix of numbers of equal columns: {error}") from None
    if values.ndim != 2 or values.size == 0:
        raise DataError(f"`returns` must have shape (T, N), T > 0, N > 0; got {values.shape}")
    return values


def _values(returns: Returns | ArrayLike, alignment: Alignment | None) -> Floats:
    values = _matrix(returns)
    if alignment not in {None, "inner"}:
        raise DataError(f"`alignment` must be 'inner' here, got {alignment!r}")
    # one sum says whether all is finite, at half the cost of a look at each
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(values.sum())
    if math.isfinite(total):
        return values
    _refuse_infinite(values)
    missing = np.isnan(values)
    if not missing.any():
        raise DataError(f"`returns` must be fractions, the largest is {np.abs(values).max():g}")
    if alignment is None:
        t, i = np.argwhere(missing)[0]
        raise DataError(
            f"`returns` must not be missing, row {t} of column {i} is; choose an `alignment`: 'inner' or, for "
            "`sample`, 'pairwise'"
        )
    kept = values[~missing.any(axis=1)]
    if len(kept) < 2:
        raise DataError(f"`returns` have {len(kept)} sessions without a missing return; at least 2 are needed")
    return kept


def _refuse_infinite(values: Floats) -> None:
    if np.isinf(values).any():
        t, i = np.argwhere(np.isinf(values))[0]
        raise DataError(f"`returns` must be finite, row {t} of column {i} is {values[t, i]}")


def _check_enough(values: Floats) -> None:
    observations, assets = values.shape
    if observations < max(assets, 2):
        raise DataError(
            f"`returns` have {observations} sessions for {assets} assets; at least {max(assets, 2)} are needed, and "
            f"{RECOMMENDED_OBSERVATIONS * assets} advisable; or shrink: `ledoit_wolf`"
        )


def _centred(values: Floats) -> Floats:
    return values - values.mean(axis=0)
