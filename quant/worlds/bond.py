"""The bond leg: simulated with a return correlation of either sign to equity, or a proxy computed from yields.

The yield follows Vasicek, and a day's return is carry, duration and convexity: r = y / 252 - D dy + C dy**2 / 2, with
y the yield at the close before. The shock of the yield is -rho s + sqrt(1 - rho**2) e with s the equity's return less
its mean over its deviation, both unconditional, and e normal and apart from it. So the shock has mean 0 and variance 1
under every engine, and its correlation with the equity's return is -rho: that of bond and equity returns is rho, but
for what carry and convexity add to the bond (a thousandth of its variance). Jumps and clusters of the equity reach the
yield in the share that rho gives them.

Vasicek (1977), "An equilibrium characterization of the term structure", Journal of Financial Economics 5(2).
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import check_fields, checked_arguments
from quant.numeric.arrays import Dates, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, exp, normal
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES, fill_words
from quant.numeric.units import DAYS
from quant.worlds.paths import implied_moments
from quant.worlds.scenario import Scenario

YEAR: Final = 365.0
PROXY: Final = (
    "A proxy: returns of a bond of constant duration, computed from yields; without defaults, roll-down and costs"
)


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
        _check("duration", self.duration, 0.0, 50.0, open_below=True)
        _check("convexity", self.convexity, self.duration * self.duration, 5_000.0)
        _check("level", self.level, -0.05, 0.25)
        _check("mean_reversion", self.mean_reversion, 0.0, 20.0, open_below=True)
        _check("volatility", self.volatility, 0.0, 0.1, open_below=True)
        if self.start is not None:
            _check("start", self.start, -0.05, 0.25)

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


@dataclass(frozen=True)
class BondModel:
    """The bond of a scenario in the kernel's form.

    Attributes
    ----------
    numbers : ndarray, shape (10,)
        Constants per day.
    key : int
        Of the random numbers.
    """

    numbers: Floats
    key: int


@dataclass(frozen=True)
class BondPaths:
    """Simulated days of a bond, shapes (T, P)."""

    returns: Floats
    """Simple, per session."""
    yields: Floats
    """Annual fractions at the close."""


@dataclass(frozen=True)
class BondHistory:
    """Bond returns computed from a yield series.

    Attributes
    ----------
    dates : ndarray of datetime64[D], shape (T - 1,)
    returns : ndarray, shape (T - 1,)
        Simple, since the date before.
    label : str
        Says that this is a proxy; to be shown beside every result that uses it.
    """

    dates: Dates
    returns: Floats
    label: str = PROXY


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
    model = bond_model(bond, scenario, seed=seed)
    returns, yields = np.empty(risky.shape), np.empty(risky.shape)
    block, bond_returns, level = (np.empty((risky.shape[0], LANES)) for _ in range(3))
    for first in range(0, risky.shape[1], LANES):
        block[:] = risky[:, first : first + LANES]
        fill_bond_block(model.numbers, np.uint64(model.key), LANES * first_block + first, block, level, bond_returns)
        returns[:, first : first + LANES] = bond_returns
        yields[:, first : first + LANES] = level
    return BondPaths(returns, yields)


@checked_arguments
def bond_model(bond: Bond, scenario: Scenario, *, seed: int) -> BondModel:
    """Model of the bond of `bond_paths`, from which `quant.strategies.simulation.simulate` generates paths.

    Parameters
    ----------
    bond : Bond
    scenario : Scenario
    seed : int
        Of the run, as for the equity.

    Returns
    -------
    BondModel
    """
    text = f"{seed}/{scenario.seed}/{scenario.name}/bond"
    return BondModel(_constants(bond, scenario), int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _constants(bond: Bond, scenario: Scenario) -> Floats:
    mu, sigma = implied_moments(scenario)
    rho = scenario.bond_correlation
    fade = exp(-bond.mean_reversion / DAYS)
    step = bond.volatility * math.sqrt((1.0 - fade * fade) / (2.0 * bond.mean_reversion))
    start = bond.level if bond.start is None else bond.start
    return np.array(
        [
            mu / DAYS,
            sigma / math.sqrt(DAYS),
            rho,
            math.sqrt(1.0 - rho * rho),
            bond.level,
            fade,
            step,
            start,
            bond.duration,
            bond.convexity,
        ]
    )


@compiled
def fill_bond_block(numbers: Floats, key: Word, first_path: int, equity: Floats, yields: Floats, out: Floats) -> None:
    """Bond returns into `out` and yields into `yields` of the 64 paths of `equity` from `first_path` on, (T, 64)."""
    mean, deviation, rho, rest = numbers[0], numbers[1], numbers[2], numbers[3]
    level, fade, step, start = numbers[4], numbers[5], numbers[6], numbers[7]
    duration, convexity = numbers[8], numbers[9]
    words = np.empty((4, LANES), dtype=np.uint64)
    own = np.empty(LANES)
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


@checked_arguments
def bond_history(dates: ArrayLike, yields: ArrayLike, *, duration: float, convexity: float) -> BondHistory:
    """Returns of a bond of constant duration from a series of its yields, labelled as a proxy.

    Parameters
    ----------
    dates : array_like of datetime64[D], shape (T,)
        Strictly increasing; of any frequency.
    yields : array_like, shape (T,)
        Annual fractions (0.05 is 5 percent), in [-0.05, 0.25].
    duration, convexity : float
        As of `Bond`; `par_duration` gives those of a par bond.

    Returns
    -------
    BondHistory
        From the second date on: the yield before for the days since (over 365), less duration times the change of the
        yield, plus half the convexity times its square.

    Raises
    ------
    DataError
        If there are fewer than two yields, shapes differ, dates do not increase, a yield is not finite or out of
        range (percent given for fractions, for instance), or no bond has this duration and convexity.

    Examples
    --------
    >>> bond = bond_history(["2020-01-31", "2020-02-29"], [0.0365, 0.0360], duration=8.0, convexity=80.0)
    >>> bond.returns.round(6).tolist()
    [0.00691]
    """
    _check("duration", duration, 0.0, 50.0, open_below=True)
    _check("convexity", convexity, duration * duration, 5_000.0)
    days = np.asarray(dates, dtype="datetime64[D]")
    y = np.ascontiguousarray(yields, dtype=np.float64)
    if y.ndim != 1 or y.size < 2 or days.shape != y.shape:
        raise DataError(f"`dates` {days.shape} and `yields` {y.shape} do not fit; expected one shape (T,), T > 1")
    gaps = np.diff(days).astype(np.int64)
    if np.isnat(days).any() or (gaps <= 0).any():
        raise DataError("`dates` must be given and strictly increase")
    inside = np.isfinite(y) & (y >= -0.05) & (y <= 0.25)
    if not inside.all():
        place = int(inside.argmin())
        raise DataError(f"`yields` has {y[place]} on {days[place]}; expected fractions from -0.05 to 0.25")
    change = np.diff(y)
    returns = y[:-1] * gaps / YEAR - duration * change + 0.5 * convexity * change * change
    return BondHistory(days[1:], returns)


@checked_arguments
def par_duration(yield_: float, years: int) -> tuple[float, float]:
    """Modified duration and convexity of a bond at par that pays twice a year.

    Parameters
    ----------
    yield_ : float
        Annual, compounded twice a year, in [0, 0.25].
    years : int
        To maturity, in [1, 100].

    Returns
    -------
    duration, convexity : float
        Years, years squared.

    Raises
    ------
    DataError
        If an argument is out of its range.

    References
    ----------
    Fabozzi, "Fixed Income Mathematics", chapters on price volatility.

    Examples
    --------
    >>> [round(x, 3) for x in par_duration(0.05, 10)]
    [7.795, 73.629]
    """
    _check("yield_", yield_, 0.0, 0.25)
    _check("years", float(years), 1.0, 100.0)
    half = 1.0 + 0.5 * yield_
    discount, slope, curve = 1.0, 0.0, 0.0
    periods = 2 * years
    for k in range(1, periods + 1):
        discount /= half
        flow = (0.5 * yield_ + (1.0 if k == periods else 0.0)) * discount
        slope += 0.5 * k * flow
        curve += 0.25 * k * (k + 1) * flow
    return slope / half, curve / (half * half)


def _check(name: str, value: float, low: float, high: float, *, open_below: bool = False) -> None:
    if not (low <= value <= high) or (open_below and value == low):
        allowed = f"above {low:g}, at most {high:g}" if open_below else f"{low:g} to {high:g}"
        raise DataError(f"`{name}` is {value!r}; expected {allowed}")
