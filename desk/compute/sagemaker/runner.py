"""Runs searches as SageMaker Processing jobs; no process waits for a job.

The state of a job is in the store and in S3, so that any process can continue it.
"""

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from desk.base.clock import utc_now
from desk.base.errors import NotFound
from desk.compute.container.job_files import BadOutput, write_work
from desk.compute.sagemaker import processing
from desk.compute.sagemaker.aws_client import AccessDenied, AwsClient, AwsError, Bucket
from desk.compute.sagemaker.job_repository import RemoteJob, StoredJob, job_name, load_job, save_job
from desk.compute.sagemaker.job_results import ResultImporter, result_key
from desk.compute.sagemaker.job_transitions import (
    fail_job,
    handle_bad_output,
    handle_outcome,
    handle_refusal,
    is_outdated,
    skip_attempt,
    start_job,
)
from desk.compute.sagemaker.processing import Cluster, Outcome, outcome_of, tags_of
from desk.governance.estimates import Machines
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from store.errors import Conflict
from store.store import Store

if TYPE_CHECKING:
    from desk.market.prices import Prices
    from quant.strategies.trial import Trial

IN_FLIGHT = timedelta(minutes=15)
"""Time after which a pending request to create a job can no longer succeed, because its signature has expired."""

LoadPrices = Callable[[str, OptimizationRequest], Awaitable["Prices"]]
"""Loads the prices of an owner's request."""

logger = structlog.get_logger()


class SageMakerRunner:
    """Adapter of `desk.optimization.jobs.JobRunner` on SageMaker Processing."""

    def __init__(
        self,
        store: Store,
        prices: LoadPrices,
        cluster: Cluster,
        machines: Machines,
        *,
        sagemaker: AwsClient,
        s3: AwsClient,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._prices = prices
        self._cluster = cluster
        self._machines = machines
        self._now = now
        self._sagemaker = sagemaker
        self._bucket = Bucket(s3, cluster.bucket, cluster.kms_key)
        self._results = ResultImporter(store, self._bucket, cluster)

    @property
    def machines(self) -> Machines:
        return self._machines

    async def submit(self, job: SearchJob) -> JobStatus:
        stored_job = await load_job(self._store, job_name(job.id()))
        if stored_job is not None and stored_job.job.state == "cancelled":
            await self._advance_and_report(
                stored_job
            )  # stops running attempts first, which would compute beside the new one
            stored_job = await load_job(self._store, stored_job.job.name)
        if stored_job is not None and stored_job.job.state not in ("failed", "cancelled"):
            return await self._advance_and_report(stored_job)
        prices = await self._prices(job.owner, job.request)
        new = start_job(job, prices.digest, self._cluster, stored_job and stored_job.job, self._now())
        try:
            stored_job = await save_job(self._store, new, stored_job, self._now())
        except Conflict:  # another process submitted it
            return await self.status(job.id())
        return await self._advance_and_report(stored_job, prices)

    async def status(self, job_id: str) -> JobStatus:
        stored_job = await load_job(self._store, job_name(job_id))
        if stored_job is None:
            raise NotFound(f"job {job_id} does not exist; expected one submitted in the last 90 days")
        return await self._advance_and_report(stored_job)

    async def cancel(self, job_id: str) -> JobStatus:
        """A job that was never submitted is reported as cancelled."""
        while True:
            stored_job = await load_job(self._store, job_name(job_id))
            if stored_job is None:
                return JobStatus(id=job_id, state="cancelled")
            if stored_job.job.state in ("completed", "failed"):
                return await self._advance_and_report(stored_job)
            try:
                return await self._advance_and_report(
                    await self._save(stored_job.job.with_changes(state="cancelled"), stored_job)
                )
            except Conflict:  # another process changed it
                continue

    async def _advance_and_report(self, stored_job: StoredJob, prices: "Prices | None" = None) -> JobStatus:
        """Advance the job by one step and return its status."""
        try:
            return (await self._advance(stored_job, prices)).job.status
        except Conflict:  # another process made the same step
            newest = await load_job(self._store, stored_job.job.name)
            assert newest is not None
            return newest.job.status

    async def _advance(self, stored_job: StoredJob, prices: "Prices | None") -> StoredJob:
        if stored_job.job.orphaned_attempts:
            stored_job = await self._save(await self._stop_orphans(stored_job.job), stored_job)
        job = stored_job.job
        if job.is_finished:
            return stored_job
        if job.attempt.created:
            return await self._save(await self._follow_attempt(job), stored_job)
        return await self._launch(stored_job, prices)

    async def _save(self, job: RemoteJob, before: StoredJob) -> StoredJob:
        return await save_job(self._store, job, before, self._now())

    async def _launch(self, stored_job: StoredJob, prices: "Prices | None") -> StoredJob:
        """Create the attempt in the record, which another process may have written."""
        job = stored_job.job
        if job.attempt.not_before is not None and self._now() < job.attempt.not_before:
            return stored_job
        if is_outdated(job):
            await self._stop_attempt(job.attempt_name)  # the process that created it may have died before recording it
            sentence = f"{job.name}: another version of the program began it; submit the job again"
            return await self._save(fail_job(job, sentence, "the program has changed"), stored_job)
        if not job.handed:
            await self._upload_work(job, prices)
        request = await self._request(job)
        stored_job = await self._save(job.with_changes(handed=True).with_attempt(asked=self._now()), stored_job)
        updated_job = await self._create_attempt(stored_job.job, request)
        try:
            return await self._save(updated_job, stored_job)
        except Conflict:
            newest = await load_job(self._store, job.name)
            if newest is None or not newest.job.is_awaiting(job.attempt):  # it was cancelled during the call
                await self._stop_attempt(job.attempt_name)
            raise

    async def _upload_work(self, job: RemoteJob, prices: "Prices | None") -> None:
        """Upload the input of the containers; repeating it after an interruption writes the same files."""
        search = job.work.job
        prices = prices or await self._prices(search.owner, search.request)
        trials = await load_trials(self._store, search.owner, search.run)
        earlier_trials = [trial for trial in trials if trial.number < search.first]
        for name, content in (await asyncio.to_thread(_work_files, job, prices, earlier_trials)).items():
            await self._bucket.put(self._cluster.key(job.name, "work", name), content)

    async def _create_attempt(self, job: RemoteJob, request: dict[str, Any]) -> RemoteJob:
        job = job.with_attempt(asked=None)  # any response settles the request
        try:
            await self._sagemaker(lambda client: client.create_processing_job(**request))
        except AccessDenied as error:
            role_hint = f", and iam:PassRole for {self._cluster.role_name!r} (SAGEMAKER_ROLE)"
            return fail_job(job, f"{error}{role_hint}", f"AccessDeniedException: {error.action}")
        except AwsError as error:
            description = await self._describe(job.attempt_name) if error.aws_code in _NAME_IN_USE_CODES else None
            if description is None and error.aws_code != "ResourceInUse":
                return handle_refusal(job, self._cluster, error.aws_code, error.message, self._now())
            if (
                description is not None
                and job.begun is not None
                and description["CreationTime"] < job.begun - IN_FLIGHT
            ):
                await self._stop_attempt(job.attempt_name)
                return skip_attempt(job)
            # otherwise it was created by a process that could not record it
        logger.info("processing job made", name=job.attempt_name, instances=job.attempt.instances)
        return job.with_attempt(created=True).with_report("begun")

    async def _request(self, job: RemoteJob) -> dict[str, Any]:
        search, attempt = job.work.job, job.attempt
        cluster = self._cluster.model_copy(
            update={"instance_type": attempt.instance_type or self._cluster.instance_type}
        )
        shards = cluster.key(job.name, "shards")
        inputs = {"work": cluster.uri(cluster.key(job.name, "work"))}
        if await self._bucket.has_objects(f"{shards}/"):  # SageMaker refuses an input without an object
            inputs["shards"] = cluster.uri(shards)
        return processing.request(
            cluster,
            name=job.attempt_name,
            arguments=["worker"],
            inputs=inputs,
            outputs={"shards": cluster.uri(shards), "result": cluster.uri(result_key(cluster, job))},
            tags=tags_of(search.owner, search.run),
            instances=attempt.instances,
        )

    async def _follow_attempt(self, job: RemoteJob) -> RemoteJob:
        """Read the state before the files, because the files of a finished job are complete."""
        outcome = await self._outcome(job)
        job, flaw, more = await self._results.import_trials(job)
        if outcome.meaning == "running":
            job = job.with_changes(state="running")
        if more or outcome.meaning in ("waiting", "running"):
            return job
        try:  # a complete result counts, whatever the outcome of the instances
            if flaw is not None:
                raise flaw
            summary = await self._results.verify(job)
            ending = {"stopped": summary.stopped, "seconds": summary.seconds, "failures": summary.failures}
            return job.with_changes(state="completed", **ending)
        except BadOutput as bad:
            if outcome.meaning == "completed":
                return handle_bad_output(job, self._cluster, bad, self._now())
            return handle_outcome(job, self._cluster, outcome, self._now())

    async def _outcome(self, job: RemoteJob) -> Outcome:
        description = await self._describe(job.attempt_name)
        if description is None:
            return Outcome("lost", f"{job.attempt_name} no longer exists")
        return outcome_of(description, timedelta(seconds=self._cluster.max_seconds))

    async def _stop_orphans(self, job: RemoteJob) -> RemoteJob:
        """Stop orphaned attempts; one unknown to AWS may still be in flight and is checked again later."""
        for attempt in job.orphaned_attempts:
            exists = await self._stop_attempt(job.name_of(attempt))
            if exists or attempt.asked is None or self._now() >= attempt.asked + IN_FLIGHT:
                job = job.with_finished_attempt(attempt)
        return job

    async def _stop_attempt(self, name: str) -> bool:
        """Stop the job if it runs; whether AWS knows it."""
        description = await self._describe(name)
        if description is not None and description["ProcessingJobStatus"] == "InProgress":
            try:
                await self._sagemaker(lambda client: client.stop_processing_job(ProcessingJobName=name))
            except AwsError as error:
                if error.aws_code not in _NOT_FOUND_CODES:
                    raise
        return description is not None

    async def _describe(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._sagemaker(lambda client: client.describe_processing_job(ProcessingJobName=name))
        except AwsError as error:
            if error.aws_code in _NOT_FOUND_CODES:
                return None
            raise


_NOT_FOUND_CODES = ("ResourceNotFound", "ValidationException")
"""The job does not exist or, for a stop, has ended."""
_NAME_IN_USE_CODES = ("ResourceInUse", "ValidationException")
"""A job of that name may exist: names are never freed, although finished jobs may no longer be listed."""


def _work_files(job: RemoteJob, prices: "Prices", earlier_trials: "list[Trial]") -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_work(Path(folder), job.work, prices, earlier_trials)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


async def check_access(cluster: Cluster) -> None:
    """Raise the errors that a job would meet: service unavailable, missing permissions, missing bucket."""
    with closing(AwsClient("sagemaker")) as sagemaker, closing(AwsClient("s3")) as s3:
        await Bucket(s3, cluster.bucket).has_objects(cluster.key(""))
        try:
            await sagemaker(lambda client: client.describe_processing_job(ProcessingJobName="stratigos"))
        except AwsError as error:
            if error.aws_code not in _NOT_FOUND_CODES:
                raise


@asynccontextmanager
async def sagemaker_runner(
    store: Store, prices: LoadPrices, cluster: Cluster, machines: Machines
) -> AsyncGenerator[SageMakerRunner]:
    with closing(AwsClient("sagemaker")) as sagemaker, closing(AwsClient("s3")) as s3:
        yield SageMakerRunner(store, prices, cluster, machines, sagemaker=sagemaker, s3=s3)
