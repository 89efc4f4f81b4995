"""Prices and returns."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.etags import IfNoneMatch, etag_response, not_modified
from api.http.response_headers import DIGEST_HEADER
from api.http.routes import datasets
from desk.base.frames import series_frame

if TYPE_CHECKING:
    import pandas as pd

router = APIRouter(tags=["market-data"])
router.include_router(datasets.router)
router.include_router(datasets.marking)

Values: TypeAlias = list[float | None]


class PriceSeries(BaseModel):
    """Bars of one symbol; open, high, low and volume are null where the data have closes only."""

    dates: list[date] = Field(description="Sessions; the last one of a week or month")
    open: Values
    """Opening prices."""
    high: Values
    """Highest prices of the days."""
    low: Values
    """Lowest prices of the days."""
    close: Values
    """Closing prices."""
    volume: Values
    """Traded units."""
    partial: list[date] = Field(description="Incomplete weeks or months, at the first or last date only")
    dataset: str
    version: str | None = Field(description="Hash of the data set's version; null for the bundled prices")
    currency: str
    asOf: datetime | None = Field(description="Time of the version; null for the bundled prices")  # noqa: N815
    notes: list[str]

    def to_frame(self) -> "pd.DataFrame":
        """One row per session: open, high, low, close and volume."""
        columns = {name: getattr(self, name) for name in ("open", "high", "low", "close", "volume")}
        return series_frame(self.dates, columns)


class ReturnSeries(BaseModel):
    """Lists by symbol, each as long as `dates`."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Values] = Field(init=False)  # pyright: ignore[reportIncompatibleVariableOverride]

    dates: list[date] = Field(description="Sessions at whose close the returns are known")
    partial: list[date] = Field(description="Incomplete weeks or months, at the first or last date only")
    notes: list[str]

    def to_frame(self) -> "pd.DataFrame":
        """One row per session and one column per symbol."""
        return series_frame(self.dates, self.__pydantic_extra__)


Symbols: TypeAlias = Annotated[
    str,
    Query(min_length=1, max_length=7_000, description="1 to 100 symbols, separated by commas", examples=["AAPL,MSFT"]),
]
Start: TypeAlias = Annotated[date | None, Query(alias="startDate", description="Default: a year before endDate")]
End: TypeAlias = Annotated[
    date | None,
    Query(alias="endDate", description="Default: today; without both dates, the last year of data that end earlier"),
]
DatasetOf: TypeAlias = Annotated[
    str | None,
    Query(
        max_length=120,
        description="sp500, stocks, a data set of yours, or NAME@HASH for a version of it; "
        "by default your data sets are searched before the bundled ones",
        examples=["stocks"],
    ),
]
AsOf: TypeAlias = Annotated[
    datetime | None, Query(alias="asOf", description="Use the version that was the latest at this time")
]

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"headers": DIGEST_HEADER},
    **not_modified(),
    **error_responses(404),
}


@router.get(
    "/market-data/prices",
    summary="Prices of symbols by day, week or month",
    response_model=dict[str, PriceSeries],
    responses=_ANSWERS,
)
async def get_prices(
    service: AppStateDep,
    principal: PrincipalDep,
    symbols: Symbols,
    start: Start = None,
    end: End = None,
    interval: Annotated[
        Literal["1d", "1wk", "1mo"], Query(description="A week or month is named by its last session")
    ] = "1d",
    dataset: DatasetOf = None,
    as_of: AsOf = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """By symbol. A week has the first open, the highest high, the lowest low, the last close and the sum of volumes."""
    from desk.market import price_history

    query = price_history.PriceQuery(symbols=_symbols(symbols), start=start, end=end, dataset=dataset, as_of=as_of)
    source = service.dependencies.prices_of(principal.owner)
    return etag_response(
        await price_history.price_series(source, query, price_history.PERIODS[interval]), if_none_match
    )


@router.get(
    "/market-data/returns",
    summary="Returns of symbols, with the dates that align them",
    response_model=ReturnSeries,
    responses=_ANSWERS,
)
async def get_returns(
    service: AppStateDep,
    principal: PrincipalDep,
    symbols: Symbols,
    start: Start = None,
    end: End = None,
    return_type: Annotated[
        Literal["daily", "weekly", "monthly"], Query(alias="returnType", description="Period of the returns")
    ] = "daily",
    alignment: Annotated[
        Literal["inner", "outer"],
        Query(description="Days that all symbols have, or all days, with null for missing values"),
    ] = "inner",
    kind: Annotated[Literal["simple", "log"], Query(description="Definition of a return")] = "simple",
    dataset: DatasetOf = None,
    as_of: AsOf = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """From the last close of a period to the last close of the next, as fractions."""
    from desk.market import price_history

    query = price_history.PriceQuery(symbols=_symbols(symbols), start=start, end=end, dataset=dataset, as_of=as_of)
    source = service.dependencies.prices_of(principal.owner)
    series = await price_history.return_series(
        source, query, price_history.PERIODS[return_type], inner=alignment == "inner", logarithmic=kind == "log"
    )
    return etag_response(series, if_none_match)


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(symbol.strip() for symbol in text.split(","))
