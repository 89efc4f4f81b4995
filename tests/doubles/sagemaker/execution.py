"""One execution of a pipeline: steps in dependency order, each processing step as a job."""

import random
import string
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol

from tests.doubles.sagemaker.cache import Cache
from tests.doubles.sagemaker.definitions import (
    AnyStep,
    Cause,
    ConditionStep,
    Definition,
    OrderedStep,
    ProcessingStep,
    Retrying,
    Value,
    order_steps,
)
from tests.doubles.sagemaker.job import Job
from tests.doubles.sagemaker.references import STEP, look_up, resolve
from tests.doubles.sagemaker.validation import Fault, InvalidRequest, Request, reject_invalid

ALWAYS = Retrying.model_validate({"ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"]})
"""Default retry policies of the service."""
MOST_ATTEMPTS = 5
FAILURES: dict[str, Cause] = {
    "CapacityError": "SageMaker.CAPACITY_ERROR",
    "InternalServerError": "SageMaker.JOB_INTERNAL_ERROR",
}
FAULTS: dict[str, Cause] = {
    "ThrottlingException": "Step.THROTTLING",
    "ResourceLimitExceeded": "SageMaker.RESOURCE_LIMIT",
}


class Serving(Protocol):
    """Interface of the fleet for an execution."""

    def create(self, request: Request) -> Job: ...

    def next_fault(self, operation: str) -> Fault | None: ...

    def record_violation(self, fault: InvalidRequest) -> None: ...


@dataclass
class Execution:
    """One execution of a pipeline; `live` runs in a thread."""

    serving: Serving
    cache: "Cache"
    arn: str
    pipeline: Request
    definition: Definition
    parameters: dict[str, Value]
    second: float
    request: Request
    status: Literal["Executing", "Stopping", "Stopped", "Failed", "Succeeded"] = "Executing"
    created: float = field(default_factory=time.time)
    modified: float = field(default_factory=time.time)
    runs: dict[str, "Run"] = field(default_factory=dict[str, "Run"])
    stopping: threading.Event = field(default_factory=threading.Event)
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    def stop(self) -> None:
        if self.status not in {"Executing", "Stopping"}:
            raise Fault("ValidationException", f"Pipeline execution is in status {self.status} and cannot be stopped")
        self.status = "Stopping"
        self.stopping.set()
        for run in list(self.runs.values()):
            if run.job:
                run.job.stop()

    def retry(self) -> None:
        """Allow unsuccessful steps to run again."""
        if self.status not in {"Failed", "Stopped"}:
            raise Fault("ValidationException", f"Pipeline execution is in status {self.status} and cannot be retried")
        self.runs = {name: run for name, run in self.runs.items() if run.status == "Succeeded"}
        self.status = "Executing"
        self.stopping.clear()
        self.done.clear()

    def live(self) -> None:
        running: set[Future[None]] = set()
        try:
            with ThreadPoolExecutor(thread_name_prefix="step") as threads:
                while (ready := self._ready()) or running:
                    for step in ready:
                        run = self.runs[step.name] = Run(step)
                        running.add(threads.submit(run.live, self))
                    completed, running = wait(running, return_when=FIRST_COMPLETED)
                    for each in completed:
                        each.result()
        finally:
            statuses = {run.status for run in self.runs.values()}
            was_stopped = self.stopping.is_set() or "Stopped" in statuses
            self.status = "Failed" if "Failed" in statuses else "Stopped" if was_stopped else "Succeeded"
            self.modified = time.time()
            self.done.set()

    def _ready(self) -> list[AnyStep]:
        """Steps that can start; none after a failure."""
        completed = {name for name, run in self.runs.items() if run.status == "Succeeded"}
        if self.stopping.is_set() or any(run.status in {"Failed", "Stopped"} for run in self.runs.values()):
            return []
        return [each.step for each in order_steps(self.definition.steps) if self._is_next(each, completed)]

    def _is_next(self, each: OrderedStep, completed: set[str]) -> bool:
        if each.step.name in self.runs or not each.after <= completed:
            return False
        return each.only_if is None or self.runs[each.only_if[0]].outcome == each.only_if[1]

    def get(self, path: str) -> Any:
        """The value of a reference."""
        if step := STEP.fullmatch(path):
            run = self.runs[step[1]]
            return run.outcome if run.job is None else look_up(run.job.request | run.job.description(), step[2])
        kind, _, name = path.partition(".")
        if kind == "Parameters":
            return self.parameters[name]
        return {
            "PipelineName": self.pipeline["PipelineName"],
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineExecutionId": self.id,
            "PipelineExecutionArn": self.arn,
            "StartDateTime": datetime.fromtimestamp(self.created, UTC).isoformat(),
        }[name]

    def description(self) -> Request:
        copied_fields = ("PipelineExecutionDisplayName", "PipelineExecutionDescription", "ParallelismConfiguration")
        description = {name: self.request[name] for name in copied_fields if name in self.request}
        if self.status == "Failed":
            description["FailureReason"] = "Step failure: One or multiple steps failed."
        return description | {
            "PipelineArn": self.pipeline["PipelineArn"],
            "PipelineExecutionArn": self.arn,
            "PipelineExecutionStatus": self.status,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }


class AttemptOutcome(NamedTuple):
    """Status of a finished attempt, and the cause if it can be retried."""

    status: Literal["Stopped", "Failed", "Succeeded"]
    reason: str = ""
    cause: Cause | None = None


@dataclass
class Run:
    """A step within an execution."""

    step: AnyStep
    status: Literal["Executing", "Stopping", "Stopped", "Failed", "Succeeded"] = "Executing"
    reason: str = ""
    attempts: int = 0
    job: Job | None = None
    outcome: bool | None = None
    cached: str = ""
    started: float = field(default_factory=time.time)
    ended: float | None = None

    def live(self, execution: Execution) -> None:
        try:
            if isinstance(self.step, ConditionStep):
                self._decide(self.step, execution)
            else:
                self._process(self.step, execution)
        except InvalidRequest as fault:
            execution.serving.record_violation(fault)
            self.status, self.reason = "Failed", f"ClientError: {fault}"[:1024]
        self.ended = time.time()

    def _decide(self, step: ConditionStep, execution: Execution) -> None:
        self.outcome = all(
            resolve(each.left_value, execution.get) == resolve(each.right_value, execution.get)
            for each in step.arguments.conditions
        )
        self.status = "Succeeded"

    def _process(self, step: ProcessingStep, execution: Execution) -> None:
        arguments: Request = resolve(step.arguments, execution.get)
        reject_invalid("CreateProcessingJob", {"ProcessingJobName": "made-by-the-service"} | arguments)
        pipeline = execution.pipeline["PipelineName"]
        if entry := execution.cache.find(step, pipeline, arguments):
            self.status, self.attempts, self.job, self.cached = "Succeeded", 1, entry.job, entry.execution
            return
        start, outcome = time.monotonic(), self._attempt(arguments, execution)
        while policy := self._policy(step, outcome.cause, (time.monotonic() - start) / execution.second):
            pause = policy.interval_seconds * policy.backoff_rate ** (self.attempts - 1)
            if execution.stopping.wait(pause * execution.second):
                break
            outcome = self._attempt(arguments, execution)
        if outcome.status == "Succeeded" and self.job:
            execution.cache.store(step, pipeline, arguments, self.job, execution.arn)
        self.status, self.reason = outcome.status, outcome.reason

    def _policy(self, step: ProcessingStep, cause: Cause | None, seconds: float) -> Retrying | None:
        """The first retry policy for this cause that has attempts left."""
        policy = next((each for each in [*step.retry_policies, ALWAYS] if cause in each.exception_type), None)
        if policy is None or policy.expire_after_min is None:
            return policy if policy and self.attempts <= (policy.max_attempts or MOST_ATTEMPTS) else None
        return policy if seconds < policy.expire_after_min * 60 else None

    def _attempt(self, arguments: Request, execution: Execution) -> AttemptOutcome:
        self.attempts += 1
        suffix = "".join(random.choices(string.ascii_letters + string.digits, k=10))
        name = f"pipelines-{execution.id}-{self.step.name.replace('_', '-')}"[:52].rstrip("-")
        if fault := execution.serving.next_fault("CreateProcessingJob"):
            cause = "Step.SERVICE_FAULT" if fault.status >= 500 else FAULTS.get(fault.code)
            return AttemptOutcome("Failed", f"{fault.code}: {fault.message}", cause)
        job = self.job = execution.serving.create({"ProcessingJobName": f"{name}-{suffix}", **arguments})
        if execution.stopping.is_set():
            job.stop()
        job.done.wait()
        if job.status == "Stopped" and execution.stopping.is_set():
            return AttemptOutcome("Stopped")
        if job.status == "Stopped":
            return AttemptOutcome("Failed", f"ClientError: The processing job {job.name} was stopped.")
        return AttemptOutcome(
            "Succeeded" if job.status == "Completed" else "Failed",
            job.reason,
            FAILURES.get(job.reason.partition(":")[0]),
        )

    def description(self) -> Request:
        description: Request = {
            "StepName": self.step.name,
            "StepDisplayName": self.step.display_name,
            "StepDescription": self.step.description,
            "StartTime": self.started,
            "EndTime": self.ended,
            "StepStatus": self.status,
            "FailureReason": self.reason,
            "AttemptCount": self.attempts,
            "Metadata": {"ProcessingJob": {"Arn": self.job.arn}} if self.job else {},
            "CacheHitResult": {"SourcePipelineExecutionArn": self.cached} if self.cached else None,
        }
        if isinstance(self.step, ConditionStep):
            description["Metadata"] = {"Condition": {"Outcome": str(self.outcome)}} if self.outcome is not None else {}
        return {name: value for name, value in description.items() if value}
