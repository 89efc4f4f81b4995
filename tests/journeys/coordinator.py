"""Executes the reference run until it ends or this process is killed: `-m tests.journeys.coordinator [ADDRESS BOOK]`.

Where its search is computed is chosen by the settings of the environment, or, with an address, is a Ray cluster: then
`BOOK` tells how often shards were begun, and `BOOK.puts` which ones were stored.
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
from tests.doubles.ray_nodes import counted
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.reference_job import RUN, carried_on, dependencies_of_settings


class ToldBlobs:
    """Writes down each shard that is stored, once it is."""

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
    home: Path, address: str, book: Path, simulator: MakeSimulator | None = None
) -> AsyncGenerator[Dependencies]:
    async with open_dependencies(home) as dependencies:
        store = replace(dependencies.store, blobs=ToldBlobs(dependencies.store.blobs, book.with_suffix(".puts")))

        async def load(owner: str, request: Any) -> Any:
            return counted(await load_owned_market(store, dependencies.prices, owner, request), book)

        runner = LocalRunner(store, load, simulator=simulator) if simulator else ray_runner(store, load, address)
        yield replace(dependencies, store=store, jobs=runner, thresholds=None)


async def coordinate(given: list[str]) -> None:
    ray = (
        (lambda: ray_dependencies(read_settings().home, given[0], Path(given[1])))
        if given
        else dependencies_of_settings
    )
    async with ray() as dependencies:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        await carried_on(dependencies)
        if dependencies.jobs.machines.kind == "local":
            sys.stdout.write(f"computed {await computed(dependencies)}\n")


async def computed(dependencies: Dependencies) -> int:
    """Trials that this process computed."""
    plans = [f"{OWNER}-{RUN}-plan-{plan}" for plan in range(3)]
    found = 0
    for plan in plans:
        try:
            found += (await dependencies.jobs.status(plan)).computed
        except KeyError:  # another process saw it to its end, or there was no need for it
            continue
    return found


if __name__ == "__main__":
    asyncio.run(coordinate(sys.argv[1:]))
