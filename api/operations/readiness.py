"""Readiness checks: storage, queue, workers, models and the age of prices, each with a timeout of two seconds."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog
from pydantic import BaseModel, Field

from agents.models.reachability import connect, endpoints, has_credentials
from api.operations.aws_resources import lacking_resources, uses_aws
from desk.base.errors import UserError
from desk.optimization.request import OptimizationRequest
from store.errors import Corrupted, StoreError, Unavailable
from store.keys import SYSTEM, Key
from store.sqlite.migrations import check_schema, find_damage

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from agents.models.lazy import AgentModels
    from api.settings import Settings
    from desk.market.datasets.schemas import Freshness
    from desk.market.prices import PriceSource
    from graphs.dependencies import Dependencies

Status: TypeAlias = Literal["ok", "warned", "failed"]

CHECK_TIMEOUT = 2.0
CACHE_SECONDS = 2.0
"""Seconds for which a result is reused by later requests."""
SLOW_CACHE_SECONDS = 30.0
"""The same for the models and the age of prices."""
INTEGRITY_CACHE_SECONDS = 60.0
"""The same for the pages of the database."""
INTEGRITY_SECONDS = 1.0
RESOURCES_CACHE_SECONDS = 300.0
"""The same for tables, buckets and queues of AWS, whose check takes some thirty requests."""
MIN_FREE_BYTES = 20_000_000
"""Free disk space without which nothing is stored."""
PROBE = Key(SYSTEM, "readiness", "probe")
DAMAGED = "the database is damaged; `python -m api doctor` says how to repair it"
UNIVERSE: str = OptimizationRequest.model_fields["universe"].default


class Check(BaseModel):
    name: str = Field(examples=["store"])
    """What is checked."""
    status: Status
    since: datetime | None = Field(default=None, description="When this process first saw this status; null for ok")
    reason: str | None = Field(
        default=None, description="Why it failed, without details of the installation, which are in the log"
    )


class Readiness(BaseModel):
    status: Literal["ready", "degraded", "failed"] = Field(
        description="failed: nothing can be stored or executed; degraded: another check failed or warned"
    )
    checks: list[Check]
    """Results of all checks."""


@dataclass(frozen=True)
class CheckResult:
    status: Status
    reason: str = ""
    """For the log and `doctor`; HTTP clients do not see it."""
    public_reason: str | None = None
    """For HTTP clients."""


CheckFunction: TypeAlias = Callable[[], Awaitable[CheckResult]]


class CachedCheck:
    """A check with a cached result, shared by concurrent callers; after a timeout it continues in the background."""

    def __init__(
        self, name: str, check: CheckFunction, *, cache_seconds: float, worst: Status, timeout: float = CHECK_TIMEOUT
    ) -> None:
        self.name = name
        self._run = check
        self._cache_seconds = cache_seconds
        self._timeout = timeout
        self._worst: Status = worst
        self._task: asyncio.Task[CheckResult] | None = None
        self._until = 0.0
        self._last = Check(name=name, status="ok")

    async def check(self, now: datetime) -> Check:
        result = await self._result()
        last = self._last
        if (result.status, result.public_reason) != (last.status, last.reason):
            self._log(result)
            since = None if result.status == "ok" else last.since if result.status == last.status else now
            self._last = Check(name=self.name, status=result.status, since=since, reason=result.public_reason)
        return self._last

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _result(self) -> CheckResult:
        if self._task is None or (self._task.done() and time.monotonic() >= self._until):
            self._task = asyncio.create_task(self._run_once())
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(self._task)
        except TimeoutError:
            reason = f"no answer within {self._timeout:g} seconds"
            return CheckResult(self._worst, reason, public_reason=reason)

    async def _run_once(self) -> CheckResult:
        try:
            return await self._run()
        except (StoreError, OSError, sqlite3.Error, UserError) as error:
            damaged = isinstance(error, Corrupted | sqlite3.DatabaseError)
            reason = f"{type(error).__name__}: {error}"
            return CheckResult(self._worst, reason, public_reason=DAMAGED if damaged else None)
        finally:
            self._until = time.monotonic() + self._cache_seconds

    def _log(self, result: CheckResult) -> None:
        logger: Any = structlog.get_logger()
        write = logger.info if result.status == "ok" else logger.warning
        write("readiness", check=self.name, status=result.status, reason=result.reason)


class ReadinessChecks:
    """The checks of everything that the service needs, and their overall status."""

    def __init__(
        self,
        dependencies: "Dependencies",
        database: "Path | None" = None,
        settings: "Settings | None" = None,
        loaded: "Event | None" = None,
    ) -> None:
        self._dependencies = dependencies
        queue, models = dependencies.queue, dependencies.models
        checks: list[tuple[str, CheckFunction, float, Status]] = [
            ("store", lambda: check_store(dependencies, database), CACHE_SECONDS, "failed")
        ]
        if database is not None:
            checks.append(("database", lambda: check_database(database), INTEGRITY_CACHE_SECONDS, "failed"))
        if queue is not None:
            checks.append(("queue", lambda: check_queue(dependencies), CACHE_SECONDS, "failed"))
            checks.append(("workers", lambda: check_workers(dependencies), CACHE_SECONDS, "warned"))
        if models is not None:
            checks.append(("models", lambda: check_models(models), SLOW_CACHE_SECONDS, "failed"))
        if settings is not None and uses_aws(settings):
            checks.append(("resources", lambda: check_resources(settings), RESOURCES_CACHE_SECONDS, "failed"))
        if loaded is not None:
            checks.append(("kernels", lambda: check_kernels(loaded), 0.0, "failed"))
        checks.append(("data", lambda: check_prices(dependencies), SLOW_CACHE_SECONDS, "warned"))
        self._checks = [
            CachedCheck(name, check, cache_seconds=seconds, worst=worst) for name, check, seconds, worst in checks
        ]

    async def status(self) -> Readiness:
        now = self._dependencies.now()
        checks = await asyncio.gather(*(each.check(now) for each in self._checks))
        required = [check.status for check in checks if check.name in ("store", "database", "queue", "kernels")]
        if "failed" in required:
            status = "failed"
        else:
            status = "ready" if all(check.status == "ok" for check in checks) else "degraded"
        return Readiness(status=status, checks=list(checks))

    async def aclose(self) -> None:
        for each in self._checks:
            each.stop()


async def check_store(
    dependencies: "Dependencies",
    database: "Path | None",
    free_bytes: "Callable[[Path], int]" = lambda path: shutil.disk_usage(path).free,
) -> CheckResult:
    """Whether the store answers, and whether the embedded one in the file `database` can be written.

    A newer version of the program may have changed the schema of the file.
    """
    records = dependencies.store.records
    if database is None:
        await records.list(SYSTEM, "turnstile", limit=1)
        return CheckResult("ok")
    await asyncio.to_thread(check_schema, database)
    await records.list(SYSTEM, "turnstile", limit=1)
    free = await asyncio.to_thread(free_bytes, database.parent)
    if free < MIN_FREE_BYTES:
        reason = f"the disk is full: {free / 1e6:.1f} MB are free, {MIN_FREE_BYTES / 1e6:.0f} MB are needed"
        return CheckResult("failed", f"{reason} in {database.parent}", public_reason=reason)
    try:
        await records.put(PROBE, {"at": dependencies.now().isoformat()})
    except Unavailable as error:
        return CheckResult("failed", str(error), public_reason="nothing can be written")
    return CheckResult("ok")


async def check_kernels(loaded: "Event") -> CheckResult:
    """Whether the numeric core is loaded, so that the first evaluation does not wait for it."""
    if loaded.is_set():
        return CheckResult("ok")
    reason = "the numeric core is being loaded; on a new machine it is compiled first, which takes a minute"
    return CheckResult("failed", reason, public_reason=reason)


async def check_database(database: "Path") -> CheckResult:
    """Whether the pages of the embedded database are undamaged, as far as a second suffices to read them."""
    damage = await asyncio.to_thread(find_damage, database, INTEGRITY_SECONDS)
    if damage is None:
        return CheckResult("ok")
    return CheckResult("failed", f"{database}: {damage}", public_reason=DAMAGED)


async def check_resources(settings: "Settings") -> CheckResult:
    """Whether the tables, the bucket and the queues on AWS have what the program needs; names what they lack."""
    lacking = await lacking_resources(settings)
    if not lacking:
        return CheckResult("ok")
    reason = "; ".join(lacking)
    return CheckResult("failed", reason, public_reason=reason)


async def check_queue(dependencies: "Dependencies") -> CheckResult:
    assert dependencies.queue is not None
    depth = await dependencies.queue.depth()
    return CheckResult("ok", f"{depth} messages wait")


async def check_workers(dependencies: "Dependencies") -> CheckResult:
    from graphs.jobs.worker import HEARTBEAT

    page = await dependencies.store.records.list(SYSTEM, HEARTBEAT, limit=1)
    return CheckResult("ok") if page.records else CheckResult("warned", "no worker was active in the last minute")


async def check_models(models: "AgentModels") -> CheckResult:
    urls = endpoints(models)
    if urls and not await asyncio.to_thread(has_credentials):
        return CheckResult("failed", "there are no credentials for Bedrock")
    for url in urls:
        await connect(url)
    return CheckResult("ok")


async def check_prices(dependencies: "Dependencies") -> CheckResult:
    age = await age_of_prices(dependencies.prices, dependencies.now().date())
    if age.fresh:
        return CheckResult("ok")
    return CheckResult("warned", f"the last day of {UNIVERSE} is {age.last_day}, {age.days_behind} days ago")


async def age_of_prices(prices: "PriceSource", today: date) -> "Freshness":
    """The age of the default universe."""
    market = await prices.load(UNIVERSE)
    last = date.fromisoformat(str(market.dates[-1]))

    def measure() -> "Freshness":
        from desk.market.datasets.freshness import measure_freshness  # the calendars take a second

        return measure_freshness(last, market.calendar, today)

    return await asyncio.to_thread(measure)
