"""Sampling error of an allocation: resampled frontiers, and intervals of the weights of any rule.

The sessions are resampled jointly, so that each draw keeps the dependence between assets, by the stationary bootstrap
of Politis and Romano (1994): blocks of random length, which keep dependence over time too.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.allocation.frontier import efficient_frontier
from quant.numeric.arguments import checked_arguments, floats, refuse_overflow
from quant.numeric.arrays import Floats, Ints
from quant.numeric.errors import DataError, Infeasible, QuantError
from quant.numeric.moments import finite_matrix
from quant.numeric.returns import Returns

_REFUSALS: Final = 0.1
"""The largest share of the draws on which a rule may fail."""
_MEAN_BLOCK: Final = 21.0


@dataclass(frozen=True, eq=False)
class ResampledFrontier:
    """The average of ranked frontiers, in the unit of time of the returns.

    Attributes
    ----------
    weights : ndarray, shape (P, N)
        From the highest mean return to the least variance.
    returns, volatilities : ndarray, shape (P,)
        Mean return and volatility of each under the sample's own moments.
    deviations : ndarray, shape (P, N)
        Of the weights over the draws.
    draws : int
        Frontiers averaged.
    """

    weights: Floats
    returns: Floats
    volatilities: Floats
    deviations: Floats
    draws: int


@dataclass(frozen=True, eq=False)
class WeightIntervals:
    """How the weights of a rule vary over resampled histories.

    Attributes
    ----------
    estimate : ndarray, shape (N,)
        The rule's weights on the history itself.
    lower, upper : ndarray, shape (N,)
        Quantiles (1 - level) / 2 and (1 + level) / 2 of the weights over the draws.
    mean, deviation : ndarray, shape (N,)
        Of the weights over the draws.
    draws, failed_draws : int
        Draws used, and draws on which the rule failed.
    """

    estimate: Floats
    lower: Floats
    upper: Floats
    mean: Floats
    deviation: Floats
    draws: int
    failed_draws: int


@checked_arguments
def resampled_frontier(
    returns: Returns | ArrayLike,
    *,
    points: int = 50,
    draws: int = 500,
    seed: int,
    mean_block: float = 1.0,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
) -> ResampledFrontier:
    """The average, rank by rank, of the efficient frontiers of resampled histories.

    Each draw's frontier is cut at `points` equal steps of mean return; the portfolios of one rank are averaged, so
    that small changes of the sample no longer turn the weights over.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per session, as fractions; T >= 2.
    points : int
        Ranks of the frontier, at least 2.
    draws : int
        Resampled histories, at least 2.
    seed : int
        Of the Philox generator, not negative. The first draws are the same whatever their number.
    mean_block : float
        Expected sessions of a block, at least 1: sessions drawn one by one.
    lower, upper : array_like, scalar or shape (N,)
        Bounds of the weights.

    Returns
    -------
    ResampledFrontier

    Raises
    ------
    DataError
        If `returns` is not a finite matrix of two or more rows, or a number is outside its range.
    Infeasible
        If the bounds leave no portfolio.

    References
    ----------
    Michaud (1998), "Efficient asset management", chapter 6; he draws from a normal law with the sample's moments,
    here the sample itself is drawn from. Politis and Romano (1994), Journal of the American Statistical Association 89.
    """
    sample = finite_matrix(returns, name="returns", shortest=2)
    refuse_overflow(sample, "returns")
    _check_draws(draws, mean_block, seed, len(sample))
    mean, cov = _moments(sample)
    efficient_frontier(mean, cov, points, lower, upper)
    total = np.zeros((points, sample.shape[1]))
    squares = np.zeros_like(total)
    for rows in _resampled_rows(len(sample), draws, mean_block, seed):
        weights = np.broadcast_to(
            efficient_frontier(*_moments(sample[rows]), points, lower, upper).weights, total.shape
        )
        total += weights
        squares += weights * weights
    weights = total / draws
    spread = np.sqrt(np.maximum(squares / draws - weights * weights, 0.0) * draws / (draws - 1))
    risk = np.sqrt(np.maximum(np.einsum("pi,ij,pj->p", weights, cov, weights), 0.0))
    return ResampledFrontier(weights, weights @ mean, risk, spread, draws)


@checked_arguments
def weight_intervals(
    returns: Returns | ArrayLike,
    rule: Callable[[Floats], Floats],
    *,
    draws: int = 500,
    level: float = 0.9,
    seed: int,
    mean_block: float = _MEAN_BLOCK,
) -> WeightIntervals:
    """Bootstrap intervals of the weights that a rule gives.

    Parameters
    ----------
    returns : Returns or array_like, shape (T, N)
        Simple returns per session, as fractions; T >= 2.
    rule : callable
        From returns (T, N) to weights (N,).
    draws : int
        Resampled histories, at least 2.
    level : float
        Share of the draws within each interval, in (0, 1).
    seed : int
        Of the Philox generator, not negative. The first draws are the same whatever their number.
    mean_block : float
        Expected sessions of a block, in [1, T]; a month of days by default, or T if that is less.

    Returns
    -------
    WeightIntervals
        Quantiles are interpolated linearly. A draw on which `rule` raises `Infeasible` or `DataError` is counted in
        `failed_draws` and left out.

    Raises
    ------
    DataError
        If `returns` is not a finite matrix of two or more rows, a number is outside its range, or `rule` gives
        weights that are not finite or not of shape (N,).
    Infeasible
        If `rule` fails on more than a tenth of the draws.
    QuantError
        What `rule` raises on the history itself.

    References
    ----------
    Politis and Romano (1994), "The stationary bootstrap", Journal of the American Statistical Association 89.

    Examples
    --------
    >>> history = np.random.default_rng(0).normal(0.0, [0.01, 0.02], (500, 2))
    >>> result = weight_intervals(history, lambda r: (1 / r.std(axis=0)) / np.sum(1 / r.std(axis=0)), draws=99, seed=1)
    >>> bool(np.all(result.lower < result.estimate) and np.all(result.estimate < result.upper))
    True
    """
    sample = finite_matrix(returns, name="returns", shortest=2)
    refuse_overflow(sample, "returns")
    block = min(mean_block, float(len(sample))) if mean_block == _MEAN_BLOCK else mean_block
    _check_draws(draws, block, seed, len(sample))
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1), got {level!r}")
    estimate = _weights(rule, sample)
    samples: list[Floats] = []
    reason = ""
    for rows in _resampled_rows(len(sample), draws, block, seed):
        try:
            samples.append(_weights(rule, sample[rows]))
        except QuantError as error:
            if isinstance(error, _BadRule):
                raise
            reason = reason or str(error)
    failures = draws - len(samples)
    if failures > _REFUSALS * draws:
        raise Infeasible(f"`rule` fails on {failures} of {draws} draws, more than a tenth; the first because: {reason}")
    weights = np.array(samples)
    lower, upper = np.quantile(weights, [0.5 * (1.0 - level), 0.5 * (1.0 + level)], axis=0)
    return WeightIntervals(
        estimate, lower, upper, weights.mean(axis=0), weights.std(axis=0, ddof=1), len(samples), failures
    )


class _BadRule(DataError):
    """A rule that returns no weights, on any draw."""


def _weights(rule: Callable[[Floats], Floats], sample: Floats) -> Floats:
    weights = floats(rule(sample), "rule").copy()
    if weights.shape != sample.shape[1:]:
        raise _BadRule(f"`rule` must give weights of shape {sample.shape[1:]}; got {weights.shape}")
    if not np.isfinite(weights).all():
        i = int((~np.isfinite(weights)).argmax())
        raise _BadRule(f"`rule` must give finite weights; that of asset {i} is {weights[i]}")
    return weights


def _check_draws(draws: int, mean_block: float, seed: int, count: int) -> None:
    if draws < 2:
        raise DataError(f"`draws` must be at least 2, got {draws}")
    if not 1.0 <= mean_block <= count:
        raise DataError(f"`mean_block` must lie in [1, {count}], got {mean_block!r}")
    if seed < 0:
        raise DataError(f"`seed` must not be negative, got {seed}")


def _moments(sample: Floats) -> tuple[Floats, Floats]:
    mean = sample.mean(axis=0)
    centred = sample - mean
    return mean, centred.T @ centred / (len(sample) - 1)


def _resampled_rows(count: int, draws: int, mean_block: float, seed: int) -> Iterator[Ints]:
    """Rows of each draw: a block starts anywhere with probability 1 / mean_block, and runs on past the end."""
    generator = np.random.Generator(np.random.Philox(seed))
    position = np.arange(count)
    for _ in range(draws):
        starts = generator.integers(0, count, count)
        begins = generator.random(count) * mean_block < 1.0
        begins[0] = True
        last = np.maximum.accumulate(np.where(begins, position, 0))
        yield (starts[last] + position - last) % count
