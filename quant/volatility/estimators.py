"""Volatility from the range of each day's prices, and from an implied volatility index.

They feed `quant.strategies.history.History.volatilities`, under the estimators `range` and `implied`. Every value is
known at the close of its day. Simulated worlds have closes only, so they use neither.
"""

import math
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS

Range: TypeAlias = Literal["parkinson", "garman_klass", "rogers_satchell", "yang_zhang"]

_METHODS: Final = ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang")


@checked_arguments
def range_volatility(
    opens: ArrayLike,
    highs: ArrayLike,
    lows: ArrayLike,
    closes: ArrayLike,
    *,
    lookback: int,
    method: Range = "yang_zhang",
) -> Floats:
    r"""Annual volatility of each window of daily ranges.

    With :math:`u = \ln H/O`, :math:`d = \ln L/O`, :math:`c = \ln C/O` of a day and :math:`o = \ln O_t/C_{t-1}`, a
    window's daily variance is the mean of

    - `parkinson`: :math:`(u - d)^2 / (4 \ln 2)`, for prices without drift or overnight jumps;
    - `garman_klass`: :math:`(u - d)^2 / 2 - (2 \ln 2 - 1) c^2`, likewise;
    - `rogers_satchell`: :math:`u (u - c) + d (d - c)`, for any drift;

    or, for `yang_zhang`, :math:`s_o^2 + k s_c^2 + (1 - k) \overline{RS}` with the sample variances of o and c and
    :math:`k = 0.34 / (1.34 + (n + 1) / (n - 1))`, for any drift and with overnight jumps.

    Parameters
    ----------
    opens, highs, lows, closes : array_like, shape (T,)
        Positive prices of each session, low <= open, close <= high.
    lookback : int
        n, sessions of a window; at least 2, below T.
    method : {"parkinson", "garman_klass", "rogers_satchell", "yang_zhang"}

    Returns
    -------
    ndarray, shape (T,)
        Annual fractions (252 days); the days before the first full window hold its value. The first session has no
        close before it, so that a window of `yang_zhang` is full one session later.

    Raises
    ------
    DataError
        If a shape does not fit, a price is not positive and finite, a day's prices are out of order, or an option is
        out of its range.

    References
    ----------
    Parkinson (1980), Journal of Business 53(1); Garman and Klass (1980), Journal of Business 53(1); Rogers and Satchell
    (1991), Annals of Applied Probability 1(4); Yang and Zhang (2000), Journal of Business 73(3), equation 10.

    Examples
    --------
    >>> day = [100.0] * 5
    >>> range_volatility(day, [102.0] * 5, [99.0] * 5, day, lookback=3, method="parkinson").round(4).tolist()
    [0.2846, 0.2846, 0.2846, 0.2846, 0.2846]
    """
    if method not in _METHODS:
        raise DataError(f"`method` must be one of {', '.join(_METHODS)}; got {method!r}")
    o, h, lo, c = _checked_prices(opens=opens, highs=highs, lows=lows, closes=closes)
    if not 2 <= lookback < o.size:
        raise DataError(f"`lookback` must lie in [2, {o.size - 1}]; got {lookback}")
    up, down, close = np.log(h / o), np.log(lo / o), np.log(c / o)
    match method:
        case "parkinson":
            width = up - down
            variance = _means(width * width / (4.0 * math.log(2.0)), lookback)
        case "garman_klass":
            width = up - down
            variance = _means(0.5 * width * width - (2.0 * math.log(2.0) - 1.0) * close * close, lookback)
        case "rogers_satchell":
            variance = _means(_rogers_satchell(up, down, close), lookback)
        case "yang_zhang":
            night = np.log(o[1:] / c[:-1])
            k = 0.34 / (1.34 + (lookback + 1.0) / (lookback - 1.0))
            inside = _means(_rogers_satchell(up, down, close)[1:], lookback)
            variance = _variances(night, lookback) + k * _variances(close[1:], lookback) + (1.0 - k) * inside
    volatility = np.sqrt(DAYS * np.maximum(variance, 0.0))
    return np.concatenate([np.full(o.size - volatility.size, volatility[0]), volatility])


@checked_arguments
def implied_volatility(dates: ArrayLike, index_dates: ArrayLike, index: ArrayLike) -> Floats:
    """An implied volatility index as it was last known on each session.

    Parameters
    ----------
    dates : array_like of datetime64[D], shape (T,)
        Sessions, strictly increasing.
    index_dates : array_like of datetime64[D], shape (M,)
        Days of the index, strictly increasing, the first not after that of `dates`.
    index : array_like, shape (M,)
        Closes in points of percent a year, as the VIX is quoted; positive.

    Returns
    -------
    ndarray, shape (T,)
        Annual fractions.

    Raises
    ------
    DataError
        If a shape does not fit, days do not increase, a level is not positive and finite, the index begins too late,
        or its last level before a session is more than seven days old.

    Examples
    --------
    >>> implied_volatility(["2024-01-02", "2024-01-03"], ["2024-01-02", "2024-01-03"], [13.2, 14.04]).tolist()
    [0.132, 0.1404]
    """
    days, index_days = _checked_days(dates, "dates"), _checked_days(index_dates, "index_dates")
    levels = np.asarray(index, dtype=np.float64)
    if levels.shape != index_days.shape:
        raise DataError(f"`index` must have the shape of `index_dates` {index_days.shape}; got {levels.shape}")
    if not (np.isfinite(levels).all() and (levels > 0.0).all()):
        row = int(np.argmin(np.isfinite(levels) & (levels > 0.0)))
        raise DataError(f"`index` must be positive and finite; {index_days[row]} is {levels[row]}")
    place = np.searchsorted(index_days, days, side="right") - 1
    if place[0] < 0:
        raise DataError(f"`index_dates` begin on {index_days[0]}, after the first of `dates`, {days[0]}")
    age = (days - index_days[place]).astype(np.int64)
    if (age > 7).any():
        row = int(np.argmax(age > 7))
        raise DataError(
            f"`index` was last known on {index_days[place[row]]}, {age[row]} days before {days[row]}; expected 7"
        )
    return levels[place] / 100.0


def _checked_prices(**prices: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    arrays = {name: np.asarray(values, dtype=np.float64) for name, values in prices.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    o, h, lo, c = arrays.values()
    if o.ndim != 1 or len(set(shapes.values())) > 1:
        raise DataError(f"`opens`, `highs`, `lows` and `closes` must have one shape (T,); got {shapes}")
    for name, array in arrays.items():
        good = np.isfinite(array) & (array > 0.0)
        if not good.all():
            row = int(good.argmin())
            raise DataError(f"`{name}` must be positive and finite; row {row} is {array[row]}")
    ordered = (lo <= np.minimum(o, c)) & (np.maximum(o, c) <= h)
    if not ordered.all():
        row = int(ordered.argmin())
        raise DataError(
            f"`lows` and `highs` must enclose opens and closes; row {row} has low {lo[row]}, open {o[row]}, "
            f"close {c[row]}, high {h[row]}"
        )
    return o, h, lo, c


def _checked_days(dates: ArrayLike, name: str) -> Dates:
    days = np.asarray(dates, dtype="datetime64[D]")
    if days.ndim != 1 or days.size == 0 or np.isnat(days).any() or (days[1:] <= days[:-1]).any():
        raise DataError(f"`{name}` must be strictly increasing days, of shape (T,), T > 0; got shape {days.shape}")
    return days


def _rogers_satchell(up: Floats, down: Floats, close: Floats) -> Floats:
    return up * (up - close) + down * (down - close)


def _means(values: Floats, n: int) -> Floats:
    """Of every full window of n, shape (T - n + 1,)."""
    return np.lib.stride_tricks.sliding_window_view(values, n).mean(axis=1)


def _variances(values: Floats, n: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(values, n).var(axis=1, ddof=1)
