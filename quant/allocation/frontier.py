"""The efficient frontier between bounds, exact from corner to corner: means, variances, and the best ratio of the two.

The line itself is followed in `quant.allocation.critical_line`; here the problem is checked, scaled and read off.
"""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from quant.allocation.constraints import checked_bounds, checked_budget
from quant.allocation.critical_line import critical_line
from quant.covariance.semidefinite import INDEFINITE, factorises, refuse_indefinite, symmetric_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError, Infeasible

_LARGE = 250
"""Number of assets from which the definiteness of the covariance is checked on a separate thread."""
_ROUNDING = 1e-12
_LEAST = 1e-8
"""Share of the mean variance by which the end of the line may exceed the least variance."""
_RISKLESS = 1e-14
"""A variance below this share of the greatest counts as zero."""


@dataclass(frozen=True, eq=False)
class Portfolio:
    """One portfolio of a frontier."""

    weights: Floats
    """Shape (N,), fractions with sum 1."""
    expected_return: float
    volatility: float


@dataclass(frozen=True, eq=False)
class Corners:
    """The portfolios at which the set of assets between their bounds changes; all others lie on lines between two."""

    lambdas: Floats
    """Shape (C,), falling: the least multiplier lambda at which the corner minimises w'Sw / 2 - lambda mu'w; 0 last."""
    weights: Floats
    """Shape (C, N), from the maximum return to the minimum variance."""
    returns: Floats
    """Shape (C,), falling."""


@dataclass(frozen=True, eq=False)
class Frontier:
    """All efficient portfolios between the bounds, in the unit of time of `mean` and `cov`.

    Parameters
    ----------
    weights : ndarray, shape (P, N)
        From the maximum return to the minimum variance, both included, equally spaced in expected return; P = 1 where
        one portfolio is the whole frontier, as with equal means.
    returns, volatilities : ndarray, shape (P,)
        Expected return and volatility of each.
    corners : Corners
        What the portfolios lie between.
    mean, cov : ndarray, shape (N,) and (N, N)
        The problem's.
    """

    weights: Floats
    returns: Floats
    volatilities: Floats
    corners: Corners
    mean: Floats = field(repr=False)
    cov: Floats = field(repr=False)

    @cached_property
    def minimum_variance(self) -> Portfolio:
        """The portfolio of least variance; of several, the one of greatest return."""
        return self._portfolio(self.corners.weights[-1])

    def maximum_sharpe(self, rate: float = 0.0) -> Portfolio:
        """The portfolio of the greatest excess return per unit of volatility, exact between the corners.

        Parameters
        ----------
        rate : float
            Riskless return, in the unit of time of the means.

        Returns
        -------
        Portfolio

        Raises
        ------
        DataError
            If `rate` is not finite.
        Infeasible
            If no portfolio returns more than `rate`, or one without risk does.

        Examples
        --------
        >>> frontier = efficient_frontier([0.04, 0.08], [[0.01, 0.0], [0.0, 0.04]])
        >>> frontier.maximum_sharpe(0.02).weights.round(6).tolist()
        [0.571429, 0.428571]
        """
        if not math.isfinite(rate):
            raise DataError(f"`rate` must be finite; got {rate!r}")
        corners = self.corners
        most = float(corners.returns[0])
        if not most > rate:
            raise Infeasible(f"no portfolio returns more than the `rate` {rate:g}; the maximum is {most:g}")
        best, share = _sharpest(corners.weights, corners.returns, self.cov, rate)
        if best < 0:
            raise Infeasible(
                f"the ratio has no maximum: a portfolio without risk returns more than the `rate` {rate:g}"
            )
        weights = corners.weights[best]
        if share > 0.0:
            weights = weights + share * (corners.weights[best - 1] - weights)
        return self._portfolio(weights)

    def at_return(self, target: float) -> Portfolio:
        """The portfolio of least variance with an expected return, exact between the corners.

        Parameters
        ----------
        target : float
            Between the return of the minimum variance and the maximum return.

        Returns
        -------
        Portfolio

        Raises
        ------
        DataError
            If `target` is not finite.
        Infeasible
            If no efficient portfolio has that return.

        Examples
        --------
        >>> frontier = efficient_frontier([0.04, 0.08], [[0.01, 0.0], [0.0, 0.04]])
        >>> frontier.at_return(0.06).weights.round(6).tolist()
        [0.5, 0.5]
        """
        if not math.isfinite(target):
            raise DataError(f"`target` must be finite; got {target!r}")
        most, least = float(self.corners.returns[0]), float(self.corners.returns[-1])
        slack = _ROUNDING * max(abs(most), abs(least))
        if target > most + slack:
            raise Infeasible(f"`target` {target:g} is above the maximum return, {most:.9g}, that the bounds allow")
        if target < least - slack:
            raise Infeasible(
                f"`target` {target:g} is below the return of the minimum variance, {least:.9g}: such a portfolio is "
                "not efficient"
            )
        weights = np.empty((1, self.mean.size))
        _interpolate(self.corners.weights, self.corners.returns, np.array([target]), weights)
        return self._portfolio(weights[0])

    def _portfolio(self, weights: Floats) -> Portfolio:
        expected, volatility = np.empty(1), np.empty(1)
        _measure(weights[None, :], self.mean, self.cov, expected, volatility)
        return Portfolio(weights.copy(), float(expected[0]), float(volatility[0]))


@compiled
def _measure(weights: Floats, mean: Floats, cov: Floats, returns: Floats, volatilities: Floats) -> None:
    n = mean.size
    active = np.empty(n, np.int64)
    for p in range(weights.shape[0]):
        w = weights[p]
        count = 0
        expected = 0.0
        for i in range(n):
            expected += w[i] * mean[i]
            if w[i] != 0.0:
                active[count] = i
                count += 1
        variance = 0.0
        for a in range(count):
            i = active[a]
            covariance = 0.0
            for b in range(a):
                covariance += w[active[b]] * cov[i, active[b]]
            variance += w[i] * (w[i] * cov[i, i] + 2.0 * covariance)
        returns[p] = expected
        volatilities[p] = math.sqrt(max(variance, 0.0))


@compiled
def _interpolate(corners: Floats, returns: Floats, targets: Floats, out: Floats) -> None:
    """Portfolios with the falling `targets`, on the lines between the corners."""
    c = 0
    for p in range(targets.size):
        while c < returns.size - 1 and returns[c + 1] >= targets[p]:
            c += 1
        at_corner = c == returns.size - 1 or targets[p] >= returns[c]
        share = 0.0 if at_corner else (returns[c] - targets[p]) / (returns[c] - returns[c + 1])
        end = c if at_corner else c + 1
        for i in range(out.shape[1]):
            out[p, i] = corners[c, i] + share * (corners[end, i] - corners[c, i])


@compiled
def _corner_risks(corners: Floats, cov: Floats, variances: Floats, covariances: Floats) -> None:
    """Variance of each corner, and its covariance with the one before it."""
    n = corners.shape[1]
    image = np.empty(n)
    for c in range(variances.size):
        image[:] = 0.0
        for i in range(n):
            weight = corners[c, i]
            if weight != 0.0:
                row = cov[i]
                for j in range(n):
                    image[j] += weight * row[j]
        variances[c] = 0.0
        covariances[c] = 0.0
        for i in range(n):
            variances[c] += corners[c, i] * image[i]
            if c > 0:
                covariances[c] += corners[c - 1, i] * image[i]


def _sharpest(corners: Floats, returns: Floats, cov: Floats, rate: float) -> tuple[int, float]:
    """Corner and share of the way to the one before it; -1 where a portfolio without risk returns more than `rate`."""
    variances, covariances = np.empty(returns.size), np.empty(returns.size)
    _corner_risks(corners, cov, variances, covariances)
    nothing = _RISKLESS * float(np.diag(cov).max())
    excess = returns - rate
    risky = variances > nothing
    if (~risky & (excess > _ROUNDING * max(abs(rate), abs(float(returns[0]))))).any():
        return -1, 0.0
    ratios = np.full(returns.size, -np.inf)
    ratios[risky] = excess[risky] / np.sqrt(variances[risky])
    best = int(np.argmax(ratios))
    highest, share = float(ratios[best]), 0.0
    # On a segment variance = v + 2 m t + s t^2 and excess = e + r t: greatest ratio at t = (r v - e m) / (e s - r m).
    v, e, m, r = variances[1:], excess[1:], covariances[1:] - variances[1:], -np.diff(returns)
    s = variances[:-1] - 2.0 * covariances[1:] + v
    bottom = e * s - r * m
    t = np.divide(r * v - e * m, bottom, out=np.zeros_like(v), where=bottom != 0.0)
    between = v + t * (2.0 * m + t * s)
    for c in np.flatnonzero((t > 0.0) & (t < 1.0) & (between > nothing)):
        ratio = float((e[c] + t[c] * r[c]) / math.sqrt(between[c]))
        if ratio > highest:
            highest, best, share = ratio, int(c) + 1, float(t[c])
    return best, share


@compiled
def _gradient(weights: Floats, cov: Floats) -> Floats:
    """Half the derivatives of the variance."""
    out = np.zeros(weights.size)
    for i in range(weights.size):
        if weights[i] != 0.0:
            row = cov[i]
            for j in range(weights.size):
                out[j] += weights[i] * row[j]
    return out


def _is_least(weights: Floats, cov: Floats, lower: Floats, upper: Floats) -> bool:
    """Whether no portfolio between the bounds has less variance: none lies farther down the gradient."""
    gradient = _gradient(weights, cov)
    return _lies_lowest(weights, gradient, np.argsort(gradient, kind="stable"), cov, lower, upper)


@compiled
def _lies_lowest(weights: Floats, gradient: Floats, order: Ints, cov: Floats, lower: Floats, upper: Floats) -> bool:
    """Whether `weights` come as low on the `gradient` as any portfolio; `order` is of its rising entries."""
    now, lowest, rest, variance = 0.0, 0.0, 1.0, 0.0
    for i in range(weights.size):
        now += gradient[i] * weights[i]
        lowest += gradient[i] * lower[i]
        rest -= lower[i]
        variance += cov[i, i]
    for i in order:
        weight = min(max(rest, 0.0), upper[i] - lower[i])
        lowest += gradient[i] * weight
        rest -= weight
    return bool(now - lowest <= _LEAST * variance / weights.size)


@compiled
def _tie(order: Ints, mean: Floats, tolerance: float) -> None:
    """Make equal, in falling `order`, what differs by rounding only."""
    for a in range(1, order.size):
        if mean[order[a - 1]] - mean[order[a]] <= tolerance:
            mean[order[a]] = mean[order[a - 1]]


def _scaled_mean(mean: Floats) -> tuple[Floats, int]:
    """Means from zero to the order of 1, ties made equal; the power of two that was taken out."""
    scaled = mean - mean.min()
    spread = float(scaled.max())
    rounding = 1e-15 * float(np.abs(mean).max())
    if spread <= 2.0 * rounding:
        return np.zeros_like(mean), 0
    _tie(np.argsort(-scaled, kind="stable"), scaled, _ROUNDING * spread + rounding)
    power = math.frexp(spread)[1]
    return np.ldexp(scaled, -power), power


@compiled
def _balance(corners: Floats, lower: Floats, upper: Floats) -> None:
    """Give the rounding error of each corner's budget to its asset that is farthest from both bounds."""
    for weights in corners:
        rest = 1.0
        widest, room = 0, -1.0
        for i in range(weights.size):
            rest -= weights[i]
            between = min(weights[i] - lower[i], upper[i] - weights[i])
            if between > room:
                widest, room = i, between
        weights[widest] = min(max(weights[widest] + rest, lower[widest]), upper[widest])


def _trace_corners(mean: Floats, cov: Floats, lower: Floats, upper: Floats) -> tuple[Floats, Floats] | None:
    """Multipliers and weights of the corners; None for a line that does not end."""
    if math.fsum(lower) >= 1.0 - _ROUNDING:
        return np.zeros(1), lower[None, :].copy()
    if math.fsum(upper) <= 1.0 + _ROUNDING:
        return np.zeros(1), upper[None, :].copy()
    scaled, mean_power = _scaled_mean(mean)
    cov_power = max(math.frexp(float(cov.max()))[1], -1000)
    order = np.lexsort((np.diag(cov), -scaled))
    unit = math.ldexp(1.0, -cov_power)
    count, lambdas, weights = critical_line(cov * unit, scaled, order, lower, upper, 1)
    if count < 0:
        return None
    corners = weights[:count].copy()
    _balance(corners, lower, upper)
    return np.ldexp(lambdas[:count], cov_power - mean_power), corners


@checked_arguments
def efficient_frontier(
    mean: ArrayLike, cov: ArrayLike, points: int = 50, lower: ArrayLike = 0.0, upper: ArrayLike = 1.0
) -> Frontier:
    """Every efficient portfolio with the sum of weights 1 between bounds, by the critical line method.

    Parameters
    ----------
    mean : array_like, shape (N,)
        Expected returns.
    cov : array_like, shape (N, N)
        Covariance of returns in the same unit of time; singular (duplicated assets, fewer sessions than assets,
        assets without variance) is allowed.
    points : int
        Portfolios to lay out, at least 2.
    lower, upper : float or array_like, shape (N,)
        Bounds of each weight, finite; a negative lower bound allows to sell short.

    Returns
    -------
    Frontier
        The same bits on every machine.

    Raises
    ------
    DataError
        If `mean` is not finite or does not fit, `cov` is not a finite, symmetric, positive semidefinite matrix, a bound
        is not finite, `points` is below 2, or the line does not end at the least variance, to 1e-8 of the mean one.
    Infeasible
        If the bounds leave no portfolio: a lower one above its upper one, or a sum above, or below, 1.

    References
    ----------
    Markowitz (1956), "The optimization of a quadratic function subject to linear constraints", Naval Research Logistics
    Quarterly 3. Niedermayer and Niedermayer (2006), "Applying Markowitz's critical line algorithm". Bailey and Lopez de
    Prado (2013), "An open-source implementation of the critical-line algorithm for portfolio optimization",
    Algorithms 6.

    Examples
    --------
    >>> frontier = efficient_frontier([0.04, 0.08], [[0.01, 0.0], [0.0, 0.04]], points=3)
    >>> frontier.weights.round(6).tolist()
    [[0.0, 1.0], [0.4, 0.6], [0.8, 0.2]]
    >>> frontier.returns.round(6).tolist()
    [0.08, 0.064, 0.048]
    """
    means = np.array(mean, dtype=np.float64)
    matrix, correlation = symmetric_covariance(cov, "cov", allow_zero_variance=True)
    matrix = matrix.copy()
    if means.shape != (len(matrix),) or not np.isfinite(means).all():
        raise DataError(f"`mean` must be finite, of shape ({len(matrix)},) as `cov`; got {means.shape}: {means}")
    if points < 2:
        raise DataError(f"`points` must be at least 2; got {points}")
    low, high = checked_bounds(lower, upper, means.size, finite=True)
    checked_budget(low, high)
    frontier = _checked_frontier(low, high, means, matrix, correlation, points)
    if frontier is None:
        raise DataError(
            "`cov` is too degenerate: the critical line does not end at the least variance; shrink it, or ask for "
            "single portfolios of `quant.allocate`, such as `minimum_variance`"
        )
    return frontier


def _checked_frontier(
    lower: Floats, upper: Floats, mean: Floats, cov: Floats, correlation: Floats, points: int
) -> Frontier | None:
    """As `frontier_between`; the definiteness of a large covariance is checked while the line is traced."""
    if mean.size < _LARGE:
        if not factorises(correlation, INDEFINITE):
            refuse_indefinite(correlation)
        return frontier_between(lower, upper, mean, cov, points)
    with ThreadPoolExecutor(1) as aside:
        definite = aside.submit(factorises, correlation, INDEFINITE)
        frontier = frontier_between(lower, upper, mean, cov, points)
        if not definite.result():
            refuse_indefinite(correlation)
    return frontier


def frontier_between(lower: Floats, upper: Floats, mean: Floats, cov: Floats, points: int = 2) -> Frontier | None:
    """The frontier of checked arguments, shapes (N,) and (N, N); None where the line does not end at least variance."""
    trace = _trace_corners(mean, cov, lower, upper)
    if trace is None or not _is_least(trace[1][-1], cov, lower, upper):
        return None
    lambdas, corners = trace
    corner_returns, ignored = np.empty(lambdas.size), np.empty(lambdas.size)
    _measure(corners, mean, cov, corner_returns, ignored)
    most, least = float(corner_returns[0]), float(corner_returns[-1])
    targets = np.array(np.linspace(most, least, points if lambdas.size > 1 else 1), dtype=np.float64)
    weights = np.empty((targets.size, mean.size))
    _interpolate(corners, corner_returns, targets, weights)
    returns, volatilities = np.empty(targets.size), np.empty(targets.size)
    _measure(weights, mean, cov, returns, volatilities)
    return Frontier(weights, returns, volatilities, Corners(lambdas, corners, corner_returns), mean, cov)
