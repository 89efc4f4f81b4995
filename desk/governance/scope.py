"""Who acts, in which run, on which store and within which budgets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from desk.base.clock import utc_now
from desk.governance.budgets import UNLIMITED, Budgets
from desk.governance.principals import Principal
from store.store import Store


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Who acts, in which run, on which store: what every agent's tools and calls need."""

    principal: Principal
    run: str
    store: Store
    said: tuple[str, ...] | None = None
    """What the person wrote, where an agent may quote it."""
    budgets: Budgets = UNLIMITED
    now: Callable[[], datetime] = utc_now

    @property
    def owner(self) -> str:
        return self.principal.owner
