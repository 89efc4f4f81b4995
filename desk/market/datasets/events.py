"""Event log of an owner's market data."""

from datetime import datetime
from typing import Literal, TypeAlias

from pydantic import Field

from desk.market.datasets.schemas import AssetRegime
from quant.numeric.frozen import Frozen
from store.store import Store

LOG = "market-data"

EventName: TypeAlias = Literal[
    "imported", "runs_stale", "marker_set", "marker_cleared", "marker_removed", "marker_expired"
]


class MarketEvent(Frozen):
    number: int = Field(default=0, description="1, 2, 3, ... without gaps")
    event: EventName
    at: datetime
    text: str
    dataset: str | None = None
    version: str | None = None
    """Hash of the version."""
    marker: str | None = None
    """Id of the marker."""
    runs: int = Field(default=0, description="Runs that became stale")
    regimes: tuple[AssetRegime, ...] = ()
    """Regime of each asset after its last day."""


async def publish(store: Store, owner: str, event_id: str, event: MarketEvent) -> None:
    """Append an event; repeating an id has no effect."""
    await store.events.append(owner, LOG, event_id, event.model_dump(mode="json", exclude={"number"}))


async def read_events(store: Store, owner: str, *, after: int, limit: int) -> list[MarketEvent]:
    stored_events = await store.events.read(owner, LOG, after, limit)
    return [MarketEvent.model_validate(event.payload | {"number": event.number}) for event in stored_events]
