"""Days in weeks and months: bars of a period, returns between periods, periods that are cut."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from desk.market.bars import Bars, Floats
from desk.market.checks.prices import sessions_between

Days: TypeAlias = NDArray[np.datetime64]
Period: TypeAlias = Literal["day", "week", "month"]


def resample(bars: Bars, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> dict[str, Floats]:
    if not starts.size:
        return {}
    table = {name: values[:, 0] for name, values in bars.fields.items()}
    made: dict[str, Floats] = {"close": table["close"][stops]}
    if "open" in table:
        made["open"] = table["open"][starts]
    if "high" in table:
        made["high"] = np.fmax.reduceat(table["high"], starts)
    if "low" in table:
        made["low"] = np.fmin.reduceat(table["low"], starts)
    if "volume" in table:
        known = np.add.reduceat((~np.isnan(table["volume"])).astype(np.int64), starts)
        total = np.add.reduceat(np.nan_to_num(table["volume"], nan=0.0), starts)
        made["volume"] = np.where(known > 0, total, np.nan)
    return made


def period_returns(
    closes: Floats,
    keys: NDArray[np.int64],
    stops: NDArray[np.int64],
    *,
    logarithmic: bool,
) -> Floats:
    """From the last close of the period before that has one; NaN in periods without a close, and in the first."""
    changes = np.full(stops.size, np.nan)
    rows = np.flatnonzero(~np.isnan(closes))
    if rows.size < 2:
        return changes
    own = keys[rows]
    last = np.append(np.flatnonzero(own[1:] != own[:-1]), rows.size - 1)
    values = closes[rows[last]]
    ratio = values[1:] / values[:-1]
    changes[np.searchsorted(keys[stops], own[last[1:]])] = np.log(ratio) if logarithmic else ratio - 1.0
    return changes


def period_numbers(days: NDArray[np.datetime64], period: Period) -> NDArray[np.int64]:
    """A number for each period; weeks begin on Monday, and 1970-01-01 was a Thursday."""
    if period == "month":
        return days.astype("datetime64[M]").astype(np.int64)
    numbers = days.astype("datetime64[D]").astype(np.int64)
    return numbers if period == "day" else (numbers + 3) // 7


def partial_periods(
    days: NDArray[np.datetime64], ends: NDArray[np.datetime64], period: Period, calendar: str
) -> list[str]:
    """Periods of which sessions are left out: at most the first and the last."""
    if period == "day" or not days.size:
        return []
    month = np.timedelta64(31, "D")
    before, after = days[0] - month, days[-1] + month
    if calendar == "none":
        earlier, later = _every(before, days[0]), _every(days[-1], after)
    else:
        earlier, later = sessions_between(calendar, before, days[0]), sessions_between(calendar, days[-1], after)
    first = np.isin(period_numbers(earlier[earlier < days[0]], period), period_numbers(days[:1], period)).any()
    last = np.isin(period_numbers(later[later > days[-1]], period), period_numbers(days[-1:], period)).any()
    return list(dict.fromkeys(str(end) for end, cut in ((ends[0], first), (ends[-1], last)) if cut))


def _every(first: np.datetime64, last: np.datetime64) -> Days:
    numbers = np.arange(first.astype(np.int64), last.astype(np.int64) + 1)
    return numbers.astype("datetime64[D]")
