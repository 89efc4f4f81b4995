"""A local double of SageMaker: jobs are processes on this machine, and their files go through S3."""

import fnmatch
import shutil
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import boto3
from botocore.config import Config

from tests.doubles.aws import CREDENTIALS, REGION, SERVICES, Aws
from tests.doubles.sagemaker.events import state_change
from tests.doubles.sagemaker.instances import Instance
from tests.doubles.sagemaker.job import CAPACITY, INTERNAL, Behaviour, Job
from tests.doubles.sagemaker.listing import page
from tests.doubles.sagemaker.pipelines import Pipelines
from tests.doubles.sagemaker.server import Behind, Server
from tests.doubles.sagemaker.transfer import Traffic, keys, split
from tests.doubles.sagemaker.validation import Fault, InvalidRequest, Request, checked_response, reject_invalid

IMAGE_URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/stratigos:test"
ROLE = "arn:aws:iam::123456789012:role/fleet"


class RecordedCall(NamedTuple):
    operation: str
    request: Request


class Fleet:
    """A context with SageMaker in front of moto's server, which provides S3; errors are raised on exit."""

    def __init__(self, aws: Aws, folder: Path, behaviour: Behaviour | None = None) -> None:
        self.aws, self.folder, self.behaviour = aws, folder, behaviour or Behaviour()
        self.requests: list[RecordedCall] = []
        self.traffic = Traffic()
        self.jobs: dict[str, Job] = {}
        self.events: list[dict[str, Any]] = []
        self.listeners: list[Callable[[dict[str, Any]], object]] = []
        """Called with each EventBridge event, in the thread of its job."""
        self.s3 = aws.s3
        self.behind = Behind(aws.url, REGION)
        self._refusals: defaultdict[str, list[Fault]] = defaultdict(list)
        self._planned_failures: list[str] = []
        self._lost_outputs: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = threading.RLock()
        self._threads = ThreadPoolExecutor(max_workers=100, thread_name_prefix="fleet")
        self._futures: list[Future[None]] = []
        self._handlers: dict[str, Callable[[Request], Request]] = {
            "CreateProcessingJob": self._create,
            "DescribeProcessingJob": self._describe,
            "StopProcessingJob": self._stop,
            "ListProcessingJobs": self._list,
        }
        self.pipelines = Pipelines(self, self.behaviour.second)
        self._handlers |= self.pipelines.handlers

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True)
        self._server = Server(self.play)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.stop()
        self.pipelines.close()
        while not all(future.done() for future in self._futures):  # a step may have just started a job
            for job in list(self.jobs.values()):
                job.close()
            time.sleep(0.01)
        self._threads.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)
        errors = [*self._server.errors, *filter(None, (future.exception() for future in self._futures))]
        if errors and error is None:
            raise errors[0]

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def violations(self) -> list[str]:
        """Violations of the service's model in requests."""
        return self._server.violations

    @property
    def environment(self) -> dict[str, str]:
        """Settings with which boto3 reaches the fleet and, for other services, the server behind it."""
        credentials = {name.upper(): value for name, value in CREDENTIALS.items()}
        behind = {f"AWS_ENDPOINT_URL_{service}": self.aws.url for service in SERVICES}
        return credentials | behind | {"AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL_SAGEMAKER": self.url}

    def client(self) -> Any:
        once = Config(retries={"total_max_attempts": 1})
        return boto3.client("sagemaker", endpoint_url=self.url, region_name=REGION, config=once, **CREDENTIALS)

    # faults and questions of tests

    def refuse(self, operation: str, code: str, message: str = "refused by the test", times: int = 1) -> None:
        """The next calls of an operation get this error."""
        status = 500 if code in {"InternalFailure", "InternalServerError", "ServiceUnavailable"} else 400
        self._refusals[operation] += [Fault(code, message, status)] * times

    def no_capacity(self, times: int = 1) -> None:
        """The next jobs fail before an instance starts."""
        self._planned_failures += [CAPACITY] * times

    def internal_error(self, times: int = 1) -> None:
        self._planned_failures += [INTERNAL] * times

    def kill(self, job: str, instance: int) -> None:
        """Kill an instance and delete its files; 0 is the leader."""
        self.instance(job, instance).kill()

    def stop_from_console(self, job: str) -> None:
        assert self.jobs[job].stop(), f"{job} is {self.jobs[job].status}"

    def lose_output(self, job: str, name: str) -> None:
        """Drop an output, or one file of it as OUTPUT/PATH, before it reaches S3; also of a future job."""
        self._lost_outputs[job].add(name)
        if job in self.jobs:
            self._delete_uploads(self.jobs[job], name)

    def truncate(self, uri: str, share: float = 0.5) -> None:
        """Truncate an object in S3."""
        content = self.content(uri)
        self.put(uri, content[: int(len(content) * share)])

    def put(self, uri: str, content: bytes) -> None:
        bucket, key = split(uri)
        self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def content(self, uri: str) -> bytes:
        bucket, key = split(uri)
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def objects(self, uri: str, like: str = "*") -> list[str]:
        """Sorted URIs of the objects below a URI."""
        bucket, prefix = split(uri)
        return [f"s3://{bucket}/{key}" for key in keys(self.s3, bucket, prefix) if fnmatch.fnmatch(key, f"*{like}")]

    def requests_of(self, operation: str) -> list[Request]:
        return [call.request for call in self.requests if call.operation == operation]

    def counts(self) -> Counter[str]:
        return Counter(call.operation for call in self.requests)

    def instance(self, job: str, instance: int) -> Instance:
        self.wait_for(lambda: len(self.jobs[job].instances) > instance, f"instance {instance} of {job}")
        return self.jobs[job].instances[instance]

    def log(self, job: str) -> str:
        """Output of the containers of a job, by address."""
        return "".join(
            f"--- {instance.address}\n{instance.log.read_text()}"
            for instance in self.jobs[job].instances
            if instance.log.exists()
        )

    def wait(self, job: str, seconds: float = 180.0) -> Request:
        """The description of the job once it has ended."""
        assert self.jobs[job].done.wait(seconds), f"{job} has not ended after {seconds} s:\n{self.log(job)}"
        return self._describe({"ProcessingJobName": job})

    def wait_for_execution(self, arn: str, seconds: float = 240.0) -> tuple[str, dict[str, Request]]:
        """The final status and the description of each step."""
        execution = self.pipelines.executions[arn]
        assert execution.done.wait(seconds), f"{arn} has not ended after {seconds} s"
        return execution.status, {name: run.description() for name, run in execution.runs.items()}

    def wait_for(self, true: Callable[[], bool], what: str, seconds: float = 120.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, f"{what}: not after {seconds} s"
            time.sleep(0.02)

    # SageMaker's operations

    def play(self, operation: str, request: Request) -> Request:
        with self._lock:
            self.requests.append(RecordedCall(operation, request))
            reject_invalid(operation, request)
            if fault := self.next_fault(operation):
                raise fault
        handler = self._handlers.get(operation)
        return checked_response(operation, handler(request) if handler else self.behind(operation, request))

    def next_fault(self, operation: str) -> Fault | None:
        """The planned error of the next call of an operation, including calls by the service itself."""
        with self._lock:
            return self._refusals[operation].pop(0) if self._refusals[operation] else None

    def record_violation(self, fault: InvalidRequest) -> None:
        """Record an invalid request that the service built from a definition."""
        self.violations.append(str(fault))

    def create(self, request: Request) -> Job:
        """Create a job for a client or a pipeline."""
        name = request["ProcessingJobName"]
        with self._lock:
            if name in self.jobs:
                raise Fault(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, "
                    f"and a job with this name already exists ({self.jobs[name].arn})",
                )
            arn = self.behind("CreateProcessingJob", request)["ProcessingJobArn"]
            planned_failure = self._planned_failures.pop(0) if self._planned_failures else None
            cloud = self.environment
            place = self.folder / name
            job = Job(request, arn, place, self.s3, self.traffic, self.behaviour, cloud, self._publish, planned_failure)
            job.lost_outputs = self._lost_outputs[name]
            self.jobs[name] = job
            self.run(job.live)
        return job

    def run(self, live: Callable[[], None]) -> None:
        """Run in a thread of the fleet; an error is raised on exit."""
        self._futures.append(self._threads.submit(live))

    def _publish(self, job: Job) -> None:
        event = state_change(self._describe({"ProcessingJobName": job.name}))
        self.events.append(event)
        for listener in self.listeners:
            listener(event)

    def _create(self, request: Request) -> Request:
        return {"ProcessingJobArn": self.create(request).arn}

    def _known(self, name: str) -> Job:
        if name not in self.jobs:
            raise Fault("ValidationException", f"Could not find requested job with name: {name}")
        return self.jobs[name]

    def _describe(self, request: Request) -> Request:
        job = self._known(request["ProcessingJobName"])
        request_fields = {name: value for name, value in job.request.items() if name != "Tags"}
        return request_fields | job.description()

    def _stop(self, request: Request) -> Request:
        job = self._known(request["ProcessingJobName"])
        if not job.stop():
            raise Fault(
                "ValidationException",
                f"The request was rejected because the processing job is in status {job.status}.",
            )
        return {}

    def _list(self, request: Request) -> Request:
        return page([job.description() for job in self.jobs.values()], request)

    def _delete_uploads(self, job: Job, name: str) -> None:
        output, _, path = name.partition("/")
        for each in job.request["ProcessingOutputConfig"]["Outputs"]:
            if each["OutputName"] == output:
                for uri in self.objects(each["S3Output"]["S3Uri"].rstrip("/") + "/" + path):
                    bucket, key = split(uri)
                    self.s3.delete_object(Bucket=bucket, Key=key)
