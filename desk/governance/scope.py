"""The scope of an agent's tools and calls: owner (of the principal), run, store and budgets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from desk.base.clock import utc_now
from desk.governance.budgets import UNLIMITED, Budgets
from desk.governance.principals import Principal
from store.store import Store


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Principal, run, store and budgets that every agent's tools and calls need."""

    principal: Principal
    run: str
    store: Store
    quotable_texts: tuple[str, ...] | None = None
    """Texts of the user that the agent may quote; None where quoting is not checked."""
    budgets: Budgets = UNLIMITED
    now: Callable[[], datetime] = utc_now

    @property
    def owner(self) -> str:
        return self.principal.owner
