"""A circuit breaker: a model that failed rests, so that other agents and runs do not wait for it again."""

import time
from collections.abc import Callable

from agents.models.failures import Reason

OUTAGES: frozenset[Reason] = frozenset(
    {
        "throttled",
        "unavailable",
        "unreachable",
        "connection_lost",
        "time_limit",
        "credentials",
        "access_denied",
        "unknown_model",
    }
)
"""Failures that the next request would meet, too; the others are due to the request."""


class CircuitBreaker:
    """The models that rest, for all agents of a process.

    After its rest a model gets one call at a time of trial: others pass it over until that call answers.
    """

    def __init__(self, rest: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest
        self._now = now
        self._resting_until: dict[str, float] = {}

    def admits(self, model: str) -> bool:
        """Whether the model may be called; the first call after its rest is the trial."""
        end = self._resting_until.get(model)
        if end is None:
            return True
        if self._now() < end:
            return False
        self._resting_until[model] = self._now() + self._rest
        return True

    def record_failure(self, model: str, reason: Reason) -> None:
        if self._rest and reason in OUTAGES:
            self._resting_until[model] = self._now() + self._rest

    def record_answer(self, model: str) -> None:
        self._resting_until.pop(model, None)
