"""What runs and conversations are executed with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agents.models.lazy import AgentModels
from desk.base.clock import utc_now
from desk.governance.approvals import DEFAULT_THRESHOLDS, Subject, Thresholds
from desk.governance.budgets import UNLIMITED, Budgets
from desk.market.datasets.repository import OwnedPrices
from desk.market.prices import PriceSource
from desk.optimization.jobs import JobRunner
from desk.runs.events import TraceEvent
from graphs.checkpoints.table import DynamoTable
from store.queue import Queue
from store.store import Store

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackHandler

    from graphs.streaming.websocket_connections import WebSocketConnections


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """Composed once, in `api/app.py`."""

    store: Store
    prices: PriceSource
    """What every owner has."""
    jobs: JobRunner
    models: AgentModels | None
    """None for a desk that only reads and reproduces."""
    checkpoints: Path | DynamoTable
    """File or table of the graph's checkpoints."""
    observe: Callable[[TraceEvent], None] | None = None
    """Told of every event that an execution appends, once."""
    listeners: "tuple[AsyncCallbackHandler, ...]" = ()
    """Hear every prompt and every answer of the models."""
    thresholds: Thresholds | None = DEFAULT_THRESHOLDS
    """What a run may take before a person is asked; None asks nobody."""
    second_person: frozenset[Subject] = frozenset()
    """What whoever asks for it may not decide: empty where nobody signs in, since there is one person then."""
    now: Callable[[], datetime] = utc_now
    budgets: Budgets = UNLIMITED
    """Limits on what models may take."""
    queue: Queue | None = None
    """Where submitted jobs wait for a worker; None executes runs in place."""
    jobs_per_user: int = 2
    """Jobs of one owner that have a place at a time."""
    sockets: "WebSocketConnections | None" = None
    """Those that a gateway holds open; None where there is none."""

    def prices_of(self, owner: str) -> OwnedPrices:
        """What every owner has, and the owner's own data sets."""
        return OwnedPrices(self.store, owner, self.prices, self.now)
