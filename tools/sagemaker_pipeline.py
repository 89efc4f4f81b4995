"""Pipelines on SageMaker: made or brought up to date, started, looked at, and their answers fetched."""

import hashlib
import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypeVar

from pydantic import ValidationError

from quant.frozen import Frozen
from tools.aws_calls import Bucket, Calls, Denied, Refusal
from tools.container import BadOutput
from tools.errors import Conflicting, NotFound, UserError
from tools.optimization import OptimizationResult
from tools.pipeline import REQUEST, step_of
from tools.pipeline_definition import SHARDS, definition
from tools.processing import APPLICATION, Cluster, outcome_of, plain
from tools.step_files import DONE, Asked, Done

Answer = TypeVar("Answer")
State: TypeAlias = Literal["executing", "stopping", "stopped", "failed", "succeeded"]

PLACE = "pipelines"
ANSWER = "aggregation"


class StepState(Frozen):
    name: str
    state: str
    cause: str = ""
    """Why it failed."""
    passed_over: bool = False
    """Whether it had finished before, and was not executed again."""
    attempts: int = 1


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
        """The ARN of a new execution; steps that finished in an earlier one are not executed again."""
        folder = self._key(asked.run)
        if await self._bucket.get(f"{folder}/{REQUEST}/request.json") is None:
            await self._bucket.put(f"{folder}/{REQUEST}/request.json", asked.model_dump_json(indent=1).encode())
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
        started = await self._called(
            lambda client: client.start_pipeline_execution(
                PipelineName=self.name,
                PipelineExecutionDisplayName=f"{APPLICATION}-{asked.run}",
                PipelineParameters=[{"Name": name, "Value": value} for name, value in values.items()],
            )
        )
        return started["PipelineExecutionArn"]

    async def state(self, arn: str) -> PipelineState:
        described = await self._called(lambda client: client.describe_pipeline_execution(PipelineExecutionArn=arn))
        steps = [await self._step(each) for each in await self._steps(arn)]
        return PipelineState(
            arn=arn,
            state=described["PipelineExecutionStatus"].lower(),
            folder=await self._folder(arn),
            steps=tuple(steps),
        )

    async def fetch(self, state: PipelineState) -> tuple[OptimizationResult, bytes | None]:
        """The result and its history; `BadOutput` names a file that is not what the last step left."""
        if state.state != "succeeded":
            raise Conflicting(f"{state.arn}: it is {state.state}; allowed: an execution that has succeeded")
        try:
            done = Done.model_validate_json(await self._left(state, DONE, None))
        except ValidationError as error:
            raise BadOutput(DONE, "damaged", "it has another form") from error
        if missing := sorted(set(step_of(ANSWER).files) - done.files.keys()):
            raise BadOutput(missing[0], "missing", f"{DONE} does not list it")
        found = {name: await self._left(state, name, digest) for name, digest in done.files.items()}
        result = OptimizationResult.model_validate_json(found["result.json"])
        if result.digest() != found["digest"].decode("ascii").strip():
            raise BadOutput("result.json", "damaged", "its digest is another")
        return result, found.get("history.f64")

    async def _left(self, state: PipelineState, name: str, digest: str | None) -> bytes:
        prefix = state.folder.removeprefix(self._cluster.uri(""))
        content = await self._bucket.get(f"{prefix}/{ANSWER}/{name}")
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

    async def _step(self, told: dict[str, Any]) -> StepState:
        return StepState(
            name=told["StepName"],
            state=told["StepStatus"].lower(),
            cause=await self._cause(told) if told["StepStatus"] == "Failed" else "",
            passed_over="CacheHitResult" in told,
            attempts=told.get("AttemptCount", 1),
        )

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
        raise NotFound(f"{arn}: it is no pipeline of this program; allowed: the ARN that `pipeline start` printed")

    async def _called(self, call: Callable[[Any], "Answer"]) -> "Answer":
        """What of AWS's answers a person can mend is told as such."""
        try:
            return await self._sagemaker(call)
        except Denied as denied:
            raise UserError(f"{denied}, and iam:PassRole for {self._cluster.role_name!r} (SAGEMAKER_ROLE)") from denied
        except Refusal as refusal:
            message = plain(refusal.message)
            if refusal.aws_code == "ResourceLimitExceeded":
                raise UserError(f"SageMaker: {message}; allowed: fewer at a time, or a higher quota") from refusal
            if refusal.aws_code == "ResourceNotFound":
                raise NotFound(f"{message}; allowed: the ARN that `pipeline start` printed") from refusal
            raise

    def _key(self, run: str) -> str:
        return "/".join(part for part in (self._cluster.prefix, PLACE, run) if part)
