"""Two people at one desk: one has something of everything, the other may do everything and has nothing."""

import asyncio
import hashlib
import json
import re
import sqlite3
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.http.identity.api_keys import revoke
from api.settings import Settings
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import ScenarioValues, add_scenario
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.archive import archive
from graphs.runs.cleanup import LAST_CLEANUP
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store
from tests.api.http.application import documented, open_client, run_server
from tests.api.http.identity.forged_tokens import forged_tokens
from tests.api.http.identity.sign_in import bearer, create_key
from tests.doubles.cognito import CLIENT, PERSON, Pool, rsa
from tests.graphs.dependencies import FIRST_DAY, open_dependencies
from tests.graphs.jobs.queued_runs import queued_dependencies
from tests.graphs.runs.approval_process import LOW

ANNA, BEN = PERSON, "b41f6a02-93c7-4e58-8d1d-6e0f52c7aa34"
HIDDEN = "zephyr"
"""Stands in everything that Anna names or writes."""
DAYS = {"startDate": "2014-01-02", "endDate": "2014-12-31"}
SOCKET = "/api/runs/{run}/events/ws"
SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"
PRICES = "date,ZEPHYR1,ZEPHYR2\n" + "".join(
    f"2024-01-{day:02},{1.5 + day / 10},{2 + day / 7}\n" for day in (2, 3, 4, 5, 8, 9)
)
Words = Mapping[str, str]


@dataclass(frozen=True)
class SharedServer:
    address: str
    home: Path
    pool: Pool
    ids: Words
    """What Anna has, by the names that requests below give it."""
    refused: Mapping[str, dict[str, str]]
    """What people show who are not known."""


@contextmanager
def serve_two_users(home: Path, pool: Pool) -> Generator[SharedServer]:
    ids, refused = asyncio.run(_create_runs(home, pool))
    with run_server(sign_in_application(home, pool)) as address, client(address, bearer(pool.token())) as anna:
        ids |= _create_objects(anna)
        asyncio.run(_archive_job(home, ids["archived"]))
        yield SharedServer(address, home, pool, ids, refused)


def client(address: str, headers: dict[str, str]) -> httpx.Client:
    def move(request: httpx.Request) -> None:
        request.headers.update(with_own_address({}))

    return httpx.Client(base_url=address, headers=headers, timeout=60, event_hooks={"request": [move]})


_NUMBERS = count(1)


def with_own_address(headers: dict[str, str]) -> dict[str, str]:
    """From an address of its own, since one may fail to sign in only so often."""
    return headers | {"X-Forwarded-For": str(ip_address("10.0.0.0") + next(_NUMBERS))}


def sign_in_application(home: Path, pool: Pool, *, queued: bool = True) -> FastAPI:
    """The application, with keys and tokens, and no limit of rate."""
    settings = {
        "STRATIGOS_HOME": home,
        "STRATIGOS_AUTH": "keys,cognito",
        "COGNITO_ISSUER": pool.issuer,
        "COGNITO_CLIENTS": CLIENT,
        "REQUESTS_PER_SECOND": 1e6,
        "REQUESTS_PER_ADDRESS": 10**9,
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    dependencies = queued_dependencies(home) if queued else _dependencies_with_approval(home)
    return documented(create_app(Settings.model_validate(settings), dependencies))


@asynccontextmanager
async def _dependencies_with_approval(home: Path) -> AsyncGenerator[Dependencies]:
    """A desk that asks a person before every search."""
    async with open_dependencies(home) as dependencies:
        yield replace(dependencies, thresholds=LOW)


async def _create_runs(home: Path, pool: Pool) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What takes a search, or a clock."""
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
    request = OptimizationRequest(name=f"{HIDDEN} search", trials=10, scenarios=scenarios, seed=3, first_day=FIRST_DAY)
    async with open_dependencies(home) as dependencies:
        jobs = [await create_run(dependencies, ANNA, request) for _ in range(3)]
        async for _ in execute(dependencies, ANNA, jobs[0]):
            pass
        asking = replace(dependencies, thresholds=LOW)
        async for _ in execute(asking, ANNA, jobs[1]):
            pass
        for name, mean in ((f"{HIDDEN}_crash", -0.11), (f"{HIDDEN}_crisis", -0.12)):
            await add_scenario(dependencies.store, ANNA, ScenarioValues(name=name, mu=mean))
    async with open_client(sign_in_application(home, pool, queued=False)) as anna:
        anna.headers.update(bearer(pool.token()))
        thread = (await anna.post("/api/threads", json={"title": f"{HIDDEN} thoughts"})).json()["id"]
        await anna.post(f"/api/threads/{thread}/runs", json={"message": f"tell me a joke about {HIDDEN}"})
        await anna.post(f"/api/threads/{thread}/runs", json={"message": SEARCH})
        turns = (await anna.get(f"/api/threads/{thread}/runs")).json()["items"]
        (interrupt,) = (await anna.get(f"/api/threads/{thread}/interrupts")).json()["items"]
    ids = {
        "job": jobs[0],
        "waiting": jobs[1],
        "other": jobs[2],
        "thread": thread,
        "turn": turns[0]["id"],
        "number": "1",
        "interrupted": interrupt["run"],
        "scenario": f"{HIDDEN}_crash",
        "second_scenario": f"{HIDDEN}_crisis",
        "owner": ANNA,
    }
    return ids, await _invalid_headers(home, pool)


async def _invalid_headers(home: Path, pool: Pool) -> dict[str, dict[str, str]]:
    """The tokens and keys of Anna that do not hold, and what others make of them."""
    expired, revoked = await create_key(home, ANNA, age=91), await create_key(home, ANNA)
    async with open_store(home) as store:
        await revoke(store, revoked[10:22], now=datetime.now(UTC))
    headers = {
        name: token for name, token in forged_tokens(pool).items() if token and token.isascii() and token.isprintable()
    }
    headers |= {
        "expired token": pool.token(exp=int((datetime.now(UTC) - timedelta(hours=2)).timestamp())),
        "other issuer": pool.token(iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"),
        "other client": pool.token(client_id="stranger"),
        "other pool": pool.token(key=rsa(2), iss="https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"),
        "expired key": expired,
        "revoked key": revoked,
        "one letter of a key": revoked[:-1] + ("A" if revoked[-1] != "A" else "B"),
    }
    return {"nothing": {}} | {name: bearer(token) for name, token in headers.items()}


def _create_objects(anna: httpx.Client) -> dict[str, str]:
    def send(method: str, path: str, **body: Any) -> Any:
        answer = anna.request(method, f"/api/{path}", **body)
        assert answer.is_success, (path, answer.text)
        return answer.json() if answer.content else None

    def portfolio(name: str) -> str:
        draft = {"name": f"{HIDDEN} {name}", "assets": {"AAPL": 0.5, "JNJ": 0.5}, "tags": [HIDDEN]}
        return send("POST", "portfolios", json=draft)["id"]

    portfolio_id, gone = portfolio("hoard"), portfolio("gone")
    portfolio("second")
    send("DELETE", f"portfolios/{gone}")
    held = {"portfolioId": portfolio_id} | DAYS
    optimized = [send("POST", f"optimization/{kind}", json=held)["id"] for kind in ("hrp", "risk-parity")]
    send("POST", "optimization/efficient-frontier", json=held)
    simulated = [send("POST", "monte-carlo/simulate", json=held | {"trajectories": 2})["id"] for _ in range(2)]
    data = f"{HIDDEN}data"
    for text in (PRICES, PRICES.replace(",1.7,", ",1.71,")):
        terms = {"dataset": data, "dry_run": False}
        version = send("POST", "market-data/imports", params=terms, content=text)["version"]
    send("POST", "market-data/imports", params=terms | {"dataset": f"{data}2"}, content=PRICES)
    mark = {"symbol": "XOM", "reason": f"{HIDDEN} says it is wrong"}
    markers = [send("POST", "market-data/markers", json=mark)["id"] for _ in range(2)]
    job = {"name": f"{HIDDEN} small", "trials": 10}
    draft = send("POST", "drafts", json=job)["id"]
    queued, archived = (
        send("POST", "jobs", json=job, headers={"Idempotency-Key": key})["id"] for key in (f"{HIDDEN}-1", f"{HIDDEN}-2")
    )
    send("DELETE", f"jobs/{archived}")
    runs = send("GET", "jobs")["items"]
    threads = [send("POST", "threads", json={"title": f"{HIDDEN} {n}"})["id"] for n in range(2)]
    searched = next(run["id"] for run in runs if run["state"] == "completed")
    thread = next(t["id"] for t in send("GET", "threads")["items"] if t["turns"])
    opinion = {"rating": 4, "comment": f"{HIDDEN} it is"}
    for _ in range(2):
        send("POST", f"threads/{thread}/runs/1/feedback", json=opinion)
    send("POST", f"jobs/{searched}/reproduce")
    rule = {"config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}}
    saved = [send("POST", "strategies", json={"name": f"{HIDDEN} {n}", "rule": rule})["id"] for n in range(2)]
    send("POST", f"strategies/{saved[1]}/archive")
    return {
        "portfolio": portfolio_id,
        "strategy": saved[0],
        "gone": gone,
        "optimization": optimized[0],
        "simulation": simulated[0],
        "dataset": data,
        "symbol": "ZEPHYR1",
        "hash": version["hash"],
        "marker": markers[0],
        "draft": draft,
        "queued": queued,
        "archived": archived,
        "empty": threads[0],
        "question": send("GET", "approvals")["items"][-1]["id"],
        "digest": send("GET", f"jobs/{searched}/trials")["items"][0]["digest"],
        "key": f"{HIDDEN}-1",
        "name": HIDDEN,
    }


async def _archive_job(home: Path, job: str) -> None:
    async with open_dependencies(home) as dependencies:
        await archive(dependencies, ANNA, job)


def similar_value(value: str) -> str:
    """Nothing has it as its id or name, and it looks the same."""
    named = value.replace(HIDDEN, "quaint").replace(HIDDEN.upper(), "QUAINT")
    return named if named != value else re.sub("[0-9a-f]{8,}", lambda id_: id_[0].translate(SHIFTED), value)


SHIFTED = str.maketrans("0123456789abcdef", "56789abcdef01234")
SIMPLE = re.compile(r"[0-9a-f]{8,}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?|\"timestamp\":\d+|[A-Za-z0-9_-]{43}")
"""Differs in any two answers: ids, digests, times, tickets."""


def normalized_answer(answer: httpx.Response, ids: Words) -> tuple[int, str, dict[str, str]]:
    """What an answer says, whatever the ids are called; how far a stream's work was at a moment is left out."""
    headers = {name: simple(value, ids) for name, value in answer.headers.items()}
    if "content-encoding" in headers:
        headers["content-length"] = ""  # the size of compressed text depends on the ids in it
    lines = [line for line in answer.text.splitlines() if line and not re.match("id: |data: .*STATE_DELTA", line)]
    return answer.status_code, simple("\n".join(lines), ids), headers | {"date": "", "x-request-id": ""}


def simple(text: str, ids: Words) -> str:
    for value in sorted({value for name, value in ids.items() if name != "number"}, key=len, reverse=True):
        text = text.replace(value, "...")
    return SIMPLE.sub("#", text)


def stored_digests(home: Path, owner: str | None = None) -> dict[str, str]:
    """What is stored, of one owner or of all, as a digest for each row and file; cleanups are nobody's."""
    with closing(sqlite3.connect(home / "store.sqlite")) as database:
        digests = {
            f"{table}: {row[:3]}": hashlib.sha256(repr(row).encode()).hexdigest()
            for table in ("records", "events", "labels")
            for row in database.execute(f"SELECT owner, * FROM {table}")
            if owner in (None, row[0]) and LAST_CLEANUP.kind not in row
        }
    files = (path for path in (home / "blobs").rglob("*") if path.is_file())
    return digests | {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if owner is None or owner in str(path)
    }


def fill_ids(value: Any, ids: Words) -> Any:
    """The request with ids in place of their names in braces."""
    text = json.dumps(value)
    for name, id_ in ids.items():
        text = text.replace(f"{{{name}}}", id_)
    return json.loads(text)
