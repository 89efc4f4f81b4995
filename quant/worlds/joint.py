"""Simulated daily returns of N assets together, in blocks of 64 paths.

Simple daily returns have the mean mu / 252 and the variance sigma**2 / 252 of each asset, and the requested
correlation, all unconditional. How each engine preserves the correlation R:

- `gbm`: log-normal; the shocks have the correlation R. That of simple returns is
  (exp(R s_i s_j) - 1) / sqrt((exp(s_i**2) - 1)(exp(s_j**2) - 1)), s**2 about sigma**2 / 252: for equal volatilities
  nearer zero by the share (1 - R) s**2 / 2, at most 0.016% at 20% volatility and 0.4% at 100%.
- `heston`: the variance of asset i is sigma_i**2 y_t. One square-root process y, of mean one, moves all of them, and
  its leverage is to the shock of the equally weighted portfolio, which leaves R unchanged. With `common_variance=False`
  each asset has its own process, whose shock is the leverage times that of the return plus a part that all share. They
  start at one multiple of their means and diverge from it within 1 / kappa years, which lowers the correlation from
  R_ij on the first day to R_ij E[sqrt(v_i v_j)] / (sigma_i sigma_j): with the method's parameters 0.98 of itself for
  0.9, 0.92 for 0.6 and 0.77 for -0.3.
- `merton`, `bates`: jumps come at common times, like falls of the market: asset i jumps by -0.28 sigma_i beta_i on
  average, beta_i its correlation with the equally weighted portfolio, and by a deviation of 0.28 sigma_i with
  correlation R. The diffusion has the remainder of sigma_i sigma_j R_ij, which is a covariance for every R.
- `regime_switching`: one Markov state for all; without `states`, a calm and a turbulent one whose shocks both have the
  correlation R.
- `garch`: filtered historical simulation; rows of standardised residuals have the correlation R and each asset its own
  variance. The correlation is R on the first day and R_ij E[sqrt(h_i h_j)] / (s_i s_j) later: a few hundredths lower.
- `bootstrap`, `conditional_bootstrap`, `replay`: rows of history; its own correlation, or R if it is given.

Where the premium moves with volatility (`premium_power` 1 and 2), the means of the days have a dispersion in common:
under `heston` and `bates` it comes on top of the variance, a quarter of a percent of it in the method's scenarios,
under `regime_switching` it is part of it; the correlation rises by as little.

A single asset has the law of `quant.worlds.paths`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.worlds import joint_engines as engines
from quant.worlds.joint_engines import Tables
from quant.worlds.joint_history import FilteredResiduals, filtered_residuals, garch_law, history_law
from quant.worlds.joint_laws import MarketState, lognormal_law, states_law
from quant.worlds.joint_moments import Settings, between, given_moments, moments_of
from quant.worlds.resampling import SHORTEST_BLOCK
from quant.worlds.scenario import Engine

_CODES: Final[dict[Engine, int]] = {
    "gbm": engines.GBM,
    "heston": engines.HESTON,
    "merton": engines.MERTON,
    "bates": engines.BATES,
    "regime_switching": engines.REGIME,
    "garch": engines.GARCH,
    "bootstrap": engines.BOOTSTRAP,
    "conditional_bootstrap": engines.LABELLED,
    "replay": engines.REPLAY,
}


@dataclass(frozen=True, eq=False)
class JointModel:
    """Assets and a law of their returns in the kernels' form; built by `joint_model`.

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

    engine: Engine
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


@checked_arguments
def joint_model(
    engine: Engine,
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
    common_variance: bool = True,
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
        Daily simple returns that `bootstrap`, `conditional_bootstrap` and `replay` draw, H >= 250 (`replay`: 1), or
        that `garch` is fitted to, H >= 500: training data only.
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
    common_variance : bool
        One variance process for all assets under `heston` and `bates`, or one for each.
    states : sequence of MarketState, length S
        States of `regime_switching` instead of the default ones.
    transition : array_like, shape (S, S)
        Daily probabilities of moving from a state (row) to another (column).
    garch : FilteredResiduals
        For `garch` instead of `history`.

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
    if engine not in _CODES:
        raise DataError(f"`engine` must be one of {', '.join(_CODES)}; got {engine!r}")
    if not 0 <= seed < 2**63:
        raise DataError(f"`seed` must lie in [0, 2**63); got {seed}")
    between("cash_rate", cash_rate, -0.05, 0.25)
    between("mean_block", mean_block, SHORTEST_BLOCK, 1e6)
    between("mean_reversion", mean_reversion, 0.01, 20.0)
    between("vol_of_vol", vol_of_vol, 0.01, 10.0)
    between("leverage", leverage, -1.0, 1.0)
    between("jumps_per_year", jumps_per_year, 0.0, 20.0)
    if premium_power not in (0, 1, 2):
        raise DataError(f"`premium_power` must be 0, 1 or 2; got {premium_power!r}")
    _refuse_what_has_no_effect(
        engine, history=history, labels=labels, states=states or None, transition=transition, garch=garch
    )
    cash = power(1.0 + cash_rate, 1.0 / DAYS) - 1.0
    settings = Settings(
        cash,
        mean_block,
        mean_reversion,
        vol_of_vol,
        leverage,
        premium_power,
        jumps_per_year,
        common_variance,
    )
    if engine in ("bootstrap", "conditional_bootstrap", "replay"):
        moments, constants = history_law(engine, given_moments(mu, sigma, correlation), history, labels, settings)
    elif engine == "garch":
        if history is not None and garch is not None:
            raise DataError("`history` and `garch` are both given; the engine filters the one or takes the other")
        moments, constants = garch_law(
            mu, sigma, correlation, garch if history is None else filtered_residuals(history)
        )
    elif states or transition is not None:
        if not (mu is None and sigma is None and correlation is None):
            raise DataError("`mu`, `sigma` and `correlation` follow from `states`; leave them out")
        moments, constants = states_law(states, transition)
    else:
        moments = moments_of(mu, sigma, correlation)
        constants = lognormal_law(engine, moments, settings)
    text = f"{seed}/joint/{name}"
    key = np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))
    tables = Tables(
        _CODES[engine],
        constants.numbers,
        np.ascontiguousarray(constants.rows),
        np.ascontiguousarray(constants.lower),
        constants.chain,
        np.ascontiguousarray(constants.history),
        constants.starts,
        constants.runs,
        key,
    )
    for array in (*moments, *(a for a in tables if isinstance(a, np.ndarray))):
        array.setflags(write=False)
    return JointModel(engine, *moments, cash, constants.shares, constants.durations, tables)


@checked_arguments
def sample_joint(model: JointModel, *, days: int, first_block: int = 0, blocks: int = 1) -> Floats:
    """Daily simple returns of `blocks` blocks of 64 paths.

    Parameters
    ----------
    model : JointModel
    days : int
        Of each path.
    first_block, blocks : int
        Block b holds the paths 64 b ... 64 b + 63; a path does not depend on which others are requested.

    Returns
    -------
    ndarray, shape (days, N, 64 * blocks)
        Fractions per day.

    Raises
    ------
    DataError
        If a count is out of range, or a replay needs more days than the history has.
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
    """Raise a DataError for a horizon that the model cannot fill.

    Raises
    ------
    DataError
        If `days` is not positive, or beyond the history of a replay.
    """
    if days < 1:
        raise DataError(f"`days` must be positive; got {days}")
    rows = model.tables.history.shape[0]
    if model.engine == "replay" and days > rows:
        raise DataError(f"`days` {days} is more than the history of the replay has; expected up to {rows}")


def _refuse_what_has_no_effect(engine: str, **arguments: object) -> None:
    takes = {
        "history": ("garch", "bootstrap", "conditional_bootstrap", "replay"),
        "labels": ("conditional_bootstrap",),
        "states": ("regime_switching",),
        "transition": ("regime_switching",),
        "garch": ("garch",),
    }
    for argument, value in arguments.items():
        if value is not None and engine not in takes[argument]:
            raise DataError(f"`{argument}` has no effect under {engine!r}; it belongs to {', '.join(takes[argument])}")
