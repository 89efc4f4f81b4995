"""Jobs over HTTP from their submission to their end; no search is run here."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from desk.governance.approvals import Approval, ApprovalRequest, Thresholds
from desk.optimization.estimate import estimate
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import change_run
from desk.runs.states import RunState
from graphs.runs.leases import hold_lease
from store.records import Key
from tests.api.http.application import application, open_client
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio

SMALL = {"name": "Small", "trials": 10, "seed": 3}


@asynccontextmanager
async def dependencies_and_client(home, owner: str = "local"):
    """The application, and a desk over the same home: another process, as a worker is."""
    async with (
        queued_dependencies(home) as dependencies,
        open_client(application(home, queued_dependencies(home), owner=owner)) as client,
    ):
        yield dependencies, client


async def moved(dependencies, job: str, *states: RunState) -> None:
    for state in states:
        await change_run(
            dependencies.store,
            "local",
            job,
            lambda run, state=state: run.with_state(state, at=datetime.now(UTC), by="worker"),
        )


async def test_a_job_is_submitted_and_can_be_read(home):
    async with dependencies_and_client(home) as (_, client):
        answer = await client.post("/api/jobs", json=SMALL)
        assert answer.status_code == 202
        job = answer.json()
        assert answer.headers["Location"] == job["links"]["self"] == f"/api/jobs/{job['id']}"
        assert (job["state"], job["name"], job["cancelling"]) == ("queued", "Small", False)
        read = (await client.get(job["links"]["self"])).json()
        assert {name: read[name] for name in job} == job
        assert [one["state"] for one in read["history"]] == ["created", "queued"]
        assert (read["progress"]["share"], read["progress"]["total"], read["stale"]) == (0.0, None, None)
        request = (await client.get(job["links"]["request"])).json()
        again = await client.post("/api/jobs", json=request)
        assert again.status_code == 202
        assert again.json()["id"] != job["id"]


async def test_the_request_of_an_earlier_version_can_be_submitted_with_its_own_worlds(home):
    async with dependencies_and_client(home) as (_, client):
        job = (await client.post("/api/jobs", json=SMALL | {"worlds": None})).json()
        request = (await client.get(job["links"]["request"])).json()
        assert request["worlds"] == "seed"
        again = (await client.post("/api/jobs", json=request)).json()
        assert (await client.get(again["links"]["request"])).json() == request


async def test_the_same_key_is_the_same_job_and_with_another_request_a_conflict(home):
    async with dependencies_and_client(home) as (_, client):
        first, again, other = [
            await client.post("/api/jobs", json=SMALL | changes, headers={"Idempotency-Key": "monday"})
            for changes in ({}, {}, {"seed": 4})
        ]
        assert first.json() == again.json()
        assert other.status_code == 409
        assert other.json()["error"]["code"] == "CONFLICT"
        assert len((await client.get("/api/jobs")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"trials": 5}, "body.trials", "10 to 5000"),
        ({"mandate": {"target_volatility": 2.0}}, "body.mandate.target_volatility", "0.05 to 0.2"),
        ({"colour": "red"}, "body.colour", "universe"),
        ({"universe": "no_such"}, "universe", "sp500"),
        ({"prices_file": "/etc/passwd"}, "body.prices_file", "market-data/imports"),
        ({"limits": {"max_drawdown": {}}}, "body.limits.max_drawdown.bound", "above 0"),
    ],
)
async def test_a_wrong_or_missing_field_is_named_and_nothing_is_stored(home, changes, field, allowed):
    async with dependencies_and_client(home) as (_, client):
        answer = await client.post("/api/jobs", json=SMALL | changes)
        assert answer.status_code == 422
        [detail] = answer.json()["error"]["details"]
        assert detail["field"] == field
        assert allowed in detail["allowed"]
        assert (await client.get("/api/jobs")).json() == {"items": [], "next": None}


async def test_jobs_are_listed_by_page_state_and_name(home):
    async with dependencies_and_client(home) as (dependencies, client):
        ids = [
            (await client.post("/api/jobs", json=SMALL | {"name": f"Core {n}" if n % 2 else f"Fringe {n}"})).json()[
                "id"
            ]
            for n in range(5)
        ]
        await moved(dependencies, ids[0], "validating", "running")
        newest = ids[::-1]

        async def walk(**query) -> list[str]:
            ids, after = [], None
            while True:
                page = (await client.get("/api/jobs", params=query | ({"after": after} if after else {}))).json()
                assert len(page["items"]) <= query.get("limit", 100)
                ids += [job["id"] for job in page["items"]]
                if (after := page["next"]) is None:
                    return ids

        assert await walk() == await walk(limit=2) == newest
        assert await walk(state="running") == ids[:1]
        assert await walk(state="queued", limit=1) == newest[:4]
        assert await walk(name="CORE", limit=1) == await walk(name="core") == [ids[3], ids[1]]
        for wrong in ({"after": "nonsense"}, {"limit": 0}, {"limit": 1001}, {"state": "asleep"}):
            assert (await client.get("/api/jobs", params=wrong)).status_code == 422


async def test_a_name_that_nothing_has_is_looked_for_in_a_few_pages_at_a_time(home):
    async with dependencies_and_client(home) as (dependencies, client):
        first = (await client.post("/api/jobs", json=SMALL)).json()["id"]
        [record] = (await dependencies.store.records.list("local", "run")).records
        assert record.key.id == first
        for n in range(60):
            await dependencies.store.records.put(Key("local", "run", f"copy{n}"), {**record.document, "id": f"copy{n}"})
        page = (await client.get("/api/jobs", params={"name": "nothing", "limit": 1})).json()
        assert page["items"] == []
        last = (await client.get("/api/jobs", params={"name": "nothing", "limit": 1, "after": page["next"]})).json()
        assert last == {"items": [], "next": None}


async def test_a_waiting_job_is_cancelled_at_once_and_a_finished_one_never(home):
    async with dependencies_and_client(home) as (dependencies, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
        answer = await client.delete(f"/api/jobs/{job['id']}", params={"reason": "wrong seed"})
        assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")
        read = (await client.get(f"/api/jobs/{job['id']}")).json()
        assert (read["history"][-1]["by"], read["history"][-1]["reason"]) == ("local", "wrong seed")
        assert read["progress"]["stage"] == "cancelled"
        assert (await client.get(f"/api/jobs/{job['id']}/result")).status_code == 409

        other = (await client.post("/api/jobs", json=SMALL)).json()
        await moved(dependencies, other["id"], "validating", "running", "aggregating", "completed")
        assert (await client.delete(f"/api/jobs/{other['id']}")).status_code == 409


async def test_a_job_that_a_worker_has_is_told_to_end(home):
    async with dependencies_and_client(home) as (dependencies, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
        async with hold_lease(dependencies.store, "local", job["id"]):
            await moved(dependencies, job["id"], "validating", "running")
            answer = await client.delete(f"/api/jobs/{job['id']}")
        assert (answer.status_code, answer.json()["state"], answer.json()["cancelling"]) == (202, "running", True)
        refused = await client.get(f"/api/jobs/{job['id']}/result")
        assert refused.status_code == 409
        assert f"GET /api/jobs/{job['id']}" in refused.json()["error"]["message"]


async def test_a_cancelled_job_goes_on_and_a_running_one_cannot(home):
    async with dependencies_and_client(home) as (_, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
        assert (await client.post(f"/api/jobs/{job['id']}/restart")).status_code == 409
        await client.delete(f"/api/jobs/{job['id']}")
        answer = await client.post(f"/api/jobs/{job['id']}/restart")
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")


async def test_a_person_decides_about_a_job_that_waits(home):
    async with dependencies_and_client(home) as (dependencies, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
        at = f"/api/jobs/{job['id']}/approval"
        nothing = await client.post(at, json={"verdict": "approved"})
        assert nothing.status_code == 409
        await moved(dependencies, job["id"], "validating", "waiting")
        approval = ApprovalRequest(
            subject="launch",
            estimate=estimate(OptimizationRequest(**SMALL)),
            exceeded=("evaluations",),
            thresholds=Thresholds(evaluations=1),
            at=dependencies.now(),
        )
        key = Key("local", "approval", f"{job['id']}.launch")
        await dependencies.store.records.put(key, Approval(asked=approval).model_dump(mode="json"))
        assert (await client.get(f"/api/jobs/{job['id']}")).json()["approval"]["decided"] is None
        for wrong in ({"verdict": "rejected"}, {"verdict": "edited"}, {"verdict": "approved", "trials": 20}, {}):
            assert (await client.post(at, json=wrong)).status_code == 422
        answer = await client.post(at, json={"verdict": "edited", "trials": 12})
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        assert (await client.get(f"/api/jobs/{job['id']}/request")).json()["trials"] == 12
        assert (await client.get(f"/api/jobs/{job['id']}")).json()["approval"]["decided"]["by"] == "local"
        assert (await client.post(at, json={"verdict": "rejected", "reason": "too dear"})).status_code == 409


async def test_a_job_says_that_its_data_were_revised(home):
    async with dependencies_and_client(home) as (dependencies, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
        await dependencies.store.records.put(Key("local", "stale", job["id"]), {"reason": "closes changed"})
        assert (await client.get(f"/api/jobs/{job['id']}")).json()["stale"] == {"reason": "closes changed"}


async def test_a_job_of_somebody_else_is_not_found(home):
    async with dependencies_and_client(home) as (_, client):
        job = (await client.post("/api/jobs", json=SMALL)).json()
    at = f"/api/jobs/{job['id']}"
    async with dependencies_and_client(home, owner="anne") as (_, client):
        answers = [
            await client.request(method, at + rest, json=body)
            for method, rest, body in (
                ("GET", "", None),
                ("DELETE", "", None),
                ("POST", "/restart", None),
                ("POST", "/approval", {"verdict": "approved"}),
                ("GET", "/request", None),
                ("GET", "/result", None),
                ("GET", "/trials", None),
                ("GET", f"/trials/{'0' * 64}", None),
                ("GET", "/charts", None),
                ("GET", "/export", None),
                ("POST", "/reproduce", None),
                ("GET", "/reproductions", None),
            )
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert {answer.json()["error"]["code"] for answer in answers} == {"NOT_FOUND"}
        assert (await client.get("/api/jobs")).json()["items"] == []
