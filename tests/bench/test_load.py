"""A minute of load above the rate limits: users beyond their limit get 429, the others are not affected."""

import asyncio
import json
import os
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from rich.console import Console
from rich.table import Table

from api.http.identity.api_keys import KeyTerms, create
from desk.optimization.request import OptimizationRequest
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store
from tests.bench.loading import serving

pytestmark = pytest.mark.bench

SECONDS = float(os.environ.get("LOAD_SECONDS", "60"))
MODEST, GREEDY = {f"modest{n}": 8.0 for n in range(40)}, {f"greedy{n}": 45.0 for n in range(4)}
"""Requests a second of each user, of which 10 are allowed: 500 in all."""
CONNECTIONS = 8
"""Connections of each user."""
EVERY = 100
"""One in this many requests of a modest user submits a job."""
SMALL = tuple(scenario.model_copy(update={"paths": 100, "years": 1}) for scenario in BUILT_IN[:1])
JOB: dict[str, Any] = OptimizationRequest(trials=10, scenarios=SMALL, seed=3).model_dump(mode="json")
GROWTH = 64
"""MB by which the server may grow from the first quarter to the end."""


@dataclass
class ClientLog:
    """Responses to the users of one kind."""

    statuses: Counter[int] = field(default_factory=Counter[int])
    latencies: list[float] = field(default_factory=list[float])
    refusals_without_delay: int = 0
    jobs: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    skipped: int = 0


def test_a_minute_of_load(tmp_path: Path) -> None:
    keys = asyncio.run(_keys(tmp_path, [*MODEST, *GREEDY, "reader"]))
    settings = {"STRATIGOS_AUTH": "keys", "REQUESTS_PER_ADDRESS": "1000000", "STRATIGOS_WORKERS": "1"}
    with serving("api", "serve", ready="/api/health", STRATIGOS_HOME=str(tmp_path), **settings) as address:
        (server,) = psutil.Process().children()
        modest, greedy, memory, event_ids = asyncio.run(_load(address, keys, server))
    _print(modest, greedy, memory)
    for client in (modest, greedy):
        assert client.statuses.keys() <= {200, 202, 429}, client.statuses
        assert not client.refusals_without_delay
    assert greedy.statuses[429] > 0
    assert greedy.statuses[200] <= len(GREEDY) * (30 + 10 * (SECONDS + 10))  # late ones are answered after it
    assert modest.statuses[429] <= 0.01 * modest.statuses.total()
    assert statistics.median(memory[-3:]) - statistics.median(memory[len(memory) // 4 :][:3]) < GROWTH
    assert event_ids == list(range(1, len(event_ids) + 1))


async def _keys(home: Path, owners: Sequence[str]) -> dict[str, str]:
    now = datetime.now(UTC)
    async with open_store(home) as store:
        terms = [KeyTerms(owner=owner, roles=("portfolio-manager",)) for owner in owners]
        return {each.owner: (await create(store, each, days=1, now=now))[1] for each in terms}


async def _load(
    address: str, keys: dict[str, str], server: psutil.Process
) -> tuple[ClientLog, ClientLog, list[float], list[int]]:
    async with httpx.AsyncClient(base_url=f"{address}/api", timeout=60) as client:
        by = {owner: {"X-API-Key": key} for owner, key in keys.items()}
        response = await client.post("/jobs", json=JOB | {"trials": 60}, headers=by["reader"])
        assert response.status_code == 202, response.text
        run = response.json()["id"]
        event_ids: list[int] = []
        reading = asyncio.create_task(_read(client, run, by["reader"], event_ids))
        modest, greedy, memory = ClientLog(), ClientLog(), [0.0]
        watching = asyncio.create_task(_watch(server, memory))
        asking = [_ask(address, keys[owner], owner, rate, modest, jobs=True) for owner, rate in MODEST.items()]
        asking += [_ask(address, keys[owner], owner, rate, greedy, jobs=False) for owner, rate in GREEDY.items()]
        await asyncio.gather(*asking)
        watching.cancel()
        await asyncio.sleep(4.0)  # the buckets are full again
        for owner, jobs in modest.jobs.items():
            listed = (await client.get("/jobs", params={"limit": 1000}, headers=by[owner])).json()["items"]
            assert sorted(job["id"] for job in listed) == sorted(jobs), owner
        async with asyncio.timeout(300):
            await reading
    return modest, greedy, memory[1:], event_ids


async def _ask(address: str, key: str, owner: str, rate: float, log: ClientLog, *, jobs: bool) -> None:
    """Send at `rate` over a few connections; requests that are late by a second are skipped."""
    start = time.perf_counter()
    times = iter([(n, start + n / rate) for n in range(int(rate * SECONDS))])
    await asyncio.gather(*(_connection(address, key, owner, times, log, jobs=jobs) for _ in range(CONNECTIONS)))


async def _connection(
    address: str, key: str, owner: str, times: Iterator[tuple[int, float]], log: ClientLog, *, jobs: bool
) -> None:
    url = httpx.URL(address)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    for n, at in times:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        if time.perf_counter() - at > 1.0:
            log.skipped += 1
            continue
        submits = jobs and n % EVERY == EVERY // 2
        sent_at = time.perf_counter()
        writer.write(_request("POST", "/api/jobs", key, JOB) if submits else _request("GET", "/api/portfolios", key))
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = dict(line.split(": ", 1) for line in head.lower().split("\r\n")[1:] if line)
        content = await reader.readexactly(int(headers["content-length"]))
        log.latencies.append(time.perf_counter() - sent_at)
        status = int(head.split(" ", 2)[1])
        log.statuses[status] += 1
        log.refusals_without_delay += status == 429 and int(headers.get("retry-after", "0")) < 1
        if status == 202:
            log.jobs.setdefault(owner, []).append(json.loads(content)["id"])
    writer.close()


def _request(method: str, path: str, key: str, body: Any = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {key}\r\nContent-Length: {len(content)}\r\n"
    return f"{head}Content-Type: application/json\r\n\r\n".encode() + content


async def _read(client: httpx.AsyncClient, run: str, key: dict[str, str], event_ids: list[int]) -> None:
    async with client.stream("GET", f"/runs/{run}/events", headers=key) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            event_ids += [int(line[3:])] if line.startswith("id:") else []


async def _watch(server: psutil.Process, memory: list[float]) -> None:
    while True:
        memory.append(server.memory_info().rss / 1e6)
        await asyncio.sleep(SECONDS / 20)


def _print(modest: ClientLog, greedy: ClientLog, memory: Sequence[float]) -> None:
    table = Table(title=f"{SECONDS:g} s of load; memory {memory[0]:.0f} MB at first, {memory[-1]:.0f} MB at the end")
    for column in ("users", "sent a second", "left out", "200", "202", "429", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    for name, log in (("within their limit", modest), ("beyond it", greedy)):
        cuts: Any = statistics.quantiles(log.latencies, n=100)
        counts = [f"{log.statuses[status]:,}" for status in (200, 202, 429)]
        rate = f"{log.statuses.total() / SECONDS:.0f}"
        table.add_row(name, rate, f"{log.skipped:,}", *counts, f"{1e3 * cuts[49]:.0f}", f"{1e3 * cuts[98]:.0f}")
    Console().print(table)
