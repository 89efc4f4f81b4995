"""Runs search jobs in this process: compiled kernels on every core, trials stored as they complete."""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog

from desk.base.errors import UserError
from desk.governance.estimates import Machines
from desk.optimization.jobs import JobStatus, Report, SearchJob
from desk.optimization.request import OptimizationRequest
from store.errors import Unavailable
from store.store import Store

if TYPE_CHECKING:
    from desk.optimization.evaluation import World
    from desk.optimization.inputs.market_data import Market
    from desk.optimization.search.search import Simulator
    from quant.numeric.arrays import Floats
    from quant.strategies.trial import Trial

LoadMarket = Callable[[str, OptimizationRequest], Awaitable["Market"]]
"""Loads the market of an owner's request."""
MakeSimulator = Callable[["World", Callable[[Report], None]], "Simulator"]
"""Called in the event loop; the simulator is used, and reports, in the thread of a search."""

logger = structlog.get_logger()


@dataclass
class _Running:
    status: JobStatus
    task: asyncio.Task[None] | None = None
    stop: threading.Event = field(default_factory=threading.Event)


class LocalRunner:
    """Adapter of `desk.optimization.jobs.JobRunner`: this process coordinates; without `simulator` it also computes."""

    def __init__(
        self,
        store: Store,
        market: LoadMarket,
        *,
        machines: Machines | None = None,
        simulator: MakeSimulator | None = None,
    ) -> None:
        self._store = store
        self._market = market
        self._simulator = simulator
        self._machines = machines or Machines(cores=os.cpu_count() or 1)
        self._jobs: dict[str, _Running] = {}

    @property
    def machines(self) -> Machines:
        return self._machines

    async def submit(self, job: SearchJob) -> JobStatus:
        running = self._jobs.get(job.id())
        if running is None or running.status.state in ("failed", "cancelled"):
            running = _Running(JobStatus(id=job.id(), state="queued", total=job.budget))
            self._jobs[job.id()] = running
            running.task = asyncio.create_task(self._run(job, running))
        return running.status

    async def status(self, job_id: str) -> JobStatus:
        return self._jobs[job_id].status

    async def cancel(self, job_id: str) -> JobStatus:
        running = self._jobs[job_id]
        running.stop.set()
        if running.task is not None:
            await running.task
        return running.status

    async def _run(self, job: SearchJob, running: _Running) -> None:
        try:
            await self._search(job, running)
        except UserError as error:
            update = {"state": "failed", "error": str(error), "mendable": True}
            running.status = running.status.model_copy(update=update)
        except Unavailable as error:
            update = {"state": "failed", "error": str(error), "unavailable": True}
            running.status = running.status.model_copy(update=update)
        except InterruptedError:
            running.status = running.status.model_copy(update={"state": "cancelled"})
        except Exception as error:  # the status of the job must report any failure
            logger.exception("job failed", job=job.id())
            update = {"state": "failed", "error": f"{type(error).__name__}: {error}"}
            running.status = running.status.model_copy(update=update)

    async def _search(self, job: SearchJob, running: _Running) -> None:
        from desk.optimization.evaluation import World  # keeps the numeric stack out of light commands
        from desk.optimization.repositories.trial_repository import load_trials, save_trials
        from desk.optimization.search.search import run_search

        loop = asyncio.get_running_loop()
        earlier_trials = {t.digest: t for t in await load_trials(self._store, job.owner, job.run)}
        world = World(await self._market(job.owner, job.request), job.request, running.stop.is_set)

        def save(trials: "list[tuple[Trial, Floats]]") -> None:
            saving = save_trials(self._store, job.owner, job.run, trials)
            asyncio.run_coroutine_threadsafe(saving, loop).result()

        def report(status: JobStatus) -> None:
            running.status = status.model_copy(update={"reports": running.status.reports})

        def add_report(new_report: Report) -> None:
            running.status = running.status.model_copy(update={"reports": (*running.status.reports, new_report)})

        threads = ThreadPoolExecutor(
            1, thread_name_prefix="search"
        )  # in a shared pool it would wait for other searches to save
        try:
            simulator = None if self._simulator is None else self._simulator(world, add_report)
            search = partial(run_search, world, job, earlier_trials, save, report, simulator)
            searching = loop.run_in_executor(threads, copy_context().run, search)
            try:
                stop_reason = await asyncio.shield(searching)
            except asyncio.CancelledError:
                running.stop.set()
                while not searching.done():  # the thread may wait for this loop to save its trials
                    with suppress(asyncio.CancelledError):
                        await asyncio.wait([searching])
                raise
        finally:
            threads.shutdown(wait=False)
        update = {"state": "completed", "stopped": stop_reason}
        running.status = running.status.model_copy(update=update)
