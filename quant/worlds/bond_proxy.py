"""Bond returns computed from a series of yields: a proxy where no series of a bond's own prices exists."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError
from quant.numeric.ranges import require_within

YEAR: Final = 365.0
PROXY: Final = (
    "A proxy: returns of a bond of constant duration, computed from yields; without defaults, roll-down and costs"
)


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
    require_within("duration", duration, 0.0, 50.0, open_below=True)
    require_within("convexity", convexity, duration * duration, 5_000.0)
    days, y = _checked_yields(dates, yields)
    return BondHistory(days[1:], _returns(days, y, duration, convexity))


@checked_arguments
def par_bond_history(dates: ArrayLike, yields: ArrayLike, *, years: int) -> BondHistory:
    """Returns of a par bond of constant maturity, labelled as a proxy.

    Parameters
    ----------
    dates, yields : array_like, shape (T,)
        As for `bond_history`.
    years : int
        To maturity, in [1, 100]; each date exchanges the bond for one at par, of the duration and convexity of
        `par_duration`.

    Returns
    -------
    BondHistory

    Raises
    ------
    DataError
        As `bond_history`, and if `years` are out of their range.
    """
    require_within("years", float(years), 1.0, 100.0)
    days, y = _checked_yields(dates, yields)
    duration, convexity = _par_sensitivities(y[:-1], years)
    return BondHistory(days[1:], _returns(days, y, duration, convexity))


def _returns(days: Dates, y: Floats, duration: float | Floats, convexity: float | Floats) -> Floats:
    change = np.diff(y)
    carry = y[:-1] * np.diff(days).astype(np.int64) / YEAR
    return carry - duration * change + 0.5 * convexity * change * change


def _checked_yields(dates: ArrayLike, yields: ArrayLike) -> tuple[Dates, Floats]:
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
    return days, y


@checked_arguments
def par_duration(yield_: float, years: int) -> tuple[float, float]:
    """Modified duration and convexity of a bond at par that pays twice a year.

    Parameters
    ----------
    yield_ : float
        Annual, compounded twice a year, in [-0.05, 0.25].
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
    require_within("yield_", yield_, -0.05, 0.25)
    require_within("years", float(years), 1.0, 100.0)
    duration, convexity = _par_sensitivities(np.array([yield_]), years)
    return float(duration[0]), float(convexity[0])


def _par_sensitivities(y: Floats, years: int) -> tuple[Floats, Floats]:
    """Modified duration and convexity of par bonds, shape (T,)."""
    half = 1.0 + 0.5 * y
    discount, slope, curve = np.ones(y.shape), np.zeros(y.shape), np.zeros(y.shape)
    periods = 2 * years
    for k in range(1, periods + 1):
        discount = discount / half
        flow = (0.5 * y + (1.0 if k == periods else 0.0)) * discount
        slope = slope + 0.5 * k * flow
        curve = curve + 0.25 * k * (k + 1) * flow
    return slope / half, curve / (half * half)
