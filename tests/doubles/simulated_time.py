"""An event loop whose time is simulated: nothing sleeps, and calls to a service take as long as it says."""

import asyncio
import random
from collections.abc import Callable
from typing import Any


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Runs work of executors when the service would receive it, half a latency after the call, without threads.

    Work of the default executor, such as compression, takes no time.
    """

    def __init__(self, latency: Callable[[], float]) -> None:
        self._simulated = 0.0
        self._latency = latency
        super().__init__()
        select = self._selector.select  # type: ignore[attr-defined]

        def advance(timeout: float | None) -> Any:
            self._simulated += timeout or 0.0
            return select(0)

        self._selector.select = advance  # type: ignore[attr-defined]

    def time(self) -> float:
        return self._simulated

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future: asyncio.Future[Any] = self.create_future()
        latency = 0.0 if executor is None else self._latency()

        def answer(result: Any, error: Exception | None) -> None:
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def execute() -> None:
            try:
                result, error = func(*args), None
            except Exception as raised:  # noqa: BLE001 - it belongs to the caller, as with any executor
                result, error = None, raised
            self.call_later(latency / 2, answer, result, error)

        self.call_later(latency / 2, execute)
        return future


def latencies(low: float, high: float) -> Callable[[], float]:
    """Seconds between these bounds, the same in every run."""
    source = random.Random(1)
    return lambda: source.uniform(low, high)
