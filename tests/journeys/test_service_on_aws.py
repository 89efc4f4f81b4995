"""The service on DynamoDB, S3 and SQS responds as the embedded one: all areas, selected by settings alone."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_app, create_dependencies
from api.settings import Settings
from store.aws.store import create_tables
from tests.api.http.application import open_client
from tests.api.http.routes.thread_requests import RISK, answer_events, create_thread
from tests.api.http.sample_requests import SMALL_JOB, TECH_PORTFOLIO, TWO_ASSET_SIMULATION, price_file
from tests.doubles.aws import Aws, ministack, point_at
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually, working

pytestmark = pytest.mark.anyio

VARYING_FIELDS = {
    *(
        "id",
        "simulationId",
        "run",
        "job",
        "thread",
        "turn",
        "links",
        "at",
        "asOf",
        "created_at",
        "updated_at",
        "createdAt",
    ),
    *("updatedAt", "expiresAt", "analysisExpiresAt", "ended_at", "deletedAt", "seconds", "etag"),
}
"""Fields that differ between two services: ids and times."""


def settings_on(server: Aws) -> dict[str, str]:
    """Create the tables, buckets and queues; returns the settings that select them."""
    create_tables(server.dynamodb, "desk")
    server.table("checkpoints", {"PK": "HASH", "SK": "RANGE"})
    server.bucket("desk")
    jobs, dead = (server.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead"))
    return {
        "STRATIGOS_STORE": "dynamodb:desk,s3:desk",
        "STRATIGOS_CHECKPOINTS": "dynamodb:checkpoints,s3:desk",
        "STRATIGOS_QUEUE": f"sqs:{jobs},dead:{dead}",
    }


@asynccontextmanager
async def service(home: Path, values: dict[str, str]) -> AsyncGenerator[httpx.AsyncClient]:
    """The application, and a worker with dependencies of its own, as another process has."""
    settings = Settings.model_validate({"STRATIGOS_HOME": home} | values)

    def dependencies():
        return create_dependencies(settings, single_model(EmbeddedPlanner(), QUICK), queued=True)

    async with dependencies() as workers, working(workers), open_client(create_app(settings, dependencies())) as client:
        yield client


def comparable(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: comparable(value) for name, value in answer.items() if name not in VARYING_FIELDS}
    return [comparable(each) for each in answer] if isinstance(answer, list) else answer


class Journey:
    """Requests of a user, with their comparable responses."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.answers: list[Any] = []

    async def ask(self, method: str, path: str, **options: Any) -> Any:
        answer = await self.client.request(method, f"/api/{path}", **options)
        assert answer.status_code < 300, answer.text
        body = answer.json() if answer.content else None
        self.answers.append((method, answer.status_code, comparable(body)))
        return body

    async def portfolios(self) -> None:
        portfolio = await self.ask("POST", "portfolios", json=TECH_PORTFOLIO)
        path = f"portfolios/{portfolio['id']}"
        await self.ask("PUT", path, json=TECH_PORTFOLIO | {"name": "Renamed"}, headers={"If-Match": '"1"'})
        conflict = await self.client.put(f"/api/{path}", json=TECH_PORTFOLIO, headers={"If-Match": '"1"'})
        assert conflict.status_code == 412
        await self.ask("GET", "portfolios")
        await self.ask("DELETE", path)
        assert (await self.client.get(f"/api/{path}")).status_code in (404, 410)
        await self.ask("GET", "portfolios")

    async def data(self) -> None:
        await self.ask(
            "POST", "market-data/imports", params={"dataset": "own", "dry_run": "false"}, content=price_file()
        )
        await self.ask("GET", "market-data/datasets")
        await self.ask("GET", "market-data/prices", params={"symbols": "A,B"})

    async def wealth(self) -> None:
        simulation = await self.ask("POST", "monte-carlo/simulate", json=TWO_ASSET_SIMULATION)
        await self.ask("POST", "monte-carlo/analyze", json={"simulationId": simulation["id"]})

    async def chat(self) -> None:
        thread = await create_thread(self.client)
        events = await answer_events(self.client, thread, RISK)
        self.answers.append([event["event"] for event in events])
        await self.ask("GET", f"threads/{thread}/messages")

    async def ended_job(self, path: str) -> dict[str, Any] | None:
        job = (await self.client.get(f"/api/{path}")).json()
        return job if job["state"] in ("completed", "failed") else None

    async def job(self) -> str:
        """The digest of the result."""
        key = {"Idempotency-Key": "a key"}
        job = await self.ask("POST", "jobs", json=SMALL_JOB, headers=key)
        again = await self.client.post("/api/jobs", json=SMALL_JOB, headers=key)
        assert again.json()["id"] == job["id"]
        path = f"jobs/{job['id']}"
        final_job = await eventually(lambda: self.ended_job(path))
        assert final_job is not None
        assert final_job["state"] == "completed", final_job
        events = await self.client.get(f"/api/runs/{job['id']}/events/poll")
        self.answers.append([each["event"]["event"] for each in events.json()["events"]])
        await self.ask("GET", f"{path}/trials", params={"limit": 5})
        await self.ask("GET", f"{path}/charts")
        [listed] = (await self.client.get("/api/jobs", params={"state": "completed"})).json()["items"]
        assert listed["id"] == job["id"]
        return final_job["result_digest"]


async def run_journey(home: Path, values: dict[str, str]) -> tuple[str, list[Any]]:
    async with service(home, values) as client:
        journey = Journey(client)
        await journey.portfolios()
        await journey.data()
        await journey.wealth()
        await journey.chat()
        return await journey.job(), journey.answers


@pytest.mark.soak
async def test_every_response_equals_that_of_the_embedded_service(tmp_path, monkeypatch):
    digest_here, answers = await run_journey(tmp_path / "here", {})
    (tmp_path / "ministack").mkdir()
    with ministack(tmp_path / "ministack") as server:
        point_at(monkeypatch, server.url)
        digest, on_aws = await run_journey(tmp_path / "aws", settings_on(server))
        assert server.items("desk-records")
        assert server.items("desk-events")
        assert server.items("desk-audit")
        assert server.items("checkpoints")
        assert server.objects("desk")
    assert digest == digest_here
    assert on_aws == answers
    files = {name for _, _, names in os.walk(tmp_path / "aws") for name in names}
    assert not [name for name in files if name.endswith((".sqlite", ".npy", ".parquet"))]
    assert len(json.dumps(answers)) > 10_000
