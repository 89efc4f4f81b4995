"""Return of cash from session to session, at the rate known before."""

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError

_DAYS_OF_A_YEAR = 360.0
"""ACT/360: calendar days over 360, as money markets count."""
STALE_DAYS = 100
"""Age of a rate, in days, beyond which it is not known any more: a quarter and a week."""


def accrual(dates: ArrayLike, rate_months: ArrayLike, monthly_rates: ArrayLike, *, after: float) -> Floats:
    r"""Return of cash over each session, from the rate known at the session before.

    The rate of month `m` is the return of a Treasury bill bought when `m` begins and held to its
    end, as in French's RF: it is known from the first day of the month. It is quoted here as the
    ACT/360 rate that earns as much over the :math:`d_m` calendar days of the month,

    .. math:: a_m = \frac{360}{d_m} R_m, \qquad c_t = a_{m(t-1)} \frac{\text{days}(t-1, t)}{360},

    where :math:`m(t - 1)` is the month of session `t - 1`. From the first session of a month to
    the first of the next the accruals compound to :math:`R_m` up to :math:`R_m^2 / 2` (0.02 basis
    points at an annual 2.5 percent, 0.35 at 10), apart from the days by which these sessions miss
    the ends of the month.

    Parameters
    ----------
    dates : array_like of datetime64[D], shape (T,)
        Sessions, strictly increasing.
    rate_months : array_like of datetime64[M], shape (M,)
        Consecutive months.
    monthly_rates : array_like, shape (M,)
        Simple return over each month, as a fraction; above -1.
    after : float
        Annual ACT/360 rate assumed after the last of `rate_months`, as a fraction.

    Returns
    -------
    ndarray of float64, shape (T,)
        Simple return of cash since the session before, as a fraction; the first is 0, since no
        session precedes it.

    Raises
    ------
    DataError
        If a shape does not fit, dates or months are missing or out of order, a rate is not finite
        or not above -1, or the first date lies before the first rate.

    Examples
    --------
    >>> sessions = ["2018-11-01", "2018-11-02", "2018-11-30", "2018-12-03", "2018-12-04"]
    >>> accrual(sessions, ["2018-11"], [0.0018], after=0.036).round(7).tolist()
    [0.0, 6e-05, 0.00168, 0.00018, 0.0001]
    """
    days = np.asarray(dates, dtype="datetime64[D]")
    months = np.asarray(rate_months, dtype="datetime64[M]")
    rates = np.asarray(monthly_rates, dtype=np.float64)
    _check(days, months, rates, after)

    first, last = months[0].astype(np.int64), months[-1].astype(np.int64)
    session_months = days[:-1].astype("datetime64[M]").astype(np.int64)
    if session_months.size and session_months[0] < first:
        raise DataError(f"no rate is known on {days[0]}; the first is that of {months[0]}")
    lengths = (months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")
    annual = rates * _DAYS_OF_A_YEAR / lengths.astype(np.float64)
    session_rates = np.where(session_months > last, after, annual[np.minimum(session_months, last) - first])
    elapsed = (days[1:] - days[:-1]).astype(np.float64)
    return np.concatenate(([0.0], session_rates * elapsed / _DAYS_OF_A_YEAR))


def rate_accrual(
    dates: ArrayLike, rate_dates: ArrayLike, annual_rates: ArrayLike, *, day_count: int, after: float
) -> Floats:
    r"""Return of cash over each session at a rate quoted for a year, from the rate known at the session before.

    .. math:: c_t = a_{t-1} \frac{\text{days}(t-1, t)}{D},

    where :math:`a_{t-1}` is the last rate dated on or before session `t - 1`, as interest is credited for the calendar
    days of a weekend at the rate of the Friday.

    Parameters
    ----------
    dates : array_like of datetime64[D], shape (T,)
        Sessions, strictly increasing.
    rate_dates : array_like of datetime64[D], shape (M,)
        Days on which a rate becomes known, strictly increasing.
    annual_rates : array_like, shape (M,)
        Simple rates a year, as fractions; they may be negative.
    day_count : int
        D, the days of a year by which the rate is quoted: 360 or 365.
    after : float
        Rate assumed where the last one is more than `STALE_DAYS` days old, as a fraction.

    Returns
    -------
    ndarray of float64, shape (T,)
        Simple return of cash since the session before, as a fraction; the first is 0.

    Raises
    ------
    DataError
        If a shape does not fit, dates are missing or out of order, a rate is not finite or not above -1, the day count
        is another, two rates lie more than `STALE_DAYS` days apart, or the first date lies before the first rate.

    Examples
    --------
    >>> sessions = ["2020-01-03", "2020-01-06"]
    >>> rate_accrual(sessions, ["2020-01-01"], [-0.0054], day_count=360, after=0.0).round(8).tolist()
    [0.0, -4.5e-05]
    """
    days = np.asarray(dates, dtype="datetime64[D]")
    known = np.asarray(rate_dates, dtype="datetime64[D]")
    rates = np.asarray(annual_rates, dtype=np.float64)
    if day_count not in (360, 365):
        raise DataError(f"`day_count` must be 360 or 365; got {day_count!r}")
    _check_days(days)
    _check_rates(rates, after)
    if known.ndim != 1 or known.size == 0 or known.shape != rates.shape or np.isnat(known).any():
        raise DataError(f"rate dates and rates must have one shape (M,), M > 0; got {known.shape}, {rates.shape}")
    gaps = (known[1:] - known[:-1]).astype(np.int64)
    if (gaps <= 0).any():
        raise DataError("rate dates must strictly increase")
    if (gaps > STALE_DAYS).any():
        place = int(gaps.argmax())
        raise DataError(f"no rate is known between {known[place]} and {known[place + 1]}")
    places = np.searchsorted(known, days[:-1], side="right") - 1
    if places.size and places[0] < 0:
        raise DataError(f"no rate is known on {days[0]}; the first is of {known[0]}")
    ages = (days[:-1] - known[places]).astype(np.int64)
    session_rates = np.where(ages > STALE_DAYS, after, rates[places])
    elapsed = (days[1:] - days[:-1]).astype(np.float64)
    return np.concatenate(([0.0], session_rates * elapsed / day_count))


def _check_days(days: np.ndarray) -> None:
    if days.ndim != 1 or days.size == 0 or np.isnat(days).any():
        raise DataError(f"dates must have shape (T,), T > 0, none missing; got {days.shape}")
    if (days[1:] <= days[:-1]).any():
        raise DataError("dates must strictly increase")


def _check_rates(rates: Floats, after: float) -> None:
    if not np.isfinite(rates).all() or (rates <= -1.0).any() or not np.isfinite(after):
        raise DataError("rates must be finite and above -1")


def _check(days: np.ndarray, months: np.ndarray, rates: Floats, after: float) -> None:
    _check_days(days)
    if months.ndim != 1 or months.size == 0 or months.shape != rates.shape:
        raise DataError(f"months and rates must have one shape (M,), M > 0; got {months.shape}, {rates.shape}")
    if np.isnat(months).any() or (np.diff(months.astype(np.int64)) != 1).any():
        raise DataError("months must follow one another without a gap")
    _check_rates(rates, after)
