"""Archived jobs over HTTP, and the commands `cleanup`, `hold` and `restore`."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from api.cli.main import run
from desk.optimization.request import OptimizationRequest
from graphs.runs.archive import archive
from graphs.runs.creation import new_run
from tests.api.http.application import application, open_client
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies
from tests.graphs.runs.failed_runs import BEGIN, content_of, create_failed_run

OLD = "0d8f4a1f0c9c2be5b79f0c9c2be5b74d"
HELD = "9f0c9c2be5b74d0d8f4a1f0c9c2be5b7"


async def old_runs(dependencies) -> None:
    """Two runs that failed long ago, whose logs are those of runs."""
    dependencies = replace(dependencies, now=lambda: BEGIN)
    template = await new_run(dependencies, OWNER, OptimizationRequest(trials=10, seed=3))
    for name in (OLD, HELD):
        await create_failed_run(dependencies, template, name)
        await dependencies.store.events.delete(OWNER, name)


@asynccontextmanager
async def client_and_dependencies(home):
    async with (
        queued_dependencies(home) as dependencies,
        open_client(application(home, queued_dependencies(home))) as client,
    ):
        await old_runs(dependencies)
        yield client, dependencies


@pytest.mark.anyio
async def test_an_archived_job_is_marked_and_can_be_restored(home):
    async with client_and_dependencies(home) as (client, dependencies):
        before = (await client.get(f"/api/jobs/{OLD}")).json()
        assert (before["archived_at"], before["held"]) == (None, False)
        await archive(dependencies, OWNER, OLD)
        listed = {job["id"]: job for job in (await client.get("/api/jobs")).json()["items"]}
        assert listed[OLD]["archived_at"] is not None
        assert listed[HELD]["archived_at"] is None

        looks = ("", "/result", "/trials", "/charts", "/request", "/export", "/reproductions", f"/trials/{'0' * 64}")
        answers = [await client.get(f"/api/jobs/{OLD}{path}") for path in looks]
        answers += [await client.get(f"/api/runs/{OLD}/events{path}") for path in ("", "/poll")]
        answers += [await client.get("/api/jobs/compare", params={"ids": f"{OLD},{HELD}"})]
        answers += [await client.post(f"/api/jobs/{OLD}/{path}") for path in ("restart", "reproduce")]
        answers += [await client.delete(f"/api/jobs/{OLD}")]
        answers += [await client.post(f"/api/jobs/{OLD}/approval", json={"verdict": "approved"})]
        for answer in answers:
            assert answer.status_code == 410, answer.request.url
            assert answer.json()["error"]["code"] == "GONE"
            assert f"POST /api/jobs/{OLD}/unarchive" in answer.json()["error"]["message"]

        back = await client.post(f"/api/jobs/{OLD}/unarchive")
        assert (back.status_code, back.json()) == (200, {name: before[name] for name in back.json()})
        assert (await client.get(f"/api/jobs/{OLD}")).json() == before
        again, unknown = [await client.post(f"/api/jobs/{job}/unarchive") for job in (OLD, "nobodys")]
        assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")
        assert unknown.status_code == 404


@pytest.mark.anyio
async def test_an_archive_of_another_owner_is_absent_and_a_changed_one_is_rejected(home):
    async with queued_dependencies(home) as dependencies:
        await old_runs(dependencies)
        archived = await archive(dependencies, OWNER, OLD)
        async with open_client(application(home, queued_dependencies(home), owner="other")) as client:
            assert (await client.post(f"/api/jobs/{OLD}/unarchive")).status_code == 404
        await dependencies.store.blobs.put(archived.blob, b"another file")
        async with open_client(application(home, queued_dependencies(home))) as client:
            refused = await client.post(f"/api/jobs/{OLD}/unarchive")
            assert refused.status_code == 409
            assert "was changed after it was written" in refused.json()["error"]["message"]
            assert (await client.get(f"/api/jobs/{OLD}")).status_code == 410


def test_the_commands_archive_hold_and_restore(home, monkeypatch, capsys):
    monkeypatch.setenv("STRATIGOS_HOME", str(home))

    async def with_dependencies(work):
        async with open_dependencies(home) as dependencies:
            return await work(dependencies)

    def run_command(*arguments: str, code: int = 0) -> str:
        assert run(arguments) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    asyncio.run(with_dependencies(old_runs))
    before = asyncio.run(with_dependencies(lambda dependencies: content_of(dependencies.store, OLD)))
    assert f"{HELD} is held by {OWNER}" in run_command("hold", HELD[:6], "--reason", "a case")
    foreseen = json.loads(run_command("cleanup", "--dry-run", "--json"))
    assert [each["run"] for each in foreseen["archived"]] == [OLD]
    assert foreseen["kept"] == [{"owner": OWNER, "run": HELD, "reason": f"{OWNER} holds it (a case)"}]
    assert "would be archived" in run_command("cleanup", "--dry-run")
    assert "archived" not in run_command("runs")

    entries = run_command("cleanup")
    assert f"{OLD}  {OWNER}  archived, {foreseen['bytes']:,} bytes" in entries
    assert f"{HELD}  {OWNER}  kept: {OWNER} holds it (a case)" in entries
    assert "0 runs were archived" in run_command("cleanup")
    assert f"{OLD[:12]}  archived" in run_command("runs")
    for command in ("show", "trace", "reproduce", "export"):
        assert f"python -m api restore {OLD}" in run_command(command, OLD, code=2)

    assert f"Restored {OLD}: it is failed" in run_command("restore", OLD[:6])
    assert asyncio.run(with_dependencies(lambda dependencies: content_of(dependencies.store, OLD))) == before
    assert "is not archived" in run_command("restore", OLD, code=2)
    assert "Released" in run_command("hold", HELD, "--release")
    assert [each["run"] for each in json.loads(run_command("cleanup", "--json"))["archived"]] == [HELD]
    entries = [json.loads(line) for line in run_command("audit", "list", "--json").splitlines()]
    assert [(each["action"], each["object"], each["outcome"]) for each in entries if each["begun"]] == [
        ("jobs.hold", f"jobs/{HELD}", "done"),
        ("jobs.restore", f"jobs/{OLD}", "done"),
        ("jobs.restore", f"jobs/{OLD}", "failed"),
        ("jobs.release", f"jobs/{HELD}", "done"),
    ]


def test_an_operator_holds_and_restores_the_runs_of_others(home, monkeypatch, capsys):
    async def with_dependencies(work):
        async with open_dependencies(home) as dependencies:
            return await work(dependencies)

    def run_command(*arguments: str, code: int = 0) -> str:
        assert run(arguments) == code
        captured = capsys.readouterr()
        return captured.out if code == 0 else captured.err

    asyncio.run(with_dependencies(old_runs))
    for name, value in (("HOME", str(home)), ("OWNER", "operator")):
        monkeypatch.setenv(f"STRATIGOS_{name}", value)
    assert "of another user's the whole id" in run_command("hold", HELD[:6], "--reason", "a case", code=2)
    assert "no run 'a#b'" in run_command("hold", "a#b", "--reason", "a case", code=2)
    for reason in ((), ("--reason", " "), ("--reason", "x" * 301)):
        assert "1 to 300 characters" in run_command("hold", HELD, *reason, code=2)
    assert "has no legal hold" in run_command("hold", HELD, "--release", code=2)
    assert f"{HELD} is held by operator" in run_command("hold", HELD, "--reason", "a case")
    assert run_command("hold", HELD, "--reason", "another").endswith(": another\n")
    unarchived = json.loads(run_command("cleanup", "--json"))["kept"]
    assert unarchived == [{"owner": OWNER, "run": HELD, "reason": "operator holds it (another)"}]
    assert f"Restored {OLD}" in run_command("restore", OLD)
    assert "Released" in run_command("hold", HELD, "--release")
    entries = [json.loads(line) for line in run_command("audit", "list", "--json", "--owner", "operator").splitlines()]
    assert [each["action"] for each in entries if each["begun"] and each["outcome"] == "done"] == [
        *["jobs.hold"] * 2,
        "jobs.restore",
        "jobs.release",
    ]


@pytest.mark.anyio
async def test_a_restored_job_can_be_started_again(home):
    async with client_and_dependencies(home) as (client, dependencies):
        await archive(dependencies, OWNER, OLD)
        assert (await client.post(f"/api/jobs/{OLD}/unarchive")).status_code == 200
        assert (await client.post(f"/api/jobs/{OLD}/restart")).json()["state"] == "queued"
