"""A service that is stopped while jobs run and clients read events: nothing is lost or repeated."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from api.http.identity.api_keys import KeyTerms, create
from desk.base.clock import utc_now
from desk.compute.local import LocalRunner
from desk.optimization.evaluation import World
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.repositories.trial_repository import KIND as TRIAL
from desk.optimization.search.search import LocalSimulator
from desk.runs.repository import Run, load_events, load_run
from graphs.dependencies import Dependencies
from graphs.jobs.reproduction import reproduce
from graphs.jobs.worker import execute_run
from graphs.runs.leases import KIND as LEASE
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from store.embedded import open_store
from store.records import iterate_records
from store.store import Store
from tests.api.http.application import application
from tests.api.http.live_run import RUN, open_run_log
from tests.api.http.running_server import running_server
from tests.api.http.sample_requests import SMALL_JOB
from tests.api.http.stream_readers import Reader, jobs_with_event, wait_until
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies, working
from tests.journeys.service_processes import ROOT, SupervisedService
from tests.processes import is_alive

LONG = 300.0
"""Seconds after which a test gives up."""
READERS = ("stream", "stream", "stream", "stream", "socket")

pytestmark = pytest.mark.anyio

Service = Callable[[], AbstractAsyncContextManager[str]]


async def through_a_restart(
    home: Path,
    service: Service,
    executions: Callable[[], Counter[str]],
    people: Mapping[str, dict[str, str]],
    *,
    jobs: int,
    readers: int,
    middle: int,
) -> None:
    """Stop the service when `middle` of the jobs have finished a trial, and start it again; `people` are headers."""
    place = ""
    unlimited = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=LONG, limits=unlimited) as client, asyncio.TaskGroup() as group:
        async with service() as place:
            owners: dict[str, str] = {}
            for number in range(jobs):
                owner = list(people)[number % len(people)]
                body = SMALL_JOB | {"name": f"Job {number}"}
                answer = await client.post(f"{place}/api/jobs", json=body, headers=people[owner])
                assert answer.status_code == 202, answer.text
                owners[answer.json()["id"]] = owner
            following = [
                Reader(job, READERS[number % len(READERS)], people[owners[job]])
                for number, job in zip(range(readers), list(owners) * readers, strict=False)
            ]
            for reader in following:
                group.create_task(reader.follow(client, lambda: place))
            await wait_until(lambda: len(jobs_with_event(following, "trial_finished")) >= middle, seconds=LONG)
        first = executions()
        async with open_store(home) as store:
            runs = {job: await load_run(store, owner, job) for job, owner in owners.items()}
            assert not [each for owner in people async for each in iterate_records(store.records, owner, LEASE)]
        interrupted = {job for job in first if runs[job].state != "completed"}
        assert interrupted, "nothing was executed when the service ended"
        assert {run.state for job, run in runs.items() if job not in first} <= {"queued"}
        async with service() as place, open_store(home) as store:
            await wait_until(lambda: all(reader.done for reader in following), seconds=LONG)
            # the state follows the last event: a service that ends in between leaves the run to the next one
            await eventually(lambda: _have_completed(store, owners), seconds=LONG)
    assert executions() == {job: 1 + (job in interrupted) for job in owners}
    assert sum(reader.cuts for reader in following)
    async with open_dependencies(home) as dependencies:
        for job, owner in owners.items():
            run = await load_run(dependencies.store, owner, job)
            await _is_whole(dependencies.store, run, [reader for reader in following if reader.job == job])
        for job in sorted(interrupted)[:1]:
            again = await reproduce(dependencies, owners[job], job)
            assert again.digest() == (await load_run(dependencies.store, owners[job], job)).result_digest


async def _have_completed(store: Store, owners: Mapping[str, str]) -> bool:
    return all([(await load_run(store, owner, job)).state == "completed" for job, owner in owners.items()])


async def _is_whole(store: Store, run: Run, readers: list[Reader]) -> None:
    assert run.state == "completed"
    assert [move.state for move in run.history][-1:] == ["completed"]
    assert not {"failed", "cancelled"} & {move.state for move in run.history}
    log = await load_events(store, run.owner, run.id)
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert len({event.id for event in log}) == len(log)
    kinds = Counter(event.event for event in log)
    assert (kinds["run_started"], kinds["run_finished"], kinds["run_failed"]) == (1, 1, 0)
    trials = [record async for record in iterate_records(store.records, run.owner, TRIAL, prefix=f"{run.id}.")]
    assert kinds["trial_finished"] == len(trials) == SMALL_JOB["trials"]
    assert {record.version for record in trials} == {1}, "a trial that was stored was computed again"
    for reader in readers:
        assert [each["sequence"] for each in reader.events] == [event.sequence for event in log], reader.door
        assert [each["event"]["id"] for each in reader.events] == [event.id for event in log], reader.door


class HeldBack(LocalSimulator):
    """Simulates five configurations of a batch, and the others once `released` is set or the search is cancelled."""

    chunk = 5

    def __init__(self, world: World, released: threading.Event) -> None:
        super().__init__(world)
        self._released = released

    def evaluations(
        self, chunks: Sequence[Sequence[StrategyConfig]], paths: int | None
    ) -> Iterator[list[tuple[Evaluation, ...]]]:
        for number, chunk in enumerate(chunks):
            while number and not (self._released.is_set() or self._world.cancelled()):
                sleep(0.01)
            yield from super().evaluations([chunk], paths)


async def test_jobs_and_readers_resume_after_a_restart(home):
    executions: Counter[str] = Counter()
    released = threading.Event()

    async def count_and_execute(dependencies: Dependencies, owner: str, job: str) -> None:
        executions[job] += 1
        await execute_run(dependencies, owner, job)

    @asynccontextmanager
    async def here() -> AsyncGenerator[str]:
        async with queued_dependencies(home) as dependencies:
            market = partial(load_owned_market, dependencies.store, dependencies.prices)
            jobs = LocalRunner(dependencies.store, market, simulator=lambda world, _: HeldBack(world, released))
            with running_server(application(home, queued_dependencies(home)), grace=3.0) as (address, server):
                async with working(replace(dependencies, jobs=jobs), execution=count_and_execute):
                    yield address
                    server.should_exit = True
                released.set()

    await through_a_restart(home, here, executions.copy, {OWNER: {}}, jobs=2, readers=4, middle=1)


@pytest.mark.soak
@pytest.mark.parametrize("how", ["two at a time", "all at once"])
async def test_twenty_jobs_and_fifty_readers_resume_after_a_restart(home, how):
    at_once = how == "all at once"
    settings = {"STRATIGOS_AUTH": "keys", "REQUESTS_PER_SECOND": "1000", "REQUESTS_PER_ADDRESS": "1000000"}
    workers = {"STRATIGOS_WORKERS": "0", "JOBS_PER_USER": "20"} if at_once else {"STRATIGOS_WORKERS": "2"}
    supervised = SupervisedService(home, besides=["work --jobs 10"] * (2 * at_once), **settings, **workers)

    def executions() -> Counter[str]:
        lines = (json.loads(line) for line in (home / "stratigos.log").read_text().splitlines())
        return Counter(line["run"] for line in lines if line["event"] == "job_begun")

    people = {name: {"X-API-Key": await _key(home, name)} for name in ("anna", "ben", "chloe", "dan", "eve")}
    await through_a_restart(home, supervised.running, executions, people, jobs=20, readers=50, middle=8)


async def _key(home: Path, owner: str) -> str:
    async with open_store(home) as store:
        return (await create(store, KeyTerms(owner=owner, roles=("portfolio-manager",)), days=1, now=utc_now()))[1]


@pytest.mark.soak
@pytest.mark.parametrize(
    "signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,), (signal.SIGINT, signal.SIGTERM, signal.SIGINT)]
)
async def test_readers_and_workers_end_after_one_or_more_signals(home, signals):
    async with open_run_log(home), httpx.AsyncClient(timeout=LONG) as client, asyncio.TaskGroup() as group:
        readers = [Reader(RUN, transport, {}) for transport in READERS]
        async with SupervisedService(home, STRATIGOS_WORKERS="2").running(*signals) as place:
            following = [group.create_task(reader.follow(client, lambda: place)) for reader in readers]
            await wait_until(lambda: all(reader.events for reader in readers))
        await wait_until(lambda: all(reader.cuts == 1 for reader in readers))
        for task in following:
            task.cancel()


@pytest.mark.soak
@pytest.mark.parametrize("when", ["its workers are begun", "it listens, or its workers do"])
def test_a_signal_during_the_start_ends_the_service(home, when):
    with started_server(home) as server:
        assert server.stderr is not None
        if when == "its workers are begun":
            deadline = monotonic() + 60.0
            while len(children(server.pid)) < 2:
                assert monotonic() < deadline
                sleep(0.005)
        else:
            server.stderr.readline()
        server.terminate()
        _, err = server.communicate(timeout=60.0)
    assert server.returncode in (0, 130)
    assert "Traceback" not in err


@pytest.mark.soak
def test_workers_end_by_themselves_when_the_server_is_killed(home):
    with started_server(home) as server:
        assert server.stderr is not None
        while "running on" not in server.stderr.readline():
            pass
        pids = children(server.pid)
        assert len(pids) == 2
        server.kill()
        server.wait()
        deadline = monotonic() + 60.0
        while any(map(is_alive, pids)):
            assert monotonic() < deadline
            sleep(0.05)
        assert "Traceback" not in server.stderr.read()


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@contextmanager
def started_server(home: Path) -> Generator["subprocess.Popen[str]"]:
    environment = os.environ | {"STRATIGOS_HOME": str(home), "STRATIGOS_WORKERS": "2"}
    command = [sys.executable, "-m", "api", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server
        finally:
            server.kill()
