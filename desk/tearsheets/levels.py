"""A series as levels of wealth by day, from which returns at any of its days follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from desk.base.errors import InvalidInput
from desk.market.bundled import cash_rates
from desk.optimization.request import OptimizationRequest
from desk.tearsheets.schemas import GivenSeries
from quant.numeric.arrays import Dates, Flags, Floats
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS
from quant.worlds.cash import accrual

EARLIEST = np.datetime64("1800-01-01", "D")
"""First day that a series from outside may have, as that of a file."""
MOST_GROWTH = 1e30
"""Largest factor by which wealth may grow or shrink; the fourth power of a return stays a finite number."""
OLDEST = 7
"""Largest age in days of a level that still counts as known."""
CASH_AFTER = OptimizationRequest().cash_rate_after
"""Cash rate a year after the bundled series ends."""
_FREQUENCIES = ((1, 4, DAYS, "daily"), (5, 10, 52, "weekly"), (26, 35, 12, "monthly"), (80, 100, 4, "quarterly"),
    (350, 380, 1, "yearly"))  # fmt: skip
"""Least and largest median days between returns, periods a year, and the name."""
_WEEKEND_SHARE = 0.2
"""Share of Saturdays and Sundays from which daily data have 365 days a year."""


@dataclass(frozen=True)
class Levels:
    """`dates` and `values` of shape (T + 1,): the first is the start, before the first return."""

    dates: Dates
    values: Floats
    name: str

    @classmethod
    def from_returns(cls, dates: ArrayLike, returns: ArrayLike, name: str) -> Self:
        """Levels that begin one typical spacing before the first return."""
        days = np.asarray(dates, dtype="datetime64[D]")
        start = days[0] - np.median(np.diff(days).astype(np.int64)).astype("timedelta64[D]")
        growth = 1.0 + np.asarray(returns, dtype=np.float64)
        return cls(np.concatenate([[start], days]), np.concatenate([[1.0], np.cumprod(growth)]), name)

    @property
    def returns(self) -> Floats:
        return self.values[1:] / self.values[:-1] - 1.0

    def between(self, first: np.datetime64 | None, last: np.datetime64 | None) -> Self:
        """The returns from `first` to `last`, both included."""
        keep = np.full(self.dates.size - 1, True)
        if first is not None:
            keep &= self.dates[1:] >= first
        if last is not None:
            keep &= self.dates[1:] <= last
        rows = np.flatnonzero(keep)
        stop = slice(rows[0], rows[-1] + 2) if rows.size else slice(0, 1)
        return type(self)(self.dates[stop], self.values[stop], self.name)

    def covered(self, dates: Dates) -> Flags:
        """Whether the level is known on each of `dates`."""
        place = np.searchsorted(self.dates, dates, side="right") - 1
        age = (dates - self.dates[np.maximum(place, 0)]).astype(np.int64)
        return (place >= 0) & (age <= OLDEST)

    def at(self, dates: Dates) -> Floats:
        """The last known level on each of `dates`."""
        return self.values[np.searchsorted(self.dates, dates, side="right") - 1]


def given_levels(series: GivenSeries, field: str) -> Levels:
    """Levels of a series from outside; raises `InvalidInput` for days or values that have no returns."""
    days = np.array(series.dates, dtype="datetime64[D]")
    values = np.array(series.returns or series.prices)
    if (days[1:] <= days[:-1]).any():
        row = int(np.argmax(days[1:] <= days[:-1])) + 1
        raise InvalidInput(
            f"{field}.dates.{row}",
            str(days[row]),
            reason=f"{days[row]} does not follow {days[row - 1]}",
            allowed="ascending days",
        )
    if days[0] < EARLIEST:
        raise InvalidInput(f"{field}.dates.0", str(days[0]), allowed=f"days from {EARLIEST} on")
    name = "returns" if series.returns else "prices"
    least = -1.0 if series.returns else 0.0
    if (values <= least).any():
        row = int(np.argmax(values <= least))
        allowed = "fractions above -1: 0.01 is one percent" if series.returns else "positive prices"
        raise InvalidInput(f"{field}.{name}.{row}", float(values[row]), allowed=allowed)
    if series.prices and days.size < 3:
        raise InvalidInput(f"{field}.prices", days.size, reason="two prices have one return", allowed="three or more")
    with np.errstate(over="ignore", under="ignore"):
        wealth = np.cumprod(1.0 + values) if series.returns else values / values[0]
    if not ((wealth >= 1.0 / MOST_GROWTH) & (wealth <= MOST_GROWTH)).all():
        row = int(np.argmax(~((wealth >= 1.0 / MOST_GROWTH) & (wealth <= MOST_GROWTH))))
        raise InvalidInput(
            f"{field}.{name}.{row}",
            float(values[row]),
            reason=f"wealth reaches {wealth[row]:.3g} times its start on {days[row]}",
            allowed=f"series that grow or shrink at most {MOST_GROWTH:g}-fold",
        )
    return Levels.from_returns(days, values, series.name) if series.returns else Levels(days, values, series.name)


def cash_returns(dates: Dates, annual: float | None, periods: int) -> tuple[Floats, str]:
    """Riskless return of each period that ends on `dates[1:]`, and what it is in words."""
    if annual is not None:
        return np.full(dates.size - 1, (1.0 + annual) ** (1.0 / periods) - 1.0), f"{annual:.2%} a year, as requested"
    rates = cash_rates()
    try:
        accrued = accrual(dates, rates.months, rates.rates, after=CASH_AFTER)[1:]
    except DataError as error:
        allowed = "a rate a year, for days before the bundled Treasury bill begins"
        raise InvalidInput("cash_rate", None, reason=str(error), allowed=allowed) from error
    words = "the one-month Treasury bill"
    if dates[-1].astype("datetime64[M]") > rates.months[-1]:
        words += f", after {rates.months[-1]} an assumed {CASH_AFTER:.1%} a year"
    return accrued, words


def frequency_of(dates: Sequence[np.datetime64] | Dates, periods: int | None) -> tuple[int, str]:
    """Periods a year and their name, by the spacing of the dates unless `periods` is given."""
    names = {count: name for _, _, count, name in _FREQUENCIES} | {365: "daily"}
    if periods is not None:
        return periods, names.get(periods, f"{periods} a year")
    days = np.asarray(dates, dtype="datetime64[D]").astype(np.int64)
    gap = float(np.median(np.diff(days)))
    for least, most, count, name in _FREQUENCIES:
        if least <= gap <= most:
            weekends = np.isin((days + 3) % 7, (5, 6)).mean()  # day 0 was a Thursday
            return (365 if count == DAYS and weekends > _WEEKEND_SHARE else count), name
    raise InvalidInput(
        "periods",
        None,
        reason=f"the dates are {gap:g} days apart, which is no usual frequency",
        allowed="the number of periods a year, such as 252, 52 or 12",
    )
