"""The ports and limits that runs and conversations are executed with."""

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
from desk.runs.events.table import TraceEvent
from desk.runs.lifetimes import DEFAULT_LIFETIMES, Lifetimes
from graphs.checkpoints.table import DynamoTable
from store.queue import Queue
from store.store import Store

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackHandler

    from graphs.streaming.websocket_connections import WebSocketConnections


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """Built once, in `api/app.py`."""

    store: Store
    prices: PriceSource
    """Prices available to every owner."""
    jobs: JobRunner
    models: AgentModels | None
    """None if runs are only read and reproduced."""
    checkpoints: Path | DynamoTable
    """File or table of the graph's checkpoints."""
    observe: Callable[[TraceEvent], None] | None = None
    """Called once with every event that an execution appends."""
    listeners: "tuple[AsyncCallbackHandler, ...]" = ()
    """Receive every prompt and every answer of the models."""
    thresholds: Thresholds | None = DEFAULT_THRESHOLDS
    """Limits above which a run needs approval; None approves every run."""
    second_person: frozenset[Subject] = frozenset()
    """Subjects that a second person must decide; empty without sign-in, since there is one person then."""
    now: Callable[[], datetime] = utc_now
    budgets: Budgets = UNLIMITED
    """Limits of model usage."""
    queue: Queue | None = None
    """The queue of submitted jobs; None executes runs in place."""
    jobs_per_user: int = 2
    """Jobs of one owner that may be executed at a time."""
    jobs_at_work: int = 0
    """Jobs of all owners that may be at work at a time, wherever they are computed; 0 is no limit."""
    lifetimes: Lifetimes = DEFAULT_LIFETIMES
    """Time after which waiting jobs expire."""
    flush_telemetry: Callable[[], None] | None = None
    """Sends the spans and metrics of telemetry that are still in memory; None without telemetry."""
    audit_key: str = ""
    """Secret key of the hashes in the audit log, whose chains workers anchor."""
    sockets: "WebSocketConnections | None" = None
    """WebSocket connections that a gateway holds open; None without a gateway."""

    def prices_of(self, owner: str) -> OwnedPrices:
        """The shared prices and the owner's own data sets."""
        return OwnedPrices(self.store, owner, self.prices, self.now)
