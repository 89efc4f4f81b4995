"""Overhead of a distributed search: time on a Ray cluster of the same cores, and bytes of every shard."""

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from pathlib import Path

import psutil
import pytest

from desk.compute import ray_cluster
from desk.compute.local import LocalRunner
from desk.compute.ray_cluster import ray_runner
from desk.compute.shards import sharded_search as sharding
from desk.compute.shards.shards import ShardPlanner, compute, decode
from desk.market.bundled import BundledPrices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import Market, build_market
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from quant.strategies.search import sobol
from quant.strategies.trial import Trial
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store
from store.store import Store
from tests.bench.comparison import Comparison, Row
from tests.desk.conftest import job_of
from tests.doubles.ray_nodes import Nodes, two_nodes

pytestmark = pytest.mark.bench

CORES = max((os.cpu_count() or 2) // 2, 1)
PATHS = 64_000
"""For about a minute on two cores that have nothing else to do."""
TIMES = 3
WANTED = 0.10


def world_of(paths: int) -> World:
    scenarios = tuple(s.model_copy(update={"paths": paths, "years": 5}) for s in BUILT_IN)
    request = OptimizationRequest(trials=100, scenarios=scenarios, stopping="budget")
    return World(build_market(asyncio.run(BundledPrices().load("sp500")), request), request)


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes(CORES) as cluster:
        yield cluster


async def run_search(
    home: Path, world: World, runner: Callable[[Store, Callable[..., Awaitable[Market]]], LocalRunner]
):
    """Seconds and trials of a search."""

    async def load(owner: str, request: OptimizationRequest) -> Market:
        return world.market

    async with open_store(home) as store:
        jobs, job = runner(store, load), job_of(world.request)
        start = time.perf_counter()
        await jobs.submit(job)
        while (status := await jobs.status(job.id())).state in {"queued", "running"}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        took = time.perf_counter() - start
        assert status.state == "completed", status.error
        return took, await load_trials(store, job.owner, job.run)


def cpu_seconds() -> dict[int, float]:
    """CPU seconds of this process and its children, by process id."""
    mine = psutil.Process()
    return {p.pid: sum(p.cpu_times()[:2]) for p in (mine, *mine.children(recursive=True))}


def test_ray(comparison: Comparison, nodes: Nodes, tmp_path: Path) -> None:
    world = world_of(PATHS)
    kinds = {"local": LocalRunner, "ray": lambda store, load: ray_runner(store, load, nodes.address)}
    results: dict[str, list[tuple[float, tuple[Trial, ...]]]] = {"local": [], "ray": []}
    cpu = dict.fromkeys(kinds, 0.0)
    for kind, runner in kinds.items():  # kernels are loaded, workers started
        asyncio.run(run_search(tmp_path / f"warm-{kind}", world_of(64), runner))
    for n in range(TIMES):  # alternating, so that other load of the machine affects both
        for kind, runner in kinds.items():
            before = cpu_seconds()
            results[kind].append(asyncio.run(run_search(tmp_path / f"{kind}-{n}", world, runner)))
            cpu[kind] += sum(seconds - before.get(pid, 0.0) for pid, seconds in cpu_seconds().items()) / TIMES
    trials = [answer for _, answer in chain.from_iterable(results.values())]
    assert all(answer == trials[0] for answer in trials)
    local, ray = (statistics.median(seconds for seconds, _ in results[kind]) for kind in kinds)
    suffix = "" if ray / local - 1.0 < WANTED else " (missed)"
    note = (
        f"Ray {ray / local - 1.0:+.1%} of time; below {WANTED:.0%} wanted{suffix}; CPU {cpu['ray']:.1f} s against"
        f" {cpu['local']:.1f} s ({cpu['ray'] / cpu['local'] - 1.0:+.1%}); load {os.getloadavg()[0]:.1f}"
    )
    size = f"100 trials, {PATHS:,} paths, {2 * CORES} cores"
    comparison.rows.append(Row("a search on a Ray cluster", size, ray, {"this process": local}, None, note))


@pytest.mark.parametrize("chunk", [sharding.CHUNK, ray_cluster.CHUNK])
@pytest.mark.parametrize("paths", [1_000, 10_000])
def test_a_shard(comparison: Comparison, paths: int, chunk: int) -> None:
    """Its file is written once and read once: a request to S3 each, and one that finds nothing before."""
    world = world_of(paths)
    configs = sobol(world.request.space, chunk, seed=1, avoid=())
    tasks = list(ShardPlanner(world).tasks(configs, paths))
    files = [compute(world, task, 1) for task in tasks]
    start = time.perf_counter()
    files = [compute(world, task, 1) for task in tasks]
    took = (time.perf_counter() - start) / len(files)
    parts = [decode(task.shard, file) for task, file in zip(tasks, files, strict=True)]
    raw = [p.means.nbytes + p.spreads.nbytes + p.losses.nbytes + p.falls.nbytes for p in parts]
    packed = statistics.mean(len(file) for file in files)
    evaluations = 100 * len(BUILT_IN)
    count = len(tasks) * 100 // chunk
    note = (
        f"{packed / 1e3:.1f} kB of {statistics.mean(raw) / 1e3:.0f} kB; {count} shards,"
        f" {count * packed / 1e6:.1f} MB and {3 * count} requests for {evaluations} evaluations"
    )
    size = f"{chunk} configs, {paths:,} paths in {len(tasks) // len(BUILT_IN)} pieces"
    comparison.rows.append(Row("a shard, on one core", size, took, {}, None, note))
