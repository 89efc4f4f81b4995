"""Market regimes and yield curves."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from desk.market.datasets.schemas import DatasetName
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
