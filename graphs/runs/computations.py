"""Computations that outlive the process that began them: what is known of each, so that none is lost or left running.

There is one record for a run, from before its job is submitted until the run has ended.
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
GOES_ON = ("queued", "running")
"""States of a job that will come to something else."""


class Computation(Frozen):
    owner: str
    run: str
    job: str
    looked_at: datetime
    """When its machines were last asked."""
    submitted: bool = False
    """Whether its end would be the end that the run waits for; otherwise the run submits the job first."""
    tenth: int = 0
    """Of its trials, and how many reports, and whether its end: what the run knows, or will be executed for."""
    reports: int = 0
    ended: bool = False

    @property
    def name(self) -> str:
        """What it is called among the machines, where an attempt has a number besides."""
        return job_name(self.job)

    def knowing(self, status: JobStatus) -> "Computation":
        known = {"reports": len(status.reports), "ended": status.state not in GOES_ON}
        return self.model_copy(update=known | {"tenth": tenth(status)})

    def is_behind(self, status: JobStatus) -> bool:
        now = self.knowing(status)
        return now.tenth > self.tenth or now.reports > self.reports or (now.ended and not self.ended)

    def put(self, version: int | None) -> Put:
        return Put(key(self.owner, self.run), self.model_dump(mode="json"), version, labels={"about": self.name})


def tenth(status: JobStatus) -> int:
    """How many tenths of its trials a job has passed."""
    return status.done * TENTHS // status.total if status.total else 0


def key(owner: str, run: str) -> Key:
    return Key(SYSTEM, KIND, f"{owner}:{run}")


async def computation_of(store: Store, owner: str, run: str) -> Computation | None:
    record = await store.records.get(key(owner, run))
    return None if record is None else Computation.model_validate(record.document)


async def submitted(store: Store, jobs: JobRunner, job: SearchJob, now: datetime) -> JobStatus:
    """The job as it is; it is submitted once, and found whatever happens then."""
    known = await computation_of(store, job.owner, job.run)
    if known is None or known.job != job.id():
        known = Computation(owner=job.owner, run=job.run, job=job.id(), looked_at=now)
        await store.records.put_many([known.put(None)])
    return await jobs.status(known.job) if known.submitted else await jobs.submit(job)


async def learn(store: Store, job: SearchJob, status: JobStatus, now: datetime) -> None:
    """The run has been told that much; a job that a storage stopped is to be submitted again."""
    known = Computation(
        owner=job.owner, run=job.run, job=job.id(), looked_at=now, submitted=not status.unavailable
    ).knowing(status)
    await store.records.put_many([known.put(None)])


async def settle(dependencies: Dependencies, owner: str, run_id: str) -> None:
    """Stop what is still computed for a run that has ended, and forget it; what cannot be done now a sweep does."""
    if not dependencies.jobs.machines.remote:
        return
    try:
        await _settle(dependencies, owner, run_id)
    except (StoreError, UserError) as error:
        logger: Any = structlog.get_logger()
        logger.warning("computation_unsettled", run=run_id, reason=str(error))


async def _settle(dependencies: Dependencies, owner: str, run_id: str) -> None:
    records = dependencies.store.records
    record = await records.get(key(owner, run_id))
    found = await records.get(Key(owner, RUN, run_id))
    if record is None or (found is not None and Run.model_validate(found.document).state not in STOPPED_STATES):
        return
    known = Computation.model_validate(record.document).model_copy(update={"submitted": False})
    [version] = await records.put_many([known.put(record.version)])  # a run that is begun again submits it again
    status = await dependencies.jobs.cancel(known.job)  # which changes nothing where it has ended
    if status.state in GOES_ON or status.stopping:
        raise Unavailable(f"{known.job} has yet to stop")
    await records.delete(record.key, expected=version)
