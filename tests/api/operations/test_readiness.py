"""Whether the service says truly that it can do its work, and nothing of how it is built."""

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from agents.models.factory import ModelChain, Models, NamedModel
from agents.models.reachability import endpoints
from agents.planner.planner import EmbeddedPlanner
from api.operations.readiness import Looked, Watch, look_at_models, look_at_store
from store.errors import Unavailable
from store.keys import SYSTEM
from tests.api.http.application import application, served
from tests.doubles.aws import free_port
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies, working

pytestmark = pytest.mark.anyio

NOW = datetime(2023, 1, 2, tzinfo=UTC)


class Broken:
    """A port whose every call is refused, with words that nobody outside may read."""

    def __getattr__(self, name):
        async def refused(*_, **__):
            raise Unavailable("table arn:aws:dynamodb:eu-west-1:123456789012:table/secret at /srv/home")

        return refused


@asynccontextmanager
async def ready(home, **changes):
    """A client of a service whose desk is changed so."""

    @asynccontextmanager
    async def changed():
        async with queued_dependencies(home) as dependencies:
            yield replace(dependencies, **{name: change(dependencies) for name, change in changes.items()})

    async with served(application(home, changed())) as client:
        yield client


async def states(client):
    answer = await client.get("/api/ready")
    body = answer.json()
    return answer.status_code, body["status"], {each["name"]: each["status"] for each in body["checks"]}


async def test_old_prices_and_missing_workers_are_warnings(home):
    async with ready(home) as client:
        status, overall, found = await states(client)
        assert (status, overall) == (200, "degraded")
        assert found == {"store": "ok", "queue": "ok", "workers": "warned", "models": "ok", "data": "warned"}
        since = {each["name"]: each["since"] for each in (await client.get("/api/ready")).json()["checks"]}
    assert [name for name, at in since.items() if at] == ["workers", "data"]


async def test_everything_is_ready_when_a_worker_is_seen_and_the_prices_are_fresh(home):
    fresh = {"now": lambda _: lambda: datetime(2022, 12, 29, 12, tzinfo=UTC)}
    async with queued_dependencies(home) as dependencies, working(dependencies), ready(home, **fresh) as client:

        async def is_ready():
            return (await states(client))[1] == "ready"

        await eventually(is_ready, seconds=20.0)


@pytest.mark.parametrize("broken", ["store", "queue"])
async def test_without_store_or_queue_it_is_not_ready_and_tells_no_details(home, broken):
    def change(dependencies):
        return (
            Broken() if broken == "queue" else replace(dependencies.store, records=Failing(dependencies.store.records))
        )

    async with ready(home, **{broken: change}) as client:
        status, overall, found = await states(client)
        text = (await client.get("/api/ready")).text
    assert (status, overall, found[broken]) == (503, "failed", "failed")
    assert not any(word in text for word in ("arn:", "/srv", "Unavailable", "secret"))


class Failing:
    """Records of which none that no user owns can be listed."""

    def __init__(self, records):
        self._records = records

    def __getattr__(self, name):
        return getattr(self._records, name)

    async def list(self, owner, *given, **named):
        return await (Broken() if owner == SYSTEM else self._records).list(owner, *given, **named)


async def test_a_store_that_a_newer_program_went_on_with_is_not_ready(home):
    async with queued_dependencies(home) as dependencies:
        watch = Watch("store", lambda: look_at_store(dependencies, home / "store.sqlite"), holds=0.0, worst="failed")
        assert (await watch.check(NOW)).status == "ok"
        with closing(sqlite3.connect(home / "store.sqlite")) as connection:
            connection.execute("PRAGMA user_version = 999")
        assert (await watch.check(NOW)).status == "failed"


class Elsewhere(EmbeddedPlanner):
    """A model that says where it is asked."""

    client: Any


def on_bedrock(url):
    chat = Elsewhere(client=SimpleNamespace(meta=SimpleNamespace(endpoint_url=url)))
    return Models(ModelChain((NamedModel("bedrock_converse:x", chat, tags={"application": "stratigos"}),)))


async def test_bedrock_is_reached_by_a_connection_alone(home, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-a-test")
    heard = []

    async def hear(reader, writer):
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert endpoints(on_bedrock(url)) == [url]
        assert await look_at_models(on_bedrock(url)) == Looked("ok")
        await eventually(lambda: asyncio.sleep(0, heard))
    assert heard == [b""]


async def test_models_that_cannot_be_reached_degrade_the_service(home, monkeypatch):
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "of-a-test")
    gone = on_bedrock(f"http://127.0.0.1:{free_port()}")
    async with ready(home, models=lambda _: gone) as client:
        status, overall, found = await states(client)
    assert (status, overall, found["models"]) == (200, "degraded", "failed")


async def test_a_look_that_takes_too_long_fails_and_is_shared_by_all_who_ask():
    begun = []
    gate = asyncio.Event()

    async def slow():
        begun.append(1)
        await gate.wait()
        return Looked("ok")

    watch = Watch("slow", slow, holds=60.0, worst="failed", longest=0.05)
    checks = await asyncio.gather(*(watch.check(NOW) for _ in range(50)))
    assert {check.status for check in checks} == {"failed"}
    assert checks[0].since == NOW
    gate.set()
    await asyncio.sleep(0)
    assert (await watch.check(NOW)).status == "ok"
    assert (await watch.check(NOW)).since is None
    assert begun == [1]
