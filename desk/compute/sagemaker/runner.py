"""Searches as SageMaker Processing jobs: submitted, looked at, stopped; nobody waits for one in a process.

All that is known of a job lies in the store and in S3, so that any process goes on with it.
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
from desk.compute.sagemaker.aws_client import Bucket, Calls, Denied, Refusal
from desk.compute.sagemaker.job_repository import Kept, RemoteJob, find, job_name, keep
from desk.compute.sagemaker.job_results import Results, result_key
from desk.compute.sagemaker.job_transitions import begun, ended, judged, outdated, passed_over, refused, spoiled
from desk.compute.sagemaker.processing import Cluster, Outcome, outcome_of, tags_of
from desk.governance.estimates import Machines
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.repositories.trial_repository import stored_trials
from desk.optimization.request import OptimizationRequest
from store.errors import Conflict
from store.store import Store

if TYPE_CHECKING:
    from desk.market.prices import Prices
    from quant.strategies.trial import Trial

IN_FLIGHT = timedelta(minutes=15)
"""After which an order to make a job that AWS does not know will not arrive any more: its signature is too old."""

LoadPrices = Callable[[str, OptimizationRequest], Awaitable["Prices"]]
"""Of an owner's request."""

logger = structlog.get_logger()


class SageMakerRunner:
    """Adapter of `desk.optimization.jobs.JobRunner`."""

    def __init__(
        self,
        store: Store,
        prices: LoadPrices,
        cluster: Cluster,
        machines: Machines,
        *,
        sagemaker: Calls,
        s3: Calls,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._prices = prices
        self._cluster = cluster
        self._machines = machines
        self._now = now
        self._sagemaker = sagemaker
        self._bucket = Bucket(s3, cluster.bucket, cluster.kms_key)
        self._results = Results(store, self._bucket, cluster)

    @property
    def machines(self) -> Machines:
        return self._machines

    async def submit(self, job: SearchJob) -> JobStatus:
        kept = await find(self._store, job_name(job.id()))
        if kept is not None and kept.job.state == "cancelled":
            await self._looked(kept)  # what AWS has yet to stop is stopped first: it would go on beside the new attempt
            kept = await find(self._store, kept.job.name)
        if kept is not None and kept.job.state not in ("failed", "cancelled"):
            return await self._looked(kept)
        prices = await self._prices(job.owner, job.request)
        new = begun(job, prices.digest, self._cluster, kept and kept.job, self._now())
        try:
            kept = await keep(self._store, new, kept, self._now())
        except Conflict:  # somebody else submits it
            return await self.status(job.id())
        return await self._looked(kept, prices)

    async def status(self, job_id: str) -> JobStatus:
        kept = await find(self._store, job_name(job_id))
        if kept is None:
            raise NotFound(f"{job_id}: there is no such job; expected one that was submitted in the last months")
        return await self._looked(kept)

    async def cancel(self, job_id: str) -> JobStatus:
        """What was never submitted stays so."""
        while True:
            kept = await find(self._store, job_name(job_id))
            if kept is None:
                return JobStatus(id=job_id, state="cancelled")
            if kept.job.state in ("completed", "failed"):
                return await self._looked(kept)
            try:
                return await self._looked(await self._keep(kept.job.changed(state="cancelled"), kept))
            except Conflict:  # somebody has looked at it meanwhile
                continue

    async def _looked(self, kept: Kept, prices: "Prices | None" = None) -> JobStatus:
        """One step further, and what is known then."""
        try:
            return (await self._step(kept, prices)).job.status
        except Conflict:  # somebody else looks at the same time, and has gone that step
            newest = await find(self._store, kept.job.name)
            assert newest is not None
            return newest.job.status

    async def _step(self, kept: Kept, prices: "Prices | None") -> Kept:
        if kept.job.adrift:
            kept = await self._keep(await self._halted(kept.job), kept)
        job = kept.job
        if job.ended:
            return kept
        if job.attempt.created:
            return await self._keep(await self._followed(job), kept)
        return await self._launched(kept, prices)

    async def _keep(self, job: RemoteJob, before: Kept) -> Kept:
        return await keep(self._store, job, before, self._now())

    async def _launched(self, kept: Kept, prices: "Prices | None") -> Kept:
        """The attempt that stands in the record is made, also by another process than the one that wrote it."""
        job = kept.job
        if job.attempt.not_before is not None and self._now() < job.attempt.not_before:
            return kept
        if outdated(job):
            await self._halt(job.attempt_name)  # who made it may have died before it was noted
            sentence = f"{job.name}: another version of the program began it; submit the job again"
            return await self._keep(ended(job, sentence, "the program has changed"), kept)
        if not job.handed:
            await self._hand_over(job, prices)
        request = await self._request(job)
        kept = await self._keep(job.changed(handed=True).with_attempt(asked=self._now()), kept)
        made = await self._created(kept.job, request)
        try:
            return await self._keep(made, kept)
        except Conflict:
            newest = await find(self._store, job.name)
            if newest is None or not newest.job.awaits(job.attempt):  # it was cancelled while it was made
                await self._halt(job.attempt_name)
            raise

    async def _hand_over(self, job: RemoteJob, prices: "Prices | None") -> None:
        """The input of its containers; the same again wherever somebody broke off."""
        search = job.work.job
        prices = prices or await self._prices(search.owner, search.request)
        stored = await stored_trials(self._store, search.owner, search.run)
        known = [trial for trial in stored if trial.number < search.first]
        for name, content in (await asyncio.to_thread(_written, job, prices, known)).items():
            await self._bucket.put(self._cluster.key(job.name, "work", name), content)

    async def _created(self, job: RemoteJob, request: dict[str, Any]) -> RemoteJob:
        job = job.with_attempt(asked=None)  # whatever AWS answers: then it is known
        try:
            await self._sagemaker(lambda client: client.create_processing_job(**request))
        except Denied as denied:
            passing = f", and iam:PassRole for {self._cluster.role_name!r} (SAGEMAKER_ROLE)"
            return ended(job, f"{denied}{passing}", f"AccessDeniedException: {denied.action}")
        except Refusal as refusal:
            named = await self._described(job.attempt_name) if refusal.aws_code in _TAKEN else None
            if named is None and refusal.aws_code != "ResourceInUse":
                return refused(job, self._cluster, refusal.aws_code, refusal.message, self._now())
            if named is not None and job.begun is not None and named["CreationTime"] < job.begun - IN_FLIGHT:
                await self._halt(job.attempt_name)
                return passed_over(job)
            # otherwise it was made by a process that could not note it
        logger.info("processing job made", name=job.attempt_name, instances=job.attempt.instances)
        return job.with_attempt(created=True).telling("begun")

    async def _request(self, job: RemoteJob) -> dict[str, Any]:
        search, attempt = job.work.job, job.attempt
        cluster = self._cluster.model_copy(
            update={"instance_type": attempt.instance_type or self._cluster.instance_type}
        )
        shards = cluster.key(job.name, "shards")
        inputs = {"work": cluster.uri(cluster.key(job.name, "work"))}
        if await self._bucket.any(f"{shards}/"):  # SageMaker refuses an input without an object
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

    async def _followed(self, job: RemoteJob) -> RemoteJob:
        """First the state, then the files: of a job that has ended all are there."""
        outcome = await self._outcome(job)
        job, flaw, more = await self._results.take_over(job)
        if outcome.meaning == "running":
            job = job.changed(state="running")
        if more or outcome.meaning in ("waiting", "running"):
            return job
        try:  # whatever became of the instances: a result that is whole counts
            if flaw is not None:
                raise flaw
            return job.changed(state="completed", stopped=await self._results.verified(job))
        except BadOutput as bad:
            if outcome.meaning == "completed":
                return spoiled(job, self._cluster, bad, self._now())
            return judged(job, self._cluster, outcome, self._now())

    async def _outcome(self, job: RemoteJob) -> Outcome:
        description = await self._described(job.attempt_name)
        if description is None:
            return Outcome("lost", f"{job.attempt_name} is not there any more")
        return outcome_of(description, timedelta(seconds=self._cluster.max_seconds))

    async def _halted(self, job: RemoteJob) -> RemoteJob:
        """What nobody awaits is stopped; what AWS does not know may be on its way there, and is looked for again."""
        for each in job.adrift:
            found = await self._halt(job.name_of(each))
            if found or each.asked is None or self._now() >= each.asked + IN_FLIGHT:
                job = job.at_rest(each)
        return job

    async def _halt(self, name: str) -> bool:
        """Whether AWS knows such a job, which ends then."""
        description = await self._described(name)
        if description is not None and description["ProcessingJobStatus"] == "InProgress":
            try:
                await self._sagemaker(lambda client: client.stop_processing_job(ProcessingJobName=name))
            except Refusal as refusal:
                if refusal.aws_code not in _NONE:
                    raise
        return description is not None

    async def _described(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._sagemaker(lambda client: client.describe_processing_job(ProcessingJobName=name))
        except Refusal as refusal:
            if refusal.aws_code in _NONE:
                return None
            raise


_NONE = ("ResourceNotFound", "ValidationException")
"""There is no such job or, where one is to be stopped, it has ended."""
_TAKEN = ("ResourceInUse", "ValidationException")
"""There may be a job of that name: names are taken for ever, and records of jobs that have ended are not."""


def _written(job: RemoteJob, prices: "Prices", known: "list[Trial]") -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        write_work(Path(folder), job.work, prices, known)
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


async def reach(cluster: Cluster) -> None:
    """Raises what a job would meet: no answer, permissions that are missing, a bucket that is not there."""
    with closing(Calls("sagemaker")) as sagemaker, closing(Calls("s3")) as s3:
        await Bucket(s3, cluster.bucket).any(cluster.key(""))
        try:
            await sagemaker(lambda client: client.describe_processing_job(ProcessingJobName="stratigos"))
        except Refusal as refusal:
            if refusal.aws_code not in _NONE:
                raise


@asynccontextmanager
async def sagemaker_runner(
    store: Store, prices: LoadPrices, cluster: Cluster, machines: Machines
) -> AsyncGenerator[SageMakerRunner]:
    with closing(Calls("sagemaker")) as sagemaker, closing(Calls("s3")) as s3:
        yield SageMakerRunner(store, prices, cluster, machines, sagemaker=sagemaker, s3=s3)
