"""Covariance estimation, shrinkage, denoising and repair."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.covariance.correlation_repair import NearestCorrelation, nearest_correlation
    from quant.covariance.denoising import DenoisedCovariance, denoise, denoised_covariance
    from quant.covariance.estimators import condition_number, correlation, exponential, pairwise, sample
    from quant.covariance.semidefinite import checked_correlation, checked_covariance
    from quant.covariance.shrinkage import ShrunkCovariance, ledoit_wolf, nonlinear_shrinkage
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "DenoisedCovariance",
    "NearestCorrelation",
    "ShrunkCovariance",
    "checked_correlation",
    "checked_covariance",
    "condition_number",
    "correlation",
    "denoise",
    "denoised_covariance",
    "exponential",
    "ledoit_wolf",
    "nearest_correlation",
    "nonlinear_shrinkage",
    "pairwise",
    "sample",
]
