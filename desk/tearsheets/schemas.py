"""Request and response types of tear sheets. Light to import: no numpy."""

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from desk.base.frames import series_frame
from desk.figures.figures import Figure
from quant.numeric.frozen import Frozen
from quant.performance.statistics import Group, StatisticUnit

if TYPE_CHECKING:
    import pandas as pd

MOST_OBSERVATIONS = 50_000
MOST_HOLDINGS = 5_000
"""Days on which holdings may be set."""
MOST_ASSETS = 50
UNNAMED = "Holdings"
"""Title of a portfolio without a name."""

Subject: TypeAlias = Literal["asset", "portfolio", "holdings", "job", "series"]
TearsheetTable: TypeAlias = Literal["statistics", "series", "drawdowns", "months", "years", "crises"]
"""The tables of a tear sheet as a file."""
SUBJECTS: tuple[Subject, ...] = ("asset", "portfolio", "holdings", "job", "series")
AssetName: TypeAlias = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]
Dates: TypeAlias = Annotated[tuple[date, ...], Field(min_length=2, max_length=MOST_OBSERVATIONS)]
Values: TypeAlias = Annotated[tuple[float, ...], Field(max_length=MOST_OBSERVATIONS)]
Optionals: TypeAlias = tuple[float | None, ...]


class GivenSeries(Frozen):
    """A series of returns or of prices; the first price has no return."""

    name: AssetName = "series"
    dates: Dates = Field(description="Ascending days")
    returns: Values = Field(default=(), description="Simple returns as fractions: 0.01 is one percent")
    prices: Values = Field(default=(), description="Prices, index levels or net asset values, instead of returns")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if bool(self.returns) == bool(self.prices):
            raise ValueError("returns or prices are needed; expected exactly one of them")
        count = len(self.returns or self.prices)
        if count != len(self.dates):
            raise ValueError(f"{len(self.dates)} dates do not fit {count} values; expected one value per date")
        return self


class DatedHoldings(Frozen):
    """Weights that hold from the close of a day on, and drift with prices until the next entry."""

    date: date
    weights: Annotated[dict[AssetName, float], Field(min_length=1, max_length=MOST_ASSETS)] = Field(
        description="Fractions of wealth by asset, `cash` included; they sum to 1",
        examples=[{"AAPL": 0.6, "cash": 0.4}],
    )


class TearsheetRequest(Frozen):
    """The subject of a tear sheet, exactly one of asset, portfolio, holdings, job and series, and how to compute it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"asset": "AAPL", "benchmark": "sp500"},
                {"holdings": [{"date": "2005-01-03", "weights": {"AAPL": 0.6, "cash": 0.4}}]},
            ]
        }
    )

    asset: AssetName | None = Field(
        default=None, description="An asset of the bundled prices or of your data sets: sp500, AAPL, mydata:FUND"
    )
    portfolio: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None, description="The id of a stored portfolio: weights are restored every day, units are held"
    )
    holdings: Annotated[tuple[DatedHoldings, ...], Field(max_length=MOST_HOLDINGS)] = Field(
        default=(), description="Holdings over time, on ascending days"
    )
    job: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] | None = Field(
        default=None, description="The id of a completed job: its chosen strategy on the days before the holdout"
    )
    series: GivenSeries | None = None
    benchmark: AssetName | None = Field(
        default=None,
        description="An asset, or none. By default: of a job the constant weight of equal volatility (or `asset`), of "
        "everything else sp500 where it covers the days",
    )
    benchmark_series: GivenSeries | None = Field(default=None, description="A benchmark of your own, on the same days")
    cash_rate: Annotated[float | None, Field(gt=-1.0, le=1.0)] = Field(
        default=None, description="Riskless rate a year; by default the one-month Treasury bill of each day"
    )
    periods: Annotated[int | None, Field(ge=1, le=366)] = Field(
        default=None, description="Periods a year; by default by the spacing of the dates: 252, 52, 12, 4 or 1"
    )
    window: Annotated[int | None, Field(ge=2, le=MOST_OBSERVATIONS)] = Field(
        default=None, description="Periods of the rolling statistics; by default half a year, at least 6"
    )
    first_day: date | None = None
    last_day: date | None = None

    @property
    def subject(self) -> Subject:
        return next(name for name in SUBJECTS if getattr(self, name))

    @model_validator(mode="after")
    def _one_subject(self) -> Self:
        present = [name for name in SUBJECTS if getattr(self, name)]
        if len(present) != 1:
            raise ValueError(
                f"the subject is {' and '.join(present) or 'missing'}; expected exactly one of {', '.join(SUBJECTS)}"
            )
        if self.benchmark is not None and self.benchmark_series is not None:
            raise ValueError("benchmark and benchmark_series are both present; expected at most one of them")
        if self.first_day and self.last_day and self.first_day >= self.last_day:
            raise ValueError(f"first_day {self.first_day} is not before last_day; expected an earlier day")
        days = [entry.date for entry in self.holdings]
        if any(later <= earlier for earlier, later in pairwise(days)):
            raise ValueError("the days of holdings do not ascend; expected each day once, in order")
        return self


class StatisticRow(Frozen):
    """One statistic with its definition."""

    name: str
    label: str
    unit: StatisticUnit
    group: Group
    """Group of the table."""
    headline: bool
    """Whether it stands above the fold."""
    value: float | None = Field(description="Null where the series is too short, or would be divided by nothing")
    benchmark: float | None = Field(description="The same of the benchmark; null without one")
    definition: str


class FallRow(Frozen):
    """A drawdown: depth as a positive fraction, its dates, and its length in calendar days."""

    depth: float
    """Depth, a positive fraction."""
    peak: date | None = Field(description="Null where the first value of the series is the peak")
    trough: date
    """Day of the lowest wealth."""
    recovery: date | None = Field(description="Null while the peak is not regained")
    days: int = Field(description="Calendar days from the peak to the recovery, or to the last day")


class YearRow(Frozen):
    year: int
    value: float
    """Return, a fraction."""
    benchmark: float | None
    partial: bool = Field(description="Whether the series covers a part of the year only")


class MonthRow(Frozen):
    year: int
    month: int
    """Month, 1 to 12."""
    value: float
    """Return, a fraction."""


class CrisisRow(Frozen):
    """Returns in a past crisis that the series covers, from the close of the first day to that of the last."""

    name: str
    first: date
    last: date
    value: float
    """Return, a fraction."""
    benchmark: float | None


class Distribution(Frozen):
    """Histogram of the returns of a period: `counts[i]` lie in [edges[i], edges[i + 1])."""

    edges: tuple[float, ...]
    """Edges of the bins."""
    counts: tuple[int, ...]
    """Number of returns in each bin."""


class TearsheetSeries(Frozen):
    """Columns of equal length; returns are simple fractions, wealth begins with 1 before the first."""

    dates: tuple[date, ...]
    returns: tuple[float, ...]
    """Return of each period."""
    benchmark_returns: tuple[float, ...] | None
    """The same of the benchmark; null without one."""
    wealth: tuple[float, ...]
    """Wealth at the end of each period."""
    benchmark_wealth: tuple[float, ...] | None
    """The same of the benchmark; null without one."""
    drawdown: tuple[float, ...]
    """Fall from the highest wealth so far."""
    benchmark_drawdown: tuple[float, ...] | None
    """The same of the benchmark; null without one."""
    rolling_volatility: Optionals = Field(description="Annual; null before the first full window")
    rolling_sharpe: Optionals
    """Annual Sharpe ratio of the last year; null before a year has passed."""
    rolling_beta: Optionals | None
    """Beta of the last year; null without a benchmark."""

    def columns(self) -> dict[str, tuple[float | None, ...]]:
        """The columns that exist, by name, without the dates."""
        names = [name for name in type(self).model_fields if name != "dates"]
        return {name: values for name in names if (values := getattr(self, name)) is not None}

    def to_frame(self) -> "pd.DataFrame":
        """One row per period."""
        return series_frame(self.dates, self.columns())


class TearsheetDocument(Frozen):
    """A tear sheet: every statistic with unit and definition, the tables and the series behind its charts."""

    title: str
    subject: Subject
    """Kind of the subject."""
    source: str
    benchmark: str | None = Field(description="Name of the benchmark; null without one")
    cash: str = Field(description="The riskless rate that excess returns are above")
    first_day: date
    last_day: date
    periods: int
    frequency: str
    """Frequency of the returns."""
    window: int = Field(description="Periods of the rolling statistics")
    train_end: date | None = Field(description="Last day that a search was fitted on; null where there is none")
    statistics: tuple[StatisticRow, ...]
    """Statistics with their definitions."""
    falls: tuple[FallRow, ...] = Field(description="The five deepest drawdowns, the deepest first")
    years: tuple[YearRow, ...]
    """Returns by calendar year."""
    months: tuple[MonthRow, ...]
    """Returns by month."""
    crises: tuple[CrisisRow, ...]
    """Returns in past crises."""
    distribution: Distribution
    series: TearsheetSeries
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...] = Field(description="The main numbers, as a conversation cites them")

    def statistic(self, name: str) -> StatisticRow:
        return next(row for row in self.statistics if row.name == name)
