"""Lists of jobs with what they show, and the desk."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk.optimization.request import OptimizationRequest
from desk.runs.repository import change_run, load_final_result
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, open_client
from tests.api.http.identity.sign_in import bearer
from tests.api.http.two_users import sign_in_application
from tests.doubles.cognito import PERSON, pool
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies
from tests.graphs.runs.approval_process import LOW

pytestmark = pytest.mark.anyio

SMALL = OptimizationRequest(
    name="Small",
    trials=10,
    seed=3,
    scenarios=tuple(scenario.model_copy(update={"paths": 100, "years": 1}) for scenario in BUILT_IN[:1]),
    first_day=FIRST_DAY,
)
PRICES = "date,A\n2024-01-02,1.5\n2024-01-03,1.6\n2024-01-04,1.7\n"


@pytest.fixture
async def dependencies(anyio_backend: str, home: Path) -> AsyncIterator[Dependencies]:
    async with open_dependencies(home) as opened:
        yield opened


async def run_job(dependencies: Dependencies, owner: str = "local", **changes: Any) -> str:
    run = await create_run(dependencies, owner, SMALL.model_copy(update=changes))
    async for _ in execute(dependencies, owner, run):
        pass
    return run


async def items(client: httpx.AsyncClient, **params: str) -> dict[str, Any]:
    page = (await client.get("/api/jobs", params=params)).json()
    return {job["id"]: job for job in page["items"]}


async def test_lists_and_the_desk_show_what_each_job_is_about(home: Path, dependencies: Dependencies) -> None:
    finished = await run_job(dependencies)
    waiting = await run_job(replace(dependencies, thresholds=LOW), seed=4)
    running = await create_run(dependencies, "local", SMALL)
    for state in ("validating", "running"):
        await change_run(
            dependencies.store,
            "local",
            running,
            lambda run, state=state: run.with_state(state, at=datetime.now(UTC), by="worker"),
        )
    result = await load_final_result(dependencies.store, "local", finished)
    assert result is not None
    assert result.winner is not None
    assert result.benefit is not None
    async with open_client(application(home, queued_dependencies(home))) as client:
        jobs = await items(client)
        desk = (await client.get("/api/desk")).json()
        later = (await client.get("/api/desk", params={"since": "2999-01-01T00:00:00Z"})).json()
        assert (await client.get("/api/desk", params={"since": "2026-01-01T00:00:00"})).status_code == 422
    summary = jobs[finished]["result"]
    assert (summary["verdict"], summary["headline"]) == (result.verdict.colour, result.verdict.headline)
    assert (summary["benefit_bps"], summary["benefit_low_bps"], summary["benefit_high_bps"]) == (
        result.benefit.basis_points.value,
        result.benefit.low,
        result.benefit.high,
    )
    assert summary["winner_digest"] == result.winner.digest
    assert result.winner.config.rebalancing in summary["winner"]
    assert [(jobs[run]["waiting_for"], jobs[run]["progress"] is None) for run in (finished, waiting, running)] == [
        (None, True),
        ("you", True),
        (None, False),
    ]
    assert jobs[running]["progress"]["share"] < 1.0
    assert {name: [job["id"] for job in desk[name]] for name in ("waiting", "active", "ended")} == {
        "waiting": [waiting],
        "active": [running],
        "ended": [finished],
    }
    assert desk["ended"][0] == jobs[finished]
    assert [question["name"] for question in desk["approvals"]] == ["Small"]
    assert (desk["is_new"], later["ended"], later["active"]) == (False, [], desk["active"])


async def test_a_new_user_has_an_empty_desk_with_stale_data_once_some_are_imported(home: Path) -> None:
    async with open_client(application(home)) as client:
        desk = (await client.get("/api/desk")).json()
        assert (desk.pop("is_new"), set(map(str, desk.values()))) == (True, {"[]"})
        terms = {"dataset": "old", "dry_run": False}
        await client.post("/api/market-data/imports", params=terms, content=PRICES)
        (stale,) = (await client.get("/api/desk")).json()["stale_data"]
    assert (stale["name"], stale["freshness"]["fresh"]) == ("old", False)


async def test_a_job_waits_for_another_person_where_the_requester_may_not_decide(
    home: Path, dependencies: Dependencies
) -> None:
    waiting = await run_job(replace(dependencies, thresholds=LOW), owner=PERSON)
    with pool() as signing:
        async with open_client(sign_in_application(home, signing)) as client:
            for group, answer, questions in (("analyst", "another_person", 0), ("portfolio-manager", "you", 1)):
                client.headers.update(bearer(signing.token(groups=[group])))
                desk = (await client.get("/api/desk")).json()
                (job,) = desk["waiting"]
                assert (job["id"], job["waiting_for"], len(desk["approvals"])) == (waiting, answer, questions)
