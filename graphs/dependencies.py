"""What runs and conversations are executed with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agents.late import AgentModels
from graphs.checkpoint_table import DynamoTable
from store.queue import Queue
from store.store import Store
from tools.approval import USUAL, Subject, Thresholds
from tools.budget import UNLIMITED, Budgets
from tools.context import utc_now
from tools.datasets import OwnedPrices
from tools.jobs import JobRunner
from tools.prices import PriceSource
from tools.trace import TraceEvent

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackHandler

    from graphs.connections import Sockets


@dataclass(frozen=True, kw_only=True)
class Desk:
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
    thresholds: Thresholds | None = USUAL
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
    sockets: "Sockets | None" = None
    """Those that a gateway holds open; None where there is none."""

    def prices_of(self, owner: str) -> OwnedPrices:
        """What every owner has, and the owner's own data sets."""
        return OwnedPrices(self.store, owner, self.prices, self.now)
