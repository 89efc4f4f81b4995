"""A run whose log the test writes, as another process would, and readers of it."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from desk.governance.estimates import Estimate
from desk.runs.events.run import NodeStarted, RunFailed, RunFinished
from desk.runs.events.search import EstimateMade, JobProgressed, TrialFinished
from desk.runs.events.table import TraceEvent
from graphs.runs.event_log import EventLog
from store.embedded import open_store
from store.records import Key
from store.store import Store

OWNER, RUN = "local", "run-of-a-test"
BEGUN = datetime(2026, 1, 5, tzinfo=UTC)


class RunLogWriter:
    """Writes the log of a run of `trials` trials."""

    def __init__(self, store: Store, run: str = RUN, *, trials: int = 100) -> None:
        self._store = store
        self._run = run
        self._trials = trials
        self._log = EventLog(store, OWNER, run, [], now=lambda: BEGUN)

    async def state(self, state: str) -> None:
        document: dict[str, Any] = {"id": self._run, "owner": OWNER, "state": state}
        await self._store.records.put(Key(OWNER, "run", self._run), document)

    async def begin(self) -> None:
        await self.state("running")
        estimate = Estimate(trials=self._trials, evaluations=1, path_days=1, seconds=60.0, memory_mb=1.0)
        await self._log.append(
            self._log.make(NodeStarted, "prepare", 0, 0),
            self._log.make(NodeStarted, "search", 0, 0),
            self._log.make(EstimateMade, "search", 0, 0, plan=0, estimate=estimate),
        )

    def trials(self, first: int, end: int) -> Sequence[TraceEvent]:
        """The events of trials, two for each: the trial, and how many are done."""
        events: list[TraceEvent] = []
        for n in range(first, end):
            objective = None if n % 5 == 4 else 0.01 + (n * 37 % 101) / 1e4
            fields = {"trial": n, "digest": f"{n:064x}", "screened": objective is None, "objective": objective}
            events.append(self._log.make(TrialFinished, "search", 0, n, **fields))
            progressed = self._log.make(
                JobProgressed, "search", 0, n, job="job", done=n + 1, total=self._trials, best=0.02
            )
            events.append(progressed.model_copy(update={"at": BEGUN + timedelta(seconds=n + 1)}))
        return events

    async def append(self, *events: TraceEvent) -> None:
        await self._log.append(*events)

    async def finish(self) -> None:
        await self._log.append(self._log.make(RunFinished, "run", 0, 0, result_digest="d" * 64))
        await self.state("completed")

    async def fail(self) -> None:
        await self._log.append(self._log.make(RunFailed, "run", 0, 0, code="fault", kind="OSError"))
        await self.state("failed")


@asynccontextmanager
async def open_run_log(home: Path, *, trials: int = 100) -> AsyncGenerator[RunLogWriter]:
    async with open_store(home) as store:
        log = RunLogWriter(store, trials=trials)
        await log.begin()
        yield log


async def frames(response: httpx.Response) -> AsyncGenerator[dict[str, str]]:
    """The events of a stream, as an `EventSource` would hand them out; comments are left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and fields:
            yield fields
            fields = {}


def payload(frame: dict[str, str]) -> dict[str, Any]:
    return json.loads(frame["data"])
