"""Cache of completed pipeline steps."""

import json
import time
from dataclasses import dataclass

from tests.doubles.sagemaker.definitions import ProcessingStep
from tests.doubles.sagemaker.job import Job
from tests.doubles.sagemaker.validation import Request

KEY = ("AppSpecification", "Environment", "ProcessingInputs")
"""Arguments in the cache key; outputs, resources and the role are not part of it."""


@dataclass(frozen=True)
class CacheEntry:
    key: str
    job: Job
    execution: str
    ended: float


class Cache:
    """Successful steps, reused by later executions of the same pipeline."""

    def __init__(self) -> None:
        self.ahead = 0.0
        """Seconds by which a test advances the clock."""
        self._entries: list[CacheEntry] = []

    def store(self, step: ProcessingStep, pipeline: str, arguments: Request, job: Job, execution: str) -> None:
        self._entries.append(CacheEntry(_key(step, pipeline, arguments), job, execution, self._now()))

    def find(self, step: ProcessingStep, pipeline: str, arguments: Request) -> CacheEntry | None:
        """The latest entry that has not expired."""
        if step.cache_config is None or not step.cache_config.enabled:
            return None
        key, oldest = _key(step, pipeline, arguments), self._now() - step.cache_config.seconds
        return next((each for each in reversed(self._entries) if each.key == key and each.ended >= oldest), None)

    def _now(self) -> float:
        return time.time() + self.ahead


def _key(step: ProcessingStep, pipeline: str, arguments: Request) -> str:
    return json.dumps([pipeline, step.name, {name: arguments.get(name) for name in KEY}], sort_keys=True)
