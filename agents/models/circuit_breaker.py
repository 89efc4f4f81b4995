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

    After its rest a model gets one call as a trial; the others pass it over until that call is answered.
    """

    def __init__(self, rest: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rest = rest
        self._now = now
        self._resting_until: dict[str, float] = {}

    def rests(self, model: str) -> bool:
        return self._now() < self._resting_until.get(model, 0.0)

    def record_call(self, model: str) -> None:
        """A call begins; for a model that has rested it is the trial."""
        if model in self._resting_until:
            self._resting_until[model] = self._now() + self._rest

    def record_failure(self, model: str, reason: Reason) -> None:
        if self._rest and reason in OUTAGES:
            self._resting_until[model] = self._now() + self._rest

    def record_answer(self, model: str) -> None:
        self._resting_until.pop(model, None)
