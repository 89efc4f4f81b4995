"""What a tool may reach: handed in once per run, never imported, never part of a graph's state."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import Field

from quant.strategy import Frozen
from store.store import Store
from tools.budget import UNLIMITED, Budgets
from tools.jobs import JobRunner
from tools.optimization import OptimizationRequest
from tools.roles import PERMISSIONS, Permission, Role

if TYPE_CHECKING:
    from tools.market import Market


User: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""The name of one who signs in."""


class Principal(Frozen):
    """Who acts, with which roles; every key in the store starts with the owner."""

    owner: str
    roles: tuple[Role, ...] = ()
    scopes: tuple[Permission, ...] | None = None
    """What an API key may do of what the roles permit; None for all of it."""
    via: str = "local"
    """How it is known who acts: `local`, `key:` with the id of an API key, or `token:` with that of a pool's client."""

    def may(self, permission: Permission) -> bool:
        if self.scopes is not None and permission not in self.scopes:
            return False
        return any(permission in PERMISSIONS[role] for role in self.roles)


class RunMarket:
    """The prices of one run, loaded when first needed; a run that resumes loads them again."""

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


def utc_now() -> datetime:
    return datetime.now(UTC)


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


@dataclass(frozen=True, kw_only=True)
class Context(Scope):
    """Of a run of the optimization graph."""

    request: OptimizationRequest
    jobs: JobRunner
    market: RunMarket
    ledger: str
    """Address of what the owner had tried on the same prices before this run: see `tools.ledger`."""
