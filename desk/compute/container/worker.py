"""Runs an instance of a job: as leader, which coordinates and writes the result, or as follower."""

import asyncio
import hashlib
import json
import threading
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from desk.compute.container.coordination import Coordinator, follow
from desk.compute.container.job_files import (
    PROGRESS,
    REFUSED,
    SUMMARY,
    ContainerPaths,
    Resources,
    ShardCounts,
    Summary,
    Work,
    checkpoint_name,
    encode_summary,
    encode_trials,
    read_resources,
    read_work,
)
from desk.compute.shards.sharded_search import FolderShardStore, ShardedSimulator
from desk.compute.shards.shards import BadShard
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.jobs import JobStatus
from desk.optimization.search.search import run_search
from desk.optimization.stopping import StopReason
from quant.numeric.arrays import Floats
from quant.strategies.trial import Trial

PROGRESS_SECONDS = 0.5

logger: Any = structlog.get_logger()


class ResultWriter:
    """Writes the result folder of the leader: files of completed trials as they come, the summary last."""

    def __init__(self, folder: Path, work: Work) -> None:
        self._folder = folder
        self._work = work
        self._files: dict[str, str] = {}
        self._trials = 0
        self._checkpoints = 0
        self._bad: list[BadShard] = []
        self._status = JobStatus(id=work.job.id(), state="running", total=work.job.budget)
        self._written_status: tuple[JobStatus, int] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SUMMARY).unlink(missing_ok=True)

    def save(self, trials: "list[tuple[Trial, Floats]]") -> None:
        """Write a checkpoint of at most ten trials; the chunks and so the files are the same on any machine."""
        self._write(checkpoint_name(self._checkpoints), encode_trials(self._work, trials))
        self._checkpoints += 1
        self._trials += len(trials)

    def report(self, status: JobStatus) -> None:
        self._status = status

    def reject_shard(self, bad: BadShard) -> None:
        logger.warning("shard_refused", shard=bad.id, reason=bad.flaw)
        self._bad.append(bad)

    @asynccontextmanager
    async def writing_progress(self) -> AsyncGenerator[None]:
        """Write the progress periodically inside the context."""
        writing = asyncio.create_task(self._write_progress_periodically())
        try:
            yield
        finally:
            writing.cancel()

    def finish(self, stop_reason: StopReason, counts: ShardCounts) -> None:
        self._status = self._status.model_copy(update={"state": "completed", "stopped": stop_reason})
        self._write_progress()
        self._write("shards.json", counts.model_dump_json().encode())
        work = self._work
        summary = Summary(
            code=work.code,
            data=work.data,
            job=work.job.id(),
            stopped=stop_reason,
            seconds=self._status.seconds,
            failures=self._status.failures,
            trials=self._trials,
            files=self._files,
        )
        self._write(SUMMARY, encode_summary(summary))

    async def _write_progress_periodically(self) -> None:
        while True:
            self._write_progress()
            await asyncio.sleep(PROGRESS_SECONDS)

    def _write_progress(self) -> None:
        now = (self._status, len(self._bad))
        if now == self._written_status:
            return
        self._written_status = now
        self._write(PROGRESS, self._status.model_dump_json().encode())
        if self._bad:
            rejections = [{"id": bad.id, "reason": bad.flaw} for bad in self._bad]
            self._write(REFUSED, json.dumps(rejections).encode())

    @property
    def rejected_count(self) -> int:
        return len(self._bad)

    def _write(self, name: str, content: bytes) -> None:
        """Write atomically, because the folder is uploaded concurrently."""
        part = self._folder / f".{name}.part"
        part.write_bytes(content)
        part.replace(self._folder / name)
        self._files[name] = hashlib.sha256(content).hexdigest()


async def run_worker(paths: ContainerPaths, stop_flag: threading.Event, stop_event: asyncio.Event) -> None:
    """Do this instance's share of the work in `paths`; raises `InterruptedError` once `stop_event` is set."""
    resources = read_resources(paths.resources)
    work, prices, earlier_trials = await asyncio.to_thread(read_work, paths.work)
    structlog.contextvars.bind_contextvars(instance=resources.current_host, job=work.job.id())
    market = await asyncio.to_thread(build_market, prices, work.job.request)
    world = World(market, work.job.request, stop_flag.is_set)
    shards = FolderShardStore(paths.shards, [paths.earlier_shards])
    leads = resources.current_host == resources.leader
    logger.info("work_begun", leads=leads, instances=len(resources.hosts))
    if leads:
        body = _lead(world, shards, resources, work, earlier_trials, ResultWriter(paths.result, work))
    else:
        body = follow(world, shards, resources, work)
    await run_until_stopped(body, stop_flag, stop_event)


async def run_until_stopped(
    body: Coroutine[Any, Any, None], stop_flag: threading.Event, stop_event: asyncio.Event
) -> None:
    """Run `body`; raises `InterruptedError` once `stop_event` is set."""
    working, stopping = asyncio.create_task(body), asyncio.create_task(stop_event.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise InterruptedError
        await working
    finally:
        stop_flag.set()  # threads outlive their tasks without this flag
        stopping.cancel()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _lead(
    world: World,
    shards: FolderShardStore,
    resources: Resources,
    work: Work,
    earlier_trials: Sequence[Trial],
    result: ResultWriter,
) -> None:
    async with (
        Coordinator(world, resources, work, on_bad_shard=result.reject_shard) as coordinator,
        result.writing_progress(),
    ):
        sharded = ShardedSimulator(world, coordinator, shards, result.reject_shard)
        trials = {trial.digest: trial for trial in earlier_trials}
        try:
            stop_reason = await asyncio.to_thread(
                run_search, world, work.job, trials, result.save, result.report, sharded
            )
        finally:
            coordinator.interrupt()
        tally = coordinator.counts
        counts = ShardCounts(
            found=sharded.cache_hits,
            computed=dict(sorted(tally.computed.items())),
            refused=result.rejected_count,
            again=tally.reissued,
            late=tally.late_results,
            lost=tally.lost_tasks,
            unseen=tuple(coordinator.missing_hosts),
        )
        result.finish(stop_reason, counts)
        logger.info("search_ended", stopped=stop_reason, **counts.model_dump())
