"""Pipelines on SageMaker: made or brought up to date, started, looked at, and their answers fetched."""

import hashlib
import json
import secrets
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import ValidationError

from desk.base.errors import Conflicting, InvalidInput, NotFound, UserError
from desk.compute.container.job_files import BadOutput
from desk.compute.pipeline.definition import REQUEST, step_of
from desk.compute.pipeline.step_files import DONE, Asked, Done
from desk.compute.sagemaker.aws_client import Bucket, Calls, Denied, Refusal, Stored
from desk.compute.sagemaker.job_results import PROGRESS
from desk.compute.sagemaker.pipeline_definition import SHARDS, definition
from desk.compute.sagemaker.processing import APPLICATION, Cluster, outcome_of, plain
from desk.optimization.jobs import JobStatus
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen

Answer = TypeVar("Answer")
State: TypeAlias = Literal["executing", "stopping", "stopped", "failed", "succeeded"]

PLACE = "pipelines"
START = "start.json"
SEARCH, ANSWER = "distributed_optimization", "aggregation"


class StepState(Frozen):
    name: str
    state: str
    cause: str = ""
    """Why it failed."""
    passed_over: bool = False
    """Whether it had finished before, and was not executed again."""
    attempts: int = 1
    done: int = 0
    total: int = 0
    """Trials, while they are searched and it is known how many."""


class Start(Frozen):
    """The newest start of a request, written before AWS is told: who asks at the same time tells AWS the same."""

    token: str
    """AWS starts one execution for it."""
    values: dict[str, str]
    arn: str = ""
    refused: bool = False


class PipelineState(Frozen):
    """An execution, as AWS knows it."""

    arn: str
    state: State
    folder: str
    """Where its files lie in S3."""
    steps: tuple[StepState, ...]
    """In the order in which they began."""


class SageMakerPipelines:
    """Calls are short, and nothing waits for an execution."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sagemaker, self._s3 = Calls("sagemaker"), Calls("s3")
        self._bucket = Bucket(self._s3, cluster.bucket, cluster.kms_key)

    @property
    def name(self) -> str:
        """Of the one pipeline whose files lie below this prefix: what it is made of may change."""
        place = f"{self._cluster.bucket}/{self._cluster.prefix}"
        return f"{APPLICATION}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"

    def close(self) -> None:
        with closing(self._sagemaker), closing(self._s3):
            pass

    async def start(self, asked: Asked, prices: bytes, *, training: bool) -> str:
        """The ARN of the request's execution: a new one, unless one has yet to end.

        Steps that finished in an earlier one are not executed again.
        """
        folder = self._key(asked.run)
        await self._bucket.replace(f"{folder}/{REQUEST}/request.json", asked.model_dump_json(indent=1).encode(), None)
        await self._bucket.put(f"{folder}/{REQUEST}/prices.npz", prices)
        if not await self._bucket.any(f"{folder}/{SHARDS}/"):  # SageMaker refuses an input without an object
            await self._bucket.put(f"{folder}/{SHARDS}/{APPLICATION}", b"")
        await self._made()
        cluster = self._cluster
        values = {
            "Folder": cluster.uri(folder),
            "Training": str(training).lower(),
            "Instances": str(cluster.instances),
            "InstanceType": cluster.instance_type,
            "Image": cluster.image,
            "Role": cluster.role,
        }
        return await self._executed(asked.run, values)

    async def _executed(self, run: str, values: dict[str, str]) -> str:
        key = f"{self._key(run)}/{START}"
        while True:
            kept = await self._bucket.read(key)
            found = None if kept is None else Start.model_validate_json(kept.content)
            if found is None or await self._over(found):
                new = Start(token=secrets.token_hex(32), values=values)
                await self._bucket.replace(key, _written(new), kept)  # whoever wrote it: it is read again
                continue
            if not found.arn:  # whoever wrote it may have died
                found = await self._started(run, found, key, kept)
            if found.values != values:
                other = [f"{name} {value}" for name, value in found.values.items() if values.get(name) != value]
                told = f"it executes the same request with {plain(', '.join(other))}"
                raise Conflicting(f"{found.arn}: {told}; try again once it has ended")
            return found.arn

    async def _over(self, start: Start) -> bool:
        if not start.arn:
            return start.refused
        try:
            described = await self._called(
                lambda client: client.describe_pipeline_execution(PipelineExecutionArn=start.arn)
            )
        except NotFound:
            return True
        if described["PipelineExecutionStatus"] == "Stopping":
            raise Conflicting(f"{start.arn}: it is being stopped; try again once it has ended")
        return described["PipelineExecutionStatus"] != "Executing"

    async def _started(self, run: str, start: Start, key: str, kept: Stored | None) -> Start:
        try:
            answer = await self._called(
                lambda client: client.start_pipeline_execution(
                    PipelineName=self.name,
                    PipelineExecutionDisplayName=f"{APPLICATION}-{run}",
                    PipelineParameters=[{"Name": name, "Value": value} for name, value in start.values.items()],
                    ClientRequestToken=start.token,
                )
            )
        except UserError:
            await self._bucket.replace(key, _written(start.model_copy(update={"refused": True})), kept)
            raise
        started = start.model_copy(update={"arn": answer["PipelineExecutionArn"]})
        await self._bucket.replace(key, _written(started), kept)  # unless somebody else has: the same
        return started

    async def state(self, arn: str) -> PipelineState:
        described = await self._called(lambda client: client.describe_pipeline_execution(PipelineExecutionArn=arn))
        folder = await self._folder(arn)
        steps = [await self._step(each, folder) for each in await self._steps(arn)]
        return PipelineState(
            arn=arn, state=described["PipelineExecutionStatus"].lower(), folder=folder, steps=tuple(steps)
        )

    async def fetch(self, state: PipelineState) -> tuple[OptimizationResult, bytes | None]:
        """The result and its history; `BadOutput` names a file that is not what the last step left."""
        if state.state != "succeeded":
            raise Conflicting(f"{state.arn}: it is {state.state}; expected an execution that has succeeded")
        try:
            done = Done.model_validate_json(await self._left(state, DONE, None))
        except ValidationError as error:
            raise BadOutput(DONE, "damaged", "it has another form") from error
        if missing := sorted(set(step_of(ANSWER).files) - done.files.keys()):
            raise BadOutput(missing[0], "missing", f"{DONE} does not list it")
        found = {name: await self._left(state, name, digest) for name, digest in done.files.items()}
        try:
            result = OptimizationResult.model_validate_json(found["result.json"])
        except ValidationError as error:
            raise BadOutput("result.json", "wrong version", "it has another form") from error
        if result.digest() != found["digest"].decode("ascii").strip():
            raise BadOutput("result.json", "damaged", "its digest is another")
        return result, found.get("history.f64")

    async def _left(self, state: PipelineState, name: str, digest: str | None) -> bytes:
        content = await self._bucket.get(f"{self._below(state.folder)}/{ANSWER}/{name}")
        if content is None:
            raise BadOutput(name, "missing")
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise BadOutput(name, "damaged", f"its digest is not that in {DONE}")
        return content

    async def _made(self) -> None:
        """The pipeline, as this program makes it now."""
        cluster = self._cluster
        shape = {
            "PipelineName": self.name,
            "PipelineDefinition": json.dumps(definition(cluster)),
            "RoleArn": cluster.role,
        }
        tags = {"application": APPLICATION, **dict(cluster.tags)}
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            await self._called(lambda client: client.create_pipeline(**shape, Tags=listed))
        except Refusal as refusal:
            if "must be unique" not in refusal.message:  # there is no code for a name that is taken
                raise
            await self._called(lambda client: client.update_pipeline(**shape))

    async def _steps(self, arn: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = await self._called(
                lambda client, more=more: client.list_pipeline_execution_steps(
                    PipelineExecutionArn=arn, SortOrder="Ascending", **more
                )
            )
            found += page["PipelineExecutionSteps"]
            if "NextToken" not in page:
                return found
            more = {"NextToken": page["NextToken"]}

    async def _step(self, told: dict[str, Any], folder: str) -> StepState:
        searching = (told["StepName"], told["StepStatus"]) == (SEARCH, "Executing")
        done, total = await self._searched(folder) if searching else (0, 0)
        return StepState(
            name=told["StepName"],
            state=told["StepStatus"].lower(),
            cause=await self._cause(told) if told["StepStatus"] == "Failed" else "",
            passed_over="CacheHitResult" in told,
            attempts=told.get("AttemptCount", 1),
            done=done,
            total=total,
        )

    async def _searched(self, folder: str) -> tuple[int, int]:
        """Trials that are done, and all; zeros where that is not known."""
        try:
            content = await self._bucket.get(f"{self._below(folder)}/{SEARCH}/{PROGRESS}")
            status = JobStatus.model_validate_json(content or b"")
        except ValidationError:  # there is none yet, or half a file: an upload takes what is there
            return 0, 0
        except (Denied, InvalidInput):  # whoever may look at executions need not be able to read their files
            return 0, 0
        return status.done, status.total

    def _below(self, folder: str) -> str:
        """The key of a folder of S3."""
        bucket = self._cluster.uri("")
        if not folder.startswith(bucket):
            reason = f"the files of this execution lie in {folder}"
            raise InvalidInput("SAGEMAKER_STORAGE", bucket, reason=reason, allowed="a place in the same bucket")
        return folder.removeprefix(bucket)

    async def _cause(self, told: dict[str, Any]) -> str:
        """In the container's words, where it left a sentence."""
        job = told.get("Metadata", {}).get("ProcessingJob", {}).get("Arn", "").rpartition("/")[2]
        if job:
            description = await self._called(lambda client: client.describe_processing_job(ProcessingJobName=job))
            if description["ProcessingJobStatus"] == "Failed":
                return outcome_of(description, timedelta(seconds=self._cluster.max_seconds)).reason
        return plain(told.get("FailureReason", ""))

    async def _folder(self, arn: str) -> str:
        given = await self._called(
            lambda client: client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)
        )
        for each in given["PipelineParameters"]:
            if each["Name"] == "Folder":
                return each["Value"]
        raise NotFound(f"{arn}: it is no pipeline of this program; expected the ARN that `pipeline start` printed")

    async def _called(self, call: Callable[[Any], "Answer"]) -> "Answer":
        """What of AWS's answers a person can mend is told as such."""
        try:
            return await self._sagemaker(call)
        except Denied as denied:
            raise UserError(f"{denied}, and iam:PassRole for {self._cluster.role_name!r} (SAGEMAKER_ROLE)") from denied
        except Refusal as refusal:
            message = plain(refusal.message)
            if refusal.aws_code == "ResourceLimitExceeded":
                raise UserError(f"SageMaker: {message}; expected fewer at a time, or a higher quota") from refusal
            if refusal.aws_code == "ResourceNotFound":
                raise NotFound(f"{message}; expected the ARN that `pipeline start` printed") from refusal
            raise

    def _key(self, run: str) -> str:
        return "/".join(part for part in (self._cluster.prefix, PLACE, run) if part)


def _written(start: Start) -> bytes:
    return start.model_dump_json().encode()
