"""`doctor` finds what is wrong with an installation, says what to do, and tells no secret; dead letters can be sent
again."""

import asyncio
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import run
from api.doctor import environment, services, stored_work
from api.http.identity.api_keys import KeyTerms, create
from api.settings import Settings, read_settings
from desk.governance.audit_log import AuditLog, Entry
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import Run, load_run
from graphs.jobs import job_queue
from graphs.runs.computations import Computation
from store.records import Key
from tests.api.http.application import settings_of
from tests.api.sagemaker_settings import SAGEMAKER
from tests.doubles.aws import free_port, point_at
from tests.doubles.remote_jobs import Account, cloud_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"


def doctor(capsys) -> tuple[int, dict[str, dict[str, str]]]:
    capsys.readouterr()
    code = run(["doctor", "--json"])
    return code, {each["name"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_new_installation_is_well_but_for_old_prices_and_a_missing_worker(home, capsys, monkeypatch):
    monkeypatch.setenv("STRATIGOS_PORT", str(free_port()))
    monkeypatch.setenv("STRATIGOS_LOG", "stdout")  # the answer has standard output for itself
    code, found = doctor(capsys)
    wrong = {name: each["state"] for name, each in found.items() if each["state"] not in ("ok", "skipped")}
    assert (code, wrong.pop("workers"), wrong.pop("data")) == (0, "warning", "warning")
    assert wrong.keys() <= {"kernels"}, "they may not be compiled yet"
    assert all(each["todo"] for each in found.values() if each["state"] in ("warning", "failed"))
    assert run(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "◆ workers" in told
    assert "→ `python -m api work` executes what is queued" in told
    assert "0 failed" in told


def broken(home: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    place = str(home)
    match how:
        case "home":
            home.parent.joinpath("file").touch()
            place = str(home.parent / "file" / "home")
        case "database":
            home.mkdir()
            (home / "store.sqlite").write_bytes(b"no database at all" * 1000)
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
    ("how", "name", "told", "todo"),
    [
        ("home", "home", "cannot be written to", "set STRATIGOS_HOME to a folder of yours"),
        ("database", "database", "file is not a database", "with the last backup"),
        ("schema", "database", "schema 999", "update the program"),
        ("settings", "settings", "'many' is not allowed", "set STRATIGOS_WORKERS to"),
        ("models", "models", "only one key of the pair is set", "set AWS_SECRET_ACCESS_KEY to"),
        ("sign-in", "sign-in", "authentication is off, and 0.0.0.0", "set STRATIGOS_AUTH to keys or cognito"),
        ("table", "store", "the table 'stratigos' is unavailable", "fix the failures above"),
    ],
)
def test_what_is_broken_is_named_with_what_to_do(home, capsys, monkeypatch, how, name, told, todo):
    broken(home, monkeypatch, how)
    code, found = doctor(capsys)
    assert code == 1
    assert found[name]["state"] == "failed"
    assert told in found[name]["found"]
    assert todo in found[name]["todo"]
    assert SECRET not in json.dumps(found)


def test_a_file_that_is_damaged_inside_is_found(home):
    home.mkdir()
    path = home / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b TEXT)")
        connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 100)
        connection.commit()
    assert environment.check_database(settings_of(home)).state == "warning", "it has no write-ahead log"
    content = bytearray(path.read_bytes())
    content[4096:4200] = bytes(104)
    path.write_bytes(content)
    found = environment.check_database(settings_of(home))
    assert (found.state, "is damaged" in found.found or "cannot be read" in found.found) == ("failed", True)


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "failed"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 99), "warning")]
)
def test_the_version_of_python(version, state):
    assert environment.check_python(version).state == state


@pytest.mark.parametrize(("free", "state"), [(10**7, "failed"), (10**9, "warning"), (10**11, "ok")])
def test_room_on_the_disk(home, free, state):
    found = environment.check_home(settings_of(home), lambda _: free)
    assert (found.state, bool(found.todo)) == (state, state != "ok")


def test_a_port_that_is_taken(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_of(home).model_copy(update={"port": taken.getsockname()[1]})
        found = environment.check_port(settings)
    assert found.state == "warning"
    assert "STRATIGOS_PORT" in found.todo


def test_kernels_that_are_not_compiled(tmp_path, monkeypatch):
    from quant.numeric.compilation import cache_folder

    monkeypatch.setenv("STRATIGOS_KERNEL_CACHE", str(tmp_path))
    cache_folder.cache_clear()
    try:
        found = environment.check_kernels(settings_of(tmp_path))
    finally:
        cache_folder.cache_clear()
    assert found.state == "warning"
    assert "are not compiled" in found.found


@contextmanager
def aws_at(hours: float) -> Iterator[str]:
    """A server that refuses everything and has another time."""

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b'{"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "expired"}'
            self.send_response_only(400)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("hours", "state"), [(0.0, "ok"), (0.05, "warning"), (-1.0, "failed")])
async def test_a_clock_that_differs_from_that_of_aws_is_told_although_aws_refuses(home, monkeypatch, hours, state):
    with aws_at(hours) as url:
        point_at(monkeypatch, url)
        monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
        assert (await services.check_clock(read_settings())).state == state


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("SAGEMAKER", SAGEMAKER),
        ("BEDROCK_RUNTIME", {"MODEL": "bedrock_converse:anthropic.claude-sonnet-4-5-20250929-v1:0"}),
        ("SQS", {"STRATIGOS_QUEUE": "sqs:{url}/1/jobs,dead:{url}/1/dead"}),
        ("DYNAMODB", {"STRATIGOS_CHECKPOINTS": "dynamodb:stratigos"}),
    ],
)
async def test_the_clock_is_looked_at_wherever_aws_is_used(home, monkeypatch, service, given):
    with aws_at(-1.0) as url:
        point_at(monkeypatch, "http://127.0.0.1:9")
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        for name, value in given.items():
            monkeypatch.setenv(name, value.replace("{url}", url))
        found = await services.check_clock(read_settings())
    assert (found.state, found.found[:12]) == ("failed", "the clock di")
    assert "NTP" in found.todo


async def test_a_pool_that_cannot_be_reached(home, monkeypatch):
    monkeypatch.setenv("STRATIGOS_AUTH", "cognito")
    monkeypatch.setenv("COGNITO_CLIENTS", "client")
    assert "COGNITO_ISSUER" in (await services.check_sign_in(Settings())).todo
    monkeypatch.setenv("COGNITO_ISSUER", f"http://127.0.0.1:{free_port()}/pool")
    found = await services.check_sign_in(Settings())
    assert (found.state, "cannot be read" in found.found) == ("failed", True)


@pytest.mark.parametrize(("days", "state"), [(None, "warning"), (3, "warning"), (30, "ok")])
async def test_keys_that_end_soon_or_are_missing(home, days, state):
    settings = settings_of(home).model_copy(update={"auth": "keys"})
    async with queued_dependencies(home) as dependencies:
        if days is not None:
            terms = KeyTerms(owner="anna", roles=("analyst",))
            _, shown = await create(dependencies.store, terms, days=days, now=dependencies.now())
            assert shown not in str(await stored_work.check_keys(dependencies, settings))
        found = await stored_work.check_keys(dependencies, settings)
    assert found.state == state


def left(dependencies: Any, **changes: Any) -> Run:
    long_ago = dependencies.now() - timedelta(hours=5)
    told = {"request": OptimizationRequest(), "data_digest": "d", "ledger": "l", "code_version": "c"}
    run = Run(id="left-alone", owner="local", state="created", created_at=long_ago, **told)
    return run.with_state("validating", at=long_ago, by="worker").with_state("running", at=long_ago, by="worker")


async def test_runs_that_nobody_executes_and_jobs_that_were_never_sent(home):
    settings = settings_of(home)
    async with queued_dependencies(home) as dependencies:
        assert (await stored_work.check_runs(dependencies, settings)).state == "ok"
        await dependencies.store.records.put_many([left(dependencies).put(0)])
        found = await stored_work.check_runs(dependencies, settings)
        assert (found.state, "left-alone" in found.found) == ("warning", True)
        assert (await stored_work.check_tickets(dependencies, settings)).state == "ok"
        place = {"job": "j", "number": 1, "at": (dependencies.now() - timedelta(minutes=1)).isoformat()}
        await dependencies.store.records.put(Key("_desk", "turnstile", "anna"), {"count": 1, "places": [place]})
        assert (await stored_work.check_tickets(dependencies, settings)).state == "warning"


async def test_computations_that_nobody_looks_at(home):
    settings = settings_of(home)
    async with cloud_dependencies(home, Account()) as dependencies:
        assert (await stored_work.check_computations(dependencies, settings)).state == "ok"
        known = Computation(owner="local", run="r", job="local-r-plan-0", looked_at=dependencies.now())
        await dependencies.store.records.put_many([known.put(0)])
        assert (await stored_work.check_computations(dependencies, settings)).state == "ok"
        later = replace(dependencies, now=lambda: known.looked_at + timedelta(hours=1))
        assert "not polled" in (await stored_work.check_computations(later, settings)).found
    async with queued_dependencies(home) as dependencies:
        assert "STRATIGOS_COMPUTE" in str(await stored_work.check_computations(dependencies, settings))


async def test_an_audit_log_that_was_changed(home):
    settings = settings_of(home)
    async with queued_dependencies(home) as dependencies:
        who = {"owner": "anna", "via": "local", "roles": (), "request": "r", "address": ""}
        for action in ("POST /api/jobs", "DELETE /api/jobs/{job_id}"):
            await AuditLog(dependencies.store).append(
                Entry(at=dependencies.now(), action=action, object="jobs/1", **who)
            )
        assert (await stored_work.check_audit_log(dependencies, settings)).state == "ok"
    with closing(sqlite3.connect(home / "store.sqlite")) as connection:
        connection.execute("UPDATE events SET payload = replace(payload, 'anna', 'anne') WHERE number = 2")
        connection.commit()
    async with queued_dependencies(home) as dependencies:
        found = await stored_work.check_audit_log(dependencies, settings)
    assert (found.state, "entry 2" in found.found) == ("failed", True)


async def buried(home: Path, body: dict[str, Any]) -> str:
    async with queued_dependencies(home) as dependencies:
        assert dependencies.queue is not None
        id_ = await dependencies.queue.send(body)
        delivery = await dependencies.queue.receive(lease=60.0, wait=1.0)
        assert delivery is not None
        await dependencies.queue.bury(delivery, "3 workers did not survive it")
        assert "dead-letters" in (await stored_work.check_queue(dependencies, settings_of(home))).todo
        return id_


async def submitted(home: Path) -> str:
    """A job that failed as a dead letter does."""
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, "local", OptimizationRequest())
        assert dependencies.queue is not None
        delivery = await dependencies.queue.receive(lease=60.0, wait=1.0)
        assert delivery is not None
        await dependencies.queue.finish(delivery)
        await job_queue.fail(dependencies, "local", run.id, reason="dead letter", code="fault")
        await job_queue.release_place(dependencies, "local", run.id, 1)
        return run.id


def test_dead_letters_are_listed_and_sent_again(home, capsys):
    job = asyncio.run(submitted(home))
    letter = asyncio.run(buried(home, {"owner": "local", "job": job, "number": 1}))
    nameless = asyncio.run(buried(home, {"odd": True}))
    assert run(["dead-letters"]) == 0
    out = capsys.readouterr().out
    assert f"{letter}  job {job} of local, 1 attempts" in out
    assert run(["dead-letters", "--json"]) == 0
    listed = {each["id"]: each for each in json.loads(capsys.readouterr().out)}
    assert listed.keys() == {letter, nameless}
    assert run(["dead-letters", "--replay", letter]) == 0
    assert f"Job {job} is queued" in capsys.readouterr().out
    assert run(["dead-letters", "--replay", nameless]) == 2
    assert "names no job" in capsys.readouterr().err
    assert run(["dead-letters", "--replay", "nothing"]) == 2

    async def state() -> str:
        async with queued_dependencies(home) as dependencies:
            return (await load_run(dependencies.store, "local", job)).state

    assert asyncio.run(state()) == "queued"


def test_no_secret_of_the_environment_is_told(home, capsys, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("STRATIGOS_KEY", f"stratigos_0123456789ab_{SECRET}xxxx")
    run(["doctor"])
    told = capsys.readouterr()
    assert SECRET not in told.out + told.err
