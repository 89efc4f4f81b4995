"""Validates requests by SageMaker's service model and documented rules."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

from tests.doubles.bedrock.shapes import WrongType, violations

INSIDE = "/opt/ml/processing/"
"""Required prefix of a container's input and output paths."""

Request = dict[str, Any]


class Fault(Exception):
    """An error response of the service."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class InvalidRequest(Fault):
    """A request that violates the service's model."""


@cache
def service() -> ServiceModel:
    return botocore.session.Session().get_service_model("sagemaker")


def operation(name: str) -> OperationModel:
    try:
        return service().operation_model(name)
    except OperationNotFoundError as error:
        raise InvalidRequest("UnknownOperationException", f"SageMaker has no operation {name!r}") from error


def reject_invalid(name: str, request: Request) -> None:
    """Raise an error that lists each violation with its path, value and constraint."""
    try:
        errors = [*violations(request, operation(name).input_shape)]
    except WrongType as error:
        raise InvalidRequest("SerializationException", str(error)) from error
    if not errors and name == "CreateProcessingJob":
        errors = [*_of_job(request)]
    if errors:
        noun = "error" if len(errors) == 1 else "errors"
        raise InvalidRequest("ValidationException", f"{len(errors)} validation {noun} detected: {'; '.join(errors)}")


def checked_response(name: str, answer: Request) -> Request:
    """The response after validation against the model."""
    shape = operation(name).output_shape
    errors = [*violations(answer, shape)] if shape else [*answer]
    assert not errors, f"the answer to {name} does not fit the model: {errors}"
    return answer


def _of_job(request: Request) -> Iterator[str]:
    """Rules from the service's documentation that its model does not contain."""
    cluster = request["ProcessingResources"]["ClusterConfig"]
    for name in {"InstanceCount", "InstanceType"} - cluster.keys():
        yield f"Value at 'ProcessingResources.ClusterConfig.{name}' failed to satisfy constraint: Member must be given"
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {"Outputs": []})["Outputs"]
    for name, side in (("InputName", inputs), ("OutputName", outputs)):
        yield from _once([each[name] for each in side], name)
    places = [*_places(inputs, "S3Input"), *_places(outputs, "S3Output")]
    yield from _once([place for place in places if place], "LocalPath")
    for place in places:
        if place is None:
            yield "Value at 'LocalPath' failed to satisfy constraint: Member must be given beside S3Input or S3Output"
        elif not place.startswith(INSIDE):
            yield f"Value '{place}' at 'LocalPath' failed to satisfy constraint: Member must begin with {INSIDE}"
    yield from _find_unsupported(inputs, outputs)


def _places(side: list[Request], kind: str) -> Iterator[str | None]:
    for each in side:
        yield each.get(kind, {}).get("LocalPath")


def _once(values: list[str], name: str) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"Value '{value}' at '{name}' failed to satisfy constraint: Member must be unique"


def _find_unsupported(inputs: list[Request], outputs: list[Request]) -> Iterator[str]:
    """Features of the service that this double does not support."""
    for each in (entry["S3Input"] for entry in inputs if "S3Input" in entry):
        settings = (each["S3DataType"], each.get("S3InputMode", "File"), each.get("S3CompressionType", "None"))
        if settings != ("S3Prefix", "File", "None"):
            yield f"Value '{settings}' at 'S3Input': the fleet plays ('S3Prefix', 'File', 'None') only"
    for each in [*inputs, *outputs]:
        place: Request = each.get("S3Input") or each.get("S3Output") or {}
        if not str(place.get("S3Uri")).startswith("s3://"):
            yield f"Value '{place.get('S3Uri')}' at 'S3Uri': the fleet plays s3://BUCKET/KEY only"
