"""A Ray cluster of two nodes on this machine, kills of its parts, and markets that count their uses."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from desk.compute.ray_cluster import ENVIRONMENT, connect
from desk.optimization.inputs.market_data import Market

MEMORY = 100_000_000
# Ray reads it when it is imported, and means by the last: nothing listens but on loopback.
os.environ |= ENVIRONMENT | {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True)
class Nodes:
    address: str
    cluster: Any
    arguments: dict[str, Any]

    def add(self) -> None:
        self.cluster.add_node(**self.arguments)
        self.cluster.wait_for_nodes()

    def remove(self) -> None:
        """The busy node among those that may be killed."""
        import ray

        mine = ray.get_runtime_context().get_node_id()
        other = next(node for node in self.cluster.list_all_nodes() if node.node_id != mine)
        self.cluster.remove_node(other, allow_graceful=False)

    def kill(self) -> None:
        """Kill a worker, a busy one if there is any."""
        children = psutil.Process().children(recursive=True)
        workers = [child for child in children if child.name().startswith(("ray::compute_", "ray::IDLE"))]
        min(workers, key=lambda worker: worker.name() == "ray::IDLE").kill()

    @contextmanager
    def occupy(self, place: Path) -> Generator[Callable[[], None]]:
        """Occupy every core until the yielded function is called."""
        ray = connect(self.address)

        def stay(mark: Path) -> None:
            mark.touch()
            while place.exists():
                time.sleep(0.01)

        place.touch()
        places = [place.with_suffix(f".{n}") for n in range(2)]
        busy = [ray.remote(num_cpus=1)(stay).remote(each) for each in places]
        try:
            # a core that an earlier search has just left counts as taken for a while
            while not all(each.exists() for each in places) or ray.available_resources().get("CPU"):
                time.sleep(0.01)
            yield place.unlink
        finally:
            place.unlink(missing_ok=True)
            ray.get(busy)


@contextmanager
def two_nodes(cores: int = 1) -> Generator[Nodes]:
    from ray.cluster_utils import Cluster

    arguments = {"num_cpus": cores, "object_store_memory": MEMORY, "include_dashboard": False}
    folder = tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True)
    with folder as home, pytest.MonkeyPatch.context() as patch:
        # Ray writes the address of this cluster here, not over that of a developer's own one; sockets want short paths
        patch.setenv("RAY_TMPDIR", home)
        Path(home, "ray").mkdir()
        cluster = Cluster(initialize_head=True, head_node_args=arguments)
        try:
            nodes = Nodes(str(cluster.address), cluster, arguments)
            nodes.add()
            yield nodes
        finally:
            import ray

            ray.shutdown()
            cluster.shutdown()


@dataclass(frozen=True)
class CountingMarket(Market):
    """Writes a line for each started shard, when paths are drawn."""

    book: Path = Path()

    @property
    def asset(self) -> NDArray[np.float64]:
        with self.book.open("a", encoding="utf-8") as book:
            book.write(f"{os.getpid()}\n")
        return super().asset


def count_draws(market: Market, book: Path) -> CountingMarket:
    book.touch()
    return CountingMarket(**{f.name: getattr(market, f.name) for f in fields(market)}, book=book)


def started_shards(book: Path) -> int:
    """The number of shards that workers started; draws of this process do not count."""
    return sum(int(line) != os.getpid() for line in book.read_text(encoding="utf-8").split())


def coordinate(home: Path, address: str, job: str, market: Market) -> None:
    """Run a job until this process is killed."""
    from desk.compute.ray_cluster import ray_runner
    from desk.optimization.jobs import SearchJob
    from store.embedded import open_store

    async def run() -> None:
        search_job = SearchJob.model_validate_json(job)

        async def load(owner: str, request: Any) -> Market:
            return market

        async with open_store(home) as store:
            runner = ray_runner(store, load, address)
            await runner.submit(search_job)
            await asyncio.Event().wait()

    asyncio.run(run())


if __name__ == "__main__":
    import pickle

    folder, head, job, market = sys.argv[1:]
    coordinate(Path(folder), head, job, pickle.loads(Path(market).read_bytes()))
