"""What an instance of a job does: it leads and leaves the result, or follows the one that does."""

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from desk.compute.container.coordination import Peers, follow
from desk.compute.container.job_files import (
    PROGRESS,
    REFUSED,
    SUMMARY,
    Account,
    Resources,
    Summary,
    Tree,
    Work,
    checkpoint_name,
    encode_summary,
    encode_trials,
    read_resources,
    read_work,
)
from desk.compute.shards.sharded_search import FolderShelf, Sharded
from desk.compute.shards.shards import BadShard
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.jobs import JobStatus
from desk.optimization.search.search import Stopped, run_search
from quant.strategies.trial import Trial

PROGRESS_SECONDS = 0.5

logger: Any = structlog.get_logger()


class Result:
    """The folder that the leader leaves: files of finished trials as they are made, the summary once all is there."""

    def __init__(self, folder: Path, work: Work) -> None:
        self._folder = folder
        self._work = work
        self._files: dict[str, str] = {}
        self._trials = 0
        self._checkpoints = 0
        self._bad: list[BadShard] = []
        self._status = JobStatus(id=work.job.id(), state="running", total=work.job.budget)
        self._shown: tuple[JobStatus, int] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUMMARY).unlink(missing_ok=True)

    def save(self, trials: "list[tuple[Trial, NDArray[np.float64]]]") -> None:
        """Of a search, which saves a chunk of at most ten as soon as it is made: the same files, whoever makes them."""
        self._write(checkpoint_name(self._checkpoints), encode_trials(self._work, trials))
        self._checkpoints += 1
        self._trials += len(trials)

    def report(self, status: JobStatus) -> None:
        self._status = status

    def refuse(self, bad: BadShard) -> None:
        logger.warning("shard_refused", shard=bad.id, reason=bad.flaw)
        self._bad.append(bad)

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[None]:
        """Write the progress while something goes on inside."""
        showing = asyncio.create_task(self._keep_showing())
        try:
            yield
        finally:
            showing.cancel()

    def finish(self, stopped: Stopped, account: Account) -> None:
        self._status = self._status.model_copy(update={"state": "completed", "stopped": stopped})
        self._show()
        self._write("shards.json", account.model_dump_json().encode())
        work = self._work
        summary = Summary(
            code=work.code, data=work.data, job=work.job.id(), stopped=stopped, trials=self._trials, files=self._files
        )
        self._write(SUMMARY, encode_summary(summary))

    async def _keep_showing(self) -> None:
        while True:
            self._show()
            await asyncio.sleep(PROGRESS_SECONDS)

    def _show(self) -> None:
        now = (self._status, len(self._bad))
        if now == self._shown:
            return
        self._shown = now
        self._write(PROGRESS, self._status.model_dump_json().encode())
        if self._bad:
            said = [{"id": bad.id, "reason": bad.flaw} for bad in self._bad]
            self._write(REFUSED, json.dumps(said).encode())

    @property
    def refused(self) -> int:
        return len(self._bad)

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all: what copies the folder meanwhile takes no part of a file for it."""
        part = self._folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(self._folder / name)
        self._files[name] = hashlib.sha256(content).hexdigest()


async def work(tree: Tree, stop: threading.Event, stopped: asyncio.Event) -> None:
    """Do this instance's share of the work in `tree`; raises `InterruptedError` when told to stop."""
    resources = read_resources(tree.resources)
    asked, prices, known = await asyncio.to_thread(read_work, tree.work)
    structlog.contextvars.bind_contextvars(instance=resources.current_host, job=asked.job.id())
    market = await asyncio.to_thread(build_market, prices, asked.job.request)
    world = World(market, asked.job.request, stop.is_set)
    shelf = FolderShelf(tree.shards, [tree.earlier_shards])
    leads = resources.current_host == resources.leader
    logger.info("work_begun", leads=leads, instances=len(resources.hosts))
    if leads:
        body = _lead(world, shelf, resources, asked, known, Result(tree.result, asked))
    else:
        body = follow(world, shelf, resources, asked)
    await unless_stopped(body, stop, stopped)


async def unless_stopped(body: Coroutine[Any, Any, None], stop: threading.Event, stopped: asyncio.Event) -> None:
    """Do it; raises `InterruptedError` when told to stop."""
    working, stopping = asyncio.create_task(body), asyncio.create_task(stopped.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise InterruptedError
        await working
    finally:
        stop.set()  # threads outlive their tasks unless they are told
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _lead(
    world: World, shelf: FolderShelf, resources: Resources, asked: Work, known: Sequence[Trial], result: Result
) -> None:
    async with Peers(world, resources, asked, refused=result.refuse) as peers, result.shown():
        sharded = Sharded(world, peers, shelf, result.refuse)
        trials = {trial.digest: trial for trial in known}
        try:
            stopped = await asyncio.to_thread(run_search, world, asked.job, trials, result.save, result.report, sharded)
        finally:
            peers.interrupt()
        tally = peers.tally
        account = Account(
            found=sharded.found,
            computed=dict(sorted(tally.computed.items())),
            refused=result.refused,
            again=tally.again,
            late=tally.late,
            lost=tally.lost,
            unseen=tuple(peers.unseen),
        )
        result.finish(stopped, account)
        logger.info("search_ended", stopped=stopped, **account.model_dump())
