"""A storage that fails, seen through HTTP: 503 with Retry-After or a success after all, and nothing half-written."""

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from desk.base.clock import utc_now
from desk.compute.local import LocalRunner
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.request import OptimizationRequest
from desk.runs.events.run import RunFinished
from desk.runs.repository import Run, load_run
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from store.aws.clients import open_bucket
from store.aws.queue import open_sqs_queue
from store.aws.store import aws_store, create_tables
from store.errors import Unavailable
from store.keys import SYSTEM
from store.local_files import FileBlobs
from store.queue import Queue
from store.sqlite.database import Database
from store.sqlite.events import SqliteEvents
from store.sqlite.queue import SqliteQueue, open_sqlite_queue
from store.sqlite.records import SqliteRecords
from store.store import Store
from tests.api.http.application import application, open_client
from tests.api.http.sample_requests import SMALL_JOB, TECH_PORTFOLIO, TWO_ASSET_SIMULATION, price_file
from tests.doubles.aws import Aws, moto, point_at
from tests.doubles.faulty_aws import (
    EXPIRED,
    INTERNAL,
    LOST,
    S3_EXPIRED,
    S3_INTERNAL,
    SECRET,
    THROTTLED,
    Fault,
    Proxy,
    start_proxy,
)
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, fake, queued_dependencies, working
from tests.store.database_lock import start_locker
from tests.store.openers import clients

pytestmark = pytest.mark.anyio

IMPATIENT = 0.1
READS = ("GetItem", "BatchGetItem", "Query")
WRITES = ("PutItem", "TransactWriteItems")
SIMULATION = {"path": "/api/monte-carlo/simulate", "json": TWO_ASSET_SIMULATION}
IMPORT = {
    "path": "/api/market-data/imports",
    "params": {"dataset": "own", "dry_run": "false"},
    "content": price_file(),
}
JOB = {"path": "/api/jobs", "json": SMALL_JOB, "headers": {"Idempotency-Key": "monday"}}
WRITING = (
    {"path": "/api/portfolios", "json": TECH_PORTFOLIO},
    {"path": "/api/threads"},
    SIMULATION,
    IMPORT,
    JOB,
)
READING = ("portfolios", "threads", "jobs", "monte-carlo/simulations", "market-data/datasets", "runs/nothing/events")
names = (f"faults{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with moto() as server:
        yield server


@pytest.fixture(scope="module")
def before(aws: Aws) -> Iterator[Proxy]:
    with start_proxy(aws.url) as proxy:
        yield proxy


@pytest.fixture
def proxy(before: Proxy, monkeypatch: pytest.MonkeyPatch) -> Proxy:
    before.heal()
    point_at(monkeypatch, before.url)
    return before


@pytest.fixture
def name(aws: Aws) -> str:
    """Of a table, a bucket and two queues."""
    name = next(names)
    create_tables(aws.dynamodb, name)
    return aws.bucket(name)


@pytest.fixture(scope="module")
def sqs(aws: Aws) -> Any:
    return aws.client("sqs")


@pytest.fixture
def queues(aws: Aws, sqs: Any, proxy: Proxy, name: str) -> list[str]:
    urls = [sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in ("jobs", "dead")]
    return [url.replace(aws.url, proxy.url) for url in urls]


@asynccontextmanager
async def dependencies_on_aws(
    home: Path, name: str, queue: Queue, *, patience: float = IMPATIENT
) -> AsyncGenerator[Dependencies]:
    blobs = open_bucket(name, retry_seconds=patience)
    table, _ = clients(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
    async with open_dependencies(home) as dependencies, aws_store(table, name, blobs, retry_seconds=patience) as store:
        runner = LocalRunner(store, partial(load_owned_market, store, dependencies.prices))
        yield replace(dependencies, store=store, jobs=runner, queue=queue)


@pytest.fixture
def patience() -> float:
    return IMPATIENT


@pytest.fixture
async def dependencies(
    anyio_backend: str, home: Path, queues: list[str], proxy: Proxy, name: str, patience: float
) -> AsyncIterator[Dependencies]:
    async with (
        open_sqs_queue(*queues, retry_seconds=patience) as queue,
        dependencies_on_aws(home, name, queue, patience=patience) as dependencies,
    ):
        yield dependencies


@asynccontextmanager
async def _shared(dependencies: Dependencies) -> AsyncGenerator[Dependencies]:
    yield dependencies


@pytest.fixture
async def client(home: Path, dependencies: Dependencies) -> AsyncIterator[httpx.AsyncClient]:
    async with open_client(application(home, _shared(dependencies))) as client:
        yield client


async def post(client: httpx.AsyncClient, path: str, **options: Any) -> httpx.Response:
    return await client.post(path, **options)


def unavailable(answer: httpx.Response) -> bool:
    """Whether it is the answer of a storage that fails, and a whole one."""
    if answer.status_code != 503:
        return False
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
    assert SECRET not in answer.text
    return True


async def counts(client: httpx.AsyncClient) -> list[int]:
    """Of what the requests of `WRITING` make."""
    lists = [(await client.get(f"/api/{path}")).json() for path in READING[:-1]]
    return [len(body["items"] if isinstance(body, dict) else body) for body in lists]


@pytest.mark.parametrize(
    "fault",
    [THROTTLED, *(pytest.param(fault, marks=pytest.mark.soak) for fault in (EXPIRED, INTERNAL))],
    ids=lambda fault: fault.code,
)
@pytest.mark.soak
async def test_a_table_that_fails_to_the_end_is_told_and_nothing_is_written(client, aws, proxy, name, fault: Fault):
    for operation in WRITES:
        proxy.fail(operation, fault)
    for request in WRITING:
        assert unavailable(await post(client, **request)), request["path"]
    assert aws.store_items(name) == []
    assert await counts(client) == [0] * 5
    for operation in READS:
        proxy.fail(operation, fault)
    for path in READING:
        assert unavailable(await client.get(f"/api/{path}")), path
    proxy.heal()
    for request in WRITING:
        answer = await post(client, **request)
        assert answer.status_code in (200, 201, 202), answer.text
    assert await counts(client) == [1] * 5


@pytest.mark.parametrize("patience", [20.0])
@pytest.mark.parametrize("fault", [pytest.param(THROTTLED, marks=pytest.mark.soak), LOST], ids=lambda fault: fault.code)
async def test_what_fails_once_is_written_once(client, dependencies, proxy, fault: Fault):
    for request in WRITING:
        for operation in (*READS, *WRITES, "SendMessage"):
            proxy.fail(operation, replace(fault, code="RequestThrottled") if operation[0] == "S" else fault, times=1)
        answer = await post(client, **request)
        assert answer.status_code in (200, 201, 202), answer.text
    assert await counts(client) == [1] * 5


@pytest.mark.parametrize(
    "fault", [S3_INTERNAL, pytest.param(S3_EXPIRED, marks=pytest.mark.soak)], ids=lambda fault: fault.code
)
async def test_a_bucket_that_fails_leaves_no_record_of_what_it_did_not_take(client, aws, proxy, name, fault: Fault):
    proxy.fail("PUT", fault)
    assert unavailable(await post(client, **IMPORT))
    items = [item for item in aws.store_items(name) if not item["pk"]["S"].startswith(f"{SYSTEM}#")]  # the audit log's
    assert (items, aws.objects(name)) == ([], [])
    proxy.heal()
    assert (await post(client, **IMPORT)).status_code == 201
    proxy.fail("GET", fault)
    prices = {"symbols": "A,B", "dataset": "own"}
    assert unavailable(await client.get("/api/market-data/prices", params=prices))
    proxy.heal()
    assert (await client.get("/api/market-data/prices", params=prices)).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        Fault(500, "InternalError"),
        pytest.param(Fault(400, "ExpiredToken"), marks=pytest.mark.soak),
        pytest.param(LOST, marks=pytest.mark.soak),
    ],
    ids=lambda fault: fault.code,
)
async def test_a_job_is_accepted_while_the_queue_is_down_and_comes_to_it_later(
    client, dependencies, proxy, fault: Fault
):
    proxy.fail("SendMessage", fault)
    job = (await post(client, **JOB)).json()
    assert (job["state"], (await post(client, **JOB)).json()["id"]) == ("queued", job["id"])
    assert await counts(client) == [0, 0, 1, 0, 0]
    proxy.heal()
    assert await job_queue.sweep(replace(dependencies, now=lambda: utc_now() + timedelta(minutes=1))) == 1
    received = await dependencies.queue.receive(lease=30.0, wait=0.0)
    assert received is not None
    assert received.body["job"] == job["id"]


async def test_a_cancellation_that_was_cut_off_is_told_by_the_next_one(client, dependencies, proxy):
    job = (await post(client, **JOB)).json()["id"]
    proxy.fail("Query", INTERNAL)  # its events are read before one is added
    with pytest.raises(Unavailable):  # asked for over HTTP it would not begin: the audit log could not tell it
        await job_queue.cancel(dependencies, OWNER, job, by=OWNER)
    proxy.heal()
    assert (await load_run(dependencies.store, OWNER, job)).state == "cancelled"
    for _ in range(2):
        assert (await client.delete(f"/api/jobs/{job}")).status_code == 202
        events = (await client.get(f"/api/runs/{job}/events/poll")).json()
        assert [each["event"]["event"] for each in events["events"]] == ["run_failed"]


async def finished_run(dependencies: Dependencies, job: str) -> Run | None:
    run = await load_run(dependencies.store, OWNER, job)
    return run if run.state in STOPPED_STATES else None


async def test_a_storage_that_fails_again_and_again_makes_no_dead_letter_of_a_job(home):
    tries = 0

    async def failing(dependencies: Dependencies, owner: str, run: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 6:
            raise Unavailable("the table is unavailable (throttled)")
        await fake(home)(dependencies, owner, run)

    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, OptimizationRequest(**SMALL_JOB))
        async with working(dependencies, lease=0.6, execution=failing):
            run_state = await eventually(lambda: finished_run(dependencies, run.id))
    assert run_state is not None
    assert (tries, run_state.state) == (6, "completed")


@pytest.mark.soak
async def test_a_worker_goes_on_after_the_storage_was_out_and_readers_miss_nothing(home, proxy, name, tmp_path):
    async with (
        open_sqlite_queue(home) as queue,
        dependencies_on_aws(home, name, queue) as dependencies,
        open_client(application(home, _shared(dependencies))) as client,
    ):
        job = (await post(client, **JOB)).json()["id"]
        events: list[dict[str, Any]] = []
        cuts = 0
        async with working(dependencies, lease=3.0):
            while not events or events[-1]["event"]["event"] not in ("run_finished", "run_failed"):
                after = {"after": len(events), "wait": 0.5}
                answer = await client.get(f"/api/runs/{job}/events/poll", params=after)
                if unavailable(answer):
                    proxy.heal()
                    continue
                events += answer.json()["events"]
                kinds = {each["event"]["event"] for each in events}
                if (cuts == 0 and "decision_made" in kinds) or (cuts == 1 and "trial_finished" in kinds):
                    cuts += 1
                    for operation in (*READS, *WRITES, "PUT", "GET"):
                        proxy.fail(operation, INTERNAL)
                    await asyncio.sleep(0.5)
            run_state = await eventually(lambda: finished_run(dependencies, job))
    assert run_state is not None
    assert cuts == 2
    assert [each["sequence"] for each in events] == list(range(1, len(events) + 1))
    assert run_state.state == "completed"
    assert "failed" not in {move.state for move in run_state.history}
    async with open_dependencies(tmp_path / "undisturbed") as dependencies:
        run = await create_run(dependencies, OWNER, OptimizationRequest(**SMALL_JOB))
        undisturbed = [event async for event in execute(dependencies, OWNER, run)]
    assert isinstance(undisturbed[-1], RunFinished)
    assert run_state.result_digest == events[-1]["event"]["result_digest"] == undisturbed[-1].result_digest


# ---- the file of this machine


@asynccontextmanager
async def on_file(home: Path) -> AsyncGenerator[tuple[httpx.AsyncClient, Database]]:
    """A client of a desk that waits for a lock for a moment only."""
    database = await Database.open(home / "store.sqlite", busy_seconds=IMPATIENT)
    store = Store(SqliteRecords(database), SqliteEvents(database), FileBlobs(home / "blobs"))
    async with open_dependencies(home) as dependencies:
        replaced = replace(dependencies, store=store, queue=SqliteQueue(database))
        async with open_client(application(home, _shared(replaced))) as client:
            yield client, database
    database.close()


async def test_a_locked_file_is_read_and_not_written(home):
    async with on_file(home) as (client, _):
        assert (await post(client, **WRITING[0])).status_code == 201
        with start_locker(home / "store.sqlite") as locker:
            assert locker.stdout is not None
            assert locker.stdout.readline() == "locked\n"
            for request in WRITING:
                assert unavailable(await post(client, **request)), request["path"]
            assert await counts(client) == [1, 0, 0, 0, 0]
            locker.communicate()
        for request in WRITING[1:]:
            assert (await post(client, **request)).status_code in (200, 201, 202), request["path"]
        assert await counts(client) == [1] * 5


async def test_a_full_disk_keeps_what_was_answered_and_no_part_of_the_rest(home):
    async with on_file(home) as (client, database):
        pages = await database.read(lambda file: file.execute("PRAGMA page_count").fetchone()[0])
        await database.write(lambda file: file.execute(f"PRAGMA max_page_count = {pages + 12}").fetchone())
        accepted = []
        for n in range(60):
            answer = await post(client, "/api/jobs", json=SMALL_JOB | {"name": f"Job {n}"})
            if answer.status_code != 202:
                assert unavailable(answer)
                break
            accepted.append(answer.json()["id"])
        assert accepted
        assert unavailable(await post(client, **SIMULATION))
        listed = (await client.get("/api/jobs")).json()["items"]
        assert [job["id"] for job in listed] == accepted[::-1]
        assert {job["state"] for job in listed} == {"queued"}
        await database.write(lambda file: file.execute("PRAGMA max_page_count = 1000000").fetchone())
        for request in WRITING:
            assert (await post(client, **request)).status_code in (200, 201, 202), request["path"]
        assert await counts(client) == [1, 1, len(accepted) + 1, 1, 1]
