"""Constants of the engines whose days are log-normal given their state."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats, Ints
from quant.numeric.elementary import exp, log, log_gamma
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS
from quant.worlds.joint_moments import (
    Covariance,
    EngineConstants,
    Settings,
    cholesky,
    correlation_of,
    empty_constants,
    moments_of,
)
from quant.worlds.scenario import CALM_DAYS, JUMP, TURBULENCE, TURBULENT_DAYS
from quant.worlds.square_root_moments import daily_theta


@dataclass(frozen=True, eq=False)
class MarketState:
    """One state of a market.

    Attributes
    ----------
    mu : array_like, shape (N,)
        Annual arithmetic mean of simple returns in the state.
    sigma : array_like, shape (N,)
        Annual volatility in the state.
    correlation : array_like, shape (N, N)
    """

    mu: ArrayLike
    sigma: ArrayLike
    correlation: ArrayLike


def _market(sigma: Floats, correlation: Floats) -> Floats:
    """Correlation of each asset with the equally weighted portfolio."""
    image = np.array([math.fsum(row * sigma) for row in correlation])
    variance = math.fsum(image * sigma)
    squares = math.fsum(sigma * sigma)
    if squares == 0.0:
        return np.zeros(sigma.size)
    if variance <= 1e-12 * squares:
        raise DataError(
            "`correlation` leaves the equally weighted portfolio without variance, and with it the shock that "
            "leverage and jumps are tied to; allowed under gbm, regime_switching and the engines with history"
        )
    return image / math.sqrt(variance)


def _log_level(gross: Floats, s2: Floats) -> Floats:
    return np.array([log(g) - 0.5 * s for g, s in zip(gross, s2, strict=True)])


def _log_variance(gross: Floats, variance: Floats) -> Floats:
    return np.array([log(1.0 + v / (g * g)) for g, v in zip(gross, variance, strict=True)])


def lognormal_law(engine: str, moments: Covariance, settings: Settings) -> EngineConstants:
    """Engines whose days are log-normal given their state."""
    mu, sigma, correlation = moments
    constants = empty_constants(mu.size)
    mean, variance = mu / DAYS, sigma * sigma / DAYS
    links = np.where((mean >= settings.cash) & (sigma > 0.0), settings.premium_power, 0)
    if engine == "regime_switching":
        _two_states(constants, moments, settings, links)
        return constants
    scaled = sigma[:, None] * sigma[None, :] * correlation / DAYS
    jump = np.zeros(mu.size)
    if engine in ("merton", "bates"):
        jump, scaled = _jumps(constants, moments, settings)
        variance = np.diagonal(scaled).copy()
        mean = mean - settings.jumps_per_year / DAYS * jump
    if engine in ("gbm", "merton"):
        s2 = _log_variance(1.0 + mean, variance)
        levels, factors = _log_level(1.0 + mean, s2)[None, :], _shock_factor(scaled, s2)[None]
    else:
        levels, factors = _stochastic_volatility(constants, jump, scaled, links, moments, settings)
    if engine in ("merton", "bates"):
        levels = np.concatenate([levels, jump[None, :]])
        factors = np.concatenate([factors, constants.lower])
    constants.rows, constants.lower = levels, factors
    return constants


def _shock_factor(covariance: Floats, s2: Floats) -> Floats:
    return np.sqrt(s2)[:, None] * cholesky(correlation_of(covariance))


def _jumps(constants: EngineConstants, moments: Covariance, settings: Settings) -> tuple[Floats, Floats]:
    """Mean jump of each asset and the daily covariance of the diffusion; the factor of the sizes into `constants`."""
    _, sigma, correlation = moments
    rate = settings.jumps_per_year
    if rate * 2.0 * JUMP * JUMP >= 1.0:
        raise DataError(
            f"`jumps_per_year` {rate:g} gives the jumps more variance than the assets have; "
            f"expected below {1.0 / (2.0 * JUMP * JUMP):.2f}"
        )
    jump = -JUMP * sigma * _market(sigma, correlation)
    total = sigma[:, None] * sigma[None, :] * correlation
    by_jumps = rate * (jump[:, None] * jump[None, :] + JUMP * JUMP * total)
    constants.lower = JUMP * (sigma[:, None] * cholesky(correlation))[None]
    constants.numbers[3:5] = rate / DAYS, exp(-rate / DAYS)
    return jump, (total - by_jumps) / DAYS


def _stochastic_volatility(
    constants: EngineConstants,
    jump: Floats,
    scaled: Floats,
    links: Ints,
    moments: Covariance,
    settings: Settings,
) -> tuple[Floats, Floats]:
    mu = moments[0]
    xi = settings.vol_of_vol
    shape = 2.0 * settings.mean_reversion / (xi * xi)
    # E[y**(p / 2)] under the stationary gamma law of mean one, so that the mean premium does not depend on p
    by_power = [exp(log_gamma(shape + 0.5 * p) - log_gamma(shape) - 0.5 * p * log(shape)) for p in (0, 1, 2)]
    premium = (mu / DAYS - settings.cash) / np.array(by_power)[links]
    base = settings.cash - settings.jumps_per_year / DAYS * jump
    diffusion = correlation_of(scaled)
    loading = np.zeros(mu.size)
    if settings.common_variance:
        loading = settings.leverage * _market(np.sqrt(np.diagonal(scaled)), diffusion)
    constants.numbers[5:7] = 0.0 if settings.common_variance else 1.0, settings.leverage
    factor = cholesky(diffusion - loading[:, None] * loading[None, :])
    constants.numbers[:3] = settings.mean_reversion, xi, shape
    correlations = loading if settings.common_variance else np.full(mu.size, settings.leverage)
    theta = np.array(
        [
            daily_theta(v, kappa=settings.mean_reversion, xi=xi, rho=rho)
            for v, rho in zip(np.diagonal(scaled).tolist(), correlations.tolist(), strict=True)
        ]
    )
    return np.stack([base, premium, links.astype(np.float64), loading, theta]), factor[None]


def _two_states(constants: EngineConstants, moments: Covariance, settings: Settings, links: Ints) -> None:
    """A calm and a turbulent state, as in `quant.worlds.paths`."""
    mu, sigma, correlation = moments
    share = TURBULENT_DAYS / (CALM_DAYS + TURBULENT_DAYS)
    shares = np.array([1.0 - share, share])
    calm = 1.0 / (shares[0] + shares[1] * (TURBULENCE * TURBULENCE))
    ratios = np.array([calm, calm * (TURBULENCE * TURBULENCE)])  # sigma_k**2 / E[sigma_k**2]
    by_power = np.stack([np.ones(2), np.sqrt(ratios), ratios])
    by_power = by_power / (shares[0] * by_power[:, :1] + shares[1] * by_power[:, 1:])
    premium = mu / DAYS - settings.cash
    means = settings.cash + premium * by_power[links].T
    away = means - mu / DAYS
    between = shares[0] * (away[0] * away[0]) + shares[1] * (away[1] * away[1])
    variance = sigma * sigma / DAYS - between
    if ((variance <= 0.0) & (sigma > 0.0)).any():
        i = int(((variance <= 0.0) & (sigma > 0.0)).argmax())
        raise DataError(
            f"`mu` {mu[i]:g} of asset {i} gives the means of the regimes more variance than `sigma` {sigma[i]:g} has; "
            f"expected sigma above {math.sqrt(between[i] * DAYS):.3g}, or `premium_power` 0"
        )
    _fill_states(constants, means, ratios[:, None] * np.maximum(variance, 0.0), np.stack([correlation, correlation]))
    stay = np.array([1.0 - 1.0 / CALM_DAYS, 1.0 - 1.0 / TURBULENT_DAYS])
    _fill_chain(constants, np.array([[stay[0], 1.0 - stay[0]], [1.0 - stay[1], stay[1]]]), shares)


def _fill_states(constants: EngineConstants, means: Floats, variances: Floats, correlations: Floats) -> None:
    s2 = np.stack([_log_variance(1.0 + m, v) for m, v in zip(means, variances, strict=True)])
    constants.rows = np.stack([_log_level(1.0 + m, s) for m, s in zip(means, s2, strict=True)])
    constants.lower = np.stack([np.sqrt(s)[:, None] * cholesky(c) for s, c in zip(s2, correlations, strict=True)])


def _fill_chain(constants: EngineConstants, transition: Floats, shares: Floats) -> None:
    constants.chain = np.cumsum(np.concatenate([transition, shares[None, :]]), axis=1)
    constants.shares = shares
    constants.durations = 1.0 / (1.0 - np.diagonal(transition))


def states_law(states: Sequence[MarketState], transition: ArrayLike | None) -> tuple[Covariance, EngineConstants]:
    """The states' mixture: its moments by the law of total covariance."""
    if transition is None:
        raise DataError(f"`transition` is missing; {len(states)} states need one of shape ({len(states)}, ...)")
    probabilities = _checked_transition(transition, len(states))
    each = [moments_of(s.mu, s.sigma, s.correlation) for s in states]
    assets = each[0][0].size
    for k, (mean, _, _) in enumerate(each):
        if mean.size != assets:
            raise DataError(f"`states` must have one number of assets; state 0 has {assets}, state {k} {mean.size}")
    means = np.stack([m for m, _, _ in each]) / DAYS
    deviations = np.stack([s for _, s, _ in each])
    correlations = np.stack([c for _, _, c in each])
    shares = _stationary(probabilities)
    constants = empty_constants(assets)
    _fill_states(constants, means, deviations * deviations / DAYS, correlations)
    _fill_chain(constants, probabilities, shares)
    mean = np.zeros(assets)
    total = np.zeros((assets, assets))
    for k in range(len(states)):
        mean = mean + shares[k] * means[k]
    for k in range(len(states)):
        away = means[k] - mean
        within = deviations[k][:, None] * deviations[k][None, :] * correlations[k] / DAYS
        total = total + shares[k] * (within + away[:, None] * away[None, :])
    return (mean * DAYS, np.sqrt(DAYS * np.diagonal(total)), correlation_of(total)), constants


def _checked_transition(transition: ArrayLike, count: int) -> Floats:
    array = np.array(transition, dtype=np.float64)
    if count < 2 or array.shape != (count, count):
        raise DataError(f"`transition` must have shape (S, S) for S >= 2 `states`; got {array.shape} and {count}")
    if not ((array >= 0.0) & (array <= 1.0)).all():
        row, column = np.argwhere(~((array >= 0.0) & (array <= 1.0)))[0]
        raise DataError(f"`transition` must hold probabilities; row {row}, column {column} is {array[row, column]!r}")
    for k, row in enumerate(array):
        if abs(math.fsum(row) - 1.0) > 1e-9:
            raise DataError(f"`transition` must have rows of sum 1; row {k} has {math.fsum(row)!r}")
    return array


def _stationary(transition: Floats) -> Floats:
    """Grassmann, Taksar and Heyman (1985), Operations Research 33(5): elimination without subtraction."""
    rest = transition.copy()
    count = rest.shape[0]
    for k in range(count - 1, 0, -1):
        out = math.fsum(rest[k, :k])
        if out <= 0.0:
            raise DataError(f"`transition` must let every state reach every other; state {k} does not leave")
        rest[:k, k] /= out
        rest[:k, :k] += rest[:k, k : k + 1] * rest[k : k + 1, :k]
    shares = np.ones(count)
    for k in range(1, count):
        shares[k] = math.fsum(shares[:k] * rest[:k, k])
    if not (shares > 0.0).all():
        raise DataError(
            f"`transition` must let every state reach every other; state {int(shares.argmin())} is never entered"
        )
    return shares / math.fsum(shares)
