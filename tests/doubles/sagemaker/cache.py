"""Steps of pipelines that need not run again."""

import json
import time
from dataclasses import dataclass

from tests.doubles.sagemaker.definitions import ProcessingStep
from tests.doubles.sagemaker.job import Job
from tests.doubles.sagemaker.validation import Request

KEY = ("AppSpecification", "Environment", "ProcessingInputs")
"""Outputs, resources and the role are no part of what makes a processing step another one."""


@dataclass(frozen=True)
class Kept:
    key: str
    job: Job
    execution: str
    ended: float


class Cache:
    """Steps that succeeded, for later executions of the same pipeline."""

    def __init__(self) -> None:
        self.ahead = 0.0
        """Seconds by which a test lets its clock go ahead."""
        self._kept: list[Kept] = []

    def keep(self, step: ProcessingStep, pipeline: str, arguments: Request, job: Job, execution: str) -> None:
        self._kept.append(Kept(_key(step, pipeline, arguments), job, execution, self._now()))

    def find(self, step: ProcessingStep, pipeline: str, arguments: Request) -> Kept | None:
        """The latest that is not too old."""
        if step.cache_config is None or not step.cache_config.enabled:
            return None
        key, oldest = _key(step, pipeline, arguments), self._now() - step.cache_config.seconds
        return next((each for each in reversed(self._kept) if each.key == key and each.ended >= oldest), None)

    def _now(self) -> float:
        return time.time() + self.ahead


def _key(step: ProcessingStep, pipeline: str, arguments: Request) -> str:
    return json.dumps([pipeline, step.name, {name: arguments.get(name) for name in KEY}], sort_keys=True)
