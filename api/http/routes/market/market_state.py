"""Market regimes, yield curves and volatility surfaces."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from desk.market.datasets.schemas import DatasetName
from desk.market.volatility_surfaces import VolatilitySurfaces, load_volatility_surfaces
from desk.market.yield_curves import YieldCurves, load_yield_curves
from desk.portfolios.market_regime_schemas import MarketAnalysis

router = APIRouter(tags=["market-data"])


@router.get(
    "/market-data/regimes",
    summary="The market regimes of assets before the holdout",
    responses=error_responses(404),
)
async def get_regimes(
    service: AppStateDep,
    principal: PrincipalDep,
    symbols: Annotated[
        str,
        Query(min_length=1, max_length=500, description="Assets, separated by commas", examples=["sp500", "AAPL,JNJ"]),
    ] = "sp500",
) -> MarketAnalysis:
    """Volatility band, trend, drawdown and phase of each asset at the end of the validation days."""
    from desk.portfolios.market_regimes import analyse_market  # imports numpy

    names = [name.strip() for name in symbols.split(",") if name.strip()]
    return await analyse_market(service.dependencies.prices_of(principal.owner), names)


@router.get(
    "/market-data/yield-curve",
    summary="The yield curves of a data set",
    responses=error_responses(404),
)
async def get_yield_curves(
    service: AppStateDep,
    principal: PrincipalDep,
    dataset: Annotated[DatasetName, Query(description="A data set of the kind curve", examples=["treasury"])],
    first_day: Annotated[date | None, Query(description="First day", examples=["2024-01-02"])] = None,
    last_day: Annotated[date | None, Query(description="Last day", examples=["2024-12-31"])] = None,
) -> YieldCurves:
    """By day and tenor, in the unit of the file; at most the last 10,000 days."""
    return await load_yield_curves(service.dependencies.store, principal.owner, dataset, first=first_day, last=last_day)


@router.get(
    "/market-data/vol-surface",
    summary="The volatility surfaces of a data set",
    responses=error_responses(404),
)
async def get_volatility_surfaces(
    service: AppStateDep,
    principal: PrincipalDep,
    dataset: Annotated[
        DatasetName,
        Query(description="A data set of the kind index with columns such as 1M_90", examples=["spx_surface"]),
    ],
    first_day: Annotated[date | None, Query(description="First day", examples=["2024-01-02"])] = None,
    last_day: Annotated[date | None, Query(description="Last day", examples=["2024-12-31"])] = None,
) -> VolatilitySurfaces:
    """Implied volatilities by day, tenor and strike; a column is named by its tenor and its strike in percent of spot.

    At most the last 500,000 values.
    """
    store = service.dependencies.store
    return await load_volatility_surfaces(store, principal.owner, dataset, first=first_day, last=last_day)
