"""A second person decides over HTTP; whoever asked is refused at every door."""

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.cli.main import run
from api.client.client import Client
from api.settings import Settings
from desk.optimization.request import OptimizationRequest
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import documented, open_client, run_server
from tests.api.http.identity.sign_in import bearer, create_key
from tests.api.http.routes.agent_requests import agent_events, message_body, resume_body
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies
from tests.graphs.runs.approval_process import LOW

SMALL = {"name": "Small", "trials": 10, "seed": 3}
DONE = "done"
APPROVED = {"verdict": "approved"}
PEOPLE = {"anna": "analyst", "ben": "portfolio-manager"}

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def strict(home: Path) -> AsyncGenerator[Dependencies]:
    async with queued_dependencies(home, second_person=frozenset({"holdout"}), thresholds=LOW) as dependencies:
        yield dependencies


def signing_in(home: Path) -> FastAPI:
    settings = Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_AUTH": "keys"})
    return documented(create_app(settings, strict(home)))


async def headers(home: Path, owner: str, role: str, **terms: Any) -> dict[str, str]:
    return bearer(await create_key(home, owner, roles=(role,), **terms))


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A home with a result of anna's."""
    folder = tmp_path_factory.mktemp("searched")
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])

    async def search() -> None:
        async with open_dependencies(folder) as dependencies:
            request = OptimizationRequest(name="Reserves", trials=10, scenarios=scenarios, seed=3, first_day=FIRST_DAY)
            await create_run(dependencies, "anna", request, run_id=DONE)
            async for _ in execute(replace(dependencies, thresholds=None), "anna", DONE):
                pass

    asyncio.run(search())
    return folder


def message(answer: httpx.Response) -> str:
    return answer.json()["error"]["message"]


async def waits(home: Path, owner: dict[str, str], client: httpx.AsyncClient) -> str:
    """A job of the owner that has asked a person."""
    response = await client.post("/api/jobs", json=SMALL, headers=owner)
    assert response.status_code == 202
    async with strict(home) as dependencies:
        async for _ in execute(dependencies, "anna", response.json()["id"]):
            pass
    return response.json()["id"]


async def test_whoever_asked_for_a_holdout_is_refused_at_every_door(searched, home, monkeypatch, capfd):
    shutil.copytree(searched, home)
    anna = await headers(home, "anna", "administrator")
    another = await headers(home, "anna", "administrator", scopes=("compliance:write",))
    manager, officer = (
        await headers(home, "ben", "portfolio-manager"),
        await headers(home, "olga", "compliance-officer"),
    )
    async with open_client(signing_in(home)) as client:
        client.headers.update(anna)
        events = await agent_events(client, message_body("open the holdout"))
        (interrupt,) = events[-1]["outcome"]["interrupts"]
        assert interrupt["message"].endswith("may the desk open its locked holdout? It waits for a second person.")
        thread = "/api/threads/thread-1"
        [waiting] = (await client.get(f"{thread}/interrupts")).json()["items"]
        assert (waiting["subject"], waiting["second_person"], waiting["run"]) == ("holdout", True, DONE)
        place = f"/api/approvals/{waiting['question']}"

        refused = [
            await client.post("/api/agent", json=resume_body(interrupt, "run-2", verdict="approved")),
            await client.post(f"{thread}/interrupts/{DONE}", json=APPROVED),
            await client.post(f"{thread}/interrupts/{DONE}", json={"verdict": "rejected", "reason": "no"}),
            await client.post(place, json=APPROVED),
            await client.post(place, json=APPROVED, headers=another),
            await client.post(f"/api/jobs/{DONE}/holdout", json=APPROVED),
        ]
        assert [each.status_code for each in refused] == [403] * 6
        assert all("waits for a second person" in message(each) for each in refused)
        status = (await client.post(f"/api/jobs/{DONE}/holdout")).json()  # a request without a ruling decides nothing
        assert (status["state"], status["you_decide"], status["question"]) == ("waiting", False, waiting["question"])
        for name, value in (("HOME", str(home)), ("OWNER", "anna"), ("AUTH", "keys")):
            monkeypatch.setenv(f"STRATIGOS_{name}", value)
        for auth in ("", "keys"):  # a shell that does not know where people sign in opens it no more than one that does
            monkeypatch.setenv("STRATIGOS_AUTH", auth)
            for command in (["approve", DONE, "--holdout"], ["reject", DONE, "--holdout", "--reason", "no"]):
                assert await asyncio.to_thread(run, command) == 2
                assert "waits for a second person; expected another user" in (err := capfd.readouterr().err)
                assert f"python -m api approve {waiting['question']} --server URL" in err
        assert await asyncio.to_thread(run, ["approvals"]) == 2
        assert "people sign in here" in capfd.readouterr().err
        assert (await client.get("/api/approvals")).json()["items"] == []

        for stranger in (manager, officer):
            for method, path in (("GET", f"/api/jobs/{DONE}"), ("GET", thread)):
                assert (await client.request(method, path, headers=stranger)).status_code == 404
        assert (await client.get(place, headers=manager)).status_code == 404
        assert (await client.post(place, json=APPROVED, headers=manager)).status_code == 404
        assert (await client.get("/api/approvals", headers=manager)).json()["items"] == []

        [question] = (await client.get("/api/approvals", headers=officer)).json()["items"]
        assert (question["id"], question["owner"], question["name"]) == (waiting["question"], "anna", "Reserves")
        assert question["asked"] == waiting["asked"]
        assert DONE not in json.dumps(question)
        edited = await client.post(place, json={"verdict": "edited", "trials": 20}, headers=officer)
        assert edited.status_code == 422
        response = await client.post(place, json=APPROVED, headers=officer)
        assert (response.status_code, response.json()["decided"]["by"]) == (200, "olga")
        again = await client.post(place, json={"verdict": "rejected", "reason": "late"}, headers=officer)
        assert (again.status_code, "was approved by olga" in message(again)) == (409, True)

        async def completed_run() -> Any:
            run = (await client.get(f"{thread}/runs/1")).json()
            return run if run["state"] == "completed" else None

        assert (await eventually(completed_run))["outcome"] == "answered"
        assert await asyncio.to_thread(run, ["approve", DONE, "--holdout"]) == 0
        assert "by olga" in capfd.readouterr().out
        for answer in (
            await client.get(f"/api/jobs/{DONE}/holdout"),
            await client.post(f"/api/jobs/{DONE}/holdout", json=APPROVED),
        ):
            status = answer.json()
            assert (status["state"], status["decided"]["by"], status["opened"]["by"]) == ("opened", "olga", "olga")
            assert "was opened on" in status["watermark"]
        assert (await client.get(f"/api/jobs/{DONE}/holdout", headers=manager)).status_code == 404


async def test_a_launch_of_an_analyst_is_approved_by_somebody_who_may(home):
    analyst, manager = await headers(home, "anna", "analyst"), await headers(home, "ben", "portfolio-manager")
    officer = await headers(home, "olga", "compliance-officer")
    async with open_client(signing_in(home)) as client:
        job = await waits(home, analyst, client)
        own = await client.post(f"/api/jobs/{job}/approval", json=APPROVED, headers=analyst)
        assert (own.status_code, "waits for a second person" in message(own)) == (403, True)
        approval = (await client.get(f"/api/jobs/{job}", headers=analyst)).json()["approval"]
        place = f"/api/approvals/{approval['question']}"
        for path in ("/api/approvals", place):
            assert (await client.get(path, headers=analyst)).status_code == 403
        assert (await client.get(place, headers=officer)).status_code == 404
        assert (await client.post(f"/api/jobs/{job}/approval", json=APPROVED, headers=manager)).status_code == 404

        [question] = (await client.get("/api/approvals", headers=manager)).json()["items"]
        assert question["asked"] == approval["asked"]
        assert question["asked"]["exceeded"] == ["evaluations"]
        assert job not in json.dumps(question)
        edited = await client.post(place, json={"verdict": "edited", "trials": 12}, headers=manager)
        assert edited.status_code == 200
        job_state = (await client.get(f"/api/jobs/{job}", headers=analyst)).json()
        assert (job_state["state"], job_state["trials"], job_state["approval"]["decided"]["by"]) == (
            "queued",
            12,
            "ben",
        )
        assert (await client.get("/api/approvals", headers=manager)).json() == {"items": [], "next": None}
        assert (await client.get(place, headers=manager)).json()["decided"]["by"] == "ben"


async def test_a_cancelled_job_is_nobody_elses_to_decide(home):
    analyst, manager = await headers(home, "anna", "analyst"), await headers(home, "ben", "portfolio-manager")
    async with open_client(signing_in(home)) as client:
        job = await waits(home, analyst, client)
        [question] = (await client.get("/api/approvals", headers=manager)).json()["items"]
        assert (await client.delete(f"/api/jobs/{job}", headers=analyst)).status_code == 202
        assert (await client.get("/api/approvals", headers=manager)).json()["items"] == []
        place = f"/api/approvals/{question['id']}"
        assert (await client.get(place, headers=manager)).json() == question | {"withdrawn": True}
        late = await client.post(place, json=APPROVED, headers=manager)
        assert (late.status_code, "was withdrawn" in message(late)) == (409, True)


async def test_a_manager_approves_an_own_launch(home):
    anna = await headers(home, "anna", "portfolio-manager")
    blunt = await headers(home, "anna", "portfolio-manager", scopes=("research:read", "research:write"))
    async with open_client(signing_in(home)) as client:
        job = await waits(home, anna, client)
        assert len((await client.get("/api/approvals", headers=anna)).json()["items"]) == 1
        at = f"/api/jobs/{job}/approval"
        assert (await client.post(at, json=APPROVED, headers=blunt)).status_code == 403
        assert (await client.post(at, json=APPROVED, headers=anna)).status_code == 202
        assert (await client.get("/api/approvals", headers=anna)).json()["items"] == []


async def test_a_launch_waits_from_its_submission_and_shows_what_is_decided(home):
    analyst, manager = await headers(home, "anna", "analyst"), await headers(home, "ben", "portfolio-manager")
    draft = {"name": "From a draft", "trials": 10, "seed": 3}
    async with open_client(signing_in(home)) as client:
        submitted = await client.post("/api/jobs", json=SMALL, headers=analyst)
        saved = (await client.post("/api/drafts", json=draft, headers=analyst)).json()["id"]
        from_draft = await client.post(f"/api/drafts/{saved}/submit", headers=analyst)
        assert [answer.json()["state"] for answer in (submitted, from_draft)] == ["waiting", "waiting"]
        questions = (await client.get("/api/approvals", headers=manager)).json()["items"]
        assert [(each["name"], each["request"]["seed"]) for each in questions] == [("From a draft", 3), ("Small", 3)]
        assert all(each["asked"]["estimate"]["evaluations"] == 50 for each in questions)
        job = submitted.json()["id"]
        events = (await client.get(f"/api/runs/{job}/events/poll", headers=analyst)).json()["events"]
        assert [each["event"]["event"] for each in events] == ["approval_requested"]
        place = f"/api/approvals/{questions[1]['id']}"
        assert (await client.post(place, json=APPROVED, headers=manager)).status_code == 200
        assert (await client.get(f"/api/jobs/{job}", headers=analyst)).json()["state"] == "queued"


async def test_nobody_decides_for_a_manager_who_may(home):
    anna, ben = await headers(home, "anna", "portfolio-manager"), await headers(home, "ben", "administrator")
    async with open_client(signing_in(home)) as client:
        job = (await client.post("/api/jobs", json=SMALL, headers=anna)).json()["id"]
        [question] = (await client.get("/api/approvals", headers=anna)).json()["items"]
        place = f"/api/approvals/{question['id']}"
        assert (await client.get("/api/approvals", headers=ben)).json()["items"] == []
        for ruling in (APPROVED, {"verdict": "rejected", "reason": "no"}):
            assert (await client.post(place, json=ruling, headers=ben)).status_code == 404
        assert (await client.post(place, json=APPROVED, headers=anna)).status_code == 200
        assert (await client.get(f"/api/jobs/{job}", headers=anna)).json()["state"] == "queued"


async def test_a_bad_cursor_and_an_unknown_question_are_refused(home):
    officer = await headers(home, "olga", "compliance-officer")
    async with open_client(signing_in(home)) as client:
        client.headers.update(officer)
        assert (await client.get("/api/approvals?after=nowhere")).status_code == 422
        assert (await client.get(f"/api/approvals/{'0' * 32}")).status_code == 404
        assert (await client.post(f"/api/approvals/{'0' * 32}", json=APPROVED)).status_code == 404
        assert (await client.get("/api/approvals/other")).status_code == 422


def test_a_second_person_decides_at_a_terminal(home, monkeypatch, capfd):
    analyst = asyncio.run(headers(home, "anna", "analyst"))
    keys = {name: asyncio.run(create_key(home, name, roles=(role,))) for name, role in PEOPLE.items()}
    with run_server(signing_in(home)) as url:

        async def ask() -> str:
            async with httpx.AsyncClient(base_url=url) as client:
                return await waits(home, analyst, client)

        job = asyncio.run(ask())
        monkeypatch.setenv("STRATIGOS_KEY", keys["anna"])
        assert run(["optimize", "--resume", job, "--server", url]) == 3
        assert "It waits for a second person: python -m api approve " in capfd.readouterr().err
        assert run(["approve", job, "--server", url]) == 2
        assert "waits for a second person" in capfd.readouterr().err

        monkeypatch.setenv("STRATIGOS_KEY", keys["ben"])
        with Client(url, key=keys["ben"]) as client:
            [question] = client.approvals()
            assert client.approval(question.id) == question
        assert run(["approvals", "--server", url]) == 0
        out = capfd.readouterr().out
        assert all(part in out for part in (question.id[:12], "anna", "Small", "50 evaluations (above 5)", url))
        assert run(["reject", question.id[:12], "--reason", "too dear", "--server", url]) == 0
        assert "Launch rejected by ben: too dear" in capfd.readouterr().err
        assert run(["approvals", "--server", url]) == 0
        assert "Nothing waits for your decision." in capfd.readouterr().out

        for decide in (["approve"], ["reject", "--reason", "too dear"]):
            for unknown in (question.id[:12], "0" * 32, "a/b"):
                assert run([*decide, unknown, "--server", url]) == 2
                assert "neither a run of yours nor a question that waits for you" in capfd.readouterr().err
        assert run(["approve", question.id, "--server", url]) == 2
        assert "was rejected by ben" in capfd.readouterr().err
        assert run(["approve", "last", "--server", url]) == 2
        assert "there is no run yet" in capfd.readouterr().err
