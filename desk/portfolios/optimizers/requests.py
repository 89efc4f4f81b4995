"""What the portfolio optimizers are asked."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from desk.base.camel_case import Camel
from desk.base.errors import UserError
from desk.portfolios.schemas import MOST_ASSETS, Ticker, each_once

MOST_PERIODS = 20_000

Covariance: TypeAlias = Literal[
    "sample", "ledoit_wolf", "constant_correlation", "exponential", "nonlinear_shrinkage", "denoised"
]


class Unsolvable(UserError):
    """The history or the constraints leave no answer; the message says why, and what binds."""

    code = "optimization_error"


def _sized(value: Any) -> Any:
    """Before a million numbers are looked at."""
    if not isinstance(value, dict):
        return cast("object", value)
    series = cast("dict[Any, Any]", value)
    if not 2 <= len(series) <= MOST_ASSETS:
        raise ValueError(f"{len(series)} assets; expected 2 to {MOST_ASSETS}")
    for name, periods in series.items():
        if isinstance(periods, list) and not 2 <= len(cast("list[Any]", periods)) <= MOST_PERIODS:
            count = len(cast("list[Any]", periods))
            raise ValueError(f"{str(name)[:40]} has {count} periods; expected 2 to {MOST_PERIODS}")
    return each_once(series)


def _of_one_length(returns: dict[str, list[float]]) -> dict[str, list[float]]:
    first, *others = returns
    for name in others:
        if len(returns[name]) != len(returns[first]):
            counts = f"{first} has {len(returns[first])} periods and {name} has {len(returns[name])}"
            raise ValueError(f"{counts}; expected returns of the same periods for every asset")
    return returns


def _rising(dates: list[date]) -> list[date]:
    later = next((d for before, d in pairwise(dates) if d <= before), None)
    if later is not None:
        raise ValueError(f"{later} does not come after the date before it; expected dates that increase")
    return dates


Return: TypeAlias = Annotated[float, Field(strict=True, gt=-1.0, le=100.0)]
Series: TypeAlias = Annotated[list[Return], Field(min_length=2, max_length=MOST_PERIODS, fail_fast=True)]
Fraction: TypeAlias = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Level: TypeAlias = Annotated[float, Field(strict=True, ge=-10.0, le=10.0)]
ByAsset: TypeAlias = Annotated[dict[Ticker, Level], Field(max_length=MOST_ASSETS), BeforeValidator(each_once)]
Symbols: TypeAlias = Annotated[list[Ticker], Field(min_length=2, max_length=MOST_ASSETS), BeforeValidator(each_once)]
SeriesByAsset: TypeAlias = Annotated[
    dict[Ticker, Series],
    Field(min_length=2, max_length=MOST_ASSETS),
    BeforeValidator(_sized),
    AfterValidator(_of_one_length),
]
Dates: TypeAlias = Annotated[
    list[date], Field(min_length=2, max_length=MOST_PERIODS, fail_fast=True), AfterValidator(_rising)
]


class Group(Camel):
    """Limits of the sum of some weights."""

    name: Annotated[str, Field(min_length=1, max_length=60, examples=["tech"])]
    members: Annotated[list[Ticker], Field(min_length=1, max_length=MOST_ASSETS), BeforeValidator(each_once)]
    lower: Level | None = None
    upper: Level | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"lower {self.lower:g} is above upper {self.upper:g}; expected lower up to upper")
        return self


class Constraints(Camel):
    """What the weights must satisfy, besides a sum of 1. Risk parity and HRP have one answer each: it is refused where
    it breaks a constraint."""

    lower: Annotated[Level | ByAsset, Field(description="Of every weight, or by asset")] = 0.0
    upper: Annotated[Level | ByAsset, Field(description="Of every weight, or by asset")] = 1.0
    groups: Annotated[list[Group], Field(max_length=50)] = Field(default_factory=list[Group])
    turnover: Annotated[
        float | None,
        Field(strict=True, ge=0.0, le=10.0, description="The most that is traded one way: half the sum of changes"),
    ] = None
    current_weights: Annotated[
        ByAsset | None, Field(description="Held now, for the turnover; by default those of the portfolio")
    ] = None


class Bootstrap(Camel):
    """Intervals of the weights over histories resampled in blocks."""

    draws: Annotated[int, Field(strict=True, ge=20, le=2000)] = 200
    level: Annotated[float, Field(strict=True, ge=0.5, le=0.99)] = 0.9
    seed: Annotated[int, Field(strict=True, ge=0, le=2**53)] = 1
    mean_block: Annotated[float | None, Field(strict=True, ge=1.0, le=1000.0)] = None


class OptimizerRequest(Camel):
    """Assets and their history: `returns` themselves, or `symbols` or a portfolio whose prices are at hand."""

    portfolio_id: Annotated[str | None, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] = None
    returns: Annotated[
        SeriesByAsset | None, Field(description="Simple returns by asset, as fractions, the same periods for each")
    ] = None
    dates: Annotated[Dates | None, Field(description="Of the periods of `returns`, where they are known")] = None
    symbols: Annotated[Symbols | None, Field(description="Assets with prices at hand, instead of `returns`")] = None
    dataset: Annotated[
        str | None,
        Field(
            max_length=120, description="Where the prices are, `name` or `name@version`; by default wherever they are"
        ),
    ] = None
    start_date: Annotated[date | None, Field(description="The first close to use, with prices at hand")] = None
    end_date: Annotated[date | None, Field(description="The last close to use, with prices at hand")] = None
    covariance: Covariance = "sample"
    halflife: Annotated[float, Field(strict=True, ge=1.0, le=10_000.0, description="Periods, for `exponential`")] = 63.0
    annualization: Annotated[
        float, Field(strict=True, ge=1.0, le=100_000.0, description="Periods of a year; 1 leaves figures per period")
    ] = 252.0
    constraints: Constraints = Constraints()
    bootstrap: Annotated[Bootstrap | None, Field(description="Asks for intervals of the weights")] = None

    @model_validator(mode="after")
    def _one_history(self) -> Self:
        if self.returns is None and self.symbols is None and self.portfolio_id is None:
            raise ValueError("no assets are named; expected returns, symbols, or portfolioId")
        if self.returns is not None:
            sources = [
                name for name in ("symbols", "dataset", "start_date", "end_date") if getattr(self, name) is not None
            ]
            if sources:
                name = OptimizerRequest.model_fields[sources[0]].alias
                raise ValueError(f"{name} is given beside returns; expected either returns, or prices at hand")
        periods = None if self.returns is None else len(next(iter(self.returns.values())))
        if self.dates is not None and len(self.dates) != periods:
            counts = f"there are {len(self.dates)} dates" + (
                f" for {periods} periods" if periods else " and no returns"
            )
            raise ValueError(f"{counts}; expected one date for each period of returns")
        if self.start_date is not None and self.end_date is not None and self.end_date <= self.start_date:
            raise ValueError(f"endDate {self.end_date} is not after startDate; expected a later day")
        return self

    @property
    def parameters(self) -> dict[str, JsonValue]:
        """What was chosen, the history aside."""
        unsaid = {"portfolio_id", "returns", "dates", "symbols", "dataset", "start_date", "end_date"}
        unsaid |= set() if self.covariance == "exponential" else {"halflife"}
        return self.model_dump(mode="json", by_alias=True, exclude=unsaid, exclude_none=True)


_RETURNS: dict[str, JsonValue] = {"AAPL": [0.01, 0.02, -0.01, 0.03, -0.02], "MSFT": [0.02, 0.01, -0.02, 0.02, -0.01]}
_WINDOW: dict[str, JsonValue] = {"symbols": ["AAPL", "JNJ", "XOM"], "startDate": "2015-01-02", "endDate": "2019-12-31"}


class RiskParityRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS}, _WINDOW]})

    risk_budgets: Annotated[
        dict[Ticker, Fraction] | None,
        BeforeValidator(each_once),
        Field(description="Shares of risk by asset, with the sum 1; equal by default"),
    ] = None


class HrpRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS}, _WINDOW | {"variant": "skfolio"}]})

    variant: Annotated[
        Literal["lopez_de_prado_2016", "pyportfolioopt", "skfolio"],
        Field(description="The paper's choices, or those of the package; sets the next three"),
    ] = "lopez_de_prado_2016"
    linkage: Literal["single", "ward", "average", "complete"] | None = None
    metric: Annotated[
        Literal["euclidean", "correlation"] | None,
        Field(description="Distance between columns of the correlation distance, as in the paper, or that distance"),
    ] = None
    leaf_order: Literal["tree", "optimal"] | None = None


class FrontierRequest(OptimizerRequest):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"returns": _RETURNS, "numPortfolios": 20}, _WINDOW | {"riskFreeRate": 0.02}]}
    )

    num_portfolios: Annotated[int, Field(strict=True, ge=2, le=200)] = 20
    risk_free_rate: Annotated[
        float, Field(strict=True, ge=-1.0, le=10.0, description="A year's, as `annualization`")
    ] = 0.0
