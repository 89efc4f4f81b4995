"""What people change and take away is told before it is done, and how it ended; nothing is done that cannot be told."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import Depends
from starlette.requests import HTTPConnection

from api.cli.main import run
from api.http.middleware.audit import audit_request
from api.operations.log import log_to
from desk.base.clock import utc_now
from desk.base.owners import register_owner
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_entries import LogEntry
from desk.governance.audit_log import AuditLog
from desk.governance.audit_verification import verify
from desk.governance.principals import Principal
from desk.governance.roles import Role
from graphs.dependencies import Dependencies
from store.embedded import open_store
from store.errors import Unavailable
from store.records import Put, Records
from tests.api.http.application import application, document, open_client
from tests.api.http.operation_requests import SIGN_IN
from tests.api.http.sample_requests import TECH_PORTFOLIO
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio


class Named:
    """Whoever the header says, as somebody who has signed in."""

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        roles: dict[str, tuple[Role, ...]] = {"ann": ("portfolio-manager",), "carl": ("compliance-officer",)}
        owner = connection.headers.get("x-user", "ann")
        return Principal(owner=owner, roles=roles[owner], via=f"key:{owner}1")


class Faulty:
    """Records of which those of the audit log cannot be written while `failing` says so."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.failing = False
        self.left = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def put_many(self, puts: Sequence[Put]) -> Any:
        if self.failing and puts and puts[0].key.kind.startswith("audit-"):
            if not self.left:
                raise Unavailable("disk full")
            self.left -= 1
        return await self._port.put_many(puts)

    put, list = Records.put, Records.list


@pytest.fixture
def portfolio_home(home: Path) -> None:
    home.mkdir(parents=True)


@pytest.fixture
async def faulty(
    anyio_backend: str, home: Path, portfolio_home: None
) -> AsyncIterator[tuple[httpx.AsyncClient, Faulty]]:
    async with queued_dependencies(home) as dependencies:
        records = Faulty(dependencies.store.records)

        @asynccontextmanager
        async def faulty_dependencies() -> AsyncGenerator[Dependencies]:
            yield replace(dependencies, store=replace(dependencies.store, records=records))

        app = application(home, faulty_dependencies())
        with log_to(home, "info"):
            async with open_client(app) as client:
                app.state.service = replace(app.state.service, identity=Named())
                yield client, records


@pytest.fixture
def client(faulty: tuple[httpx.AsyncClient, Faulty]) -> httpx.AsyncClient:
    return faulty[0]


async def log_entries(home: Path) -> list[LogEntry]:
    async with open_store(home) as store:
        assert (await verify(store)).fault is None
        entries, _ = await AuditLog(store).page(None, 1000)
    return entries


async def test_a_change_is_told_before_it_is_done_and_with_its_outcome(client: httpx.AsyncClient, home: Path) -> None:
    response = await client.post("/api/portfolios", json=TECH_PORTFOLIO, headers={"X-Request-Id": "mine"})
    assert response.status_code == 201
    before, after = await log_entries(home)
    assert before.model_dump(exclude={"id", "at", "hash", "place", "chain"}) == {
        "owner": "ann",
        "via": "key:ann1",
        "roles": ("portfolio-manager",),
        "action": "POST /api/portfolios",
        "object": "portfolios",
        "request": "mine",
        "address": "127.0.0.1",
        "begun": None,
        "outcome": None,
        "number": 1,
    }
    assert (after.begun, after.outcome, after.object) == (before.place, "201", f"portfolios/{response.json()['id']}")
    assert after.at >= before.at
    assert after.id != before.id


async def test_looking_is_not_told_and_taking_away_is(client: httpx.AsyncClient, home: Path) -> None:
    for path in ("portfolios", "jobs", "jobs/none", "audit", "threads/none/messages"):
        await client.get(f"/api/{path}")
    assert await log_entries(home) == []
    assert (await client.get("/api/jobs/none/export", params={"format": "csv"})).status_code == 404
    assert (await client.get("/api/monte-carlo/simulations/none/trajectories")).status_code == 404
    assert [(entry.action, entry.object, entry.outcome) for entry in await log_entries(home)] == [
        ("GET /api/jobs/{job_id}/export", "jobs/none/export", None),
        ("GET /api/jobs/{job_id}/export", "jobs/none/export", "404"),
        *[
            ("GET /api/monte-carlo/simulations/{simulation_id}/trajectories", object_, outcome)
            for object_, outcome in [
                ("monte-carlo/simulations/none/trajectories", None),
                ("monte-carlo/simulations/none/trajectories", "404"),
            ]
        ],
    ]


async def test_what_is_refused_is_told_too(client: httpx.AsyncClient, home: Path) -> None:
    await client.delete("/api/threads/none")
    await client.post("/api/portfolios", json={"name": "s3cr3t"})
    await client.post("/api/portfolios", json=TECH_PORTFOLIO, headers={"X-User": "carl"})
    assert [(entry.owner, entry.action, entry.outcome) for entry in await log_entries(home) if entry.begun] == [
        ("ann", "DELETE /api/threads/{thread}", "404"),
        ("ann", "POST /api/portfolios", "422"),
        ("carl", "POST /api/portfolios", "403"),
    ]
    assert "s3cr3t" not in str(await log_entries(home))


async def test_every_route_that_changes_something_is_told(client: httpx.AsyncClient, home: Path) -> None:
    """Whatever is sent: all of them in the document, with ids that are not there and no body."""
    for path, operations in document()["paths"].items():
        for method in operations:
            if method != "get":
                await client.request(method, path.replace("{number}", "1").replace("{", "").replace("}", ""))
    actions = {entry.action for entry in await log_entries(home) if entry.begun}
    changes = {
        f"{method.upper()} {path}"
        for path, operations in document()["paths"].items()
        for method in operations
        if method != "get" and f"{method.upper()} {path}" not in SIGN_IN  # audited with the user, once there is one
    }
    assert len(changes) > 20
    assert actions == changes


async def test_nothing_is_done_that_cannot_be_told(faulty: tuple[httpx.AsyncClient, Faulty], home: Path) -> None:
    client, records = faulty
    records.failing = True
    answer = await client.post("/api/portfolios", json=TECH_PORTFOLIO)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
    assert "retry-after" in answer.headers
    assert (await client.get("/api/jobs/none/export")).status_code == 503
    assert (await client.get("/api/portfolios")).json() == []
    records.failing = False
    assert (await client.post("/api/portfolios", json=TECH_PORTFOLIO)).status_code == 201
    assert len(await log_entries(home)) == 2


async def test_an_outcome_that_cannot_be_told_is_said_loudly_and_changes_no_answer(
    faulty: tuple[httpx.AsyncClient, Faulty], home: Path
) -> None:
    client, records = faulty
    records.failing, records.left = True, 1
    assert (await client.post("/api/portfolios", json=TECH_PORTFOLIO)).status_code == 201
    lines = [json.loads(line) for line in (home / "stratigos.log").read_text().splitlines()]
    [lost] = [line for line in lines if line["event"] == "audit_outcome_lost"]
    assert (lost["level"], lost["entry"], lost["outcome"]) == ("critical", lost["entry"], "201")
    records.failing = False
    assert [(entry.place, entry.outcome) for entry in await log_entries(home)] == [(lost["entry"], None)]


async def test_a_fault_and_a_request_that_is_cut_off_are_told(home: Path, portfolio_home: None) -> None:
    app = application(home)
    reached = asyncio.Event()

    @app.post("/api/broken", dependencies=[Depends(audit_request)])
    async def broken() -> None:
        raise ZeroDivisionError

    @app.post("/api/endless", dependencies=[Depends(audit_request)])
    async def endless() -> None:
        reached.set()
        await asyncio.sleep(60)

    with log_to(home, "info"):
        async with open_client(app) as client:
            assert (await client.post("/api/broken")).status_code == 500
            asking = asyncio.create_task(client.post("/api/endless"))
            await reached.wait()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    assert [entry.outcome for entry in await log_entries(home)] == [None, "500", None, "cut off"]


async def test_the_log_is_read_in_pages_by_those_who_may(client: httpx.AsyncClient) -> None:
    for n in range(3):
        await client.delete(f"/api/threads/{n}")
    assert (await client.get("/api/audit")).status_code == 403
    carl = {"X-User": "carl"}
    read: list[dict[str, Any]] = []
    after: str | None = "0"
    while after is not None:
        answer = await client.get("/api/audit", params={"limit": 4, "after": after}, headers=carl)
        assert answer.status_code == 200
        page = answer.json()
        read += page["items"]
        after = page["next"]
    assert [(entry["number"], entry["object"]) for entry in read] == [(n + 1, f"threads/{n // 2}") for n in range(6)]
    for wrong in ("x", "-1", "1" * 16, "٣", "1795459255896736.1f3a9c0b.0"):
        assert (await client.get("/api/audit", params={"after": wrong}, headers=carl)).status_code == 422
    assert (await client.get("/api/audit", params={"after": "9999999999999999.ffffffff.1"}, headers=carl)).json() == {
        "items": [],
        "next": None,
    }


# The commands


def execute(home: Path, statement: str) -> None:
    with closing(sqlite3.connect(home / "store.sqlite", isolation_level=None)) as connection:
        connection.execute(statement)


def anchor(home: Path) -> None:
    async def run() -> None:
        async with open_store(home) as store:
            assert await anchor_chains(store, "", utc_now()) == 1

    asyncio.run(run())


@pytest.fixture
def four(home: Path) -> None:
    """Entries, of two requests."""

    async def ask() -> None:
        async with open_client(application(home, owner="ann")) as client:
            assert (await client.post("/api/portfolios", json=TECH_PORTFOLIO)).status_code == 201
            await client.delete("/api/threads/none")

    asyncio.run(ask())


def verified(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = run(["audit", "verify", *arguments])
    return code, capfd.readouterr().out


@pytest.mark.usefixtures("four")
def test_the_log_is_verified_and_its_anchor_is_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, output = verified(capfd)
    assert code == 0
    assert "The audit log is whole: 4 entries" in output
    assert "Not anchored yet: entries 1 to 4 of chain " in output
    anchor(home)
    output = verified(capfd)[1]
    assert "Not anchored" not in output
    noted = output.split("Anchor ")[1].strip()
    assert verified(capfd, "--expect", noted)[0] == 0
    assert verified(capfd, "--expect", f"4:{'0' * 64}")[0] == 1
    assert run(["audit", "verify", "--expect", "4"]) == 2
    assert "NUMBER:HASH" in capfd.readouterr().err
    where = "kind LIKE 'audit-2%' AND id LIKE '%.2'"
    execute(home, f"UPDATE records SET document = replace(document, 'ann', 'bob') WHERE {where}")
    code, output = verified(capfd)
    assert code == 1
    assert re.match(r"Entry 2 of chain [0-9]{8}\.[0-9a-f]{8} \(it says that it is of 20", output)
    assert "2 entries follow in its chain" in output
    code, output = verified(capfd, "--json")
    assert (code, json.loads(output)["fault"]["number"]) == (1, 2)


def test_a_log_of_nothing_is_whole(capfd: pytest.CaptureFixture[str]) -> None:
    assert verified(capfd) == (0, "The audit log is empty\n")


@pytest.mark.usefixtures("four")
def test_the_log_is_listed(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["audit", "list", "--json"]) == 0
    every = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert run(["audit", "list", "--json", "--after", every[1]["place"]]) == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["number"], line["outcome"]) for line in lines] == [(3, None), (4, "404")]
    assert run(["audit", "list", "--owner", "ann"]) == 0
    lines = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [(line[0], line[2], len(line)) for line in lines] == [(each["place"], "ann", 8) for each in every]
    assert "DELETE" in lines[-1][4]
    for form in ([], ["--json"]):
        assert run(["audit", "list", "--owner", "bob", *form]) == 0
        assert capfd.readouterr() == ("", "no entry of bob\n")


def test_an_empty_log_where_there_are_runs_is_suspicious(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def begin() -> None:
        async with open_store(home) as store:
            await register_owner(store, "ann")

    asyncio.run(begin())
    assert run(["audit", "verify"]) == 0
    assert capfd.readouterr() == ("The audit log is empty\n", "The audit log is empty although there are runs\n")


def test_a_key_is_not_repeated_where_it_is_refused(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATIGOS_AUDIT_KEY", "t00-short")
    assert run(["audit", "verify"]) == 2
    output = capfd.readouterr().err
    assert "STRATIGOS_AUDIT_KEY" in output
    assert "32 to 200 characters" in output
    assert "t00-short" not in output
