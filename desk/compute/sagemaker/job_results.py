"""Imports the output of a job's containers from S3 while they run, and verifies it at the end."""

import asyncio
import hashlib
from typing import NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError

from desk.compute.container.job_files import (
    PROGRESS,
    REFUSED,
    SUMMARY,
    BadOutput,
    Summary,
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

MAX_FILES = 50
"""Files imported per status request, which bounds its duration."""

logger = structlog.get_logger()


class RejectedShard(Frozen):
    """A shard file that a container rejected."""

    id: str
    reason: str


_REJECTED_SHARDS = TypeAdapter(tuple[RejectedShard, ...])


class ImportedFiles(NamedTuple):
    job: RemoteJob
    flaw: BadOutput | None
    """Error of the next file, if it exists."""
    more: bool
    """Whether further files may exist."""


class ResultImporter:
    """Imports the results of the newest attempt of a job; each attempt has its own folder."""

    def __init__(self, store: Store, bucket: Bucket, cluster: Cluster) -> None:
        self._store = store
        self._bucket = bucket
        self._cluster = cluster

    async def import_trials(self, job: RemoteJob) -> ImportedFiles:
        """Save the trials of new files in the store."""
        for _ in range(MAX_FILES):
            name = checkpoint_name(len(job.attempt.files))
            content = await self._get(job, name)
            if content is None:
                return ImportedFiles(await self._with_progress(job), None, more=False)
            try:
                job = await self._with_trials(job, name, content)
            except BadOutput as bad:
                return ImportedFiles(await self._with_progress(job), bad, more=False)
        return ImportedFiles(await self._with_progress(job), None, more=True)

    async def verify(self, job: RemoteJob) -> Summary:
        """The summary of the search; raises `BadOutput` for a missing or changed file of the summary."""
        content = await self._get(job, SUMMARY)
        if content is None:
            raise BadOutput(SUMMARY, "missing")
        summary = decode_summary(content, job.work)
        imported_digests = {checkpoint_name(k): digest for k, digest in enumerate(job.attempt.files)}
        for name, digest in summary.files.items():
            actual = imported_digests.get(name) or await self._digest(job, name)
            if actual is None:
                raise BadOutput(name, "missing")
            if actual != digest:
                raise BadOutput(name, "damaged", f"its digest differs from that in {SUMMARY}")
        if summary.trials != job.done:
            raise BadOutput(SUMMARY, "damaged", f"it counts {summary.trials} trials, but {job.done} exist")
        return summary

    async def _with_trials(self, job: RemoteJob, name: str, content: bytes) -> RemoteJob:
        search = job.work.job
        trials = await asyncio.to_thread(decode_trials, name, content, job.work)
        next_ = search.first + job.done
        new_trials = [(trial, series) for trial, series in trials if trial.number >= next_]
        if [trial.number for trial, _ in new_trials] != list(range(next_, next_ + len(new_trials))):
            raise BadOutput(name, "damaged", f"it does not continue with trial {next_}")
        await save_trials(self._store, search.owner, search.run, new_trials)
        files = (*job.attempt.files, hashlib.sha256(content).hexdigest())
        return job.with_attempt(files=files).with_changes(done=job.done + len(new_trials))

    async def _with_progress(self, job: RemoteJob) -> RemoteJob:
        """Read the files that the job rewrites while it runs; unreadable ones are logged and ignored."""
        try:
            if (content := await self._get(job, PROGRESS)) is not None:
                job = job.with_changes(best=JobStatus.model_validate_json(content).best)
            if (content := await self._get(job, REFUSED)) is not None:
                for bad in _REJECTED_SHARDS.validate_json(content):
                    job = job.with_report("bad_shard", bad.reason, name=bad.id)
        except ValidationError:
            logger.warning("progress cannot be read", name=job.attempt_name)
        return job

    async def _digest(self, job: RemoteJob, name: str) -> str | None:
        content = await self._get(job, name)
        return None if content is None else hashlib.sha256(content).hexdigest()

    async def _get(self, job: RemoteJob, name: str) -> bytes | None:
        return await self._bucket.get(result_key(self._cluster, job, name))


def result_key(cluster: Cluster, job: RemoteJob, *below: str) -> str:
    return cluster.key(job.name, "result", str(job.attempt.number), *below)
