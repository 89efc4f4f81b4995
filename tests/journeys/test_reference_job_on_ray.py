"""The reference job on a real Ray cluster of two nodes, whatever is killed of it, sent twice or damaged."""

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
from desk.runs.repository import events_of
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.desk.compute.duplicating_engine import DuplicatingEngine
from tests.doubles.ray_nodes import Nodes, two_nodes
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.coordinator import ray_dependencies
from tests.journeys.coordinator_processes import ended, killed
from tests.journeys.reference_job import REFERENCE, asked, carried_on, dice, digest_of, reports_of, until
from tests.journeys.spoiled_shards import SPOIL

pytestmark = [pytest.mark.anyio, pytest.mark.soak]
IN_FLIGHT = 2 * TASKS_PER_CORE
"""On two nodes of one core."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as started:
        yield started


@dataclass(frozen=True)
class Told:
    shards: int
    computed: int


class Shelved:
    """What Ray's workers began, and what was put on the shelf."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.apart = [os.getpid()]
        """Processes that draw from the market for other reasons."""

    @property
    def begun(self) -> list[int]:
        book = self.path.read_text(encoding="utf-8").split() if self.path.exists() else []
        return [int(line) for line in book if int(line) not in self.apart]

    def told(self, digest: str) -> Told:
        """Raises where one was stored twice."""
        puts = Counter(self.path.with_suffix(".puts").read_text(encoding="utf-8").split())
        told = Told(len(puts), len(self.begun))
        sys.stdout.write(f"\n{digest[:16]} {told} computed again: {told.computed - told.shards}\n")
        assert set(puts.values()) == {1}
        return told


async def test_the_reference_job_on_two_nodes_of_ray(nodes: Nodes, local: str, tmp_path: Path) -> None:
    async with ray_dependencies(tmp_path / "home", nodes.address, tmp_path / "book") as dependencies:
        await asked(dependencies, REFERENCE)
        await carried_on(dependencies)
        assert await digest_of(dependencies) == local
    told = Shelved(tmp_path / "book").told(local)
    assert told.computed == told.shards


async def test_the_coordinator_of_a_ray_cluster_is_killed(nodes: Nodes, local: str, home: Path, tmp_path: Path) -> None:
    chance, book = dice(), Shelved(tmp_path / "book")
    async with open_dependencies(home) as dependencies:
        await asked(dependencies, REFERENCE)
    given = nodes.address, str(book.path)
    book.apart += [each.process for each in await killed(home, chance, *given)]
    book.apart.append((await ended(*given))["pid"])
    async with open_dependencies(home) as dependencies:
        assert await digest_of(dependencies) == local
    told = book.told(local)
    assert told.computed - told.shards <= 3 * IN_FLIGHT


async def test_a_worker_of_a_ray_cluster_is_killed(nodes: Nodes, local: str, tmp_path: Path) -> None:
    chance, book = dice(), Shelved(tmp_path / "book")
    async with ray_dependencies(tmp_path / "home", nodes.address, book.path) as dependencies:
        await asked(dependencies, REFERENCE)
        running = asyncio.create_task(carried_on(dependencies))
        moment = chance.randrange(3, 20)
        await until(lambda: len(book.begun) >= moment)
        nodes.kill()
        await running
        assert await digest_of(dependencies) == local
    told = book.told(local)
    assert told.computed - told.shards <= IN_FLIGHT


async def test_results_of_a_ray_cluster_that_are_late_and_come_twice(nodes: Nodes, local: str, tmp_path: Path) -> None:
    book, engines = Shelved(tmp_path / "book"), list[DuplicatingEngine]()

    def simulator(world: Any, happened: Any) -> ShardedSimulator:
        engines.append(DuplicatingEngine(RayEngine(world, nodes.address)))
        shards = BlobShardStore(dependencies.store, loop, dependencies.now)
        return ShardedSimulator(world, engines[-1], shards, chunk=CHUNK)

    loop = asyncio.get_running_loop()
    async with ray_dependencies(tmp_path / "home", nodes.address, book.path, simulator) as dependencies:
        await asked(dependencies, REFERENCE)
        await carried_on(dependencies)
        assert await digest_of(dependencies) == local
    told = book.told(local)
    assert told.computed == told.shards < sum(engine.count for engine in engines)


async def test_bad_shards_on_rays_shelf_are_refused_named_and_computed_again(
    nodes: Nodes, local: str, tmp_path: Path
) -> None:
    home, book = tmp_path / "home", Shelved(tmp_path / "book")
    async with ray_dependencies(home, nodes.address, book.path) as dependencies:
        await asked(dependencies, REFERENCE)
        await carried_on(dependencies)
        flaws: dict[str, str] = {}
        for path, (flaw, spoil) in zip(sorted((home / "blobs").glob("*/shards*/*")), SPOIL.items(), strict=False):
            path.write_bytes(spoil(path.read_bytes()))
            flaws[path.name] = flaw
        before = len(book.begun)
        book.path.with_suffix(".puts").unlink()
        again = await create_run(dependencies, OWNER, REFERENCE, run_id="again")
        events = [event async for event in execute(dependencies, OWNER, again)]
        assert await digest_of(dependencies, again) == local
        bad = {
            report.name: report.reason for report in await reports_of(dependencies, again) if report.code == "bad_shard"
        }
        assert bad == flaws
        assert [event.id for event in events] == [
            event.id for event in await events_of(dependencies.store, OWNER, again)
        ]
    puts = book.path.with_suffix(".puts").read_text(encoding="utf-8").split()
    assert sorted(puts) == sorted(flaws)
    assert len(book.begun) - before == len(flaws)
