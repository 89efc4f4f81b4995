"""Events of market data, by long polling."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.http.dependencies import STREAM_SLOT, AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from desk.market.datasets.events import LOG, MarketEvent, read_events
from desk.market.datasets.markers import all_markers

router = APIRouter(tags=["market-data"])

MAX_WAIT = 20.0


class MarketEvents(BaseModel):
    events: list[MarketEvent]
    """Events after the requested number, in order."""
    last: int = Field(description="`after` of the next call")


@router.get(
    "/market-data/events",
    summary="Events of your market data (long poll)",
    dependencies=[STREAM_SLOT],
    responses=error_responses(),
)
async def list_market_events(
    service: AppStateDep,
    principal: PrincipalDep,
    after: Annotated[int, Query(ge=0, le=10**15, description="The number of the last event that you have")] = 0,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="Seconds to wait for an event")
    ] = 0.0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of events")] = 1000,
) -> MarketEvents:
    """Imports with the regime at the end of the data, stale runs, markers that were set, lifted or expired."""
    dependencies = service.dependencies
    await all_markers(dependencies.store, principal.owner, dependencies.now())  # records the events of expired markers
    if wait:
        await dependencies.store.events.wait(principal.owner, LOG, after, timeout=wait)
    page = await read_events(dependencies.store, principal.owner, after=after, limit=limit)
    return MarketEvents(events=page, last=page[-1].number if page else after)
