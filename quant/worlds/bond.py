"""The bond leg of a simulated world, with a return correlation of either sign to equity.

Two kinds: a bond of constant duration, from its yield, and an index, of which only returns are known. Both take a shock
of variance 1 whose correlation with the equity's return is the scenario's, under every engine. Where the engine draws
days of history, both legs are drawn from the same days: the index or bond keeps its own share of each day, and the
correlation becomes the scenario's.

The yield of a bond follows Vasicek, and a day's return is carry, duration and convexity: r = y / 252 - D dy +
C dy**2 / 2, with y the yield at the close before. The shock of the yield is -rho s + sqrt(1 - rho**2) e with s the
equity's return less its mean over its deviation, both unconditional, and e normal and apart from it. So the shock has
mean 0 and variance 1 under every engine, and its correlation with the equity's return is -rho: that of bond and equity
returns is rho, but for what carry and convexity add to the bond (a thousandth of its variance). Jumps and clusters of
the equity reach the yield in the share that rho gives them.

Vasicek (1977), "An equilibrium characterization of the term structure", Journal of Financial Economics 5(2).
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import check_fields, checked_arguments
from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, exp, normal
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES, fill_words
from quant.numeric.ranges import require_within
from quant.numeric.units import DAYS
from quant.worlds.paths import implied_moments, path_model
from quant.worlds.scenario import FLOOR, Scenario

DRAWS_DAYS: Final = frozenset({"bootstrap", "conditional_bootstrap", "replay"})
"""Engines whose days are days of history."""
INDEX_NUMBERS: Final = 6
"""Constants of an index; a bond has more."""
_LEAST_APART: Final = 1e-6
"""Smallest share of the bond's variance that the equity does not explain."""


@dataclass(frozen=True)
class Bond:
    """A bond of constant duration whose yield follows Vasicek.

    Attributes
    ----------
    duration : float
        Modified, years; in (0, 50].
    convexity : float
        Years squared, at least `duration` squared: no cash flows have less, and with it no day loses all.
    level : float
        Yield to which it returns, annual fraction, in [-0.05, 0.25].
    mean_reversion : float
        A year, in (0, 20].
    volatility : float
        Annual volatility of the yield's changes, in (0, 0.1]; 0.01 is one percentage point.
    start : float or None
        Yield on the first day; None is `level`.

    Raises
    ------
    DataError
        If a number is not finite or outside its range.

    Examples
    --------
    >>> bond = Bond(duration=7.0, convexity=60.0, level=0.03, mean_reversion=0.2, volatility=0.01)
    >>> round(bond.mean_return, 5)
    0.033
    """

    duration: float
    convexity: float
    level: float
    mean_reversion: float = 0.2
    volatility: float = 0.01
    start: float | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        require_within("duration", self.duration, 0.0, 50.0, open_below=True)
        require_within("convexity", self.convexity, self.duration * self.duration, 5_000.0)
        require_within("level", self.level, -0.05, 0.25)
        require_within("mean_reversion", self.mean_reversion, 0.0, 20.0, open_below=True)
        require_within("volatility", self.volatility, 0.0, 0.1, open_below=True)
        if self.start is not None:
            require_within("start", self.start, -0.05, 0.25)

    @property
    def mean_return(self) -> float:
        """Expected return a year: the level, and half the convexity times the variance of a year's daily changes.

        Exact for a yield in its stationary law; one that starts elsewhere also earns the carry and loses the price of
        its way back to the level.
        """
        fade = exp(-self.mean_reversion / DAYS)
        # E[dy**2] = (1 - fade)**2 Var(y) + step**2 with Var(y) = volatility**2 / (2 kappa)
        change = self.volatility * self.volatility * (1.0 - fade) / self.mean_reversion
        return self.level + 0.5 * self.convexity * DAYS * change

    @property
    def return_volatility(self) -> float:
        """Annual volatility of daily returns, to the first order: duration times that of the yield's changes."""
        return self.duration * self.volatility


@dataclass(frozen=True)
class BondIndex:
    """A bond index of which only returns are known: they are independent from day to day.

    Attributes
    ----------
    mean_return : float
        Arithmetic, annual fraction, in [-0.1, 0.3].
    return_volatility : float
        Annual volatility of daily returns, in (0, 0.5].

    Raises
    ------
    DataError
        If a number is not finite or outside its range.
    """

    mean_return: float
    return_volatility: float

    def __post_init__(self) -> None:
        check_fields(self)
        require_within("mean_return", self.mean_return, -0.1, 0.3)
        require_within("return_volatility", self.return_volatility, 0.0, 0.5, open_below=True)


@dataclass(frozen=True)
class BondModel:
    """The bond of a scenario in the kernel's form.

    Attributes
    ----------
    numbers : ndarray, shape (10,) or (6,)
        Constants per day: of a bond, or of an index.
    rows : ndarray, shape (H,)
        Daily returns of the days that the equity's engine draws, so that both legs share their days; empty for an
        engine that draws none.
    key : int
        Of the random numbers.
    """

    numbers: Floats
    rows: Floats
    key: int


@dataclass(frozen=True)
class BondPaths:
    """Simulated days of a bond, shapes (T, P)."""

    returns: Floats
    """Simple, per session."""
    yields: Floats
    """Annual fractions at the close."""


@checked_arguments
def bond_paths(bond: Bond, scenario: Scenario, equity: ArrayLike, *, seed: int, first_block: int = 0) -> BondPaths:
    """Bond returns and yields on the paths of an equity.

    Parameters
    ----------
    bond : Bond
    scenario : Scenario
        That the equity was simulated in; gives the correlation of returns, `bond_correlation`, of either sign.
    equity : array_like, shape (T, 64 * blocks)
        Daily simple returns from `quant.worlds.paths.sample_paths`.
    seed : int
        Of the run, as for the equity.
    first_block : int
        First block of 64 paths that `equity` holds, as for `sample_paths`.

    Returns
    -------
    BondPaths
        A path does not depend on which others are requested.

    Raises
    ------
    DataError
        If `equity` has another shape, is not finite or not above -1, or `first_block` is negative.
    """
    risky = np.ascontiguousarray(equity, dtype=np.float64)
    if risky.ndim != 2 or risky.size == 0 or risky.shape[1] % LANES:
        raise DataError(f"`equity` has shape {risky.shape}; expected (days, a multiple of {LANES} paths)")
    good = np.isfinite(risky) & (risky > -1.0)
    if not good.all():
        day, path = (int(i) for i in np.argwhere(~good)[0])
        raise DataError(f"`equity` has {risky[day, path]} on day {day} of path {path}; expected finite, above -1")
    if first_block < 0:
        raise DataError(f"`first_block` is {first_block}; expected 0 and more")
    numbers, key = _bond_constants(bond, scenario), np.uint64(_key(scenario, seed))
    returns, yields = np.empty(risky.shape), np.empty(risky.shape)
    block, bond_returns, level = (np.empty((risky.shape[0], LANES)) for _ in range(3))
    for first in range(0, risky.shape[1], LANES):
        block[:] = risky[:, first : first + LANES]
        fill_bond_block(numbers, key, LANES * first_block + first, block, level, bond_returns)
        returns[:, first : first + LANES] = bond_returns
        yields[:, first : first + LANES] = level
    return BondPaths(returns, yields)


@checked_arguments
def bond_model(
    bond: Bond | BondIndex,
    scenario: Scenario,
    *,
    seed: int,
    equity: Floats | None = None,
    bonds: Floats | None = None,
    labelled: Flags | None = None,
) -> BondModel:
    """Model of a bond leg, from which `quant.strategies.simulation.simulate` generates paths.

    Parameters
    ----------
    bond : Bond or BondIndex
    scenario : Scenario
    seed : int
        Of the run, as for the equity.
    equity, bonds : ndarray, shape (H,), optional
        Daily simple returns of both legs on the same days, training data only: needed by the engines that draw days
        of history (both bootstraps and the replay), of no effect under the others.
    labelled : ndarray of bool, shape (H,), optional
        As in `quant.worlds.paths.path_model`.

    Returns
    -------
    BondModel

    Raises
    ------
    DataError
        If an engine that draws days has no history of both legs, or the legs are the same series but for sign and
        scale, so that no correlation can be given to them.
    """
    numbers = _bond_constants(bond, scenario) if isinstance(bond, Bond) else _index_constants(bond, scenario)
    rows = np.empty(0)
    if scenario.engine in DRAWS_DAYS:
        if equity is None or bonds is None or equity.shape != bonds.shape:
            shapes = tuple(None if leg is None else leg.shape for leg in (equity, bonds))
            raise DataError(
                f"`equity` and `bonds` have shapes {shapes[0]} and {shapes[1]}; the engine {scenario.engine} draws "
                "days of both, expected one shape (H,)"
            )
        rows = _correlated_rows(bond, scenario, equity, bonds, labelled)
    return BondModel(numbers, rows, _key(scenario, seed))


def _key(scenario: Scenario, seed: int) -> int:
    text = f"{seed}/{scenario.seed}/{scenario.name}/bond"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _correlated_rows(
    bond: Bond | BondIndex, scenario: Scenario, equity: Floats, bonds: Floats, labelled: Flags | None
) -> Floats:
    """Returns of the bond on the days of `path_model`'s history: its moments, and the scenario's correlation.

    The part of the bond's days that the equity's do not explain stays in its day.
    """
    mean, deviation = scenario.mu / DAYS, scenario.sigma / math.sqrt(DAYS)
    models = [path_model(scenario, seed=0, history=leg, labelled=labelled) for leg in (equity, bonds)]
    first, second = ((model.history - mean) / deviation for model in models)
    conditional = scenario.engine == "conditional_bootstrap"
    weights = models[0].states[:, 2] if conditional else np.full(first.size, 1.0 / first.size)
    together = math.fsum((weights * first * second).tolist())
    apart = 1.0 - together * together
    if apart < _LEAST_APART:
        raise DataError(f"`bonds` have a correlation of {together:.6f} with `equity`; expected another asset")
    rest = (second - together * first) / math.sqrt(apart)
    rho = scenario.bond_correlation
    shock = rho * first + math.sqrt(1.0 - rho * rho) * rest
    return bond.mean_return / DAYS + bond.return_volatility / math.sqrt(DAYS) * shock


def _shock_constants(scenario: Scenario) -> list[float]:
    mu, sigma = implied_moments(scenario)
    rho = scenario.bond_correlation
    return [mu / DAYS, sigma / math.sqrt(DAYS), rho, math.sqrt(1.0 - rho * rho)]


def _index_constants(index: BondIndex, scenario: Scenario) -> Floats:
    moments = [index.mean_return / DAYS, index.return_volatility / math.sqrt(DAYS)]
    return np.array([*_shock_constants(scenario), *moments])


def _bond_constants(bond: Bond, scenario: Scenario) -> Floats:
    fade = exp(-bond.mean_reversion / DAYS)
    step = bond.volatility * math.sqrt((1.0 - fade * fade) / (2.0 * bond.mean_reversion))
    start = bond.level if bond.start is None else bond.start
    return np.array(
        [*_shock_constants(scenario), bond.level, fade, step, start, bond.duration, bond.convexity],
    )


@compiled
def fill_bond_block(numbers: Floats, key: Word, first_path: int, equity: Floats, yields: Floats, out: Floats) -> None:
    """Bond returns into `out` and yields into `yields` of the 64 paths of `equity` from `first_path` on, (T, 64).

    An index has no yields; `yields` is then left alone.
    """
    mean, deviation, rho, rest = numbers[0], numbers[1], numbers[2], numbers[3]
    words = np.empty((4, LANES), dtype=np.uint64)
    own = np.empty(LANES)
    if numbers.size == INDEX_NUMBERS:
        for t in range(out.shape[0]):
            fill_words(t, first_path, key, words)
            for j in range(LANES):
                own[j] = normal(words[0, j])
            for j in range(LANES):
                shock = rest * own[j] + rho * (equity[t, j] - mean) / deviation
                out[t, j] = max(numbers[4] + numbers[5] * shock, FLOOR)
        return
    level, fade, step, start = numbers[4], numbers[5], numbers[6], numbers[7]
    duration, convexity = numbers[8], numbers[9]
    now = np.full(LANES, start)
    for t in range(out.shape[0]):
        fill_words(t, first_path, key, words)
        for j in range(LANES):
            own[j] = normal(words[0, j])
        for j in range(LANES):
            shock = rest * own[j] - rho * (equity[t, j] - mean) / deviation
            change = (level - now[j]) * (1.0 - fade) + step * shock
            out[t, j] = now[j] / DAYS - duration * change + 0.5 * convexity * change * change
            now[j] += change
            yields[t, j] = now[j]
