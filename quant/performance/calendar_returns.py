"""Returns by calendar: months, years, trailing windows, and the crises that a series covers."""

from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

import numpy as np

from quant.numeric.arrays import Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log
from quant.performance.crises import HISTORICAL_WINDOWS
from quant.performance.drawdown_periods import EPOCH
from quant.performance.payoff import average_win_and_loss, win_rate
from quant.performance.ratios import over

Months: TypeAlias = tuple[tuple[int, int, float], ...]
Years: TypeAlias = tuple[tuple[int, float], ...]

CRISES: tuple[tuple[str, str, str], ...] = tuple((w.name, w.first, w.last) for w in HISTORICAL_WINDOWS)
"""From the close of the first day to the close of the last; shown only where the series holds both days."""
_CRISIS_DAYS = tuple(
    (name, date.fromisoformat(start).toordinal() - EPOCH, date.fromisoformat(end).toordinal() - EPOCH)
    for name, start, end in CRISES
)

LATE = 5
"""Calendar days by which a series may begin after the start of a trailing window and still cover it: a long weekend."""


@dataclass(frozen=True)
class CrisisReturn:
    """Returns from the close of `start` to the close of `end`."""

    name: str
    start: date
    end: date
    value: float
    """Compounded return of the series."""
    benchmark: float | None
    """Of the benchmark, if there is one."""


@dataclass(frozen=True, kw_only=True)
class CalendarReturns:
    """Compounded returns by calendar; the first and the last month, quarter and year may be parts of one.

    None throughout, and empty tables, for a series without dates. A trailing window ends on the last day and begins at
    the close of the same day of the month so many months before (the month's last day if there is no such day); None
    where the series begins more than five days later.
    """

    start: date | None = None
    """First session."""
    end: date | None = None
    """Last session."""
    months: Months = ()
    """Year, month (1 to 12) and return."""
    calendar_years: Years = ()
    """Year and return."""
    crises: tuple[CrisisReturn, ...] = ()
    """The crises of `CRISES` that lie within the series."""
    expected_month: float | None = None
    """Geometric mean of the months."""
    expected_year: float | None = None
    """Geometric mean of the calendar years."""
    best_month: float | None = None
    worst_month: float | None = None
    best_year: float | None = None
    worst_year: float | None = None
    average_up_month: float | None = None
    """Mean of the months above 0; None if there is none."""
    average_down_month: float | None = None
    """Mean of the months below 0; None if there is none."""
    win_month: float | None = None
    """Share of the months above 0 among those that are not 0; likewise for quarters and years."""
    win_quarter: float | None = None
    win_year: float | None = None
    gain_to_pain_month: float | None = None
    """Sum of the months over the sum of the negative ones, without sign (Schwager)."""
    month_to_date: float | None = None
    three_months: float | None = None
    six_months: float | None = None
    year_to_date: float | None = None
    one_year: float | None = None
    three_years: float | None = None
    """Growth a year: the cube root of the growth, less 1; likewise for five and ten years."""
    five_years: float | None = None
    ten_years: float | None = None


@compiled
def _month_of(day: int) -> tuple[int, int]:
    """Months since the year 0 of a day counted from 1970, and the day of that month.

    Hinnant, "chrono-compatible low-level date algorithms": years begin in March, so that the leap day is their last.
    """
    z = day + 719468
    era = z // 146097
    of_era = z - era * 146097
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 2 if shifted < 10 else shifted - 10
    day_of_month = of_year - (153 * shifted + 2) // 5 + 1
    return 12 * (year + 400 * era + (1 if month < 2 else 0)) + month, day_of_month


@compiled
def _by_month(days: Ints, r: Floats, keys: Ints, out: Floats) -> int:
    """Write the number of each month and its compounded return; how many there are."""
    count = 0
    key = 0
    month_until = days[0]  # until this day the month is that of the session before
    for t in range(r.size):
        if days[t] >= month_until:
            key, day_of_month = _month_of(days[t])
            month_until = days[t] + max(29 - day_of_month, 1)
        if count == 0 or key != keys[count - 1]:
            keys[count] = key
            out[count] = 1.0
            count += 1
        out[count - 1] *= 1.0 + r[t]
    for i in range(count):
        out[i] -= 1.0
    return count


@compiled
def _compound_months(
    keys: Ints,
    r: Floats,
    length: int,
    out_keys: Ints,
    out: Floats,
) -> int:
    """Compound months to quarters (`length` 3) or years (12)."""
    count = 0
    for i in range(r.size):
        key = keys[i] // length
        if count == 0 or key != out_keys[count - 1]:
            out_keys[count] = key
            out[count] = 1.0
            count += 1
        out[count - 1] *= 1.0 + r[i]
    for i in range(count):
        out[i] -= 1.0
    return count


@compiled
def _mean_log(r: Floats) -> float:
    total = 0.0
    for t in range(r.size):
        total += log(1.0 + r[t])
    return total / r.size


@compiled
def _sums(r: Floats) -> tuple[float, float]:
    total = 0.0
    losses = 0.0
    for t in range(r.size):
        total += r[t]
        losses -= min(r[t], 0.0)
    return total, losses


@compiled
def _wealth(r: Floats, out: Floats) -> None:
    out[0] = 1.0
    for t in range(r.size):
        out[t + 1] = out[t] * (1.0 + r[t])


def wealth_of(r: Floats) -> Floats:
    """Wealth before the first session, 1, and after each."""
    out = np.empty(r.size + 1)
    _wealth(r, out)
    return out


def by_year(days: Ints, r: Floats) -> Years:
    """Compounded return of each calendar year."""
    keys, months = _months(days, r)
    years, values = _longer(keys, months, 12)
    return tuple(zip(years.tolist(), values.tolist(), strict=True))


def _months(days: Ints, r: Floats) -> tuple[Ints, Floats]:
    keys, values = np.empty(r.size, dtype=np.int64), np.empty(r.size)
    count = _by_month(days, r, keys, values)
    return keys[:count], values[:count]


def _longer(keys: Ints, months: Floats, length: int) -> tuple[Ints, Floats]:
    out_keys, values = np.empty(keys.size, dtype=np.int64), np.empty(keys.size)
    count = _compound_months(keys, months, length, out_keys, values)
    return out_keys[:count], values[:count]


def _months_before(day: date, months: int) -> date:
    year, month = divmod(12 * day.year + day.month - 1 - months, 12)
    first_of_next = date(year + month // 11, (month + 1) % 12 + 1, 1)
    last = date.fromordinal(first_of_next.toordinal() - 1).day
    return date(year, month + 1, min(day.day, last))


def _since(start: date, days: Ints, wealth: Floats) -> float | None:
    """Growth since the close of `start`; None if the series begins too late for it."""
    base = start.toordinal() - EPOCH
    if int(days[0]) - base > LATE:
        return None
    return float(wealth[-1] / wealth[int(np.searchsorted(days, base, side="right"))]) - 1.0


def _annual(value: float | None, years: int) -> float | None:
    return None if value is None else exp(log(1.0 + value) / years) - 1.0


def crises(days: Ints, wealth: Floats, benchmark: Floats | None) -> tuple[CrisisReturn, ...]:
    """The crises whose first and last close the series covers."""
    rows: list[CrisisReturn] = []
    for name, start, end in _CRISIS_DAYS:
        if days[0] > start or days[-1] < end:
            continue
        first, last = (int(i) for i in np.searchsorted(days, (start, end), side="right"))
        rows.append(
            CrisisReturn(
                name=name,
                start=date.fromordinal(EPOCH + start),
                end=date.fromordinal(EPOCH + end),
                value=float(wealth[last] / wealth[first]) - 1.0,
                benchmark=None if benchmark is None else float(benchmark[last] / benchmark[first]) - 1.0,
            )
        )
    return tuple(rows)


def calendar_returns(r: Floats, days: Ints | None, benchmark: Floats | None) -> CalendarReturns:
    """`CalendarReturns` of checked returns on ascending days since 1970."""
    if days is None:
        return CalendarReturns()
    wealth = wealth_of(r)
    keys, months = _months(days, r)
    _, quarters = _longer(keys, months, 3)
    years, annual = _longer(keys, months, 12)
    up, down = average_win_and_loss(months)
    total, losses = _sums(months)
    today = date.fromordinal(EPOCH + int(days[-1]))

    def trailing(count: int) -> float | None:
        return _since(_months_before(today, count), days, wealth)

    return CalendarReturns(
        start=date.fromordinal(EPOCH + int(days[0])),
        end=today,
        months=tuple(zip((keys // 12).tolist(), (keys % 12 + 1).tolist(), months.tolist(), strict=True)),
        calendar_years=tuple(zip(years.tolist(), annual.tolist(), strict=True)),
        crises=crises(days, wealth, None if benchmark is None else wealth_of(benchmark)),
        expected_month=exp(_mean_log(months)) - 1.0,
        expected_year=exp(_mean_log(annual)) - 1.0,
        best_month=float(months.max()),
        worst_month=float(months.min()),
        best_year=float(annual.max()),
        worst_year=float(annual.min()),
        average_up_month=up,
        average_down_month=down,
        win_month=win_rate(months),
        win_quarter=win_rate(quarters),
        win_year=win_rate(annual),
        gain_to_pain_month=over(total, losses),
        month_to_date=_since(date.fromordinal(today.replace(day=1).toordinal() - 1), days, wealth),
        three_months=trailing(3),
        six_months=trailing(6),
        year_to_date=_since(date(today.year - 1, 12, 31), days, wealth),
        one_year=trailing(12),
        three_years=_annual(trailing(36), 3),
        five_years=_annual(trailing(60), 5),
        ten_years=_annual(trailing(120), 10),
    )
