"""Context of a run: what its tools may access; passed once per run, never part of the graph's state."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desk.governance.scope import Scope
from desk.optimization.jobs import JobRunner
from desk.optimization.request import OptimizationRequest
from desk.optimization.stopping import SearchStop

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


class RunMarket:
    """Prices of one run, loaded at the first use; a resumed run loads them again."""

    def __init__(
        self,
        load: "Callable[[OptimizationRequest], Awaitable[Market]]",
        request: OptimizationRequest,
    ) -> None:
        self._load = load
        self._request = request
        self._lock = asyncio.Lock()
        self._market: Market | None = None

    async def get(self) -> "Market":
        async with self._lock:
            if self._market is None:
                self._market = await self._load(self._request)
            return self._market


@dataclass(frozen=True, kw_only=True)
class Context(Scope):
    """Context of a run of the optimization graph; `owner` owns every object that its tools read or write."""

    request: OptimizationRequest
    jobs: JobRunner
    market: RunMarket
    ledger: str
    """Address of the owner's earlier trials on the same prices; see `desk.optimization.repositories.ledger`."""
    stop: SearchStop | None = None
    """Where a budget ended the search of the run that this one reproduces."""
