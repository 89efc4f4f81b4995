"""The reference job on a real Ray cluster of two nodes whose processes are killed and whose shards repeat or break."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from desk.compute.ray_cluster import CHUNK, TASKS_PER_CORE, RayEngine
from desk.compute.shards.repository import BlobShardStore
from desk.compute.shards.sharded_search import ShardedSimulator
from desk.runs.repository import load_events
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.desk.compute.duplicating_engine import DuplicatingEngine
from tests.doubles.ray_nodes import Nodes, two_nodes
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.coordinator import ray_dependencies
from tests.journeys.coordinator_processes import kill_coordinators, run_coordinator
from tests.journeys.reference_job import (
    REFERENCE,
    create_reference_run,
    digest_of,
    printed_random,
    reports_of,
    run_to_end,
    until,
)
from tests.journeys.spoiled_shards import SPOIL

pytestmark = [pytest.mark.anyio, pytest.mark.soak]
IN_FLIGHT = 2 * TASKS_PER_CORE
"""Shards in flight on two nodes of one core."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as cluster:
        yield cluster


@dataclass(frozen=True)
class ShardCounts:
    shards: int
    computed: int


class ShardLog:
    """The log of computed and stored shards that `tests.journeys.coordinator` writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.excluded = [os.getpid()]
        """Processes that simulate for other reasons."""

    @property
    def computing_processes(self) -> list[int]:
        lines = self.path.read_text(encoding="utf-8").split() if self.path.exists() else []
        return [int(line) for line in lines if int(line) not in self.excluded]

    def check(self, digest: str) -> ShardCounts:
        """Count the shards; none may be stored twice."""
        puts = Counter(self.path.with_suffix(".puts").read_text(encoding="utf-8").split())
        counts = ShardCounts(len(puts), len(self.computing_processes))
        sys.stdout.write(f"\n{digest[:16]} {counts} computed again: {counts.computed - counts.shards}\n")
        assert set(puts.values()) == {1}
        return counts


async def test_the_reference_job_on_two_nodes_of_ray(nodes: Nodes, local_digest: str, tmp_path: Path) -> None:
    async with ray_dependencies(tmp_path / "home", nodes.address, tmp_path / "shard_log") as dependencies:
        await create_reference_run(dependencies, REFERENCE)
        await run_to_end(dependencies)
        assert await digest_of(dependencies) == local_digest
    counts = ShardLog(tmp_path / "shard_log").check(local_digest)
    assert counts.computed == counts.shards


async def test_the_coordinator_of_a_ray_cluster_is_killed(
    nodes: Nodes, local_digest: str, home: Path, tmp_path: Path
) -> None:
    chance, shard_log = printed_random(), ShardLog(tmp_path / "shard_log")
    async with open_dependencies(home) as dependencies:
        await create_reference_run(dependencies, REFERENCE)
    arguments = nodes.address, str(shard_log.path)
    shard_log.excluded += [each.process for each in await kill_coordinators(home, chance, *arguments)]
    shard_log.excluded.append((await run_coordinator(*arguments))["pid"])
    async with open_dependencies(home) as dependencies:
        assert await digest_of(dependencies) == local_digest
    counts = shard_log.check(local_digest)
    assert counts.computed - counts.shards <= 3 * IN_FLIGHT


async def test_a_worker_of_a_ray_cluster_is_killed(nodes: Nodes, local_digest: str, tmp_path: Path) -> None:
    chance, shard_log = printed_random(), ShardLog(tmp_path / "shard_log")
    async with ray_dependencies(tmp_path / "home", nodes.address, shard_log.path) as dependencies:
        await create_reference_run(dependencies, REFERENCE)
        running = asyncio.create_task(run_to_end(dependencies))
        moment = chance.randrange(3, 20)
        await until(lambda: len(shard_log.computing_processes) >= moment)
        nodes.kill()
        await running
        assert await digest_of(dependencies) == local_digest
    counts = shard_log.check(local_digest)
    assert counts.computed - counts.shards <= IN_FLIGHT


async def test_results_of_a_ray_cluster_that_are_late_and_come_twice(
    nodes: Nodes, local_digest: str, tmp_path: Path
) -> None:
    shard_log, engines = ShardLog(tmp_path / "shard_log"), list[DuplicatingEngine]()

    def simulator(world: Any, happened: Any) -> ShardedSimulator:
        engines.append(DuplicatingEngine(RayEngine(world, nodes.address)))
        shards = BlobShardStore(dependencies.store, loop, dependencies.now)
        return ShardedSimulator(world, engines[-1], shards, chunk=CHUNK)

    loop = asyncio.get_running_loop()
    async with ray_dependencies(tmp_path / "home", nodes.address, shard_log.path, simulator) as dependencies:
        await create_reference_run(dependencies, REFERENCE)
        await run_to_end(dependencies)
        assert await digest_of(dependencies) == local_digest
    counts = shard_log.check(local_digest)
    assert counts.computed == counts.shards < sum(engine.count for engine in engines)


async def test_bad_shards_in_the_store_are_rejected_named_and_computed_again(
    nodes: Nodes, local_digest: str, tmp_path: Path
) -> None:
    home, shard_log = tmp_path / "home", ShardLog(tmp_path / "shard_log")
    async with ray_dependencies(home, nodes.address, shard_log.path) as dependencies:
        await create_reference_run(dependencies, REFERENCE)
        await run_to_end(dependencies)
        flaws: dict[str, str] = {}
        for path, (flaw, spoil) in zip(sorted((home / "blobs").glob("*/shards*/*")), SPOIL.items(), strict=False):
            path.write_bytes(spoil(path.read_bytes()))
            flaws[path.name] = flaw
        before = len(shard_log.computing_processes)
        shard_log.path.with_suffix(".puts").unlink()
        again = await create_run(dependencies, OWNER, REFERENCE, run_id="again")
        events = [event async for event in execute(dependencies, OWNER, again)]
        assert await digest_of(dependencies, again) == local_digest
        bad = {
            report.name: report.reason for report in await reports_of(dependencies, again) if report.code == "bad_shard"
        }
        assert bad == flaws
        assert [event.id for event in events] == [
            event.id for event in await load_events(dependencies.store, OWNER, again)
        ]
    puts = shard_log.path.with_suffix(".puts").read_text(encoding="utf-8").split()
    assert sorted(puts) == sorted(flaws)
    assert len(shard_log.computing_processes) - before == len(flaws)
