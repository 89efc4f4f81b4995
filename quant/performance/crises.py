"""The historical stress episodes, in one list."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from quant.numeric.errors import DataError


@dataclass(frozen=True)
class HistoricalWindow:
    """A stress episode, from the close of `first` to the close of `last`.

    `sessions` counts those of the New York Stock Exchange after `first` through `last`.

    Raises
    ------
    DataError
        If a day is none (ISO format), `last` is not after `first`, or there is no session.
    """

    name: str
    first: str
    last: str
    sessions: int

    def __post_init__(self) -> None:
        days: list[date] = []
        for name in ("first", "last"):
            try:
                days.append(date.fromisoformat(getattr(self, name)))
            except (TypeError, ValueError):
                raise DataError(f"`{name}` must be a day such as 2008-09-12; got {getattr(self, name)!r}") from None
        if days[1] <= days[0]:
            raise DataError(f"`last` must be after `first` {self.first}; got {self.last}")
        if self.sessions < 1:
            raise DataError(f"`sessions` must be at least 1; got {self.sessions!r}")


def crisis_phrase(name: str) -> str:
    """The name of an episode inside a sentence: `the global financial crisis`, `the episode Lehman`."""
    return f"the {name[:1].lower()}{name[1:]}" if "crisis" in name.lower() else f"the episode {name}"


HISTORICAL_WINDOWS: Final = (
    HistoricalWindow("October 1987", "1987-10-14", "1987-10-19", 3),
    HistoricalWindow("Long-Term Capital Management", "1998-07-17", "1998-08-31", 31),
    HistoricalWindow("Dot-com", "2000-03-24", "2002-10-09", 637),
    HistoricalWindow("Global financial crisis", "2007-10-09", "2009-03-09", 355),
    HistoricalWindow("Lehman", "2008-09-12", "2008-11-20", 49),
    HistoricalWindow("Euro debt, summer 2011", "2011-07-22", "2011-10-03", 50),
    HistoricalWindow("Volmageddon", "2018-01-26", "2018-02-08", 9),
    HistoricalWindow("End of 2018", "2018-09-20", "2018-12-24", 65),
    HistoricalWindow("COVID-19", "2020-02-19", "2020-03-23", 23),
    HistoricalWindow("Inflation of 2022", "2022-01-03", "2022-10-12", 195),
    HistoricalWindow("August 2024", "2024-07-16", "2024-08-05", 14),
    HistoricalWindow("April 2025", "2025-02-19", "2025-04-08", 34),
)
