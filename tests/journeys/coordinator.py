"""Executes the reference run until it ends or this process is killed: `-m tests.journeys.coordinator [ADDRESS LOG]`.

The environment selects where its search is computed. With an address it is a Ray cluster; `LOG` then records each
computation of a shard, and `LOG.puts` each stored shard.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from api.settings import read_settings
from desk.compute.local import LocalRunner, MakeSimulator
from desk.compute.ray_cluster import ray_runner
from desk.optimization.inputs.owned_market import load_owned_market
from graphs.dependencies import Dependencies
from store.blobs import Blobs
from store.keys import SYSTEM
from tests.doubles.ray_nodes import count_draws
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.reference_job import RUN, dependencies_of_settings, run_to_end


class LoggedBlobs:
    """Writes the name of each stored shard to a file."""

    def __init__(self, port: Blobs, file: Path) -> None:
        self._port = port
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    async def put(self, key: str, data: bytes) -> None:
        await self._port.put(key, data)
        if key.startswith(f"{SYSTEM}/shards/"):
            with self._file.open("a", encoding="utf-8") as file:
                file.write(key.rpartition("/")[2] + "\n")


@asynccontextmanager
async def ray_dependencies(
    home: Path, address: str, shard_log: Path, simulator: MakeSimulator | None = None
) -> AsyncGenerator[Dependencies]:
    async with open_dependencies(home) as dependencies:
        store = replace(dependencies.store, blobs=LoggedBlobs(dependencies.store.blobs, shard_log.with_suffix(".puts")))

        async def load(owner: str, request: Any) -> Any:
            return count_draws(await load_owned_market(store, dependencies.prices, owner, request), shard_log)

        runner = LocalRunner(store, load, simulator=simulator) if simulator else ray_runner(store, load, address)
        yield replace(dependencies, store=store, jobs=runner, thresholds=None)


async def coordinate(arguments: list[str]) -> None:
    if arguments:
        address, log = arguments
        opening = ray_dependencies(read_settings().home, address, Path(log))
    else:
        opening = dependencies_of_settings()
    async with opening as dependencies:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        await run_to_end(dependencies)
        if dependencies.jobs.machines.kind == "local":
            sys.stdout.write(f"computed {await computed_trials(dependencies)}\n")


async def computed_trials(dependencies: Dependencies) -> int:
    """Trials that this process computed."""
    plans = [f"{OWNER}-{RUN}-plan-{plan}" for plan in range(3)]
    trials = 0
    for plan in plans:
        try:
            trials += (await dependencies.jobs.status(plan)).computed
        except KeyError:  # another process finished it, or it was not needed
            continue
    return trials


if __name__ == "__main__":
    asyncio.run(coordinate(sys.argv[1:]))
