"""A burst of jobs through the HTTP interface, executed by worker processes of low priority."""

import asyncio
import math
import os
import sys
import time
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from desk.optimization.request import OptimizationRequest
from desk.runs.repository import Run, list_runs
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import run_server
from tests.api.http.named_users import accept_any_name, named_application
from tests.graphs.dependencies import open_dependencies
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies

ROOT = Path(__file__).parents[3]
LOW_PRIORITY = ("nice", "-n", "10")
WARM = 2
"""Jobs of each worker after which its CPU time counts: before, it loads libraries and kernels."""
LIGHT = ("/api/me", "/api/desk", "/api/jobs?limit=20", "/api/portfolios")
PAUSE = 0.1
LOOK_SECONDS = 3.0
"""Seconds between two looks for completed jobs, which take time that the service would use."""
SECONDS = 3600
REQUEST = OptimizationRequest(
    trials=10, seed=3, scenarios=tuple(one.model_copy(update={"paths": 100, "years": 1}) for one in BUILT_IN[:1])
)


@dataclass(frozen=True)
class Burst:
    runs: dict[str, list[Run]]
    """Of each user, after the end."""
    latencies: list[float]
    """Seconds of each light request during the execution, sorted."""
    seconds: float
    cpu_seconds: float
    """CPU time of the workers for a job, once they are warm."""

    def order(self) -> list[str]:
        """The users of the jobs, in the order in which workers started them."""
        starts = [(_first(run, "validating"), user) for user, runs in self.runs.items() for run in runs]
        return [user for _, user in sorted(starts)]

    def percentile(self, share: float) -> float:
        return self.latencies[math.ceil(share * len(self.latencies)) - 1]


def _first(run: Run, state: str) -> Any:
    return next(each.at for each in run.history if each.state == state)


def farthest_apart(order: Sequence[str]) -> int:
    """The largest difference between the jobs that two users had started at any time."""
    counts = dict.fromkeys(order, 0)
    apart = 0
    for user in order:
        counts[user] += 1
        apart = max(apart, max(counts.values()) - min(counts.values()))
    return apart


async def burst(home: Path, *, users: int, each: int, workers: int) -> Burst:
    """`users` users submit `each` jobs at once; then the workers start."""
    names = [f"user{chr(ord('a') + number)}" for number in range(users)]
    app = named_application(home, queued_dependencies(home), REQUESTS_PER_SECOND=1e6, REQUESTS_PER_ADDRESS=10**9)
    with run_server(app) as address:
        accept_any_name(app)
        async with open_dependencies(home) as dependencies, httpx.AsyncClient(base_url=address, timeout=60) as client:
            thread = await _answered_thread(client, names[0])
            await asyncio.gather(*(_submit(client, name, each) for name in names))
            begun = time.monotonic()
            async with _workers(home, workers) as processes:
                latencies: list[float] = []
                measuring = asyncio.create_task(
                    _measure(client, names[0], (*LIGHT, f"/api/threads/{thread}/runs"), latencies)
                )
                warm, before = (
                    await _until_completed(dependencies, names, WARM * workers, processes),
                    _cpu_seconds(processes),
                )
                done = await _until_completed(dependencies, names, users * each, processes)
                cpu = _cpu_seconds(processes) - before
                measuring.cancel()
            seconds = time.monotonic() - begun
            runs = {name: await list_runs(dependencies.store, name) for name in names}
    return Burst(runs, sorted(latencies), seconds, cpu / (done - warm))


async def _submit(client: httpx.AsyncClient, user: str, jobs: int) -> None:
    body = REQUEST.model_dump(mode="json")
    for number in range(jobs):
        answer = await client.post("/api/jobs", json=body | {"seed": number}, headers={"X-API-Key": user})
        assert answer.status_code == 202, answer.text


async def _answered_thread(client: httpx.AsyncClient, user: str) -> str:
    """A thread with one run, which has ended."""
    headers = {"X-API-Key": user}
    thread = (await client.post("/api/threads", headers=headers)).json()["id"]
    body = {"message": "which scenarios are there?"}
    answer = await client.post(f"/api/threads/{thread}/runs", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return thread


async def _measure(client: httpx.AsyncClient, user: str, paths: Sequence[str], latencies: list[float]) -> None:
    while True:
        for path in paths:
            begun = time.perf_counter()
            answer = await client.get(path, headers={"X-API-Key": user})
            latencies.append(time.perf_counter() - begun)
            assert answer.status_code == 200, answer.text
            await asyncio.sleep(PAUSE)


async def _until_completed(
    dependencies: Dependencies, users: Sequence[str], wanted: int, workers: Sequence[psutil.Process]
) -> int:
    async def look() -> int:
        await asyncio.sleep(LOOK_SECONDS)
        assert all(_is_alive(worker) for worker in workers), "a worker has ended"
        runs = [run for user in users for run in await list_runs(dependencies.store, user)]
        assert not [run for run in runs if run.state in ("failed", "cancelled", "waiting")]
        completed = sum(run.state == "completed" for run in runs)
        return completed if completed >= wanted else 0

    return await eventually(look, seconds=SECONDS)


def _is_alive(worker: psutil.Process) -> bool:
    return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE


@asynccontextmanager
async def _workers(home: Path, number: int) -> AsyncGenerator[list[psutil.Process]]:
    command = (*LOW_PRIORITY, sys.executable, "-m", "api", "work", "--while-fed")
    environment = os.environ | {"STRATIGOS_HOME": str(home)}
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(_process(command, environment)) for _ in range(number)]
        yield [psutil.Process(each.pid) for each in started]


@asynccontextmanager
async def _process(command: Sequence[str], environment: dict[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdin=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        await process.communicate(b"")


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


async def direct_cpu_seconds(home: Path, jobs: int) -> float:
    """CPU time of the same jobs, one after the other in this process and without a queue."""
    async with open_dependencies(home) as dependencies:
        spent: list[float] = []
        for number in range(jobs + 1):
            with _timed(spent):
                run = await create_run(dependencies, "local", REQUEST.model_copy(update={"seed": number}))
                async for _ in execute(dependencies, "local", run):
                    pass
    return sum(spent[1:]) / jobs  # the first loads libraries and kernels


@contextmanager
def _timed(spent: list[float]) -> Generator[None]:
    begun = time.process_time()
    yield
    spent.append(time.process_time() - begun)
