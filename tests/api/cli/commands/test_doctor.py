"""`doctor` reports failures with their fixes and no secrets; `dead-letters` lists and replays messages."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import run
from api.doctor import stored_work
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import load_run
from graphs.jobs import job_queue
from tests.api.http.application import settings_of
from tests.doubles.aws import free_port, point_at
from tests.graphs.jobs.queued_runs import queued_dependencies

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"


def doctor(capsys) -> tuple[int, dict[str, dict[str, str]]]:
    capsys.readouterr()
    code = run(["doctor", "--json"])
    return code, {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_new_installation_warns_of_old_prices_and_a_missing_worker_only(home, capsys, monkeypatch):
    monkeypatch.setenv("STRATIGOS_PORT", str(free_port()))
    monkeypatch.setenv("STRATIGOS_LOG", "stdout")  # the report still has standard output to itself
    code, findings = doctor(capsys)
    wrong = {name: each["state"] for name, each in findings.items() if each["state"] not in ("ok", "skipped")}
    assert (code, wrong.pop("workers"), wrong.pop("data")) == (0, "warning", "warning")
    assert wrong.keys() <= {"kernels"}, "the kernels may not be compiled yet"
    assert all(each["todo"] for each in findings.values() if each["state"] in ("warning", "failed"))
    assert run(["doctor"]) == 0
    report = capsys.readouterr().out
    assert "◆ workers" in report
    assert "→ `python -m api work` executes what is queued" in report
    assert "0 failed" in report


def break_installation(home: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    place = str(home)
    match how:
        case "home":
            home.parent.joinpath("file").touch()
            place = str(home.parent / "file" / "home")
        case "database":
            home.mkdir()
            (home / "store.sqlite").write_bytes(b"not a database" * 1000)
        case "schema":
            home.mkdir()
            with closing(sqlite3.connect(home / "store.sqlite")) as connection:
                connection.execute("PRAGMA user_version = 999")
        case "settings":
            monkeypatch.setenv("STRATIGOS_WORKERS", "many")
        case "models":
            point_at(monkeypatch, "http://127.0.0.1:9")
            monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
            monkeypatch.setenv("MODEL", "bedrock_converse:anthropic.claude-sonnet-4-5-20250929-v1:0")
        case "sign-in":
            monkeypatch.setenv("STRATIGOS_HOST", "0.0.0.0")
        case _:
            point_at(monkeypatch, f"http://127.0.0.1:{free_port()}")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
            monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
    monkeypatch.setenv("STRATIGOS_HOME", place)


@pytest.mark.parametrize(
    ("how", "name", "text", "todo"),
    [
        ("home", "home", "cannot be written to", "set STRATIGOS_HOME to a folder that you can write to"),
        ("database", "database", "file is not a database", "with the last backup"),
        ("schema", "database", "schema 999", "update the program"),
        ("settings", "settings", "'many' is not allowed", "set STRATIGOS_WORKERS to"),
        ("models", "models", "only one key of the pair is set", "set AWS_SECRET_ACCESS_KEY to"),
        ("sign-in", "sign-in", "authentication is off, and 0.0.0.0", "set STRATIGOS_AUTH to keys or cognito"),
        ("table", "store", "the table 'stratigos-records' is unavailable", "fix the failures above"),
    ],
)
def test_each_failure_is_reported_with_its_fix(home, capsys, monkeypatch, how, name, text, todo):
    break_installation(home, monkeypatch, how)
    code, findings = doctor(capsys)
    assert code == 1
    assert findings[name]["state"] == "failed"
    assert text in findings[name]["found"]
    assert todo in findings[name]["todo"]
    assert SECRET not in json.dumps(findings)


async def add_dead_letter(home: Path, body: dict[str, Any]) -> str:
    async with queued_dependencies(home) as dependencies:
        assert dependencies.queue is not None
        id_ = await dependencies.queue.send(body)
        delivery = await dependencies.queue.receive(lease=60.0, wait=1.0)
        assert delivery is not None
        await dependencies.queue.bury(delivery, "3 workers did not survive it")
        assert "dead-letters" in (await stored_work.check_queue(dependencies, settings_of(home))).todo
        return id_


async def submit_failed_job(home: Path) -> str:
    """A job that failed because its message became a dead letter."""
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, "local", OptimizationRequest())
        assert dependencies.queue is not None
        delivery = await dependencies.queue.receive(lease=60.0, wait=1.0)
        assert delivery is not None
        await dependencies.queue.finish(delivery)
        await job_queue.fail(dependencies, "local", run.id, reason="dead letter", code="fault")
        await job_queue.release_place(dependencies, "local", run.id, 1)
        return run.id


def test_dead_letters_are_listed_and_replayed(home, capsys):
    job = asyncio.run(submit_failed_job(home))
    letter = asyncio.run(add_dead_letter(home, {"owner": "local", "job": job, "number": 1}))
    nameless = asyncio.run(add_dead_letter(home, {"odd": True}))
    assert run(["dead-letters"]) == 0
    out = capsys.readouterr().out
    assert f"{letter}  job {job} of local, 1 attempts" in out
    assert run(["dead-letters", "--json"]) == 0
    letters = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert letters.keys() == {letter, nameless}
    assert run(["dead-letters", "--replay", letter]) == 0
    assert f"Job {job} is queued" in capsys.readouterr().out
    assert run(["dead-letters", "--replay", nameless]) == 2
    assert "names no job" in capsys.readouterr().err
    assert run(["dead-letters", "--replay", "nothing"]) == 2

    async def state() -> str:
        async with queued_dependencies(home) as dependencies:
            return (await load_run(dependencies.store, "local", job)).state

    assert asyncio.run(state()) == "queued"


def test_the_report_contains_no_secret_of_the_environment(home, capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("STRATIGOS_KEY", f"stratigos_0123456789ab_{SECRET}xxxx")
    run(["doctor"])
    output = capsys.readouterr()
    assert SECRET not in output.out + output.err
