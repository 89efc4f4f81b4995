"""Aggregates days into weeks and months: bars and returns of periods, incomplete periods."""

from typing import Literal, TypeAlias

import numpy as np

from desk.market.bars import Bars
from desk.market.checks.prices import sessions_between
from quant.numeric.arrays import Dates, Floats, Ints

Period: TypeAlias = Literal["day", "week", "month"]


def resample(bars: Bars, starts: Ints, stops: Ints) -> dict[str, Floats]:
    if not starts.size:
        return {}
    table = {name: values[:, 0] for name, values in bars.fields.items()}
    fields: dict[str, Floats] = {"close": table["close"][stops]}
    if "open" in table:
        fields["open"] = table["open"][starts]
    if "high" in table:
        fields["high"] = np.fmax.reduceat(table["high"], starts)
    if "low" in table:
        fields["low"] = np.fmin.reduceat(table["low"], starts)
    if "volume" in table:
        has_volume = np.add.reduceat((~np.isnan(table["volume"])).astype(np.int64), starts)
        total = np.add.reduceat(np.nan_to_num(table["volume"], nan=0.0), starts)
        fields["volume"] = np.where(has_volume > 0, total, np.nan)
    return fields


def period_returns(
    closes: Floats,
    keys: Ints,
    stops: Ints,
    *,
    logarithmic: bool,
) -> Floats:
    """Returns since the previous period with a close; NaN in periods without a close and in the first."""
    changes = np.full(stops.size, np.nan)
    rows = np.flatnonzero(~np.isnan(closes))
    if rows.size < 2:
        return changes
    close_keys = keys[rows]
    last = np.append(np.flatnonzero(close_keys[1:] != close_keys[:-1]), rows.size - 1)
    values = closes[rows[last]]
    ratio = values[1:] / values[:-1]
    changes[np.searchsorted(keys[stops], close_keys[last[1:]])] = np.log(ratio) if logarithmic else ratio - 1.0
    return changes


def period_numbers(days: Dates, period: Period) -> Ints:
    """Consecutive numbers of periods; weeks begin on Monday (1970-01-01 was a Thursday)."""
    if period == "month":
        return days.astype("datetime64[M]").astype(np.int64)
    numbers = days.astype("datetime64[D]").astype(np.int64)
    return numbers if period == "day" else (numbers + 3) // 7


def partial_periods(days: Dates, ends: Dates, period: Period, calendar: str) -> list[str]:
    """Last days of incomplete periods: at most the first and the last period."""
    if period == "day" or not days.size:
        return []
    month = np.timedelta64(31, "D")
    before, after = days[0] - month, days[-1] + month
    if calendar == "none":
        earlier, later = _all_days(before, days[0]), _all_days(days[-1], after)
    else:
        earlier, later = sessions_between(calendar, before, days[0]), sessions_between(calendar, days[-1], after)
    first = np.isin(period_numbers(earlier[earlier < days[0]], period), period_numbers(days[:1], period)).any()
    last = np.isin(period_numbers(later[later > days[-1]], period), period_numbers(days[-1:], period)).any()
    return list(dict.fromkeys(str(end) for end, is_partial in ((ends[0], first), (ends[-1], last)) if is_partial))


def _all_days(first: np.datetime64, last: np.datetime64) -> Dates:
    numbers = np.arange(first.astype(np.int64), last.astype(np.int64) + 1)
    return numbers.astype("datetime64[D]")
