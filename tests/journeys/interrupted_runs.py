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
from desk.runs.repository import events_of, run_of
from graphs.runs.creation import create_run
from store.embedded import open_store
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.bedrock_run_process import STORED, execute_run
from tests.processes import EXIT_TIMEOUT, FORK_SERVER

RUN = "same"


def start_process(home: Path, double: Double, deadly: Collection[str] = (), *, before: bool = False) -> Any:
    arguments = (home, RUN, double.url, deadly)
    process = FORK_SERVER.Process(target=execute_run, args=arguments, kwargs={"before": before}, daemon=True)
    process.start()
    return process


class InterruptedRun:
    """A run that is executed again and again against a double, which counts what it asks.

    `wanted` are the calls of an execution that nobody disturbs. Those of `holds` are held when they come first, and
    the execution that waits for them is killed; when they come again they pass.
    """

    def __init__(self, home: Path, wanted: Counter[bytes], *, holds: Counter[bytes] | None = None) -> None:
        self.home = home
        self.held = Counter[bytes]()
        self.lost = Counter[bytes]()
        """Calls whose answers no execution lived to store."""
        self.stored = Counter[bytes]()
        self.double = Double(embedded(), gate=self._gate)
        self._wanted = wanted
        self._holds = holds or Counter()
        self._passed = Counter[bytes]()
        self._seen = 0
        self._lock = threading.Lock()
        self._arrived, self._hold = connection.Pipe(duplex=False)

    def __enter__(self) -> Self:
        self.double.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, _: TracebackType | None) -> None:
        self.double.stop()

    @property
    def asked(self) -> Counter[bytes]:
        return Counter(received.digest for received in self.double.received)

    def execute(self, deadly: Collection[str] = (), *, before: bool = False) -> int:
        """The code with which a process ends that executes the run until it is killed or through."""
        process = start_process(self.home, self.double, deadly, before=before)
        ready = connection.wait([self._arrived, process.sentinel], EXIT_TIMEOUT)
        if self._arrived in ready or not ready:
            process.kill()
        process.join()
        assert ready, "the run stands still"
        while self._arrived.poll():
            self._arrived.recv_bytes()
        self._count()
        return process.exitcode

    def _gate(self, received: Received) -> None:
        digest = received.digest
        with self._lock:
            holds = self.held[digest] == self._passed[digest] < self._holds[digest]
            (self.held if holds else self._passed)[digest] += 1
        if holds:
            self._hold.send_bytes(digest)
            self.double.stopping.wait()

    def _count(self) -> None:
        """Of the calls since the last count, at most those in flight are not stored, and none was stored before."""
        received = self.double.received
        asked = Counter(each.digest for each in received[self._seen :])
        stored = self.stored | _stored_answers(self.home, {each.tool_id(0): each.digest for each in received})
        lost = asked - (stored - self.stored)
        assert all(times == 1 and self.stored[digest] < self._wanted[digest] for digest, times in lost.items())
        self.lost += lost
        self.stored = stored
        self._seen = len(received)


def _stored_answers(home: Path, digests: dict[str, bytes]) -> Counter[bytes]:
    """How often the answer to each call came to the store; who should write down the last may have died before."""
    file = home / STORED
    documents = file.read_text().splitlines() if file.exists() else []
    return Counter(digests[_tool_call_id(text)] for text in documents) | Counter(
        digests[_tool_call_id(text)] for text in answers_in_store(home)
    )


def _tool_call_id(document: str) -> str:
    """The id of the first tool call, by which the double marks its answer."""
    return json.loads(document)["answer"]["messages"][0]["data"]["tool_calls"][0]["id"]


def answers_in_store(home: Path) -> list[str]:
    """The answers that are in the store now."""
    with closing(sqlite3.connect(home / "store.sqlite", timeout=30)) as store:
        return [text for (text,) in store.execute("SELECT document FROM records WHERE kind = 'answer'")]


async def create_prepared_run(home: Path, request: OptimizationRequest) -> None:
    async with open_dependencies(home) as dependencies:
        await create_run(dependencies, OWNER, request, run_id=RUN)


async def outcome_of(home: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """What a run came to: the digest of its result, and its trace."""
    async with open_store(home) as store:
        run = await run_of(store, OWNER, RUN)
        return run.result_digest, [event.comparable() for event in await events_of(store, OWNER, RUN)]


async def run_undisturbed(home: Path, request: OptimizationRequest) -> tuple[Any, Counter[bytes]]:
    """What the run comes to when nobody disturbs it, and what it asks."""
    await create_prepared_run(home, request)
    with InterruptedRun(home, Counter()) as run:
        assert await asyncio.to_thread(run.execute) == 0
        assert run.stored == run.asked
        return await outcome_of(home), run.asked
