"""Records of remote jobs: they outlive the process that submitted the job, and any process can continue it."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime

from desk.compute.container.job_files import Work
from desk.optimization.jobs import JobStatus, Report, ReportCode
from desk.optimization.stopping import StopReason, TrialFailure
from quant.numeric.frozen import Frozen
from store.keys import SYSTEM
from store.records import Key, Put
from store.store import Store

KIND = "remote-job"
INDEX = "remote-job-owner"
"""Index of the owner by job, because the id of a job does not contain it."""
RETENTION = timedelta(days=90)
"""Time for which a finished job is stored."""

State: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]


class Attempt(Frozen):
    """One processing job."""

    number: int
    """Counted from 1 over all submissions of the job."""
    instances: int
    instance_type: str = ""
    not_before: AwareDatetime | None = None
    """Earliest time to create it, after the previous attempt found no capacity."""
    created: bool = False
    asked: AwareDatetime | None = None
    """Time of the last request to create it; None once its outcome is known."""
    files: tuple[str, ...] = ()
    """SHA-256 of the imported files of trials, in their order."""


class RemoteJob(Frozen):
    name: str
    work: Work
    state: State = "queued"
    handed: bool = False
    """Whether its input is uploaded."""
    attempts: tuple[Attempt, ...]
    first: int = 1
    """First attempt of the current submission."""
    begun: AwareDatetime | None = None
    """Time of the current submission."""
    done: int = 0
    """Number of trials in the store."""
    best: float | None = None
    stopped: StopReason | None = None
    seconds: float = 0.0
    failures: tuple[TrialFailure, ...] = ()
    error: str | None = None
    mendable: bool = False
    halted: bool = False
    """Whether the last attempt of a cancelled job has ended in AWS."""
    reports: tuple[Report, ...] = ()

    @property
    def attempt(self) -> Attempt:
        return self.attempts[-1]

    @property
    def attempt_name(self) -> str:
        return self.name_of(self.attempt)

    def name_of(self, attempt: Attempt) -> str:
        return f"{self.name}-{attempt.number}"

    @property
    def is_finished(self) -> bool:
        return self.state not in ("queued", "running")

    def is_awaiting(self, attempt: Attempt) -> bool:
        return not self.is_finished and attempt.number == self.attempt.number

    @property
    def orphaned_attempts(self) -> tuple[Attempt, ...]:
        """Attempts that may run or start in AWS although the job no longer awaits them."""
        cancelled = self.attempts[-1:] if self.state == "cancelled" and not self.halted else ()
        return tuple(
            attempt
            for attempt in self.attempts
            if attempt in cancelled or (attempt.asked is not None and not self.is_awaiting(attempt))
        )

    @property
    def status(self) -> JobStatus:
        job = self.work.job
        return JobStatus(
            id=job.id(),
            state=self.state,
            done=self.done,
            total=job.budget,
            computed=self.done,
            best=self.best,
            stopped=self.stopped,
            seconds=self.seconds,
            failures=self.failures,
            error=self.error,
            mendable=self.mendable,
            reports=self.reports,
            stopping=bool(self.orphaned_attempts),
        )

    def with_report(self, code: ReportCode, reason: str = "", name: str = "") -> "RemoteJob":
        """A copy with one more report, unless it exists already."""
        report = Report(attempt=self.attempt.number, name=name or self.attempt_name, code=code, reason=reason)
        return self if report in self.reports else self.with_changes(reports=(*self.reports, report))

    def with_changes(self, **changes: Any) -> "RemoteJob":
        return self.model_copy(update=changes)

    def with_attempt(self, **changes: Any) -> "RemoteJob":
        """A copy with changes to the last attempt."""
        return self.with_changes(attempts=(*self.attempts[:-1], self.attempt.model_copy(update=changes)))

    def with_finished_attempt(self, attempt: Attempt) -> "RemoteJob":
        """A copy in which the attempt has ended in AWS."""
        finished_attempt = attempt.model_copy(update={"asked": None})
        attempts = tuple(finished_attempt if each == attempt else each for each in self.attempts)
        return self.with_changes(attempts=attempts, halted=self.halted or attempt == self.attempt)


class StoredJob(NamedTuple):
    """A job with the version of its record, for optimistic locking."""

    job: RemoteJob
    version: int


def job_name(job_id: str) -> str:
    """Name of a job in AWS, without the owner's name; attempt n is the processing job NAME-n."""
    return f"stratigos-{hashlib.sha256(job_id.encode()).hexdigest()[:24]}"


async def load_job(store: Store, name: str) -> StoredJob | None:
    index = await store.records.get(Key(SYSTEM, INDEX, name))
    record = None if index is None else await store.records.get(Key(index.document["owner"], KIND, name))
    return None if record is None else StoredJob(RemoteJob.model_validate(record.document), record.version)


async def save_job(store: Store, job: RemoteJob, before: StoredJob | None, now: datetime) -> StoredJob:
    """Write the job; raises `Conflict` if its record has changed since `before`."""
    if before is not None and before.job == job:
        return before
    search = job.work.job
    expires = now + RETENTION if job.is_finished else None
    version = 0 if before is None else before.version
    puts = [Put(Key(search.owner, KIND, job.name), job.model_dump(mode="json"), version, expires=expires)]
    if before is None or before.job.is_finished != job.is_finished:
        puts.append(Put(Key(SYSTEM, INDEX, job.name), {"owner": search.owner}, expires=expires))
    return StoredJob(job, (await store.records.put_many(puts))[0])
