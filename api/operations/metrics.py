"""Metrics in the embedded metric format of CloudWatch: JSON lines on standard output.

They come from trace events and requests only. The run is a property, not a dimension; the owner is neither.
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
from desk.runs import events as trace
from store.errors import StoreError

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies

Kind: TypeAlias = Literal["serve", "work", "lambda"]
"""The kind of the process."""
Name: TypeAlias = str

NAMESPACE = "Stratigos"
EVERY_SECONDS = 10.0
LOOK_SECONDS = 60.0
MAX_VALUES = 100
"""Limit of the format per metric and line; more values are sampled."""
MOST_RUNS = 100
"""Runs with their own line in an interval; other runs share one line."""
MOST_KNOWN = 1_000
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


@dataclass
class _Sample:
    """A uniform reservoir sample of at most `MAX_VALUES` values."""

    chance: random.Random
    seen: int = 0
    values: list[float] = field(default_factory=list[float])

    def add(self, value: float) -> None:
        self.seen += 1
        if len(self.values) < MAX_VALUES:
            self.values.append(value)
        elif (index := self.chance.randrange(self.seen)) < MAX_VALUES:
            self.values[index] = value


@dataclass
class _Interval:
    """The metrics since the last line, of one run or of the process."""

    counts: Counter[Name] = field(default_factory=Counter[Name])
    dollars: float = 0.0
    values: dict[Name, _Sample] = field(default_factory=dict[Name, _Sample])
    levels: dict[Name, float] = field(default_factory=dict[Name, float])

    def measured(self) -> dict[Name, float | list[float]]:
        money = {"Dollars": self.dollars} if self.dollars else {}
        return {**self.counts, **money, **{name: each.values for name, each in self.values.items()}, **self.levels}


@dataclass
class _Run:
    """State of a run until it ends."""

    begun: datetime | None = None
    searching: datetime | None = None
    trials: int = 0
    best: float | None = None


class Metrics:
    """The metrics of one process; thread-safe."""

    def __init__(self, kind: Kind, out: io.RawIOBase, *, clock: Callable[[], float] = time.time) -> None:
        self._kind = kind
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._chance = random.Random(0)  # noqa: S311  (which latencies are kept is no secret)
        self._intervals: dict[str | None, _Interval] = {}
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def count(self, name: Name, number: int = 1, *, run: str | None = None) -> None:
        if number:
            with self._lock:
                self._interval(run).counts[name] += number

    def spent(self, dollars: float, *, run: str | None = None) -> None:
        with self._lock:
            self._interval(run).dollars += dollars

    def measure(self, name: Name, value: float, *, run: str | None = None) -> None:
        with self._lock:
            self._interval(run).values.setdefault(name, _Sample(self._chance)).add(value)

    def level(self, name: Name, value: float) -> None:
        with self._lock:
            self._interval(None).levels[name] = value

    def answered(self, status: int, seconds: float) -> None:
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
            self._out.write(self._line(run, interval.measured()))

    def observe(self, event: trace.TraceEvent) -> None:
        match event:
            case trace.RunStarted() | trace.TurnStarted():
                self._run(event.run).begun = event.at
            case trace.NodeStarted(node="search"):
                self._run(event.run).searching = event.at
            case trace.TrialFinished():
                self._tried(event)
            case trace.TrialsFinished():
                self._searched(event)
            case trace.ModelAnswered():
                self._asked(event)
            case trace.ModelRetried():
                self.count("ModelRetries", run=event.run)
            case trace.ModelReplaced():
                self.count("ModelFailures", run=event.run)
            case trace.RunFinished() | trace.TurnFinished() | trace.RunFailed():
                self._ended(event)
            case _:
                return

    def _tried(self, event: trace.TrialFinished) -> None:
        run = self._run(event.run)
        run.trials += 1
        if event.objective is not None:
            run.best = event.objective if run.best is None else max(run.best, event.objective)
        self.count("Trials")

    def _searched(self, event: trace.TrialsFinished) -> None:
        run = self._run(event.run)
        seconds = 0.0 if run.searching is None else (event.at - run.searching).total_seconds()
        if seconds > 0 and run.trials:
            self.measure("TrialsPerSecond", run.trials / seconds, run=event.run)
        if run.best is not None:
            self.measure("BestObjective", run.best, run=event.run)
        run.trials, run.searching = 0, None

    def _asked(self, event: trace.ModelAnswered) -> None:
        self.count("ModelAnswers", run=event.run)
        self.count("InputTokens", event.input_tokens + event.written_tokens, run=event.run)
        self.count("CachedTokens", event.cached_tokens, run=event.run)
        self.count("OutputTokens", event.output_tokens, run=event.run)
        self.measure("ModelSeconds", event.seconds, run=event.run)
        self.spent(event.dollars or 0.0, run=event.run)

    def _ended(self, event: trace.RunFinished | trace.TurnFinished | trace.RunFailed) -> None:
        of_turn = isinstance(event, trace.TurnFinished) or event.node in ("turn", "assistant", "release")
        run = self._run(event.run)
        self._runs.pop(event.run)
        if isinstance(event, trace.RunFailed):
            cancelled = event.code in ("cancelled", "rejected") and not of_turn
            outcome = "Cancelled" if cancelled else "Failed"
            self.count("Errors", int(event.code in ("fault", "model_failed")))
        else:
            outcome = "Answered" if of_turn else "Completed"
        self.count(f"{'Turns' if of_turn else 'Jobs'}{outcome}", run=event.run)
        if run.begun is not None:  # None for a run that another process started
            name = "TurnSeconds" if of_turn else "JobSeconds"
            self.measure(name, (event.at - run.begun).total_seconds(), run=event.run)

    def _interval(self, run: str | None) -> _Interval:
        known = run in self._intervals or len(self._intervals) < MOST_RUNS
        return self._intervals.setdefault(run if known else None, _Interval())

    def _run(self, run: str) -> _Run:
        state = self._runs.setdefault(run, _Run())
        self._runs.move_to_end(run)
        if len(self._runs) > MOST_KNOWN:
            self._runs.popitem(last=False)
        return state

    def _line(self, run: str | None, measured: dict[Name, float | list[float]]) -> bytes:
        dimensions = {"Service": "stratigos", "Process": self._kind}
        directive = {
            "Namespace": NAMESPACE,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in measured],
        }
        about = {"_aws": {"Timestamp": round(1000 * self._clock()), "CloudWatchMetrics": [directive]}}
        own = {} if run is None else {"run": run}
        return json.dumps({**about, **dimensions, **own, **measured}).encode() + b"\n"


class Measured:
    """ASGI middleware: records status and latency of each request."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(message["status"], time.perf_counter() - start)
            await send(message)

        await self._app(scope, receive, send_measured)


@contextmanager
def measured(destination: Literal["off", "emf"], kind: Kind) -> Generator[Metrics | None]:
    """Metrics that are flushed every ten seconds and at the end; None when `destination` is off."""
    if destination == "off":
        yield None
        return
    with stdout_lines() as out:
        metrics, ended = Metrics(kind, out), threading.Event()

        def write() -> None:
            while not ended.wait(EVERY_SECONDS):
                metrics.flush()

        writing = threading.Thread(target=write, name="metrics", daemon=True)
        writing.start()
        try:
            yield metrics
        finally:
            ended.set()
            writing.join()
            metrics.flush()


@asynccontextmanager
async def watched(dependencies: "Dependencies", metrics: Metrics | None) -> AsyncGenerator[None]:
    """Record the gauges every minute inside the block."""
    if metrics is None:
        yield
        return

    async def watch() -> None:
        while True:
            await look(dependencies, metrics)
            await asyncio.sleep(LOOK_SECONDS)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def look(dependencies: "Dependencies", metrics: Metrics) -> None:
    """Record the depth of the queue and the age of the prices."""
    try:
        if dependencies.queue is not None:
            metrics.level("QueueDepth", await dependencies.queue.depth())
        metrics.level("DataAgeDays", (await age_of_prices(dependencies.prices, dependencies.now().date())).days_behind)
    except StoreError as error:
        logger: Any = structlog.get_logger()
        logger.warning("measuring_failed", reason=str(error))
