"""Covariance estimation, shrinkage, denoising and repair."""
