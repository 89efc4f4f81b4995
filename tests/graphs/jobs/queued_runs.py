"""Dependencies with a queue, and executions that take no time."""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from desk.runs.repository import Run, change_run, load_run
from desk.runs.states import RunState
from graphs.dependencies import Dependencies
from graphs.jobs.job_queue import queue_of
from graphs.jobs.worker import Execution, Worker
from store.queue import Delivery, Queue
from store.sqlite.queue import open_sqlite_queue
from tests.graphs.dependencies import OWNER, open_dependencies

BEGUN = "executions"
PAUSE = 0.02
WAIT_SECONDS = 0.1
T = TypeVar("T")


async def eventually(look: Callable[[], Awaitable[T]], *, seconds: float = 60.0) -> T:
    """Poll `look` until it returns a true value, and return it."""
    for _ in range(int(seconds / PAUSE)):
        if value := await look():
            return value
        await asyncio.sleep(PAUSE)
    raise TimeoutError(f"nothing within {seconds} seconds")


async def until_state(dependencies: Dependencies, run: str, state: str) -> Run:
    """Wait until the run of the default owner is in `state`."""

    async def look() -> Run | None:
        current = await load_run(dependencies.store, OWNER, run)
        return current if current.state == state else None

    final_run = await eventually(look)
    assert final_run is not None
    return final_run


@asynccontextmanager
async def queued_dependencies(home: Path, **changes) -> AsyncGenerator[Dependencies]:
    async with open_dependencies(home) as dependencies, open_sqlite_queue(home) as queue:
        yield replace(dependencies, queue=queue, **changes)


class ShortWaits:
    """A queue that waits for a message for a moment only, so that a stopped worker ends at once."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        return await self._queue.receive(lease=lease, wait=min(wait, WAIT_SECONDS))


@asynccontextmanager
async def working(dependencies: Dependencies, **options) -> AsyncGenerator[Worker]:
    worker = Worker(replace(dependencies, queue=ShortWaits(queue_of(dependencies))), **options)
    task = asyncio.create_task(worker.work())
    try:
        yield worker
    finally:
        worker.stop()
        await task


@dataclass(frozen=True)
class Begun:
    owner: str
    run: str
    process: int


def fake(home: Path, seconds: float = 0.0) -> Execution:
    """Replaces an execution: appends a line to a file, then runs through the states."""

    async def execution(dependencies: Dependencies, owner: str, run_id: str) -> None:
        def to(stage: RunState):
            def advanced(run: Run) -> Run:
                return run.advanced_to(stage, at=dependencies.now(), by="worker")

            return advanced

        with (home / BEGUN).open("a") as lines:
            lines.write(f"{owner} {run_id} {os.getpid()}\n")
        await change_run(dependencies.store, owner, run_id, to("validating"))
        await asyncio.sleep(seconds)
        await change_run(dependencies.store, owner, run_id, to("completed"))

    return execution


def executions(home: Path) -> list[Begun]:
    """The executions that started, in order."""
    try:
        lines = (home / BEGUN).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [Begun(owner, run, int(process)) for owner, run, process in map(str.split, lines)]
