"""Request types of the portfolio optimizers."""

from datetime import date
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from desk.base.camel_case import Camel
from desk.base.errors import UserError
from desk.portfolios.correlation_schemas import Correlations, RepairCorrelations
from desk.portfolios.schemas import MAX_ASSETS, Ticker, reject_duplicates

MAX_PERIODS = 20_000

Covariance: TypeAlias = Literal[
    "sample", "ledoit_wolf", "constant_correlation", "exponential", "nonlinear_shrinkage", "denoised"
]


class Unsolvable(UserError):
    """The history or the constraints have no solution; the message names the binding ones."""

    code = "optimization_error"


def _check_size(value: Any) -> Any:
    """Check the size before validating every number."""
    if not isinstance(value, dict):
        return cast("object", value)
    series = cast("dict[Any, Any]", value)
    if not 2 <= len(series) <= MAX_ASSETS:
        raise ValueError(f"{len(series)} assets; expected 2 to {MAX_ASSETS}")
    for name, periods in series.items():
        if isinstance(periods, list) and not 2 <= len(cast("list[Any]", periods)) <= MAX_PERIODS:
            count = len(cast("list[Any]", periods))
            raise ValueError(f"{str(name)[:40]} has {count} periods; expected 2 to {MAX_PERIODS}")
    return reject_duplicates(series)


def _check_lengths(returns: dict[str, list[float]]) -> dict[str, list[float]]:
    first, *others = returns
    for name in others:
        if len(returns[name]) != len(returns[first]):
            counts = f"{first} has {len(returns[first])} periods and {name} has {len(returns[name])}"
            raise ValueError(f"{counts}; expected returns of the same periods for every asset")
    return returns


def _check_increasing(dates: list[date]) -> list[date]:
    later = next((d for before, d in pairwise(dates) if d <= before), None)
    if later is not None:
        raise ValueError(f"{later} does not come after the date before it; expected dates that increase")
    return dates


Return: TypeAlias = Annotated[float, Field(strict=True, gt=-1.0, le=100.0)]
Series: TypeAlias = Annotated[list[Return], Field(min_length=2, max_length=MAX_PERIODS, fail_fast=True)]
Fraction: TypeAlias = Annotated[float, Field(strict=True, ge=0.0, le=1.0)]
Level: TypeAlias = Annotated[float, Field(strict=True, ge=-10.0, le=10.0)]
ByAsset: TypeAlias = Annotated[dict[Ticker, Level], Field(max_length=MAX_ASSETS), BeforeValidator(reject_duplicates)]
Symbols: TypeAlias = Annotated[
    list[Ticker], Field(min_length=2, max_length=MAX_ASSETS), BeforeValidator(reject_duplicates)
]
SeriesByAsset: TypeAlias = Annotated[
    dict[Ticker, Series],
    Field(min_length=2, max_length=MAX_ASSETS),
    BeforeValidator(_check_size),
    AfterValidator(_check_lengths),
]
Dates: TypeAlias = Annotated[
    list[date], Field(min_length=2, max_length=MAX_PERIODS, fail_fast=True), AfterValidator(_check_increasing)
]


class Group(Camel):
    """Bounds of the sum of some weights."""

    name: Annotated[str, Field(min_length=1, max_length=60, examples=["tech"])]
    members: Annotated[list[Ticker], Field(min_length=1, max_length=MAX_ASSETS), BeforeValidator(reject_duplicates)]
    """Assets of the group."""
    lower: Level | None = None
    upper: Level | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise ValueError(f"lower {self.lower:g} is above upper {self.upper:g}; expected lower up to upper")
        return self


class Constraints(Camel):
    """Constraints of the weights besides the sum 1. The frontier and maximum diversification satisfy all; minimum CVaR
    satisfies the bounds. Risk parity, HRP, and minimum CVaR for groups and turnover, are rejected if they violate one.
    """

    lower: Annotated[Level | ByAsset, Field(description="Of every weight, or by asset")] = 0.0
    upper: Annotated[Level | ByAsset, Field(description="Of every weight, or by asset")] = 1.0
    groups: Annotated[list[Group], Field(max_length=50)] = Field(default_factory=list[Group])
    """Bounds of sums of weights."""
    turnover: Annotated[
        float | None,
        Field(strict=True, ge=0.0, le=10.0, description="The most that is traded one way: half the sum of changes"),
    ] = None
    current_weights: Annotated[
        ByAsset | None, Field(description="Held now, for the turnover; by default those of the portfolio")
    ] = None


class Bootstrap(Camel):
    """Bootstrap intervals of the weights over histories resampled in blocks."""

    draws: Annotated[int, Field(strict=True, ge=20, le=2000)] = 200
    """Number of resampled histories."""
    level: Annotated[float, Field(strict=True, ge=0.5, le=0.99)] = 0.9
    seed: Annotated[int, Field(strict=True, ge=0, le=2**53)] = 1
    mean_block: Annotated[float | None, Field(strict=True, ge=1.0, le=1000.0)] = None
    """Mean length of a block, in periods; chosen from the data by default."""


class OptimizerRequest(Camel):
    """Assets and their history: `returns`, or `symbols` or a portfolio with prices on the server."""

    portfolio_id: Annotated[str | None, Field(pattern="^[A-Za-z0-9_-]{1,64}$")] = None
    returns: Annotated[
        SeriesByAsset | None, Field(description="Simple returns by asset, as fractions, the same periods for each")
    ] = None
    dates: Annotated[Dates | None, Field(description="Dates of the periods of `returns`, if known")] = None
    symbols: Annotated[Symbols | None, Field(description="Assets with prices on the server, instead of `returns`")] = (
        None
    )
    dataset: Annotated[
        str | None,
        Field(max_length=120, description="Data set of the prices, `name` or `name@version`; by default any data set"),
    ] = None
    start_date: Annotated[date | None, Field(description="First close to use, with the server's prices")] = None
    end_date: Annotated[date | None, Field(description="Last close to use, with the server's prices")] = None
    covariance: Covariance = "sample"
    """Estimator of the covariance."""
    halflife: Annotated[float, Field(strict=True, ge=1.0, le=10_000.0, description="Periods, for `exponential`")] = 63.0
    correlations: Correlations | None = None
    """Correlations by pair that replace those of the history."""
    repair_correlations: RepairCorrelations = False
    annualization: Annotated[
        float, Field(strict=True, ge=1.0, le=100_000.0, description="Periods of a year; 1 leaves figures per period")
    ] = 252.0
    constraints: Constraints = Constraints()
    bootstrap: Annotated[Bootstrap | None, Field(description="Request intervals of the weights")] = None

    @model_validator(mode="after")
    def _check_history(self) -> Self:
        if self.returns is None and self.symbols is None and self.portfolio_id is None:
            raise ValueError("the assets are missing; expected returns, symbols, or portfolioId")
        if self.returns is not None:
            sources = [
                name for name in ("symbols", "dataset", "start_date", "end_date") if getattr(self, name) is not None
            ]
            if sources:
                name = OptimizerRequest.model_fields[sources[0]].alias
                raise ValueError(
                    f"{name} cannot be combined with returns; expected either returns or the server's prices"
                )
        periods = None if self.returns is None else len(next(iter(self.returns.values())))
        if self.dates is not None and len(self.dates) != periods:
            counts = f"there are {len(self.dates)} dates" + (
                f" for {periods} periods" if periods else " and no returns"
            )
            raise ValueError(f"{counts}; expected one date for each period of returns")
        if self.start_date is not None and self.end_date is not None and self.end_date <= self.start_date:
            raise ValueError(f"endDate {self.end_date} is not after startDate; expected a later day")
        return self

    @model_validator(mode="after")
    def _check_correlations(self) -> Self:
        if self.correlations is not None and self.bootstrap is not None:
            raise ValueError(
                "bootstrap cannot be combined with correlations; expected intervals of the history's own correlations"
            )
        return self

    @property
    def parameters(self) -> dict[str, JsonValue]:
        """The chosen parameters without the history."""
        unsaid = {"portfolio_id", "returns", "dates", "symbols", "dataset", "start_date", "end_date"}
        unsaid |= set() if self.covariance == "exponential" else {"halflife"}
        unsaid |= {"repair_correlations"} if self.correlations is None else set()
        return self.model_dump(mode="json", by_alias=True, exclude=unsaid, exclude_none=True)


_RETURNS: dict[str, JsonValue] = {"AAPL": [0.01, 0.02, -0.01, 0.03, -0.02], "MSFT": [0.02, 0.01, -0.02, 0.02, -0.01]}
_WINDOW: dict[str, JsonValue] = {"symbols": ["AAPL", "JNJ", "XOM"], "startDate": "2015-01-02", "endDate": "2019-12-31"}


class RiskParityRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS}, _WINDOW]})

    risk_budgets: Annotated[
        dict[Ticker, Fraction] | None,
        BeforeValidator(reject_duplicates),
        Field(description="Shares of risk by asset, with the sum 1; equal by default"),
    ] = None


class MinimumCvarRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS, "level": 0.8}, _WINDOW]})

    level: Annotated[
        float,
        Field(
            strict=True,
            ge=0.5,
            le=0.9999,
            description="Confidence: 0.95 minimizes the mean loss of the worst 5% of the periods",
        ),
    ] = 0.95

    @model_validator(mode="after")
    def _check_effect(self) -> Self:
        if self.correlations is not None:
            raise ValueError(
                "correlations have no effect on the conditional value at risk of given periods; expected none"
            )
        return self


class MaximumDiversificationRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS}, _WINDOW]})


class HrpRequest(OptimizerRequest):
    model_config = ConfigDict(json_schema_extra={"examples": [{"returns": _RETURNS}, _WINDOW | {"variant": "skfolio"}]})

    variant: Annotated[
        Literal["lopez_de_prado_2016", "pyportfolioopt", "skfolio"],
        Field(description="The paper's choices, or those of the package; sets the next three"),
    ] = "lopez_de_prado_2016"
    linkage: Literal["single", "ward", "average", "complete"] | None = None
    """How distances of clusters are measured; `single` is that of the paper."""
    metric: Annotated[
        Literal["euclidean", "correlation"] | None,
        Field(description="Distance between columns of the correlation distance, as in the paper, or that distance"),
    ] = None
    leaf_order: Literal["tree", "optimal"] | None = None
    """Order of the assets in the tree."""


class FrontierRequest(OptimizerRequest):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"returns": _RETURNS, "numPortfolios": 20}, _WINDOW | {"riskFreeRate": 0.02}]}
    )

    num_portfolios: Annotated[int, Field(strict=True, ge=2, le=200)] = 20
    """Number of portfolios on the frontier."""
    risk_free_rate: Annotated[
        float, Field(strict=True, ge=-1.0, le=10.0, description="A year's, as `annualization`")
    ] = 0.0
