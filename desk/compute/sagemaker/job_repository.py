"""Records of jobs that run elsewhere: they outlive the process that submitted them, and any of them may go on."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic import AwareDatetime

from desk.compute.container.job_files import Work
from desk.optimization.jobs import JobStatus, Report, ReportCode
from quant.numeric.frozen import Frozen
from store.keys import SYSTEM
from store.records import Key, Put
from store.store import Store

KIND = "remote-job"
INDEX = "remote-job-owner"
"""Of all owners: the id of a job does not tell its owner."""
REMEMBERED = timedelta(days=90)
"""Once a job has ended."""

State: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]


class Attempt(Frozen):
    """One processing job."""

    number: int
    """From 1, over all starts of the job."""
    instances: int
    instance_type: str = ""
    not_before: AwareDatetime | None = None
    """Until when it is not made: there was no capacity for the one before."""
    created: bool = False
    asked: AwareDatetime | None = None
    """When AWS was last told to make it, as long as nobody knows what came of that."""
    files: tuple[str, ...] = ()
    """SHA-256 of the files of trials that were taken over, in their order."""


class RemoteJob(Frozen):
    name: str
    work: Work
    state: State = "queued"
    handed: bool = False
    """Whether its input lies in the bucket."""
    attempts: tuple[Attempt, ...]
    first: int = 1
    """Attempt of the present start."""
    begun: AwareDatetime | None = None
    """The present start."""
    done: int = 0
    """Trials in the store."""
    best: float | None = None
    stopped: Literal["budget", "converged", "exhausted"] | None = None
    error: str | None = None
    mendable: bool = False
    halted: bool = False
    """Whether nothing of a cancelled job's last attempt can run any more."""
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
    def ended(self) -> bool:
        return self.state not in ("queued", "running")

    def awaits(self, attempt: Attempt) -> bool:
        return not self.ended and attempt.number == self.attempt.number

    @property
    def adrift(self) -> tuple[Attempt, ...]:
        """Attempts that may run, or may yet begin to, though nobody awaits them."""
        cancelled = self.attempts[-1:] if self.state == "cancelled" and not self.halted else ()
        return tuple(
            each for each in self.attempts if each in cancelled or (each.asked is not None and not self.awaits(each))
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
            error=self.error,
            mendable=self.mendable,
            reports=self.reports,
            stopping=bool(self.adrift),
        )

    def telling(self, code: ReportCode, reason: str = "", name: str = "") -> "RemoteJob":
        """With one more report, unless it was made before."""
        said = Report(attempt=self.attempt.number, name=name or self.attempt_name, code=code, reason=reason)
        return self if said in self.reports else self.changed(reports=(*self.reports, said))

    def changed(self, **changes: Any) -> "RemoteJob":
        return self.model_copy(update=changes)

    def with_attempt(self, **changes: Any) -> "RemoteJob":
        """The last attempt changed."""
        return self.changed(attempts=(*self.attempts[:-1], self.attempt.model_copy(update=changes)))

    def at_rest(self, attempt: Attempt) -> "RemoteJob":
        """With an attempt that can run no more."""
        still = attempt.model_copy(update={"asked": None})
        attempts = tuple(still if each == attempt else each for each in self.attempts)
        return self.changed(attempts=attempts, halted=self.halted or attempt == self.attempt)


class Kept(NamedTuple):
    """A record as it was read; who writes it anew must have read the newest."""

    job: RemoteJob
    version: int


def job_name(job_id: str) -> str:
    """Of a job in AWS, where nothing of an owner's name stands; attempt n is the processing job NAME-n."""
    return f"stratigos-{hashlib.sha256(job_id.encode()).hexdigest()[:24]}"


async def find(store: Store, name: str) -> Kept | None:
    found = await store.records.get(Key(SYSTEM, INDEX, name))
    record = None if found is None else await store.records.get(Key(found.document["owner"], KIND, name))
    return None if record is None else Kept(RemoteJob.model_validate(record.document), record.version)


async def keep(store: Store, job: RemoteJob, before: Kept | None, now: datetime) -> Kept:
    """Write what has become of it; `Conflict` where somebody else has since `before`."""
    if before is not None and before.job == job:
        return before
    search = job.work.job
    expires = now + REMEMBERED if job.ended else None
    version = 0 if before is None else before.version
    puts = [Put(Key(search.owner, KIND, job.name), job.model_dump(mode="json"), version, expires=expires)]
    if before is None or before.job.ended != job.ended:
        puts.append(Put(Key(SYSTEM, INDEX, job.name), {"owner": search.owner}, expires=expires))
    return Kept(job, (await store.records.put_many(puts))[0])
