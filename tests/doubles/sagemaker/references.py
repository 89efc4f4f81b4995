"""References within a pipeline's definition, and their values."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.doubles.sagemaker.validation import InvalidRequest

STEP = re.compile(r"Steps\.([A-Za-z0-9\-_]+)\.(.+)")
PART = re.compile(r"\.?([A-Za-z0-9]+)|\['([^']+)'\]|\[(\d+)\]")
EXECUTION = {"PipelineName", "PipelineArn", "PipelineExecutionId", "PipelineExecutionArn", "StartDateTime"}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("Get"), str):
            yield value["Get"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def resolve(value: Any, get: Callable[[str], Any]) -> Any:
    """The value with every reference and join resolved."""
    if isinstance(value, list):
        return [resolve(each, get) for each in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Get"}:
        return get(value["Get"])
    if value.keys() == {"Std:Join"}:
        join = value["Std:Join"]
        parts = [resolve(each, get) for each in join["Values"]]
        return join["On"].join(part if isinstance(part, str) else json.dumps(part) for part in parts)
    return {name: resolve(each, get) for name, each in value.items()}


def look_up(description: Any, path: str) -> Any:
    """A place in a job's description: `.NAME`, `[0]`, or `['NAME']` of a list of named entries."""
    parts = [*PART.finditer(path)]
    value = description if "".join(part[0] for part in parts) == path else {}
    try:
        for part in parts:
            value = _within(value, *part.groups())
    except (KeyError, IndexError, TypeError, StopIteration) as error:
        raise InvalidRequest(
            "ValidationException", f"{path!r} is no place in the description of the step's job"
        ) from error
    return value


def _within(value: Any, member: str | None, name: str | None, number: str | None) -> Any:
    if member is not None:
        return value[member]
    if number is not None:
        return value[int(number)]
    return next(each for each in value if name in (each.get("OutputName"), each.get("InputName")))
