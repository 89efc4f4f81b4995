"""SageMaker's pipeline operations: moto stores definitions, executions run here."""

import threading
from collections.abc import Callable
from typing import Protocol

from tests.doubles.sagemaker.cache import Cache
from tests.doubles.sagemaker.definitions import parse
from tests.doubles.sagemaker.execution import Execution, Serving
from tests.doubles.sagemaker.listing import slice_of
from tests.doubles.sagemaker.validation import Fault, Request

Play = Callable[[Request], Request]


class Fleet(Serving, Protocol):
    def behind(self, operation: str, request: Request) -> Request: ...

    def run(self, live: Callable[[], None]) -> None: ...


class Pipelines:
    """`second` is the duration of one second of a retry policy."""

    def __init__(self, fleet: Fleet, second: float) -> None:
        self.cache = Cache()
        self.executions: dict[str, Execution] = {}
        self._fleet, self._second = fleet, second
        self._created: set[str] = set()
        self._tokens: dict[str, Execution] = {}
        self._starting = threading.Lock()
        self.handlers: dict[str, Play] = {
            "CreatePipeline": self._create,
            "UpdatePipeline": self._update,
            "StartPipelineExecution": self._start,
            "RetryPipelineExecution": self._retry,
            "StopPipelineExecution": self._stop,
            "DescribePipelineExecution": self._describe,
            "ListPipelineExecutions": self._list,
            "ListPipelineExecutionSteps": self._steps,
        }

    def close(self) -> None:
        for execution in self.executions.values():
            execution.stopping.set()
        for name in self._created:
            self._fleet.behind("DeletePipeline", {"PipelineName": name, "ClientRequestToken": "0" * 32})

    def _create(self, request: Request) -> Request:
        _refuse_wrong_definition(request)
        answer = self._fleet.behind("CreatePipeline", request)
        self._created.add(request["PipelineName"])
        return answer

    def _update(self, request: Request) -> Request:
        if "PipelineDefinition" in request:
            _refuse_wrong_definition(request)
        return self._fleet.behind("UpdatePipeline", request)

    def _start(self, request: Request) -> Request:
        """Start an execution, idempotent by token."""
        token = request["ClientRequestToken"]
        with self._starting:  # requests arrive in threads
            if token not in self._tokens:
                pipeline = self._fleet.behind("DescribePipeline", {"PipelineName": request["PipelineName"]})
                definition = parse(pipeline["PipelineDefinition"])
                values = {each["Name"]: each["Value"] for each in request.get("PipelineParameters", [])}
                if unknown := values.keys() - {each.name for each in definition.parameters}:
                    raise Fault("ValidationException", f"Pipeline has no parameters {sorted(unknown)}")
                parameters = {each.name: each.value(values.get(each.name)) for each in definition.parameters}
                arn = self._fleet.behind("StartPipelineExecution", request)["PipelineExecutionArn"]
                self.executions[arn] = self._tokens[token] = Execution(
                    self._fleet, self.cache, arn, pipeline, definition, parameters, self._second, request
                )
                self._fleet.run(self.executions[arn].live)
        return {"PipelineExecutionArn": self._tokens[token].arn}

    def _execution_of(self, request: Request) -> Execution:
        arn = request["PipelineExecutionArn"]
        if arn not in self.executions:
            raise Fault("ResourceNotFound", f"Pipeline execution {arn} does not exist")
        return self.executions[arn]

    def _retry(self, request: Request) -> Request:
        execution = self._execution_of(request)
        execution.retry()
        self._fleet.run(execution.live)
        return {"PipelineExecutionArn": execution.arn}

    def _stop(self, request: Request) -> Request:
        execution = self._execution_of(request)
        execution.stop()
        return {"PipelineExecutionArn": execution.arn}

    def _describe(self, request: Request) -> Request:
        return self._execution_of(request).description()

    def _list(self, request: Request) -> Request:
        executions = [
            each for each in self.executions.values() if each.pipeline["PipelineName"] == request["PipelineName"]
        ]
        fields = ("PipelineExecutionArn", "PipelineExecutionStatus", "PipelineExecutionDisplayName")
        summaries = [
            {"StartTime": each.created} | {name: value for name, value in each.description().items() if name in fields}
            for each in reversed(executions)
        ]
        page, token = slice_of(summaries, request)
        return {"PipelineExecutionSummaries": page} | token

    def _steps(self, request: Request) -> Request:
        """Steps of an execution, latest first by default."""
        runs = sorted(self._execution_of(request).runs.values(), key=lambda run: run.started)
        if request.get("SortOrder", "Descending") == "Descending":
            runs.reverse()
        page, token = slice_of([run.description() for run in runs], request)
        return {"PipelineExecutionSteps": page} | token


def _refuse_wrong_definition(request: Request) -> None:
    if "PipelineDefinition" not in request:
        raise Fault("ValidationException", "the fleet plays definitions in the request only, none from S3")
    parse(request["PipelineDefinition"])
