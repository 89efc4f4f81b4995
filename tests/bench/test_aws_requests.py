"""Requests to AWS of one job and one turn of a chat, as moto receives them, with their dollars."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_app, create_dependencies
from api.settings import Settings
from store.aws.store import create_tables
from tests.api.http.application import open_client
from tests.api.http.routes.thread_requests import RISK, answer_events, create_thread
from tests.bench.comparison import Comparison, Row
from tests.bench.store_load import DOLLARS
from tests.doubles.aws import Aws, moto, point_at
from tests.doubles.aws_meter import Meter
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually, working

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MOST_REQUESTS, MOST_BYTES = {"turn": 126, "job": 550}, 5.45e6
"""Half of what they were when they were first counted: 253 and 1,100 requests, and 10.9 MB to S3 for a job."""
LOOKS_PER_SECOND = 6.0
"""Reads that wait for news while a job runs: its worker's, its follower's and those of the sweep."""


@asynccontextmanager
async def service(home: Path, server: Aws) -> AsyncGenerator[httpx.AsyncClient]:
    create_tables(server.dynamodb, "desk")
    server.table("checkpoints", {"PK": "HASH", "SK": "RANGE"})
    server.bucket("desk")
    jobs, dead = (server.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead"))
    values = {
        "STRATIGOS_HOME": home,
        "STRATIGOS_STORE": "dynamodb:desk,s3:desk",
        "STRATIGOS_CHECKPOINTS": "dynamodb:checkpoints,s3:desk",
        "STRATIGOS_QUEUE": f"sqs:{jobs},dead:{dead}",
    }
    settings = Settings.model_validate(values)

    def dependencies():
        return create_dependencies(settings, single_model(EmbeddedPlanner(), QUICK), queued=True)

    async with dependencies() as workers, working(workers), open_client(create_app(settings, dependencies())) as client:
        yield client


async def run_turn(client: httpx.AsyncClient) -> None:
    thread = await create_thread(client)
    await answer_events(client, thread, RISK)


async def run_job(client: httpx.AsyncClient) -> None:
    job = (await client.post("/api/jobs", json={"name": "Counted", "trials": 100, "stopping": "budget"})).json()["id"]

    async def ended() -> bool:
        await asyncio.sleep(2.0)
        return (await client.get(f"/api/jobs/{job}")).json()["state"] in ("completed", "failed")

    await eventually(ended, seconds=20_000)


@pytest.mark.parametrize(("name", "activity"), [("turn", run_turn), ("job", run_job)])
def test_requests_of_an_activity(
    comparison: Comparison,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    activity: Callable[[httpx.AsyncClient], Awaitable[None]],
) -> None:
    meter = Meter()
    seconds = 0.0

    async def count(server: Aws) -> None:
        nonlocal seconds
        async with service(tmp_path, server) as client:
            await run_turn(client)  # the first one loads everything
            meter.clear()
            start = time.monotonic()
            await activity(client)
            seconds = time.monotonic() - start

    with moto(meter) as server:
        point_at(monkeypatch, server.url)
        asyncio.run(count(server))
    writes = sum(usage.writes for usage in meter.tables.values())
    reads = sum(usage.reads for usage in meter.tables.values())
    puts, gets = meter.requests["s3:PUT"], meter.requests["s3:GET"]
    dollars = (
        writes * DOLLARS["write units"]
        + reads * DOLLARS["read units"]
        + puts * DOLLARS["writes to S3"]
        + gets * DOLLARS["reads from S3"]
    )
    note = (
        f"{meter.total} requests, {writes:,.0f} write units, {reads:,.0f} read units, {puts} objects of "
        f"{meter.uploaded / 1e6:.1f} MB written, {gets} read; {dollars:.5f} dollars"
    )
    comparison.rows.append(
        Row(f"AWS requests of one {name}", "100 trials" if name == "job" else "", seconds, {}, None, note)
    )
    assert meter.total <= MOST_REQUESTS[name] + LOOKS_PER_SECOND * seconds, note
    assert meter.uploaded <= MOST_BYTES, note
