"""Coordination over real sockets gives the evaluations of a single run despite lost, slow and faulty instances."""

import asyncio
import socket
import threading
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from desk.compute.container.coordination import LARGEST_SHARD, Coordinator, LeaderLost, follow
from desk.compute.container.job_files import Resources, Work
from desk.compute.container.task_queue import TaskQueue
from desk.compute.shards.sharded_search import FolderShardStore, ShardedSimulator
from desk.compute.shards.shards import BadShard, Task, compute, spans
from desk.optimization.evaluation import World
from desk.optimization.search.search import LocalSimulator
from quant.numeric.errors import DataError
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.search import sobol
from tests.desk.compute.shards.sealed_shards import replace_body

pytestmark = pytest.mark.anyio
PATHS = 2_112
SHARDS = 2 * 2 * len(spans(PATHS))
"""Shards of two chunks in two scenarios."""
LEADER, *OTHERS = [f"127.0.0.{k}" for k in range(1, 6)]
Evaluations = list[list[tuple[Evaluation, ...]]]


@pytest.fixture(scope="module")
def chunks(world) -> list[list[StrategyConfig]]:
    configs = sobol(world.request.space, 3, seed=1)
    return [configs[:2], configs[2:]]


@pytest.fixture(scope="module")
def single(world, chunks) -> Evaluations:
    return list(LocalSimulator(world).evaluations(chunks, PATHS))


@pytest.fixture
def work(world, job) -> Work:
    with socket.socket() as free:
        free.bind((LEADER, 0))
        port = free.getsockname()[1]
    return Work(code="c", data="d", job=job(world.request), key="0123456789abcdef" * 2, port=port)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Any:
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("shard")]


async def until(holds: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(0.001)
        if holds():
            return


class Leader:
    """The leader of a job."""

    def __init__(self, world: World, coordinator: Coordinator, folder: Path, bad_shards: list[BadShard]) -> None:
        self.coordinator = coordinator
        self.bad_shards = bad_shards
        self.shards = FolderShardStore(folder / LEADER)
        self.sharded = ShardedSimulator(world, coordinator, self.shards, bad_shards.append)

    async def search(self, chunks: Sequence[Sequence[StrategyConfig]]) -> Evaluations:
        return await asyncio.to_thread(lambda: list(self.sharded.evaluations(chunks, PATHS)))

    async def wait_for_instances(self) -> None:
        await until(lambda: not self.coordinator.missing_hosts)


@pytest.fixture
def run_leader(world, work, tmp_path) -> Callable[..., Any]:
    @asynccontextmanager
    async def lead(*others: str, **changes: Any) -> AsyncGenerator[Leader]:
        bad_shards: list[BadShard] = []
        resources = Resources(current_host=LEADER, hosts=(LEADER, *others))
        arguments = {"slots": 1, "linger_seconds": 0.05, "on_bad_shard": bad_shards.append} | changes
        async with Coordinator(world, resources, work, **arguments) as coordinator:
            yield Leader(world, coordinator, tmp_path, bad_shards)

    return lead


@pytest.fixture
def run_follower(world, work, tmp_path) -> Callable[..., Awaitable[None]]:
    def begin(host: str, **changes: Any) -> Awaitable[None]:
        resources = Resources(current_host=host, hosts=(LEADER, *OTHERS))
        arguments = {"world": world, "work": work, "slots": 1, "start_seconds": 5.0} | changes
        return follow(shards=FolderShardStore(tmp_path / host), resources=resources, **arguments)

    return begin


async def puppet(work: Work, host: str = OTHERS[0], key: str | None = None) -> ClientConnection:
    """A connection of a follower that the test controls."""
    headers = {"Authorization": f"Bearer {key or work.key}", "Stratigos-Instance": host}
    return await connect(f"ws://{LEADER}:{work.port}", additional_headers=headers, proxy=None, max_size=None)


def ids(folder: Path) -> set[str]:
    return {path.stem for path in folder.iterdir()} if folder.is_dir() else set()


@pytest.mark.parametrize("count", [pytest.param(1, marks=pytest.mark.soak), 3, pytest.param(5, marks=pytest.mark.soak)])
async def test_any_number_of_instances_gives_the_evaluations_of_one(
    count, chunks, single, run_leader, run_follower, tmp_path
) -> None:
    others = OTHERS[: count - 1]
    followers = [asyncio.create_task(run_follower(host, slots=2)) for host in others]
    async with run_leader(*others) as leader:
        await leader.wait_for_instances()
        assert await leader.search(chunks) == single
        assert await leader.search(chunks) == single
    await asyncio.gather(*followers)
    counts = leader.coordinator.counts
    assert (counts.computed.total(), leader.sharded.cache_hits) == (SHARDS, SHARDS), (
        "the second time nothing is computed"
    )
    assert (counts.reissued, counts.late_results, counts.lost_tasks, leader.bad_shards) == (0, 0, 0, [])
    assert len(ids(tmp_path / LEADER)) == SHARDS
    for host in others:
        mine = ids(tmp_path / host)
        assert len(mine) == counts.computed[host]
        assert mine <= ids(tmp_path / LEADER)


async def test_a_single_instance_opens_no_socket(work, chunks, single, run_leader) -> None:
    with socket.create_server((LEADER, work.port)):
        async with run_leader() as leader:
            assert await leader.search(chunks) == single


async def test_the_task_of_a_lost_instance_is_computed_by_another(work, chunks, single, run_leader) -> None:
    async with run_leader(*OTHERS[:2]) as leader:
        connections = [await puppet(work, host) for host in OTHERS[:2]]
        searching = asyncio.create_task(leader.search(chunks))
        for connection in connections:
            await connection.recv()
            connection.transport.abort()
        assert await searching == single
    assert leader.coordinator.counts.computed == {LEADER: SHARDS}
    assert leader.coordinator.counts.lost_tasks == 2


async def test_killing_one_of_two_followers_keeps_the_result(chunks, single, run_leader, run_follower) -> None:
    killed, other = (asyncio.create_task(run_follower(host)) for host in OTHERS[:2])
    async with run_leader(*OTHERS[:2]) as leader:
        await leader.wait_for_instances()
        searching = asyncio.create_task(leader.search(chunks))
        await until(lambda: leader.coordinator.counts.computed[OTHERS[0]] or searching.done())
        killed.cancel()
        assert await searching == single
    await other
    assert leader.coordinator.counts.computed.total() == SHARDS


@pytest.mark.parametrize(
    "answer",
    [
        "hello",
        b"stratigos shard 2\n",
        pytest.param(b"", marks=pytest.mark.soak),
        pytest.param("{}" * 1_000, marks=pytest.mark.soak),
    ],
)
async def test_an_instance_that_sends_an_invalid_shard_is_disconnected(
    work, chunks, single, run_leader, answer
) -> None:
    async with run_leader(OTHERS[0]) as leader:
        liar = await puppet(work)
        searching = asyncio.create_task(leader.search(chunks))
        task = Task.model_validate_json(await liar.recv())
        await liar.send(answer)
        assert await searching == single
        with pytest.raises(ConnectionClosed, match="1008"):
            await liar.recv()
    assert [bad.id for bad in leader.bad_shards] == [task.shard.id()]
    assert leader.coordinator.counts.computed == {LEADER: SHARDS}


async def test_the_shard_of_another_task_is_refused(world, work, chunks, single, run_leader) -> None:
    async with run_leader(OTHERS[0]) as leader:
        liar = await puppet(work)
        searching = asyncio.create_task(leader.search(chunks))
        first = Task.model_validate_json(await liar.recv())
        content = compute(world, first, 1)
        await liar.send(content)
        second = Task.model_validate_json(await liar.recv())
        await liar.send(content)
        assert await searching == single
    assert [(bad.id, bad.flaw) for bad in leader.bad_shards] == [(second.shard.id(), "another shard")]
    assert leader.coordinator.counts.computed == {LEADER: SHARDS - 1, OTHERS[0]: 1}


async def test_a_message_above_the_size_limit_is_not_read(work, chunks, single, run_leader) -> None:
    async with run_leader(OTHERS[0]) as leader:
        liar = await puppet(work)
        searching = asyncio.create_task(leader.search(chunks))
        await liar.recv()
        with suppress(ConnectionClosed):
            await liar.send(bytes(LARGEST_SHARD + 1))
        with pytest.raises(ConnectionClosed, match="1009"):
            await liar.recv()
        assert await searching == single


async def test_unauthenticated_connections_are_refused_without_effect(
    work, chunks, single, run_leader, run_follower
) -> None:
    follower = asyncio.create_task(run_follower(OTHERS[0]))
    async with run_leader(OTHERS[0]) as leader:
        with (
            closing(socket.create_connection((LEADER, work.port))) as silent,
            closing(socket.create_connection((LEADER, work.port))) as garbage,
            closing(socket.create_connection((LEADER, work.port))) as half,
        ):
            silent.setblocking(False)
            garbage.sendall(b"\x16\x03\x01\x00\xff" * 1_000)
            half.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
            for host, key in ((OTHERS[0], "f" * 32), (OTHERS[1], None), (LEADER, None), ("", None)):
                with pytest.raises(InvalidStatus, match="401"):
                    await puppet(work, host, key)
            await leader.wait_for_instances()
            assert await leader.search(chunks) == single
    await follower


async def test_the_task_of_a_slow_instance_is_computed_by_another(world, work, chunks, single, run_leader) -> None:
    """The late result of the slow instance is ignored."""
    async with run_leader(OTHERS[0], task_queue=TaskQueue(minimum_seconds=0.01, default_seconds=0.01)) as leader:
        slow = await puppet(work)
        searching = asyncio.create_task(leader.search(chunks))
        task = Task.model_validate_json(await slow.recv())
        assert await searching == single
        counts = leader.coordinator.counts
        assert (counts.computed, counts.reissued, counts.late_results) == ({LEADER: SHARDS}, 1, 0)
        await slow.send(compute(world, task, 1))
        await until(lambda: counts.late_results)
        assert await leader.search(chunks) == single
    assert counts.computed == {LEADER: SHARDS}


async def test_an_instance_may_connect_during_the_search(chunks, single, run_leader, run_follower) -> None:
    async with run_leader(*OTHERS[:2]) as leader:
        assert await leader.search(chunks[:1]) == single[:1]
        follower = asyncio.create_task(run_follower(OTHERS[0]))
        await until(lambda: OTHERS[0] not in leader.coordinator.missing_hosts)
        assert await leader.search(chunks) == single
    await follower
    assert leader.coordinator.missing_hosts == [OTHERS[1]], "and one may never come"


async def test_an_instance_that_connects_after_the_last_shard_ends_normally(chunks, run_leader, run_follower) -> None:
    async with run_leader(OTHERS[0], linger_seconds=5.0) as leader:
        await leader.search(chunks)
        follower = asyncio.create_task(run_follower(OTHERS[0]))
    assert await follower is None
    assert leader.coordinator.missing_hosts == []


async def test_a_config_that_cannot_be_simulated_costs_no_instance(chunks, single, run_leader, run_follower) -> None:
    follower = asyncio.create_task(run_follower(OTHERS[0]))
    broken = StrategyConfig(weight_function="inverse_vol", estimator="implied", rebalancing="monthly")
    async with run_leader(OTHERS[0]) as leader:
        await leader.wait_for_instances()
        for _ in range(3):  # more often than there are slots
            with pytest.raises(DataError, match="estimator 'implied' needs data"):
                await leader.search([[broken, chunks[0][1]]])
        assert await leader.search(chunks) == single
        assert leader.bad_shards == []
    await follower


async def test_an_instance_without_its_leader_fails(run_leader, run_follower, work) -> None:
    with pytest.raises(LeaderLost, match=rf"leader {LEADER} is gone .* on port {work.port}"):
        await run_follower(OTHERS[0], start_seconds=0.1)
    follower = asyncio.create_task(run_follower(OTHERS[0]))
    with suppress(ZeroDivisionError):
        async with run_leader(OTHERS[0]) as leader:
            await leader.wait_for_instances()
            raise ZeroDivisionError
    with pytest.raises(LeaderLost):
        await follower


async def test_an_instance_with_another_key_fails_at_once(work, run_leader, run_follower) -> None:
    async with run_leader(OTHERS[0]):
        with pytest.raises(LeaderLost, match="401"):
            await run_follower(OTHERS[0], work=work.model_copy(update={"key": "e" * 32}), start_seconds=60.0)


async def test_an_instance_with_another_request_fails_alone(world, chunks, single, run_leader, run_follower) -> None:
    other = replace(world, request=world.request.model_copy(update={"seed": 4}))
    follower = asyncio.create_task(run_follower(OTHERS[0], world=other))
    async with run_leader(OTHERS[0]) as leader:
        await leader.wait_for_instances()
        assert await leader.search(chunks) == single
    with pytest.raises(ValueError, match="another request"):
        await follower


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file: file[:-5], marks=pytest.mark.soak),
        lambda file: replace_body(file, zlib.compress(b"too short")),
    ],
)
async def test_an_instance_sends_stored_shards_without_recomputation(
    spoil, world, work, chunks, single, run_leader, run_follower, tmp_path
) -> None:
    async with run_leader() as leader:
        await leader.search(chunks)
    follower_shards = tmp_path / OTHERS[0]
    (tmp_path / LEADER).rename(follower_shards)
    bad = min(follower_shards.iterdir())
    bad.write_bytes(spoil(bad.read_bytes()))
    cancellation_checks: list[None] = []

    def check_cancelled() -> bool:
        """Called before each piece of a shard."""
        cancellation_checks.append(None)
        return False

    follower = asyncio.create_task(run_follower(OTHERS[0], world=replace(world, cancelled=check_cancelled)))
    async with run_leader(OTHERS[0]) as leader:
        await leader.wait_for_instances()
        assert await leader.search(chunks) == single
    await follower
    computed = leader.coordinator.counts.computed
    assert computed[OTHERS[0]] > 0
    assert len(cancellation_checks) <= 8, "one shard at most, of 32 blocks in pieces of four"


async def test_a_search_that_is_interrupted_ends_at_once(work, chunks, run_leader) -> None:
    async with run_leader(OTHERS[0]) as leader:
        follower = await puppet(work)
        searching = asyncio.create_task(leader.search(chunks))
        await follower.recv()
        leader.coordinator.interrupt()
        with pytest.raises(InterruptedError):
            await searching


async def test_a_fault_of_the_leader_ends_its_search(world, work, chunks, tmp_path) -> None:
    def fail() -> bool:
        raise ZeroDivisionError

    failing_world = replace(world, cancelled=fail)
    async with Coordinator(
        failing_world, Resources(current_host=LEADER, hosts=(LEADER,)), work, slots=1
    ) as coordinator:
        sharded = ShardedSimulator(world, coordinator, FolderShardStore(tmp_path))
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: list(sharded.evaluations(chunks, PATHS)))
