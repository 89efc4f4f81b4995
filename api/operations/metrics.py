"""Metrics in the embedded metric format of CloudWatch: JSON lines on standard output.

The sources are trace events and requests. The run is a property, not a dimension; the owner is neither.
"""

import asyncio
import io
import json
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.operations.log import stdout_lines
from api.operations.readiness import age_of_prices
from desk.runs.events.base import Measure
from desk.runs.events.run import NodeStarted, RunFailed
from desk.runs.events.search import TrialFinished, TrialsFinished
from desk.runs.events.table import TraceEvent
from desk.runs.nodes import TURN_NODES
from store.errors import StoreError

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies

Kind: TypeAlias = Literal["serve", "work", "lambda"]
"""The kind of the process."""
Name: TypeAlias = str

NAMESPACE = "Stratigos"
DEPLOYMENT = "stratigos"
"""Default value of the dimension `Service`."""
FLUSH_SECONDS = 10.0
GAUGE_SECONDS = 60.0
MAX_VALUES = 100
"""Limit of the format per metric and line; more values are sampled."""
MAX_RUN_LINES = 100
"""Runs with their own line in an interval; other runs share one line."""
MAX_RUNS = 1_000
"""Runs whose start time is stored."""

COUNTS = dict.fromkeys(
    (
        "JobsCompleted",
        "JobsFailed",
        "JobsCancelled",
        "TurnsAnswered",
        "TurnsFailed",
        "Trials",
        "Errors",
        "ModelAnswers",
        "ModelRetries",
        "ModelFailures",
        "InputTokens",
        "CachedTokens",
        "OutputTokens",
        "Requests2xx",
        "Requests3xx",
        "Requests4xx",
        "Requests5xx",
    ),
    "Count",
) | {"Dollars": "None"}
"""Counters, summed over an interval."""
VALUES = {
    "JobSeconds": "Seconds",
    "TurnSeconds": "Seconds",
    "ModelSeconds": "Seconds",
    "TrialsPerSecond": "Count/Second",
    "BestObjective": "None",
    "RequestMilliseconds": "Milliseconds",
}
"""Distributions: every value is reported."""
LEVELS = {"QueueDepth": "Count", "DataAgeDays": "None"}
"""Gauges: the last value is reported."""
UNITS = COUNTS | VALUES | LEVELS
PROCESS_WIDE = frozenset({"Trials"})
"""Counters without a value per run."""
EXECUTIONS = ("run", "turn")
"""Spans that are timed and counted as a whole."""


@dataclass
class _Sample:
    """A uniform reservoir sample of at most `MAX_VALUES` values."""

    generator: random.Random
    count: int = 0
    values: list[float] = field(default_factory=list[float])

    def add(self, value: float) -> None:
        self.count += 1
        if len(self.values) < MAX_VALUES:
            self.values.append(value)
        elif (index := self.generator.randrange(self.count)) < MAX_VALUES:
            self.values[index] = value


@dataclass
class _Interval:
    """The metrics since the last line, of one run or of the process."""

    counts: Counter[Name] = field(default_factory=Counter[Name])
    dollars: float = 0.0
    values: dict[Name, _Sample] = field(default_factory=dict[Name, _Sample])
    levels: dict[Name, float] = field(default_factory=dict[Name, float])

    def to_fields(self) -> dict[Name, float | list[float]]:
        money = {"Dollars": self.dollars} if self.dollars else {}
        return {**self.counts, **money, **{name: each.values for name, each in self.values.items()}, **self.levels}


@dataclass
class _Run:
    """State of a run until it ends."""

    start: datetime | None = None
    search_start: datetime | None = None
    trials: int = 0
    best: float | None = None


class Metrics:
    """The metrics of one process; thread-safe."""

    def __init__(
        self, kind: Kind, out: io.RawIOBase, *, deployment: str = DEPLOYMENT, clock: Callable[[], float] = time.time
    ) -> None:
        self._kind = kind
        self._deployment = deployment
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._generator = random.Random(0)  # noqa: S311  (the sample is not secret)
        self._intervals: dict[str | None, _Interval] = {}
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def count(self, name: Name, number: int = 1, *, run: str | None = None) -> None:
        if number:
            with self._lock:
                self._interval(run).counts[name] += number

    def add_cost(self, dollars: float, *, run: str | None = None) -> None:
        with self._lock:
            self._interval(run).dollars += dollars

    def measure(self, name: Name, value: float, *, run: str | None = None) -> None:
        with self._lock:
            self._interval(run).values.setdefault(name, _Sample(self._generator)).add(value)

    def level(self, name: Name, value: float) -> None:
        with self._lock:
            self._interval(None).levels[name] = value

    def record_response(self, status: int, seconds: float) -> None:
        """Count a response; that of a stream when it starts."""
        self.count(f"Requests{min(max(status // 100, 2), 5)}xx")
        self.measure("RequestMilliseconds", 1000.0 * seconds)
        if status >= 500:
            self.count("Errors")

    def flush(self) -> None:
        """Write the metrics since the last flush."""
        with self._lock:
            intervals, self._intervals = self._intervals, {}
        for run, interval in intervals.items():
            self._out.write(self._line(run, interval.to_fields()))

    def observe(self, event: TraceEvent) -> None:
        for name, amount in event.measures().items():
            self._record(name, amount, run=None if name in PROCESS_WIDE else event.run)
        row = event.row
        if row.opens in EXECUTIONS:
            self._run(event.run).start = event.at
        elif row.closes in EXECUTIONS:
            self._record_end(event)
        elif isinstance(event, NodeStarted) and event.node == "search":
            self._run(event.run).search_start = event.at
        elif isinstance(event, TrialFinished):
            self._record_trial(event)
        elif isinstance(event, TrialsFinished):
            self._record_search(event)

    def _record(self, name: Measure, amount: float, *, run: str | None) -> None:
        if name == "Dollars":
            self.add_cost(amount, run=run)
        elif name in VALUES:
            self.measure(name, amount, run=run)
        else:
            self.count(name, int(amount), run=run)

    def _record_trial(self, event: TrialFinished) -> None:
        run = self._run(event.run)
        run.trials += 1
        if event.objective is not None:
            run.best = event.objective if run.best is None else max(run.best, event.objective)

    def _record_search(self, event: TrialsFinished) -> None:
        run = self._run(event.run)
        seconds = 0.0 if run.search_start is None else (event.at - run.search_start).total_seconds()
        if seconds > 0 and run.trials:
            self.measure("TrialsPerSecond", run.trials / seconds, run=event.run)
        if run.best is not None:
            self.measure("BestObjective", run.best, run=event.run)
        run.trials, run.search_start = 0, None

    def _record_end(self, event: TraceEvent) -> None:
        of_turn = event.row.closes == "turn" or event.node in TURN_NODES
        run = self._run(event.run)
        self._runs.pop(event.run)
        if isinstance(event, RunFailed):
            outcome = "Failed" if event.is_failure or of_turn else "Cancelled"
            self.count("Errors", int(event.code in ("fault", "model_failed")))
        else:
            outcome = "Answered" if of_turn else "Completed"
        self.count(f"{'Turns' if of_turn else 'Jobs'}{outcome}", run=event.run)
        if run.start is not None:  # None for a run that another process started
            name = "TurnSeconds" if of_turn else "JobSeconds"
            self.measure(name, (event.at - run.start).total_seconds(), run=event.run)

    def _interval(self, run: str | None) -> _Interval:
        has_line = run in self._intervals or len(self._intervals) < MAX_RUN_LINES
        return self._intervals.setdefault(run if has_line else None, _Interval())

    def _run(self, run: str) -> _Run:
        state = self._runs.setdefault(run, _Run())
        self._runs.move_to_end(run)
        if len(self._runs) > MAX_RUNS:
            self._runs.popitem(last=False)
        return state

    def _line(self, run: str | None, values: dict[Name, float | list[float]]) -> bytes:
        dimensions = {"Service": self._deployment, "Process": self._kind}
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
        }
        about = {"_aws": {"Timestamp": round(1000 * self._clock()), "CloudWatchMetrics": [directive]}}
        own = {} if run is None else {"run": run}
        return json.dumps({**about, **dimensions, **own, **values}).encode() + b"\n"


class RequestMetrics:
    """ASGI middleware: records status and latency of each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def send_recorded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.record_response(message["status"], time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, send_recorded)


@contextmanager
def periodic_metrics(
    destination: Literal["off", "emf"], kind: Kind, deployment: str = DEPLOYMENT
) -> Generator[Metrics | None]:
    """Metrics that are flushed every ten seconds and at the end; None when `destination` is off."""
    if destination == "off":
        yield None
        return
    with stdout_lines() as out:
        metrics, stop = Metrics(kind, out, deployment=deployment), threading.Event()

        def flush_periodically() -> None:
            while not stop.wait(FLUSH_SECONDS):
                metrics.flush()

        thread = threading.Thread(target=flush_periodically, name="metrics", daemon=True)
        thread.start()
        try:
            yield metrics
        finally:
            stop.set()
            thread.join()
            metrics.flush()


@asynccontextmanager
async def record_gauges_periodically(dependencies: "Dependencies", metrics: Metrics | None) -> AsyncGenerator[None]:
    """Record the gauges every minute inside the block."""
    if metrics is None:
        yield
        return

    async def record() -> None:
        while True:
            await record_gauges(dependencies, metrics)
            await asyncio.sleep(GAUGE_SECONDS)

    recording = asyncio.create_task(record())
    try:
        yield
    finally:
        recording.cancel()
        await asyncio.gather(recording, return_exceptions=True)


async def record_gauges(dependencies: "Dependencies", metrics: Metrics) -> None:
    """Record the depth of the queue and the age of the prices."""
    try:
        if dependencies.queue is not None:
            metrics.level("QueueDepth", await dependencies.queue.depth())
        metrics.level("DataAgeDays", (await age_of_prices(dependencies.prices, dependencies.now().date())).days_behind)
    except StoreError as error:
        logger: Any = structlog.get_logger()
        logger.warning("measuring_failed", reason=str(error))
