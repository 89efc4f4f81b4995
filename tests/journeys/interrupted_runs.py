"""Runs against the Bedrock double that are killed and resumed."""

import asyncio
import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from multiprocessing import connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from desk.optimization.request import OptimizationRequest
from desk.runs.repository import load_events, load_run
from graphs.runs.creation import create_run
from store.embedded import open_store
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.bedrock_run_process import STORED_ANSWERS, execute_run
from tests.processes import EXIT_TIMEOUT, FORK_SERVER

RUN = "same"


def start_process(home: Path, double: Double, deadly: Collection[str] = (), *, before: bool = False) -> Any:
    arguments = (home, RUN, double.url, deadly)
    process = FORK_SERVER.Process(target=execute_run, args=arguments, kwargs={"before": before}, daemon=True)
    process.start()
    return process


class InterruptedRun:
    """A run that is executed repeatedly against a double, which counts its calls.

    `expected_calls` are those of an undisturbed execution. The double delays the first calls of `holds`, and the
    execution that waits for them is killed; repeated calls pass.
    """

    def __init__(self, home: Path, expected_calls: Counter[bytes], *, holds: Counter[bytes] | None = None) -> None:
        self.home = home
        self.held_calls = Counter[bytes]()
        self.lost_calls = Counter[bytes]()
        """Calls whose answers were not stored before a kill."""
        self.stored_calls = Counter[bytes]()
        self.double = Double(embedded(), gate=self._gate)
        self._expected_calls = expected_calls
        self._holds = holds or Counter()
        self._passed = Counter[bytes]()
        self._seen = 0
        self._lock = threading.Lock()
        self._arrived, self._hold = connection.Pipe(duplex=False)

    def __enter__(self) -> Self:
        self.double.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.double.stop()

    @property
    def calls(self) -> Counter[bytes]:
        return Counter(received.digest for received in self.double.received)

    def execute(self, deadly: Collection[str] = (), *, before: bool = False) -> int:
        """Execute the run in a process until it ends or is killed; returns the exit code."""
        process = start_process(self.home, self.double, deadly, before=before)
        ready = connection.wait([self._arrived, process.sentinel], EXIT_TIMEOUT)
        if self._arrived in ready or not ready:
            process.kill()
        process.join()
        assert ready, "the run makes no progress"
        while self._arrived.poll():
            self._arrived.recv_bytes()
        self._count()
        return process.exitcode

    def _gate(self, received: Received) -> None:
        digest = received.digest
        with self._lock:
            holds = self.held_calls[digest] == self._passed[digest] < self._holds[digest]
            (self.held_calls if holds else self._passed)[digest] += 1
        if holds:
            self._hold.send_bytes(digest)
            self.double.stopping.wait()

    def _count(self) -> None:
        """Count the calls since the last count: at most those in flight are lost, and no stored one is repeated."""
        received = self.double.received
        calls = Counter(each.digest for each in received[self._seen :])
        stored = self.stored_calls | _stored_answers(self.home, {each.tool_id(0): each.digest for each in received})
        lost = calls - (stored - self.stored_calls)
        assert all(
            times == 1 and self.stored_calls[digest] < self._expected_calls[digest] for digest, times in lost.items()
        )
        self.lost_calls += lost
        self.stored_calls = stored
        self._seen = len(received)


def _stored_answers(home: Path, digests: dict[str, bytes]) -> Counter[bytes]:
    """Stored answers of each call, from the log and the store; a killed process may not have logged the last one."""
    file = home / STORED_ANSWERS
    documents = file.read_text().splitlines() if file.exists() else []
    return Counter(digests[_tool_call_id(text)] for text in documents) | Counter(
        digests[_tool_call_id(text)] for text in answers_in_store(home)
    )


def _tool_call_id(document: str) -> str:
    """The id of the first tool call, which is unique to an answer of the double."""
    return json.loads(document)["answer"]["messages"][0]["data"]["tool_calls"][0]["id"]


def answers_in_store(home: Path) -> list[str]:
    """Answers of models that the store holds."""
    with closing(sqlite3.connect(home / "store.sqlite", timeout=30)) as store:
        return [text for (text,) in store.execute("SELECT document FROM records WHERE kind = 'answer'")]


async def create_prepared_run(home: Path, request: OptimizationRequest) -> None:
    async with open_dependencies(home) as dependencies:
        await create_run(dependencies, OWNER, request, run_id=RUN)


async def outcome_of(home: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """The digest of a run's result, and its trace."""
    async with open_store(home) as store:
        run = await load_run(store, OWNER, RUN)
        return run.result_digest, [event.comparable() for event in await load_events(store, OWNER, RUN)]


async def run_undisturbed(home: Path, request: OptimizationRequest) -> tuple[Any, Counter[bytes]]:
    """The outcome and the calls of an uninterrupted run."""
    await create_prepared_run(home, request)
    with InterruptedRun(home, Counter()) as run:
        assert await asyncio.to_thread(run.execute) == 0
        assert run.stored_calls == run.calls
        return await outcome_of(home), run.calls
