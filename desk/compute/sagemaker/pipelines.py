"""Creates or updates the SageMaker pipeline, starts its executions, reads their states and fetches their results."""

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
from desk.compute.pipeline.step_files import MARKER_FILE, CountedTrials, PipelineOutput, PipelineRequest, StepMarker
from desk.compute.sagemaker.aws_client import AccessDenied, AwsClient, AwsError, Bucket, S3Object
from desk.compute.sagemaker.job_results import PROGRESS
from desk.compute.sagemaker.pipeline_definition import SHARDS, definition
from desk.compute.sagemaker.processing import APPLICATION, Cluster, outcome_of, plain
from desk.optimization.jobs import JobStatus
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen

Response = TypeVar("Response")
State: TypeAlias = Literal["executing", "stopping", "stopped", "failed", "succeeded"]

FOLDER = "pipelines"
START_FILE = "start.json"
SEARCH, ANSWER = "distributed_optimization", "aggregation"


class StepState(Frozen):
    name: str
    state: str
    cause: str = ""
    """Reason of a failure."""
    passed_over: bool = False
    """Whether its cached output was reused."""
    attempts: int = 1
    done: int = 0
    total: int = 0
    """Trials while the search runs; 0 if unknown."""


class Start(Frozen):
    """The newest start of a request, stored before the call to AWS so that concurrent callers use the same token."""

    token: str
    """Idempotency token: AWS starts one execution per token."""
    values: dict[str, str]
    arn: str = ""
    refused: bool = False


class PipelineState(Frozen):
    """The state of an execution in AWS."""

    arn: str
    state: State
    folder: str
    """URI of its files in S3."""
    steps: tuple[StepState, ...]
    """In the order of their start."""


class SageMakerPipelines:
    """Client of the pipeline; no call waits for an execution."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sagemaker, self._s3 = AwsClient("sagemaker"), AwsClient("s3")
        self._bucket = Bucket(self._s3, cluster.bucket, cluster.kms_key)

    @property
    def name(self) -> str:
        """Name of the pipeline of this bucket and prefix; its definition may change."""
        place = f"{self._cluster.bucket}/{self._cluster.prefix}"
        return f"{APPLICATION}-{hashlib.sha256(place.encode()).hexdigest()[:8]}"

    def close(self) -> None:
        with closing(self._sagemaker), closing(self._s3):
            pass

    async def start(self, request: PipelineRequest, prices: bytes, *, training: bool) -> str:
        """The ARN of the request's execution: the running one, or a new one.

        A new execution reuses the outputs of steps that completed in an earlier one.
        """
        folder = self._key(request.run)
        await self._bucket.replace(f"{folder}/{REQUEST}/request.json", request.model_dump_json(indent=1).encode(), None)
        await self._bucket.put(f"{folder}/{REQUEST}/prices.npz", prices)
        if not await self._bucket.has_objects(f"{folder}/{SHARDS}/"):  # SageMaker refuses an input without an object
            await self._bucket.put(f"{folder}/{SHARDS}/{APPLICATION}", b"")
        await self._create_or_update()
        cluster = self._cluster
        values = {
            "Folder": cluster.uri(folder),
            "Training": str(training).lower(),
            "Instances": str(cluster.instances),
            "InstanceType": cluster.instance_type,
            "Image": cluster.image,
            "Role": cluster.role,
        }
        return await self._start_or_join(request.run, values)

    async def _start_or_join(self, run: str, values: dict[str, str]) -> str:
        key = f"{self._key(run)}/{START_FILE}"
        while True:
            start_file = await self._bucket.get_object(key)
            start = None if start_file is None else Start.model_validate_json(start_file.content)
            if start is None or await self._has_ended(start):
                new = Start(token=secrets.token_hex(32), values=values)
                await self._bucket.replace(key, _serialized(new), start_file)  # read again, whichever process wrote it
                continue
            if not start.arn:  # the process that wrote it may have died
                start = await self._start_execution(run, start, key, start_file)
            if start.values != values:
                differences = [f"{name} {value}" for name, value in start.values.items() if values.get(name) != value]
                reason = f"it executes the same request with {plain(', '.join(differences))}"
                raise Conflicting(f"{start.arn}: {reason}; try again after it has ended")
            return start.arn

    async def _has_ended(self, start: Start) -> bool:
        if not start.arn:
            return start.refused
        try:
            execution = await self._call(
                lambda client: client.describe_pipeline_execution(PipelineExecutionArn=start.arn)
            )
        except NotFound:
            return True
        if execution["PipelineExecutionStatus"] == "Stopping":
            raise Conflicting(f"{start.arn} is stopping; try again after it has ended")
        return execution["PipelineExecutionStatus"] != "Executing"

    async def _start_execution(self, run: str, start: Start, key: str, start_file: S3Object | None) -> Start:
        try:
            answer = await self._call(
                lambda client: client.start_pipeline_execution(
                    PipelineName=self.name,
                    PipelineExecutionDisplayName=f"{APPLICATION}-{run}",
                    PipelineParameters=[{"Name": name, "Value": value} for name, value in start.values.items()],
                    ClientRequestToken=start.token,
                )
            )
        except UserError:
            await self._bucket.replace(key, _serialized(start.model_copy(update={"refused": True})), start_file)
            raise
        new_start = start.model_copy(update={"arn": answer["PipelineExecutionArn"]})
        await self._bucket.replace(key, _serialized(new_start), start_file)  # a concurrent caller writes the same
        return new_start

    async def state(self, arn: str) -> PipelineState:
        execution = await self._call(lambda client: client.describe_pipeline_execution(PipelineExecutionArn=arn))
        folder = await self._folder(arn)
        steps = [await self._step(each, folder) for each in await self._steps(arn)]
        return PipelineState(
            arn=arn, state=execution["PipelineExecutionStatus"].lower(), folder=folder, steps=tuple(steps)
        )

    async def fetch(self, state: PipelineState) -> PipelineOutput:
        """The output of the last step; raises `BadOutput` for a file that differs from the output of the last step."""
        if state.state != "succeeded":
            raise Conflicting(f"{state.arn} is {state.state}; only executions that succeeded have a result")
        try:
            marker = StepMarker.model_validate_json(await self._download(state, MARKER_FILE, None))
        except ValidationError as error:
            raise BadOutput(MARKER_FILE, "damaged", "it has another form") from error
        if missing := sorted(set(step_of(ANSWER).files) - marker.files.keys()):
            raise BadOutput(missing[0], "missing", f"{MARKER_FILE} does not list it")
        files = {name: await self._download(state, name, digest) for name, digest in marker.files.items()}
        try:
            result = OptimizationResult.model_validate_json(files["result.json"])
        except ValidationError as error:
            raise BadOutput("result.json", "wrong version", "it has another form") from error
        if result.digest() != files["digest"].decode("ascii").strip():
            raise BadOutput("result.json", "damaged", "its digest differs from that in digest")
        counted = files.get("counted.json")
        return PipelineOutput(
            result,
            files.get("history.f64"),
            files.get("ledger.txt"),
            None if counted is None else CountedTrials.model_validate_json(counted),
            files.get("asset_weights.f64"),
        )

    async def _download(self, state: PipelineState, name: str, digest: str | None) -> bytes:
        content = await self._bucket.get(f"{self._bucket_key(state.folder)}/{ANSWER}/{name}")
        if content is None:
            raise BadOutput(name, "missing")
        if digest is not None and hashlib.sha256(content).hexdigest() != digest:
            raise BadOutput(name, "damaged", f"its digest differs from that in {MARKER_FILE}")
        return content

    async def _create_or_update(self) -> None:
        """Create the pipeline, or update it to the definition of this version."""
        cluster = self._cluster
        arguments = {
            "PipelineName": self.name,
            "PipelineDefinition": json.dumps(definition(cluster)),
            "RoleArn": cluster.role,
        }
        tags = {"application": APPLICATION, **dict(cluster.tags)}
        tag_list = [{"Key": key, "Value": value} for key, value in tags.items()]
        try:
            await self._call(lambda client: client.create_pipeline(**arguments, Tags=tag_list))
        except AwsError as error:
            if "must be unique" not in error.message:  # AWS has no error code for a name in use
                raise
            await self._call(lambda client: client.update_pipeline(**arguments))

    async def _steps(self, arn: str) -> list[dict[str, Any]]:
        steps: list[dict[str, Any]] = []
        more: dict[str, str] = {}
        while True:
            page = await self._call(
                lambda client, more=more: client.list_pipeline_execution_steps(
                    PipelineExecutionArn=arn, SortOrder="Ascending", **more
                )
            )
            steps += page["PipelineExecutionSteps"]
            if "NextToken" not in page:
                return steps
            more = {"NextToken": page["NextToken"]}

    async def _step(self, description: dict[str, Any], folder: str) -> StepState:
        is_searching = (description["StepName"], description["StepStatus"]) == (SEARCH, "Executing")
        completed_trials, total = await self._search_progress(folder) if is_searching else (0, 0)
        return StepState(
            name=description["StepName"],
            state=description["StepStatus"].lower(),
            cause=await self._cause(description) if description["StepStatus"] == "Failed" else "",
            passed_over="CacheHitResult" in description,
            attempts=description.get("AttemptCount", 1),
            done=completed_trials,
            total=total,
        )

    async def _search_progress(self, folder: str) -> tuple[int, int]:
        """Completed and total trials; zeros if unknown."""
        try:
            content = await self._bucket.get(f"{self._bucket_key(folder)}/{SEARCH}/{PROGRESS}")
            status = JobStatus.model_validate_json(content or b"")
        except ValidationError:  # missing, or uploaded while it was written
            return 0, 0
        except (AccessDenied, InvalidInput):  # the credentials may permit executions but not their files
            return 0, 0
        return status.done, status.total

    def _bucket_key(self, folder: str) -> str:
        """The key of a folder in the bucket."""
        bucket = self._cluster.uri("")
        if not folder.startswith(bucket):
            reason = f"the files of this execution are in {folder}"
            raise InvalidInput("SAGEMAKER_STORAGE", bucket, reason=reason, allowed="a prefix in the same bucket")
        return folder.removeprefix(bucket)

    async def _cause(self, step_description: dict[str, Any]) -> str:
        """The reason of a failure: the container's message if it wrote one."""
        job = step_description.get("Metadata", {}).get("ProcessingJob", {}).get("Arn", "").rpartition("/")[2]
        if job:
            job_description = await self._call(lambda client: client.describe_processing_job(ProcessingJobName=job))
            if job_description["ProcessingJobStatus"] == "Failed":
                return outcome_of(job_description, timedelta(seconds=self._cluster.max_seconds)).reason
        return plain(step_description.get("FailureReason", ""))

    async def _folder(self, arn: str) -> str:
        page = await self._call(lambda client: client.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn))
        for each in page["PipelineParameters"]:
            if each["Name"] == "Folder":
                return each["Value"]
        raise NotFound(f"{arn} is not an execution of this program; expected the ARN printed by `pipeline start`")

    async def _call(self, call: Callable[[Any], "Response"]) -> "Response":
        """Run a call; errors that the user can fix raise `UserError` or `NotFound`."""
        try:
            return await self._sagemaker(call)
        except AccessDenied as error:
            raise UserError(f"{error}, and iam:PassRole for {self._cluster.role_name!r} (SAGEMAKER_ROLE)") from error
        except AwsError as error:
            message = plain(error.message)
            if error.aws_code == "ResourceLimitExceeded":
                raise UserError(f"SageMaker: {message}; run fewer at a time, or request a higher quota") from error
            if error.aws_code == "ResourceNotFound":
                raise NotFound(f"{message}; expected the ARN printed by `pipeline start`") from error
            raise

    def _key(self, run: str) -> str:
        return "/".join(part for part in (self._cluster.prefix, FOLDER, run) if part)


def _serialized(start: Start) -> bytes:
    return start.model_dump_json().encode()
