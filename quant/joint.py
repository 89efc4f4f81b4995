"""Simulated daily returns of N assets together, in blocks of 64 paths.

Simple daily returns have the mean mu / 252 and the variance sigma**2 / 252 of each asset, and the correlation asked
for, without condition on the day. How each engine keeps the correlation R:

- `gbm`: log-normal; the shocks have the correlation R. That of simple returns is
  (exp(R s_i s_j) - 1) / sqrt((exp(s_i**2) - 1)(exp(s_j**2) - 1)), s**2 about sigma**2 / 252: nearer zero by less than
  0.01% of itself at 20% volatility, 0.15% at 100%.
- `heston`: the variance of asset i is sigma_i**2 y_t. One square-root process y, of mean one, moves all of them, and
  its leverage is to the shock of the equally weighted portfolio. Variances that moved apart would lower the correlation
  by E[sqrt(v_i v_j)] / (sigma_i sigma_j), down to 0.65 of itself with the method's parameters; this one keeps it.
- `merton`, `bates`: jumps come at common times, like falls of the market: asset i jumps by -0.28 sigma_i beta_i on
  average, beta_i its correlation with the equally weighted portfolio, and by a deviation of 0.28 sigma_i with
  correlation R. The diffusion has what is left of sigma_i sigma_j R_ij, which is a covariance for every R.
- `regime_switching`: one Markov state for all; without `states`, a calm and a turbulent one whose shocks both have the
  correlation R. Where the premium differs by state, the dispersion of the means adds less than a hundredth to R.
- `garch`: filtered historical simulation; rows of standardised residuals have the correlation R and each asset its own
  variance. The correlation is R on the first day and R_ij E[sqrt(h_i h_j)] / (s_i s_j) later: a few hundredths lower.
- `bootstrap`, `conditional_bootstrap`, `replay`: rows of history; its own correlation, or R if it is given.

One asset alone has the law that `quant.paths` gives it.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant import joint_engines as engines
from quant.compiled import compiled
from quant.elementary import exp, log, log_gamma, power
from quant.errors import DataError
from quant.joint_engines import DAYS, SHORTEST_BLOCK, Tables
from quant.random import LANES
from quant.returns import Returns

JointEngine: TypeAlias = Literal[
    "gbm",
    "heston",
    "merton",
    "bates",
    "regime_switching",
    "garch",
    "bootstrap",
    "conditional_bootstrap",
    "replay",
]
Floats: TypeAlias = NDArray[np.float64]
Covariance: TypeAlias = tuple[Floats, Floats, Floats]

SHORTEST_HISTORY: Final = 250
JUMP: Final = 0.28
"""Mean fall and deviation of a jump over annual volatility."""
INDEFINITE: Final = -1e-8
"""Least eigenvalue of a correlation matrix that is taken for rounding."""

_TURBULENCE: Final = 2.5
_CALM_DAYS: Final = 240.0
_TURBULENT_DAYS: Final = 60.0


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


@dataclass(frozen=True, eq=False)
class FilteredResiduals:
    """GJR-GARCH(1,1) of each asset and what it leaves: h' = omega + (alpha + gamma 1[e < 0]) e**2 + beta h.

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


@dataclass(frozen=True, eq=False)
class JointModel:
    """Assets and a law of their returns, ready for the kernels; made by `joint_model`.

    Attributes
    ----------
    engine : str
    mu, sigma : ndarray, shape (N,)
        Annual mean and volatility of simple daily returns, without condition on the day.
    correlation : ndarray, shape (N, N)
        That the engine aims at.
    cash : float
        Daily return of the cash leg.
    shares, durations : ndarray, shape (S,)
        Of the states of `regime_switching`: stationary probability and mean days; otherwise empty.
    tables : Tables
        Constants of the kernels.
    """

    engine: JointEngine
    mu: Floats
    sigma: Floats
    correlation: Floats
    cash: float
    shares: Floats
    durations: Floats
    tables: Tables

    @property
    def assets(self) -> int:
        """N."""
        return self.mu.size


@dataclass(frozen=True)
class _Settings:
    """What the engines take beside the moments."""

    cash: float
    mean_block: float
    mean_reversion: float
    vol_of_vol: float
    leverage: float
    premium_power: int
    jumps_per_year: float


@dataclass
class _Built:
    """Constants of an engine, before they are joined to a key."""

    numbers: Floats
    rows: Floats
    lower: Floats
    chain: Floats
    history: Floats
    starts: NDArray[np.int64]
    left: NDArray[np.int64]
    visits: Floats
    shares: Floats
    durations: Floats


def _built(assets: int) -> _Built:
    none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
    square = np.zeros((1, assets, assets))
    return _Built(
        np.zeros(8), np.zeros((1, assets)), square, np.zeros((1, 0)), np.zeros((0, assets)), whole, whole, *[none] * 3
    )


def joint_model(
    engine: JointEngine,
    *,
    cash_rate: float,
    seed: int,
    mu: ArrayLike | None = None,
    sigma: ArrayLike | None = None,
    correlation: ArrayLike | None = None,
    name: str = "joint",
    history: Returns | ArrayLike | None = None,
    labels: ArrayLike | None = None,
    mean_block: float = 40.0,
    mean_reversion: float = 3.0,
    vol_of_vol: float = 3.33,
    leverage: float = -0.7,
    premium_power: int = 1,
    jumps_per_year: float = 1.0,
    states: Sequence[MarketState] = (),
    transition: ArrayLike | None = None,
    garch: FilteredResiduals | None = None,
) -> JointModel:
    """Assets that move together under one engine.

    Parameters
    ----------
    engine : str
        `gbm`, `heston`, `merton`, `bates`, `regime_switching`, `garch`, `bootstrap`, `conditional_bootstrap` or
        `replay`; the module says what each keeps.
    cash_rate : float
        Annual effective rate of cash, a fraction within [-0.05, 0.25].
    seed : int
        In [0, 2**63).
    mu, sigma : array_like, shape (N,)
        Annual mean and volatility of simple returns, fractions; sigma may be 0. Engines that draw rows of history
        keep its own where one is not given; with `states` both follow from them.
    correlation : array_like, shape (N, N)
        Of simple returns. May be left out for one asset; the engines that draw rows keep the rows' own then.
    name : str
        Of the scenario: the paths depend on it and on `seed` alone, so that portfolios share them.
    history : Returns or array_like, shape (H, N)
        Daily simple returns that `bootstrap`, `conditional_bootstrap` and `replay` draw, H >= 250 (`replay`: 1).
    labels : array_like of bool, shape (H,)
        Days that `conditional_bootstrap` may use: at least 250 of them in runs of five and more.
    mean_block : float
        Mean length of a bootstrapped block, days.
    mean_reversion, vol_of_vol, leverage : float
        Heston's kappa a year, xi over sigma, and correlation of variance with the equally weighted portfolio.
    premium_power : {0, 1, 2}
        p of: premium over cash proportional to volatility ** p, its mean unchanged; an asset whose mu is below cash
        or whose sigma is 0 has no link. For `heston`, `bates` and the two default regimes.
    jumps_per_year : float
        Expected jumps under `merton` and `bates`.
    states : sequence of MarketState, length S
        States of `regime_switching` instead of the default ones.
    transition : array_like, shape (S, S)
        Daily probabilities of moving from a state (row) to another (column).
    garch : FilteredResiduals
        For `garch`.

    Returns
    -------
    JointModel

    Raises
    ------
    DataError
        If an argument is missing, not finite, out of its range or of the wrong shape; if `correlation` is not
        symmetric, lacks its unit diagonal or has an eigenvalue below -1e-8; if jumps or means of states leave no
        variance; if a persistence reaches 1; if too little history is given.

    References
    ----------
    Merton (1976), Journal of Financial Economics 3; Heston (1993), Review of Financial Studies 6(2); Bates (1996),
    Review of Financial Studies 9(1); Hamilton (1989), Econometrica 57(2); Barone-Adesi, Giannopoulos and Vosper
    (1999), Journal of Futures Markets 19(5); Politis and Romano (1994), Journal of the American Statistical
    Association 89.

    Examples
    --------
    >>> model = joint_model(
    ...     "gbm", mu=[0.07, 0.03], sigma=[0.16, 0.06], correlation=[[1, -0.3], [-0.3, 1]], cash_rate=0.02, seed=1
    ... )
    >>> sample_joint(model, days=5).shape
    (5, 2, 64)
    """
    if engine not in get_args(JointEngine):
        raise DataError(f"`engine` must be one of {', '.join(get_args(JointEngine))}; got {engine!r}")
    if not 0 <= seed < 2**63:
        raise DataError(f"`seed` must lie in [0, 2**63); got {seed}")
    _between("cash_rate", cash_rate, -0.05, 0.25)
    _between("mean_block", mean_block, SHORTEST_BLOCK, 1e6)
    _between("mean_reversion", mean_reversion, 0.01, 20.0)
    _between("vol_of_vol", vol_of_vol, 0.01, 10.0)
    _between("leverage", leverage, -1.0, 1.0)
    _between("jumps_per_year", jumps_per_year, 0.0, 20.0)
    if premium_power not in (0, 1, 2):
        raise DataError(f"`premium_power` must be 0, 1 or 2; got {premium_power!r}")
    _refuse_what_has_no_effect(engine, history=history, labels=labels, states=states or None, garch=garch)
    cash = power(1.0 + cash_rate, 1.0 / DAYS) - 1.0
    settings = _Settings(cash, mean_block, mean_reversion, vol_of_vol, leverage, premium_power, jumps_per_year)
    if engine in ("bootstrap", "conditional_bootstrap", "replay"):
        moments, built = _history(engine, _moments_given(mu, sigma, correlation), history, labels, settings)
    elif engine == "garch":
        moments, built = _garch(mu, sigma, correlation, garch)
    elif states:
        if not (mu is None and sigma is None and correlation is None):
            raise DataError("`mu`, `sigma` and `correlation` follow from `states`; leave them out")
        moments, built = _states(states, transition)
    else:
        moments = _moments(mu, sigma, correlation)
        built = _lognormal(engine, moments, settings)
    code = get_args(JointEngine).index(engine)
    text = f"{seed}/joint/{name}"
    key = np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))
    tables = Tables(
        code,
        built.numbers,
        np.ascontiguousarray(built.rows),
        np.ascontiguousarray(built.lower),
        built.chain,
        np.ascontiguousarray(built.history),
        built.starts,
        built.left,
        built.visits,
        key,
    )
    for array in (*moments, *(a for a in tables if isinstance(a, np.ndarray))):
        array.setflags(write=False)
    return JointModel(engine, *moments, cash, built.shares, built.durations, tables)


def sample_joint(model: JointModel, *, days: int, first_block: int = 0, blocks: int = 1) -> Floats:
    """Daily simple returns of `blocks` blocks of 64 paths.

    Parameters
    ----------
    model : JointModel
    days : int
        Of each path.
    first_block, blocks : int
        Block b holds the paths 64 b ... 64 b + 63; a path does not depend on which others are asked for.

    Returns
    -------
    ndarray, shape (days, N, 64 * blocks)
        Fractions per day.

    Raises
    ------
    DataError
        If a count is out of range, or a replay is asked for more days than the history has.
    """
    check_days(model, days)
    if first_block < 0 or blocks < 1:
        raise DataError(f"`first_block` must not be negative and `blocks` positive; got {first_block} and {blocks}")
    out = np.empty((days, model.assets, LANES * blocks))
    block = np.empty((days, model.assets, LANES))
    for b in range(blocks):
        engines.fill_joint(model.tables, LANES * (first_block + b), block)
        out[:, :, LANES * b : LANES * (b + 1)] = block
    return out


def check_days(model: JointModel, days: int) -> None:
    """Refuse a horizon that the model cannot fill.

    Raises
    ------
    DataError
        If `days` is not positive, or beyond the history of a replay.
    """
    if days < 1:
        raise DataError(f"`days` must be positive; got {days}")
    rows = model.tables.history.shape[0]
    if model.engine == "replay" and days > rows:
        raise DataError(f"`days` {days} is more than the history of the replay has; allowed: up to {rows}")


def checked_correlation(correlation: ArrayLike, assets: int, *, name: str = "correlation") -> Floats:
    """`correlation` as a symmetric array.

    Raises
    ------
    DataError
        If it is not of shape (N, N), finite, symmetric with a unit diagonal, and positive semi-definite to -1e-8.
    """
    array = np.array(correlation, dtype=np.float64)
    if array.shape != (assets, assets):
        raise DataError(f"`{name}` must have shape ({assets}, {assets}); got {array.shape}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"`{name}` must be finite; row {row}, column {column} is {array[row, column]}")
    gap = np.abs(array - array.T)
    if gap.max() > 1e-10:
        row, column = np.unravel_index(int(gap.argmax()), gap.shape)
        raise DataError(
            f"`{name}` must be symmetric; row {row}, column {column} is {array[row, column]:g} "
            f"and its mirror {array[column, row]:g}"
        )
    off = np.abs(np.diagonal(array) - 1.0)
    if off.max() > 1e-10:
        row = int(off.argmax())
        raise DataError(f"`{name}` must have ones on its diagonal; row {row} has {array[row, row]:g}")
    # an eigenvalue decides only whether the matrix is refused: no result depends on its last bits
    least = float(np.linalg.eigvalsh(array)[0])
    if least < INDEFINITE:
        raise DataError(
            f"`{name}` must be positive semi-definite; its smallest eigenvalue is {least:.3g}. "
            "quant.covariance.nearest_correlation gives the nearest one that is"
        )
    array = 0.5 * (array + array.T)
    np.fill_diagonal(array, 1.0)
    return array


def _between(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; got {value!r}")


def _refuse_what_has_no_effect(engine: str, **given: object) -> None:
    takes = {
        "history": ("bootstrap", "conditional_bootstrap", "replay"),
        "labels": ("conditional_bootstrap",),
        "states": ("regime_switching",),
        "garch": ("garch",),
    }
    for argument, value in given.items():
        if value is not None and engine not in takes[argument]:
            raise DataError(f"`{argument}` has no effect under {engine!r}; it belongs to {', '.join(takes[argument])}")


def _vector(name: str, values: ArrayLike, low: float, high: float) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"`{name}` must have shape (N,), N > 0; got {array.shape}")
    bad = ~((array >= low) & (array <= high))
    if bad.any():
        i = int(bad.argmax())
        raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; asset {i} has {array[i]!r}")
    return array


def _moments(mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None) -> Covariance:
    if mu is None or sigma is None:
        raise DataError(f"`{'mu' if mu is None else 'sigma'}` is missing; this engine has no moments of its own")
    mean, deviation = _vector("mu", mu, -1.0, 2.0), _vector("sigma", sigma, 0.0, 3.0)
    if mean.size != deviation.size:
        raise DataError(f"`mu` and `sigma` must have one length; got {mean.size} and {deviation.size}")
    if correlation is None and mean.size > 1:
        raise DataError(f"`correlation` is missing; {mean.size} assets need one of shape ({mean.size}, {mean.size})")
    return mean, deviation, checked_correlation([[1.0]] if correlation is None else correlation, mean.size)


_Given: TypeAlias = tuple[Floats | None, Floats | None, ArrayLike | None]


def _moments_given(mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None) -> _Given:
    return (
        None if mu is None else _vector("mu", mu, -1.0, 2.0),
        None if sigma is None else _vector("sigma", sigma, 0.0, 3.0),
        correlation,
    )


@compiled
def _cholesky(matrix: Floats) -> Floats:
    """Lower triangular root of a positive semi-definite matrix; a pivot that is rounding leaves an empty column."""
    size = matrix.shape[0]
    lower = np.zeros((size, size))
    for k in range(size):
        pivot = matrix[k, k]
        for m in range(k):
            pivot -= lower[k, m] * lower[k, m]
        if pivot <= 1e-13 * matrix[k, k]:
            continue
        lower[k, k] = math.sqrt(pivot)
        for i in range(k + 1, size):
            rest = matrix[i, k]
            for m in range(k):
                rest -= lower[i, m] * lower[k, m]
            lower[i, k] = rest / lower[k, k]
    return lower


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


def _lognormal(engine: str, moments: Covariance, settings: _Settings) -> _Built:
    """Engines whose days are log-normal given their state."""
    mu, sigma, correlation = moments
    built = _built(mu.size)
    mean, variance = mu / DAYS, sigma * sigma / DAYS
    links = np.where((mean >= settings.cash) & (sigma > 0.0), settings.premium_power, 0)
    if engine == "regime_switching":
        _two_states(built, moments, settings, links)
        return built
    scaled = sigma[:, None] * sigma[None, :] * correlation / DAYS
    jump = np.zeros(mu.size)
    if engine in ("merton", "bates"):
        jump, scaled = _jumps(built, moments, settings)
        variance = np.diagonal(scaled).copy()
        mean = mean - settings.jumps_per_year / DAYS * jump
    if engine in ("gbm", "merton"):
        s2 = _log_variance(1.0 + mean, variance)
        levels, factors = _log_level(1.0 + mean, s2)[None, :], _shock_factor(scaled, s2)[None]
    else:
        levels, factors = _stochastic_volatility(built, jump, scaled, links, moments, settings)
    if engine in ("merton", "bates"):
        levels = np.concatenate([levels, jump[None, :]])
        factors = np.concatenate([factors, built.lower])
    built.rows, built.lower = levels, factors
    return built


def _correlation_of(covariance: Floats) -> Floats:
    deviation = np.sqrt(np.diagonal(covariance))
    scale = np.where(deviation > 0.0, deviation, 1.0)
    correlation = covariance / (scale[:, None] * scale[None, :])
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _shock_factor(covariance: Floats, s2: Floats) -> Floats:
    return np.sqrt(s2)[:, None] * _cholesky(_correlation_of(covariance))


def _jumps(built: _Built, moments: Covariance, settings: _Settings) -> tuple[Floats, Floats]:
    """Mean jump of each asset and the daily covariance of the diffusion; the factor of the sizes into `built`."""
    _, sigma, correlation = moments
    rate = settings.jumps_per_year
    if rate * 2.0 * JUMP * JUMP >= 1.0:
        raise DataError(
            f"`jumps_per_year` {rate:g} gives the jumps more variance than the assets have; "
            f"allowed: below {1.0 / (2.0 * JUMP * JUMP):.2f}"
        )
    jump = -JUMP * sigma * _market(sigma, correlation)
    total = sigma[:, None] * sigma[None, :] * correlation
    by_jumps = rate * (jump[:, None] * jump[None, :] + JUMP * JUMP * total)
    built.lower = JUMP * (sigma[:, None] * _cholesky(correlation))[None]
    built.numbers[3:5] = rate / DAYS, exp(-rate / DAYS)
    return jump, (total - by_jumps) / DAYS


def _stochastic_volatility(
    built: _Built,
    jump: Floats,
    scaled: Floats,
    links: NDArray[np.int64],
    moments: Covariance,
    settings: _Settings,
) -> tuple[Floats, Floats]:
    mu = moments[0]
    xi = settings.vol_of_vol
    shape = 2.0 * settings.mean_reversion / (xi * xi)
    # E[y**(p / 2)] under the stationary gamma law of mean one, so that the mean premium does not depend on p
    by_power = [exp(log_gamma(shape + 0.5 * p) - log_gamma(shape) - 0.5 * p * log(shape)) for p in (0, 1, 2)]
    premium = (mu / DAYS - settings.cash) / np.array(by_power)[links]
    base = settings.cash - settings.jumps_per_year / DAYS * jump
    diffusion = _correlation_of(scaled)
    loading = settings.leverage * _market(np.sqrt(np.diagonal(scaled)), diffusion)
    factor = _cholesky(diffusion - loading[:, None] * loading[None, :])
    built.numbers[:3] = settings.mean_reversion, xi, shape
    return np.stack([base, premium, links.astype(np.float64), loading, np.diagonal(scaled)]), factor[None]


def _two_states(built: _Built, moments: Covariance, settings: _Settings, links: NDArray[np.int64]) -> None:
    """A calm and a turbulent state, as `quant.paths` has them."""
    mu, sigma, correlation = moments
    share = _TURBULENT_DAYS / (_CALM_DAYS + _TURBULENT_DAYS)
    shares = np.array([1.0 - share, share])
    calm = 1.0 / (shares[0] + shares[1] * (_TURBULENCE * _TURBULENCE))
    ratios = np.array([calm, calm * (_TURBULENCE * _TURBULENCE)])  # sigma_k**2 / E[sigma_k**2]
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
            f"allowed: sigma above {math.sqrt(between[i] * DAYS):.3g}, or `premium_power` 0"
        )
    _fill_states(built, means, ratios[:, None] * np.maximum(variance, 0.0), np.stack([correlation, correlation]))
    stay = np.array([1.0 - 1.0 / _CALM_DAYS, 1.0 - 1.0 / _TURBULENT_DAYS])
    _fill_chain(built, np.array([[stay[0], 1.0 - stay[0]], [1.0 - stay[1], stay[1]]]), shares)


def _fill_states(built: _Built, means: Floats, variances: Floats, correlations: Floats) -> None:
    s2 = np.stack([_log_variance(1.0 + m, v) for m, v in zip(means, variances, strict=True)])
    built.rows = np.stack([_log_level(1.0 + m, s) for m, s in zip(means, s2, strict=True)])
    built.lower = np.stack([np.sqrt(s)[:, None] * _cholesky(c) for s, c in zip(s2, correlations, strict=True)])


def _fill_chain(built: _Built, transition: Floats, shares: Floats) -> None:
    built.chain = np.cumsum(np.concatenate([transition, shares[None, :]]), axis=1)
    built.shares = shares
    built.durations = 1.0 / (1.0 - np.diagonal(transition))


def _states(states: Sequence[MarketState], transition: ArrayLike | None) -> tuple[Covariance, _Built]:
    """The states' mixture: its moments by the law of total covariance."""
    if transition is None:
        raise DataError(f"`transition` is missing; {len(states)} states need one of shape ({len(states)}, ...)")
    probabilities = _checked_transition(transition, len(states))
    each = [_moments(s.mu, s.sigma, s.correlation) for s in states]
    assets = each[0][0].size
    for k, (mean, _, _) in enumerate(each):
        if mean.size != assets:
            raise DataError(f"`states` must have one number of assets; state 0 has {assets}, state {k} {mean.size}")
    means = np.stack([m for m, _, _ in each]) / DAYS
    deviations = np.stack([s for _, s, _ in each])
    correlations = np.stack([c for _, _, c in each])
    shares = _stationary(probabilities)
    built = _built(assets)
    _fill_states(built, means, deviations * deviations / DAYS, correlations)
    _fill_chain(built, probabilities, shares)
    mean = np.zeros(assets)
    total = np.zeros((assets, assets))
    for k in range(len(states)):
        mean = mean + shares[k] * means[k]
    for k in range(len(states)):
        away = means[k] - mean
        within = deviations[k][:, None] * deviations[k][None, :] * correlations[k] / DAYS
        total = total + shares[k] * (within + away[:, None] * away[None, :])
    return (mean * DAYS, np.sqrt(DAYS * np.diagonal(total)), _correlation_of(total)), built


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


def _rows(name: str, values: Returns | ArrayLike | None, shortest: int) -> Floats:
    if values is None:
        raise DataError(f"`{name}` is missing; this engine draws its rows")
    array = np.array(values.values if isinstance(values, Returns) else values, dtype=np.float64)
    if array.ndim != 2 or array.shape[0] < shortest or array.shape[1] == 0:
        raise DataError(f"`{name}` must have shape (H, N), H >= {shortest}, N > 0; got {array.shape}")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"`{name}` must be finite; row {row}, column {column} is {array[row, column]}")
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
            left = weights[t] * (rows[t, i] - mean[i])
            for k in range(i + 1):
                covariance[i, k] += left * (rows[t, k] - mean[k])
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
    """Moments of the rows (daily), and the rows with mean 0, variance 1 and the correlation asked for."""
    mean, covariance = _weighted_moments(rows, weights)
    deviation = np.sqrt(np.diagonal(covariance))
    flat = deviation <= 1e-12 * (1.0 + np.abs(mean))
    if flat.any():
        raise DataError(f"`{name}` must vary; column {int(flat.argmax())} does not")
    own = _correlation_of(covariance)
    if correlation is None:
        return (mean, deviation, own), (rows - mean) / deviation
    wanted = checked_correlation(correlation, mean.size)
    root = _cholesky(own)
    if (np.diagonal(root) <= 1e-6).any():
        column = int((np.diagonal(root) <= 1e-6).argmax())
        raise DataError(
            f"`{name}` cannot be given another correlation: column {column} is a combination of those before it; "
            "leave `correlation` out"
        )
    return (mean, deviation, wanted), _recolour(rows, mean, deviation[:, None] * root, _cholesky(wanted))


def _history(
    engine: str,
    given: _Given,
    history: Returns | ArrayLike | None,
    labels: ArrayLike | None,
    settings: _Settings,
) -> tuple[Covariance, _Built]:
    rows = _rows("history", history, 1 if engine == "replay" else SHORTEST_HISTORY)
    built = _built(rows.shape[1])
    weights = np.ones(rows.shape[0]) / rows.shape[0]
    built.numbers[0] = 1.0 / settings.mean_block
    if engine == "conditional_bootstrap":
        built.numbers[0] = 1.0 / (settings.mean_block - SHORTEST_BLOCK + 1.0)
        weights = _label(built, labels, rows.shape[0])
    mu, sigma, correlation = given
    for argument, value in (("mu", mu), ("sigma", sigma)):
        if value is not None and value.size != rows.shape[1]:
            raise DataError(f"`{argument}` must have one entry for each of {rows.shape[1]} columns; got {value.size}")
    if mu is None and sigma is None and correlation is None:
        mean, covariance = _weighted_moments(rows, weights)
        built.history = rows
        return (mean * DAYS, np.sqrt(DAYS * np.diagonal(covariance)), _correlation_of(covariance)), built
    (mean, deviation, kept), unit = _standardised("history", rows, weights, correlation)
    mu = mean * DAYS if mu is None else mu
    sigma = deviation * math.sqrt(DAYS) if sigma is None else sigma
    built.history = mu / DAYS + (sigma / math.sqrt(DAYS)) * unit
    return (mu, sigma, kept), built


def _label(built: _Built, labels: ArrayLike | None, count: int) -> Floats:
    """Where labelled blocks begin and how often each day is visited; the stationary weights of the days."""
    if labels is None:
        raise DataError("`labels` is missing; it says which days conditional_bootstrap may use")
    flags = np.asarray(labels)
    if flags.shape != (count,) or flags.dtype != np.bool_:
        raise DataError(f"`labels` must be booleans of shape ({count},); got {flags.dtype} of shape {flags.shape}")
    left = np.zeros(count, dtype=np.int64)
    for t in range(count - 1, -1, -1):
        left[t] = (left[t + 1] if t + 1 < count else 0) + 1 if flags[t] else 0
    starts = np.flatnonzero(left >= SHORTEST_BLOCK)
    visits = _visits(left, float(built.numbers[0]))
    used = int(np.count_nonzero(visits.max(axis=1) > 0.0))
    if used < SHORTEST_HISTORY:
        raise DataError(
            f"`labels` must name at least {SHORTEST_HISTORY} days in runs of {SHORTEST_BLOCK} and more; got {used}"
        )
    cumulated = np.cumsum(visits.ravel())
    built.starts, built.left, built.visits = starts, left, cumulated / cumulated[-1]
    by_day = visits[:, 0] + visits[:, 1] + visits[:, 2] + visits[:, 3] + visits[:, 4]
    return by_day / cumulated[-1]


@compiled
def _visits(left: NDArray[np.int64], change: float) -> Floats:
    """Relative frequency of each day as the first ... fourth, or a later, day of its block; shape (H, 5)."""
    found = np.zeros((left.size, SHORTEST_BLOCK))
    for t in range(left.size):
        if left[t] == 0:
            continue
        found[t, 0] = 1.0 if left[t] >= SHORTEST_BLOCK else 0.0
        if t > 0 and left[t - 1] > 0:
            for age in range(1, SHORTEST_BLOCK):
                found[t, age] = found[t - 1, age - 1]
            found[t, SHORTEST_BLOCK - 1] += (1.0 - change) * found[t - 1, SHORTEST_BLOCK - 1]
    return found


def _garch(
    mu: ArrayLike | None, sigma: ArrayLike | None, correlation: ArrayLike | None, garch: FilteredResiduals | None
) -> tuple[Covariance, _Built]:
    if garch is None:
        raise DataError("`garch` is missing; this engine needs the parameters and residuals of its filter")
    residuals = _rows("garch.residuals", garch.residuals, SHORTEST_HISTORY)
    count, assets = residuals.shape
    equal = np.ones(count) / count
    (_, _, kept), unit = _standardised("garch.residuals", residuals, equal, correlation)
    mean, deviation, kept = _moments(mu, sigma, kept)
    alpha, gamma, beta = (
        _vector(f"garch.{name}", values, low, 1.0)
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
    built = _built(assets)
    built.rows = np.stack([mean / DAYS, variance, variance * (1.0 - persistence), alpha, gamma, beta])
    built.history = unit
    return (mean, deviation, kept), built
