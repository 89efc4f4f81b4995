"""What SageMaker refuses before anything is done: by the service's model first, then by its documented rules."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

from tests.doubles.bedrock.shapes import WrongType, violations

INSIDE = "/opt/ml/processing/"
"""Where a container's inputs and outputs must be."""

Request = dict[str, Any]


class Fault(Exception):
    """An answer of the service that is an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Unfit(Fault):
    """The request is wrong in itself, whatever it is about."""


@cache
def service() -> ServiceModel:
    return botocore.session.Session().get_service_model("sagemaker")


def operation(name: str) -> OperationModel:
    try:
        return service().operation_model(name)
    except OperationNotFoundError as error:
        raise Unfit("UnknownOperationException", f"SageMaker has no operation {name!r}") from error


def refuse_unfit(name: str, request: Request) -> None:
    """Raise what lists each broken constraint: its path, the value and what the model allows."""
    try:
        broken = [*violations(request, operation(name).input_shape)]
    except WrongType as error:
        raise Unfit("SerializationException", str(error)) from error
    if not broken and name == "CreateProcessingJob":
        broken = [*_of_job(request)]
    if broken:
        noun = "error" if len(broken) == 1 else "errors"
        raise Unfit("ValidationException", f"{len(broken)} validation {noun} detected: {'; '.join(broken)}")


def answer_of(name: str, answer: Request) -> Request:
    """The answer, which fits the model as well as requests must."""
    shape = operation(name).output_shape
    broken = [*violations(answer, shape)] if shape else [*answer]
    assert not broken, f"the answer to {name} does not fit the model: {broken}"
    return answer


def _of_job(request: Request) -> Iterator[str]:
    """Rules that stand in the service's documentation, not in its model."""
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
    yield from _unplayed(inputs, outputs)


def _places(side: list[Request], kind: str) -> Iterator[str | None]:
    for each in side:
        yield each.get(kind, {}).get("LocalPath")


def _once(values: list[str], name: str) -> Iterator[str]:
    for value in sorted({value for value in values if values.count(value) > 1}):
        yield f"Value '{value}' at '{name}' failed to satisfy constraint: Member must be unique"


def _unplayed(inputs: list[Request], outputs: list[Request]) -> Iterator[str]:
    """What the service allows and the fleet cannot do: better refused than passed over."""
    for each in (entry["S3Input"] for entry in inputs if "S3Input" in entry):
        given = (each["S3DataType"], each.get("S3InputMode", "File"), each.get("S3CompressionType", "None"))
        if given != ("S3Prefix", "File", "None"):
            yield f"Value '{given}' at 'S3Input': the fleet plays ('S3Prefix', 'File', 'None') only"
    for each in [*inputs, *outputs]:
        place: Request = each.get("S3Input") or each.get("S3Output") or {}
        if not str(place.get("S3Uri")).startswith("s3://"):
            yield f"Value '{place.get('S3Uri')}' at 'S3Uri': the fleet plays s3://BUCKET/KEY only"
