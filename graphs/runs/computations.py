"""Records of computations that outlive the process that started them, so that none is lost or left running.

A run has one record, from before its job is submitted until the run has ended.
"""

from datetime import datetime
from typing import Any

import structlog

from desk.base.errors import UserError
from desk.compute.sagemaker.job_repository import job_name
from desk.optimization.jobs import JobRunner, JobStatus, SearchJob
from desk.runs.repository import KIND as RUN
from desk.runs.repository import Run
from desk.runs.states import STOPPED_STATES
from graphs.dependencies import Dependencies
from quant.numeric.frozen import Frozen
from store.errors import StoreError, Unavailable
from store.keys import SYSTEM
from store.records import Key, Put
from store.store import Store

KIND = "computation"
TENTHS = 10
UNFINISHED = ("queued", "running")
"""States of a job that will still change."""


class Computation(Frozen):
    owner: str
    run: str
    job: str
    looked_at: datetime
    """Time of the last poll."""
    submitted: bool = False
    """Whether the job's end is the one that the run waits for; otherwise the run submits the job first."""
    tenth: int = 0
    """Finished trials, reports and end of the job, as far as the run knows them or is queued to read them."""
    reports: int = 0
    ended: bool = False

    @property
    def name(self) -> str:
        """The job's name on the remote side, to which each attempt adds a number."""
        return job_name(self.job)

    def with_status(self, status: JobStatus) -> "Computation":
        progress = {"reports": len(status.reports), "ended": status.state not in UNFINISHED}
        return self.model_copy(update=progress | {"tenth": tenths_done(status)})

    def is_behind(self, status: JobStatus) -> bool:
        now = self.with_status(status)
        return now.tenth > self.tenth or now.reports > self.reports or (now.ended and not self.ended)

    def put(self, version: int | None) -> Put:
        return Put(
            computation_key(self.owner, self.run), self.model_dump(mode="json"), version, labels={"about": self.name}
        )


def tenths_done(status: JobStatus) -> int:
    """Tenths of its trials that a job has completed."""
    return status.done * TENTHS // status.total if status.total else 0


def computation_key(owner: str, run: str) -> Key:
    return Key(SYSTEM, KIND, f"{owner}:{run}")


async def computation_of(store: Store, owner: str, run: str) -> Computation | None:
    record = await store.records.get(computation_key(owner, run))
    return None if record is None else Computation.model_validate(record.document)


async def submit_once(store: Store, jobs: JobRunner, job: SearchJob, now: datetime) -> JobStatus:
    """Submit the job unless it was submitted before; returns its status."""
    computation = await computation_of(store, job.owner, job.run)
    if computation is None or computation.job != job.id():
        computation = Computation(owner=job.owner, run=job.run, job=job.id(), looked_at=now)
        await store.records.put_many([computation.put(None)])
    return await jobs.status(computation.job) if computation.submitted else await jobs.submit(job)


async def save_status(store: Store, job: SearchJob, status: JobStatus, now: datetime) -> None:
    """Record the progress that the run has read; a job that a storage fault stopped is submitted again."""
    computation = Computation(
        owner=job.owner, run=job.run, job=job.id(), looked_at=now, submitted=not status.unavailable
    ).with_status(status)
    await store.records.put_many([computation.put(None)])


async def stop_computation(dependencies: Dependencies, owner: str, run_id: str) -> None:
    """Stop the remote job of an ended run and delete its record; on failure a sweep retries."""
    if not dependencies.jobs.machines.remote:
        return
    try:
        await _stop_computation(dependencies, owner, run_id)
    except (StoreError, UserError) as error:
        logger: Any = structlog.get_logger()
        logger.warning("computation_unsettled", run=run_id, reason=str(error))


async def _stop_computation(dependencies: Dependencies, owner: str, run_id: str) -> None:
    records = dependencies.store.records
    record = await records.get(computation_key(owner, run_id))
    run_record = await records.get(Key(owner, RUN, run_id))
    if record is None or (
        run_record is not None and Run.model_validate(run_record.document).state not in STOPPED_STATES
    ):
        return
    computation = Computation.model_validate(record.document).model_copy(update={"submitted": False})
    [version] = await records.put_many([computation.put(record.version)])  # so that a restarted run submits it again
    status = await dependencies.jobs.cancel(computation.job)  # no effect on a job that has ended
    if status.state in UNFINISHED or status.stopping:
        raise Unavailable(f"{computation.job} has not stopped yet")
    await records.delete(record.key, expected=version)
