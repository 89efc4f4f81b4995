"""Searches on a real cluster of two nodes while workers, nodes and the coordinating process are killed."""

import asyncio
import ctypes
import pickle
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from desk.base.errors import InvalidInput, UserError
from desk.compute.ray_cluster import CHUNK, TASKS_PER_CORE, RayEngine, ray_runner
from desk.compute.shards.sharded_search import Engine, ShardedSimulator
from desk.compute.shards.shards import ShardPlanner, Task, decode
from desk.optimization.evaluation import World
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.search import run_search
from graphs.dependencies import Dependencies
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.numeric.errors import DataError
from store.embedded import open_store
from store.errors import Unavailable
from tests.desk.compute.duplicating_engine import DuplicatingEngine
from tests.doubles.ray_nodes import Nodes, count_draws, started_shards, two_nodes

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
ENDED = {"completed", "failed", "cancelled"}
IN_FLIGHT = 2 * TASKS_PER_CORE
SHARDS = 2 * 2 * 8
"""Of rounds of 8 and 12 trials in two scenarios, each on eight pieces of its paths."""
ENOUGH = 10
"""Shards after which something is killed."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def long(world, make_request) -> World:
    """More shards, of about ten milliseconds each, than are in flight at once."""
    scenarios = tuple(s.model_copy(update={"paths": 16 * 1024, "years": 1}) for s in world.request.scenarios)
    return World(world.market, make_request(scenarios=scenarios))


@pytest.fixture(scope="module")
def alone(long, job, execute_search):
    return execute_search(long, job(long.request, budget=20))


class MemoryStore:
    """A shard store in memory; `call` runs once `after` shards are stored."""

    def __init__(self, after: int = 0, call: Callable[[], None] = lambda: None) -> None:
        self.files: dict[str, bytes] = {}
        self.puts: list[str] = []
        self._after, self._call = after, call

    def using(self, ids: Collection[str]) -> AbstractContextManager[None]:
        return nullcontext()

    def get(self, id_: str) -> bytes | None:
        return self.files.get(id_)

    def put(self, id_: str, content: bytes) -> None:
        self.files[id_] = content
        self.puts.append(id_)
        if len(self.puts) == self._after:
            self._call()


def search(world: World, job, engine: Engine, shards: MemoryStore):
    trials = []
    run_search(world, job, {}, trials.extend, lambda _: None, ShardedSimulator(world, engine, shards, chunk=CHUNK))
    return tuple(trial for trial, _ in trials)


async def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  what is waited for happens in other processes
        await asyncio.sleep(0.01)


async def wait_until_finished(runner, job):
    while (status := await runner.status(job.id())).state not in ENDED:  # noqa: ASYNC110  the port is asked
        await asyncio.sleep(0.01)
    return status


def stored_shards(home: Path) -> set[str]:
    """Shards in the store."""
    return {path.name for path in (home / "blobs").glob("*/shards*/*")}


def runner_of(store, world: World, address: str):
    async def load(owner, request):
        return world.market

    return ray_runner(store, load, address)


@pytest.mark.parametrize("address", ["head", "head:", ":6379", "head:0", "head:65536", "ray://head:10001", "head:x"])
def test_an_invalid_address_is_refused_at_once(world, address) -> None:
    with pytest.raises(InvalidInput, match=r"STRATIGOS_COMPUTE: 'ray:.*' is not allowed; expected ray, ray:auto"):
        runner_of(None, world, address)


@pytest.mark.parametrize("listens", [False, True])
def test_without_a_cluster_the_search_can_continue_later(world, listens) -> None:
    def answer(server: socket.socket) -> None:
        with server.accept()[0] as client:
            client.recv(100)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if listens:
            threading.Thread(target=answer, args=[server]).start()
        else:
            server.close()
        with pytest.raises(Unavailable, match=f"STRATIGOS_COMPUTE: there is no Ray cluster at 127.0.0.1:{port}: "):
            list(RayEngine(world, f"127.0.0.1:{port}").compute([]))


def test_the_error_without_ray_names_the_install_command(world, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"Ray is not installed.*bootstrap\.py --group ray"):
        list(RayEngine(world).compute([]))


async def test_the_trials_are_those_of_a_local_search(nodes, world, finished_search, job, tmp_path) -> None:
    search_job = job(world.request)
    async with open_store(tmp_path) as store:
        runner = runner_of(store, world, nodes.address)
        await runner.submit(search_job)
        status = await wait_until_finished(runner, search_job)
        assert (status.state, status.error, status.computed) == ("completed", None, 12)
        assert await load_trials(store, "anne", "r1") == finished_search.trials
        assert (runner.machines.kind, runner.machines.cores, runner.machines.remote) == ("ray", 2, False)


@pytest.mark.soak
async def test_a_cancelled_search_ends_soon_and_can_be_continued(nodes, long, alone, job, tmp_path) -> None:
    search_job = job(long.request, budget=20)
    async with open_store(tmp_path) as store:
        runner = runner_of(store, long, nodes.address)
        await runner.submit(search_job)
        await wait_for(lambda: bool(stored_shards(tmp_path)))
        assert (await runner.cancel(search_job.id())).state == "cancelled"
        await runner.submit(search_job)
        assert (await wait_until_finished(runner, search_job)).state == "completed"
        assert await load_trials(store, "anne", "r1") == alone.trials


@pytest.mark.parametrize("kill", ["worker", pytest.param("node", marks=pytest.mark.soak)])
@pytest.mark.soak
def test_only_lost_shards_are_computed_again(nodes, long, alone, job, tmp_path, kill) -> None:
    """The lost shards are computed elsewhere, and no other shard is computed again."""
    world = World(count_draws(long.market, tmp_path / "book"), long.request)

    shards = MemoryStore(ENOUGH, nodes.remove if kill == "node" else nodes.kill)
    try:
        assert search(world, job(long.request, budget=20), RayEngine(world, nodes.address), shards) == alone.trials
    finally:
        if kill == "node":
            nodes.add()
    assert len(shards.puts) == len(set(shards.puts)) == SHARDS
    assert 0 <= started_shards(tmp_path / "book") - SHARDS <= IN_FLIGHT


@pytest.mark.soak
async def test_a_search_of_a_killed_process_continues_in_another(nodes, long, alone, job, tmp_path) -> None:
    world = World(count_draws(long.market, tmp_path / "book"), long.request)
    search_job = job(long.request, budget=20)
    (tmp_path / "market").write_bytes(pickle.dumps(world.market))
    home = tmp_path / "home"
    arguments = [str(home), nodes.address, search_job.model_dump_json(), str(tmp_path / "market")]
    with subprocess.Popen([sys.executable, "-m", "tests.doubles.ray_nodes", *arguments], cwd=ROOT) as coordinator:  # noqa: ASYNC220
        await wait_for(lambda: len(stored_shards(home)) >= ENOUGH or coordinator.poll() is not None)
        coordinator.kill()
    shards_before, before = stored_shards(home), started_shards(tmp_path / "book")
    async with open_store(home) as store:
        runner = runner_of(store, world, nodes.address)
        await runner.submit(search_job)
        status = await wait_until_finished(runner, search_job)
        assert (status.state, status.reports) == ("completed", ())
        assert await load_trials(store, "anne", "r1") == alone.trials
    assert ENOUGH <= len(shards_before) < len(stored_shards(home)) == SHARDS
    assert started_shards(tmp_path / "book") - before == SHARDS - len(shards_before)
    assert before - len(shards_before) <= IN_FLIGHT


@pytest.mark.soak
def test_duplicate_and_late_results_are_ignored(nodes, long, alone, job) -> None:
    shards = MemoryStore()
    engine = DuplicatingEngine(RayEngine(long, nodes.address))
    assert search(long, job(long.request, budget=20), engine, shards) == alone.trials
    assert len(shards.puts) == len(set(shards.puts)) == SHARDS < engine.count


async def test_a_search_without_a_free_core_reports_it_and_waits(nodes, world, finished_search, tmp_path) -> None:
    task, reasons = first_task(world, finished_search), []
    with nodes.occupy(tmp_path / "occupied") as leave:

        def waits(reason: str) -> None:
            reasons.append(reason)
            leave()

        results = list(RayEngine(world, nodes.address, waits, stall_seconds=0.1).compute([task]))
    assert [id_ for id_, _ in results] == [task.shard.id()]
    assert reasons == ["no shard has ended for 0.1 s; of the cluster's 2 cores 0 are free"]


def test_signal_handlers_of_the_process_are_unchanged(nodes, world) -> None:
    list(RayEngine(world, nodes.address).compute([]))
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    pythons = handler(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    assert handler(signal.SIGTERM) in (bytes(8), (1).to_bytes(8, "little"), pythons), "none, ignored, or that of Python"


def handler(number: signal.Signals) -> bytes:
    """The address of the handler, the first field of the kernel's `sigaction`."""
    action = ctypes.create_string_buffer(256)
    assert ctypes.CDLL(None).sigaction(number, None, action) == 0
    return action.raw[:8]


def first_task(world: World, search) -> Task:
    return next(ShardPlanner(world).tasks([search.trials[0].config], 64))


def test_a_node_with_other_code_is_refused(nodes, world, finished_search) -> None:
    task = first_task(world, finished_search)
    other = task.model_copy(update={"shard": task.shard.model_copy(update={"code": "0" * 64})})
    with pytest.raises(UserError, match=r"its code or one of its numeric libraries is another: \w{16} .* 0{16}"):
        list(RayEngine(world, nodes.address).compute([other]))


def test_a_config_that_cannot_be_simulated_is_told_without_retry(nodes, world, finished_search, tmp_path) -> None:
    market = replace(count_draws(world.market, tmp_path / "book"), warm_up=1)
    failing = World(market, world.request)
    task = first_task(world, finished_search)
    [(id_, content)] = RayEngine(failing, nodes.address).compute([task])
    assert id_ == task.shard.id()
    with pytest.raises(DataError, match="`warm_up` 1 is too short"):
        decode(task.shard, content)
    assert started_shards(tmp_path / "book") == 1


@pytest.mark.soak
@pytest.mark.parametrize("killed", [False, True])
async def test_the_reference_job_has_the_digest_of_a_local_run(nodes, tmp_path, killed) -> None:
    """100 configurations in five scenarios on 1,000 paths of five years, as `make demo` runs it."""
    from quant.worlds.scenario import BUILT_IN
    from tests.graphs.dependencies import OWNER, open_dependencies

    scenarios = tuple(s.model_copy(update={"paths": 1000, "years": 5}) for s in BUILT_IN)
    request = OptimizationRequest(trials=100, scenarios=scenarios, stopping="budget")
    async with open_dependencies(tmp_path / "local") as dependencies:
        expected = await digest_of(dependencies, OWNER, request)
    async with open_dependencies(tmp_path / "ray") as dependencies:
        runner = ray_runner(
            dependencies.store, partial(load_owned_market, dependencies.store, dependencies.prices), nodes.address
        )
        running = asyncio.create_task(digest_of(replace(dependencies, jobs=runner), OWNER, request))
        if killed:
            await wait_for(lambda: len(stored_shards(tmp_path / "ray")) >= 30)
            nodes.kill()
        assert await running == expected


async def digest_of(dependencies: Dependencies, owner: str, request: OptimizationRequest) -> str:
    run = await create_run(dependencies, owner, request)
    async for _ in execute(dependencies, owner, run):
        pass
    return (await load_result(dependencies.store, owner, run, "final")).digest()
