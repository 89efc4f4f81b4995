"""`/api/ready` reports what works, without details of the installation."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import ModelChain, Models, NamedModel
from agents.models.reachability import endpoints
from api.operations.readiness import CachedCheck, CheckResult, check_models, check_store
from store.errors import Unavailable
from store.keys import SYSTEM
from tests.api.http.application import application, open_client
from tests.doubles.aws import free_port
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies, working

pytestmark = pytest.mark.anyio

NOW = datetime(2023, 1, 2, tzinfo=UTC)


class Broken:
    """A port whose calls fail with a message that clients must not see."""

    def __getattr__(self, name):
        async def fail(*_, **__):
            raise Unavailable("table arn:aws:dynamodb:eu-west-1:123456789012:table/secret at /srv/home")

        return fail


@asynccontextmanager
async def ready(home, **changes):
    """A client of a service with changed dependencies."""

    @asynccontextmanager
    async def changed_dependencies():
        async with queued_dependencies(home) as dependencies:
            yield replace(dependencies, **{name: change(dependencies) for name, change in changes.items()})

    async with open_client(application(home, changed_dependencies())) as client:
        yield client


async def states(client):
    response = await client.get("/api/ready")
    body = response.json()
    return response.status_code, body["status"], {each["name"]: each["status"] for each in body["checks"]}


async def test_old_prices_and_missing_workers_are_warnings(home):
    async with ready(home) as client:
        status, overall, checks = await states(client)
        assert (status, overall) == (200, "degraded")
        assert checks == {
            "store": "ok",
            "database": "ok",
            "queue": "ok",
            "workers": "warned",
            "models": "ok",
            "data": "warned",
        }
        since = {each["name"]: each["since"] for each in (await client.get("/api/ready")).json()["checks"]}
    assert [name for name, at in since.items() if at] == ["workers", "data"]


async def test_everything_is_ready_when_a_worker_is_active_and_the_prices_are_fresh(home):
    fresh = {"now": lambda _: lambda: datetime(2022, 12, 29, 12, tzinfo=UTC)}
    async with queued_dependencies(home) as dependencies, working(dependencies), ready(home, **fresh) as client:

        async def is_ready():
            return (await states(client))[1] == "ready"

        await eventually(is_ready, seconds=20.0)


@pytest.mark.parametrize("broken", ["store", "queue"])
async def test_without_store_or_queue_the_service_is_not_ready_and_reveals_no_details(home, broken):
    def change(dependencies):
        return (
            Broken() if broken == "queue" else replace(dependencies.store, records=Failing(dependencies.store.records))
        )

    async with ready(home, **{broken: change}) as client:
        status, overall, checks = await states(client)
        text = (await client.get("/api/ready")).text
    assert (status, overall, checks[broken]) == (503, "failed", "failed")
    assert not any(word in text for word in ("arn:", "/srv", "Unavailable", "secret"))


class Failing:
    """Records whose system entries cannot be listed."""

    def __init__(self, records):
        self._records = records

    def __getattr__(self, name):
        return getattr(self._records, name)

    async def list(self, owner, *arguments, **options):
        return await (Broken() if owner == SYSTEM else self._records).list(owner, *arguments, **options)


async def test_a_store_with_a_newer_schema_is_not_ready(home):
    async with queued_dependencies(home) as dependencies:
        check = CachedCheck(
            "store", lambda: check_store(dependencies, home / "store.sqlite"), cache_seconds=0.0, worst="failed"
        )
        assert (await check.check(NOW)).status == "ok"
        with closing(sqlite3.connect(home / "store.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 999")
        assert (await check.check(NOW)).status == "failed"


def reason(response, name):
    (check,) = [each for each in response.json()["checks"] if each["name"] == name]
    return check["reason"]


def checkpoint(home):
    """Move what the write-ahead log holds into the file."""
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def test_a_damaged_database_is_not_ready_and_says_so(home):
    async with queued_dependencies(home):
        pass
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'records_by_creation'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    async with open_client(application(home)) as client:
        checkpoint(home)
        with (home / "store.sqlite").open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xff" * size)
        response = await client.get("/api/ready")
    assert (response.status_code, response.json()["status"]) == (503, "failed")
    assert "damaged" in reason(response, "database")


async def test_a_database_that_is_none_is_not_ready(home):
    async with open_client(application(home)) as client:
        checkpoint(home)
        (home / "store.sqlite").write_bytes(b"no database " * 1_000)
        response = await client.get("/api/ready")
    assert response.status_code == 503
    assert "damaged" in reason(response, "database")


async def test_a_store_that_cannot_be_written_is_not_ready(home):
    class Full(Failing):
        async def list(self, *arguments, **options):
            return await self._records.list(*arguments, **options)

        async def put(self, *_, **__):
            raise Unavailable("the database is unavailable (disk full): /srv/home")

    def full(dependencies):
        return replace(dependencies.store, records=Full(dependencies.store.records))

    async with ready(home, store=full) as client:
        response = await client.get("/api/ready")
    assert response.status_code == 503
    assert reason(response, "store") == "nothing can be written"


async def test_a_full_disk_is_not_ready(home):
    async with queued_dependencies(home) as dependencies:
        result = await check_store(dependencies, home / "store.sqlite", free_bytes=lambda _: 1_000_000)
    assert result.status == "failed"
    assert result.public_reason == "the disk is full: 1.0 MB are free, 20 MB are needed"


class RemoteModel(EmbeddedPlanner):
    """A model with the URL of an endpoint."""

    client: Any


def on_bedrock(url):
    chat = RemoteModel(client=SimpleNamespace(meta=SimpleNamespace(endpoint_url=url)))
    return Models(ModelChain((NamedModel("bedrock_converse:x", chat, tags={"application": "stratigos"}),)))


async def test_bedrock_is_checked_by_opening_a_connection_only(home, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-a-test")
    requests = []

    async def accept(reader, writer):
        requests.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert endpoints(on_bedrock(url)) == [url]
        assert await check_models(on_bedrock(url)) == CheckResult("ok")
        await eventually(lambda: asyncio.sleep(0, requests))
    assert requests == [b""]


async def test_models_that_cannot_be_reached_degrade_the_service(home, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-a-test")
    unreachable = on_bedrock(f"http://127.0.0.1:{free_port()}")
    async with ready(home, models=lambda _: unreachable) as client:
        status, overall, checks = await states(client)
    assert (status, overall, checks["models"]) == (200, "degraded", "failed")


async def test_a_slow_check_fails_and_concurrent_callers_share_it():
    calls = []
    gate = asyncio.Event()

    async def slow():
        calls.append(1)
        await gate.wait()
        return CheckResult("ok")

    check = CachedCheck("slow", slow, cache_seconds=60.0, worst="failed", timeout=0.05)
    checks = await asyncio.gather(*(check.check(NOW) for _ in range(50)))
    assert {each.status for each in checks} == {"failed"}
    assert checks[0].since == NOW
    gate.set()
    await asyncio.sleep(0)
    assert (await check.check(NOW)).status == "ok"
    assert (await check.check(NOW)).since is None
    assert calls == [1]


async def test_a_check_that_fails_for_another_reason_tells_it_and_since_when_it_fails():
    reasons = iter(["no answer", "the table is missing"])

    async def failing():
        return CheckResult("failed", public_reason=next(reasons))

    check = CachedCheck("resources", failing, cache_seconds=0.0, worst="failed")
    first, second = [await check.check(NOW), await check.check(NOW.replace(day=3))]
    assert (first.reason, second.reason) == ("no answer", "the table is missing")
    assert (first.since, second.since) == (NOW, NOW)
