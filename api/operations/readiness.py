"""Whether the service can do its work now: each thing that it needs is looked at for two seconds at most."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog
from pydantic import BaseModel, Field

from desk.base.errors import UserError
from desk.optimization.request import OptimizationRequest
from store.errors import StoreError
from store.keys import SYSTEM
from store.sqlite.migrations import check_schema

if TYPE_CHECKING:
    from pathlib import Path

    from agents.models.lazy import AgentModels
    from desk.market.datasets.schemas import Freshness
    from desk.market.prices import PriceSource
    from graphs.dependencies import Dependencies

Status: TypeAlias = Literal["ok", "warned", "failed"]

LONGEST_SECONDS = 2.0
FOR_SECONDS = 2.0
"""For which an answer holds, however many ask."""
MODELS_SECONDS = 30.0
UNIVERSE: str = OptimizationRequest.model_fields["universe"].default


class Check(BaseModel):
    name: str = Field(examples=["store"])
    status: Status
    since: datetime | None = Field(default=None, description="Since when this process has seen it so; null for ok")


class Readiness(BaseModel):
    status: Literal["ready", "degraded", "failed"] = Field(
        description="failed: nothing can be stored or executed; degraded: something is missing or old"
    )
    checks: list[Check]


@dataclass(frozen=True)
class Looked:
    status: Status
    reason: str = ""
    """For the log and the doctor; it is told to nobody else."""


Look: TypeAlias = Callable[[], Awaitable[Looked]]


class Watch:
    """One look at a thing, which all who ask meanwhile share; one that takes too long goes on beside."""

    def __init__(self, name: str, look: Look, *, holds: float, worst: Status, longest: float = LONGEST_SECONDS) -> None:
        self.name = name
        self._look = look
        self._holds = holds
        self._longest = longest
        self._worst: Status = worst
        self._task: asyncio.Task[Looked] | None = None
        self._until = 0.0
        self._told = Check(name=name, status="ok")

    async def check(self, now: datetime) -> Check:
        looked = await self._looked()
        if looked.status != self._told.status:
            self._log(looked)
            since = None if looked.status == "ok" else now
            self._told = Check(name=self.name, status=looked.status, since=since)
        return self._told

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _looked(self) -> Looked:
        if self._task is None or (self._task.done() and time.monotonic() >= self._until):
            self._task = asyncio.create_task(self._look_once())
        try:
            async with asyncio.timeout(self._longest):
                return await asyncio.shield(self._task)
        except TimeoutError:
            return Looked(self._worst, f"no answer within {self._longest:g} seconds")

    async def _look_once(self) -> Looked:
        try:
            return await self._look()
        except (StoreError, OSError, sqlite3.Error, UserError) as error:
            return Looked(self._worst, f"{type(error).__name__}: {error}")
        finally:
            self._until = time.monotonic() + self._holds

    def _log(self, looked: Looked) -> None:
        logger: Any = structlog.get_logger()
        tell = logger.info if looked.status == "ok" else logger.warning
        tell("readiness", check=self.name, status=looked.status, reason=looked.reason)


class Watches:
    """Everything that the service needs."""

    def __init__(self, dependencies: "Dependencies", database: "Path | None" = None) -> None:
        self._dependencies = dependencies
        queue, models = dependencies.queue, dependencies.models
        looks: list[tuple[str, Look, float, Status]] = [
            ("store", lambda: look_at_store(dependencies, database), FOR_SECONDS, "failed")
        ]
        if queue is not None:
            looks.append(("queue", lambda: look_at_queue(dependencies), FOR_SECONDS, "failed"))
            looks.append(("workers", lambda: look_for_workers(dependencies), FOR_SECONDS, "warned"))
        if models is not None:
            looks.append(("models", lambda: look_at_models(models), MODELS_SECONDS, "failed"))
        looks.append(("data", lambda: look_at_data(dependencies), MODELS_SECONDS, "warned"))
        self._watches = [Watch(name, look, holds=holds, worst=worst) for name, look, holds, worst in looks]

    async def readiness(self) -> Readiness:
        now = self._dependencies.now()
        checks = await asyncio.gather(*(watch.check(now) for watch in self._watches))
        needed = [check.status for check in checks if check.name in ("store", "queue")]
        if "failed" in needed:
            status = "failed"
        else:
            status = "ready" if all(check.status == "ok" for check in checks) else "degraded"
        return Readiness(status=status, checks=list(checks))

    async def aclose(self) -> None:
        for watch in self._watches:
            watch.stop()


async def look_at_store(dependencies: "Dependencies", database: "Path | None") -> Looked:
    """`database` is the file of the embedded store, which a newer program may have gone on with."""
    if database is not None:
        await asyncio.to_thread(check_schema, database)
    await dependencies.store.records.list(SYSTEM, "turnstile", limit=1)
    return Looked("ok")


async def look_at_queue(dependencies: "Dependencies") -> Looked:
    assert dependencies.queue is not None
    waiting = await dependencies.queue.depth()
    return Looked("ok", f"{waiting} messages wait")


async def look_for_workers(dependencies: "Dependencies") -> Looked:
    from graphs.jobs.worker import SEEN

    seen = await dependencies.store.records.list(SYSTEM, SEEN, limit=1)
    return Looked("ok") if seen.records else Looked("warned", "no worker was seen in the last minute")


async def look_at_models(models: "AgentModels") -> Looked:
    from agents.models.reachability import connect, endpoints, has_credentials

    places = endpoints(models)
    if places and not await asyncio.to_thread(has_credentials):
        return Looked("failed", "there are no credentials for Bedrock")
    for place in places:
        await connect(place)
    return Looked("ok")


async def look_at_data(dependencies: "Dependencies") -> Looked:
    age = await age_of_prices(dependencies.prices, dependencies.now().date())
    if age.fresh:
        return Looked("ok")
    return Looked("warned", f"the last day of {UNIVERSE} is {age.last_day}, {age.days_behind} days ago")


async def age_of_prices(prices: "PriceSource", today: date) -> "Freshness":
    """Of what is taken where a request names nothing else."""
    loaded = await prices.load(UNIVERSE)
    last = date.fromisoformat(str(loaded.dates[-1]))

    def measure() -> "Freshness":
        from desk.market.datasets.freshness import measure_freshness  # the calendars take a second

        return measure_freshness(last, loaded.calendar, today)

    return await asyncio.to_thread(measure)
