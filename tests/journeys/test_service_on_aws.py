"""The service on DynamoDB, S3 and SQS answers as it does on this machine: every door, through the settings alone."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from agents.models.factory import single_model
from agents.planner.planner import EmbeddedPlanner
from api.app import create_app, create_dependencies
from api.settings import Settings
from store.aws.store import create_table
from tests.api.http.application import served
from tests.api.http.routes.thread_requests import RISK, answer_events, create_thread
from tests.api.http.sample_requests import SMALL_JOB, TECH_PORTFOLIO, TWO_ASSET_SIMULATION, price_file
from tests.doubles.aws import Aws, ministack, point_at
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually, working

pytestmark = pytest.mark.anyio

OWN_TO_EACH = {
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
"""Names of what is another one in every world: ids and times."""


def on(server: Aws) -> dict[str, str]:
    """Settings of a world of its own on that AWS."""
    create_table(server.dynamodb, "desk")
    server.table("checkpoints", {"PK": "HASH", "SK": "RANGE"})
    server.bucket("desk")
    jobs, dead = (server.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("jobs", "dead"))
    return {
        "STRATIGOS_STORE": "dynamodb:desk,s3:desk",
        "STRATIGOS_CHECKPOINTS": "dynamodb:checkpoints,s3:desk",
        "STRATIGOS_QUEUE": f"sqs:{jobs},dead:{dead}",
    }


@asynccontextmanager
async def service(home: Path, chosen: dict[str, str]) -> AsyncGenerator[httpx.AsyncClient]:
    """The application, and a worker with a desk of its own, as another process has."""
    settings = Settings.model_validate({"STRATIGOS_HOME": home} | chosen)

    def dependencies():
        return create_dependencies(settings, single_model(EmbeddedPlanner(), QUICK), queued=True)

    async with dependencies() as workers, working(workers), served(create_app(settings, dependencies())) as client:
        yield client


def comparable(answer: Any) -> Any:
    if isinstance(answer, dict):
        return {name: comparable(value) for name, value in answer.items() if name not in OWN_TO_EACH}
    return [comparable(each) for each in answer] if isinstance(answer, list) else answer


class Journey:
    """What a user does; each answer is kept as far as it may be compared."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.answers: list[Any] = []

    async def ask(self, method: str, path: str, **sent: Any) -> Any:
        answer = await self.client.request(method, f"/api/{path}", **sent)
        assert answer.status_code < 300, answer.text
        body = answer.json() if answer.content else None
        self.answers.append((method, answer.status_code, comparable(body)))
        return body

    async def portfolios(self) -> None:
        made = await self.ask("POST", "portfolios", json=TECH_PORTFOLIO)
        at = f"portfolios/{made['id']}"
        await self.ask("PUT", at, json=TECH_PORTFOLIO | {"name": "Renamed"}, headers={"If-Match": '"1"'})
        refused = await self.client.put(f"/api/{at}", json=TECH_PORTFOLIO, headers={"If-Match": '"1"'})
        assert refused.status_code == 412
        await self.ask("GET", "portfolios")
        await self.ask("DELETE", at)
        assert (await self.client.get(f"/api/{at}")).status_code in (404, 410)
        await self.ask("GET", "portfolios")

    async def data(self) -> None:
        await self.ask(
            "POST", "market-data/imports", params={"dataset": "own", "dry_run": "false"}, content=price_file()
        )
        await self.ask("GET", "market-data/datasets")
        await self.ask("GET", "market-data/prices", params={"symbols": "A,B"})

    async def wealth(self) -> None:
        made = await self.ask("POST", "monte-carlo/simulate", json=TWO_ASSET_SIMULATION)
        await self.ask("POST", "monte-carlo/analyze", json={"simulationId": made["id"]})

    async def chat(self) -> None:
        thread = await create_thread(self.client)
        said = await answer_events(self.client, thread, RISK)
        self.answers.append([event["event"] for event in said])
        await self.ask("GET", f"threads/{thread}/messages")

    async def stopped(self, at: str) -> dict[str, Any] | None:
        found = (await self.client.get(f"/api/{at}")).json()
        return found if found["state"] in ("completed", "failed") else None

    async def job(self) -> str:
        """The digest of the result."""
        key = {"Idempotency-Key": "a key"}
        made = await self.ask("POST", "jobs", json=SMALL_JOB, headers=key)
        again = await self.client.post("/api/jobs", json=SMALL_JOB, headers=key)
        assert again.json()["id"] == made["id"]
        at = f"jobs/{made['id']}"
        found = await eventually(lambda: self.stopped(at))
        assert found is not None
        assert found["state"] == "completed", found
        events = await self.client.get(f"/api/runs/{made['id']}/events/poll")
        self.answers.append([each["event"]["event"] for each in events.json()["events"]])
        await self.ask("GET", f"{at}/trials", params={"limit": 5})
        await self.ask("GET", f"{at}/charts")
        [listed] = (await self.client.get("/api/jobs", params={"state": "completed"})).json()["items"]
        assert listed["id"] == made["id"]
        return found["result_digest"]


async def travelled(home: Path, chosen: dict[str, str]) -> tuple[str, list[Any]]:
    async with service(home, chosen) as client:
        journey = Journey(client)
        await journey.portfolios()
        await journey.data()
        await journey.wealth()
        await journey.chat()
        return await journey.job(), journey.answers


@pytest.mark.soak
async def test_every_answer_is_that_of_the_embedded_service(tmp_path, monkeypatch):
    here, answers = await travelled(tmp_path / "here", {})
    (tmp_path / "ministack").mkdir()
    with ministack(tmp_path / "ministack") as server:
        point_at(monkeypatch, server.url)
        digest, on_aws = await travelled(tmp_path / "aws", on(server))
        assert server.items("desk")
        assert server.items("checkpoints")
        assert server.objects("desk")
    assert digest == here
    assert on_aws == answers
    kept = {name for _, _, names in os.walk(tmp_path / "aws") for name in names}
    assert not [name for name in kept if name.endswith((".sqlite", ".npy", ".parquet"))]
    assert len(json.dumps(answers)) > 10_000
