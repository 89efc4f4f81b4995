"""What the containers of a job left in S3: taken over file by file while they run, and whole before it counts."""

import asyncio
import hashlib
from typing import Literal, NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError

from desk.compute.container.job_files import (
    PROGRESS,
    REFUSED,
    SUMMARY,
    BadOutput,
    checkpoint_name,
    decode_summary,
    decode_trials,
)
from desk.compute.sagemaker.aws_client import Bucket
from desk.compute.sagemaker.job_repository import RemoteJob
from desk.compute.sagemaker.processing import Cluster
from desk.optimization.jobs import JobStatus
from desk.optimization.repositories.trial_repository import save_trials
from quant.numeric.frozen import Frozen
from store.store import Store

FILES_AT_ONCE = 50
"""That one look takes over: it is short, whatever has been computed since the last."""

logger = structlog.get_logger()


class Refusal(Frozen):
    """A stored shard that a container did not use."""

    id: str
    reason: str


_REFUSALS = TypeAdapter(tuple[Refusal, ...])


class Taken(NamedTuple):
    job: RemoteJob
    flaw: BadOutput | None
    """Of the next file, if it is there."""
    more: bool
    """Whether there may be further files."""


class Results:
    """Of the newest attempt of a job; each attempt has a folder of its own."""

    def __init__(self, store: Store, bucket: Bucket, cluster: Cluster) -> None:
        self._store = store
        self._bucket = bucket
        self._cluster = cluster

    async def take_over(self, job: RemoteJob) -> Taken:
        """The trials of files that are new go into the store."""
        for _ in range(FILES_AT_ONCE):
            name = checkpoint_name(len(job.attempt.files))
            content = await self._left(job, name)
            if content is None:
                return Taken(await self._with_progress(job), None, more=False)
            try:
                job = await self._with_trials(job, name, content)
            except BadOutput as bad:
                return Taken(await self._with_progress(job), bad, more=False)
        return Taken(await self._with_progress(job), None, more=True)

    async def verified(self, job: RemoteJob) -> Literal["budget", "converged", "exhausted"]:
        """Why the search stopped; `BadOutput` unless all that the summary lists is there, and as it was."""
        content = await self._left(job, SUMMARY)
        if content is None:
            raise BadOutput(SUMMARY, "missing")
        summary = decode_summary(content, job.work)
        taken = {checkpoint_name(k): digest for k, digest in enumerate(job.attempt.files)}
        for name, digest in summary.files.items():
            found = taken.get(name) or await self._digest(job, name)
            if found is None:
                raise BadOutput(name, "missing")
            if found != digest:
                raise BadOutput(name, "damaged", f"{SUMMARY} lists another content")
        if summary.trials != job.done:
            raise BadOutput(SUMMARY, "damaged", f"it counts {summary.trials} trials, and there are {job.done}")
        return summary.stopped

    async def _with_trials(self, job: RemoteJob, name: str, content: bytes) -> RemoteJob:
        search = job.work.job
        found = await asyncio.to_thread(decode_trials, name, content, job.work)
        next_ = search.first + job.done
        fresh = [(trial, series) for trial, series in found if trial.number >= next_]
        if [trial.number for trial, _ in fresh] != list(range(next_, next_ + len(fresh))):
            raise BadOutput(name, "damaged", f"it does not go on with trial {next_}")
        await save_trials(self._store, search.owner, search.run, fresh)
        files = (*job.attempt.files, hashlib.sha256(content).hexdigest())
        return job.with_attempt(files=files).changed(done=job.done + len(fresh))

    async def _with_progress(self, job: RemoteJob) -> RemoteJob:
        """Files that are written anew while the job runs; what cannot be read decides nothing, and is logged."""
        try:
            if (content := await self._left(job, PROGRESS)) is not None:
                job = job.changed(best=JobStatus.model_validate_json(content).best)
            if (content := await self._left(job, REFUSED)) is not None:
                for bad in _REFUSALS.validate_json(content):
                    job = job.telling("bad_shard", bad.reason, name=bad.id)
        except ValidationError:
            logger.warning("progress cannot be read", name=job.attempt_name)
        return job

    async def _digest(self, job: RemoteJob, name: str) -> str | None:
        content = await self._left(job, name)
        return None if content is None else hashlib.sha256(content).hexdigest()

    async def _left(self, job: RemoteJob, name: str) -> bytes | None:
        return await self._bucket.get(result_key(self._cluster, job, name))


def result_key(cluster: Cluster, job: RemoteJob, *below: str) -> str:
    return cluster.key(job.name, "result", str(job.attempt.number), *below)
