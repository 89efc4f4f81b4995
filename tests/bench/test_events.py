"""From the append of an event to its readers, and a reader who begins with the first of many events."""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Response

from graphs.dependencies import Dependencies
from store.store import Store
from tests.api.http.application import application, run_server
from tests.api.http.live_run import RUN, RunLogWriter, frames, open_run_log
from tests.bench.comparison import Comparison, Row
from tests.graphs.dependencies import open_dependencies

pytestmark = pytest.mark.bench

EVENTS = f"/api/runs/{RUN}/events"
APPENDS, MANY, LONG = 200, 200, 5000
WANTED, WANTED_ELSEWHERE = 1.0, 0.1
"""Seconds at p95: of the specification, and where a worker appends in its own process."""


class Arrivals:
    """Arrival times of each event at each reader."""

    def __init__(self) -> None:
        self.at: dict[int, list[float]] = {}

    async def follow(self, client: httpx.AsyncClient, connected: asyncio.Semaphore) -> None:
        async with client.stream("GET", EVENTS, params={"after": 3}) as response:
            connected.release()
            async for frame in frames(response):
                if frame["event"] == "end":
                    return
                self.at.setdefault(int(frame["id"]), []).append(time.perf_counter())


async def latencies(home: Path, *, readers: int, elsewhere: bool) -> list[float]:
    """Seconds from the call of append to each reader; `elsewhere` appends as another process does."""
    stores: list[Store] = []

    @asynccontextmanager
    async def dependencies() -> AsyncGenerator[Dependencies]:
        async with open_dependencies(home) as context:
            stores.append(context.store)
            yield context

    async with open_run_log(home, trials=APPENDS) as other:
        with run_server(application(home, dependencies())) as address:
            log = other if elsewhere else RunLogWriter(stores[0], trials=APPENDS)
            reader, connected, appended = Arrivals(), asyncio.Semaphore(0), dict[int, float]()
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(base_url=address, timeout=60, limits=limits) as client:
                reading = [asyncio.create_task(reader.follow(client, connected)) for _ in range(readers)]
                for _ in range(readers):
                    await connected.acquire()
                for n in range(APPENDS):
                    appended[4 + n] = time.perf_counter()
                    await log.append(log.trials(n, n + 1)[0])
                    await asyncio.sleep(0.01)
                await log.finish()
                await asyncio.gather(*reading)
    assert all(len(reader.at[number]) == readers for number in appended)
    return sorted(at - appended[number] for number in appended for at in reader.at[number])


@pytest.mark.parametrize(
    ("size", "readers", "elsewhere"),
    [
        ("1 reader, appended in the server", 1, False),
        ("1 reader, appended by another process", 1, True),
        (f"{MANY} readers, appended in the server", MANY, False),
    ],
)
def test_latency(comparison: Comparison, tmp_path: Path, size: str, readers: int, *, elsewhere: bool) -> None:
    seconds = asyncio.run(latencies(tmp_path, readers=readers, elsewhere=elsewhere))
    late = statistics.quantiles(seconds, n=100)
    wanted = WANTED_ELSEWHERE if elsewhere else WANTED
    suffix = " (missed)" if late[94] > wanted else ""
    note = f"p50; p95 {late[94] * 1e3:.1f} ms, p99 {late[98] * 1e3:.1f} ms; p95 below {wanted:g} s wanted{suffix}"
    comparison.rows.append(Row("an event, from its append to its reader", size, late[49], {}, None, note))


async def time_resumption(home: Path) -> tuple[float, float, float]:
    """Seconds: the first reader, one who comes while the log is followed, and a bare route with the same bytes."""
    async with open_run_log(home, trials=LONG) as log:
        for first in range(0, LONG, 500):
            await log.append(*log.trials(first, first + 500))
        await log.finish()

    async def read(address: str, path: str) -> tuple[float, bytes]:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            start = time.perf_counter()
            body = (await client.get(path)).content
            return time.perf_counter() - start, body

    with run_server(application(home)) as address:
        cold, whole = await read(address, EVENTS)
        warm = [await read(address, EVENTS) for _ in range(5)]
    assert whole.count(b"\nid: ") == 2 * LONG + 4
    assert all(body == whole for _, body in warm)
    bare = FastAPI()
    bare.get("/bytes")(lambda: Response(whole, media_type="text/event-stream"))
    with run_server(bare) as address:
        peer = [await read(address, "/bytes") for _ in range(5)]
    assert all(body == whole for _, body in peer)
    return cold, min(seconds for seconds, _ in warm), min(seconds for seconds, _ in peer)


def test_a_reader_from_the_first_of_10_000_events(comparison: Comparison, tmp_path: Path) -> None:
    cold, warm, peer = asyncio.run(time_resumption(tmp_path))
    size, peers = f"{2 * LONG + 4:,} events", {"a bare route with the same bytes": peer}
    comparison.rows.append(Row("all events of a run, to the first reader", size, cold, peers))
    comparison.rows.append(Row("all events of a run, to one who joins", size, warm, peers))
