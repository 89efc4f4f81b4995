"""Kill -9 while models are asked: what a model answered and the store has is never asked for again."""

import asyncio
import json
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from multiprocessing import connection, get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from desk.optimization.request import OptimizationRequest
from graphs.runs.execution import create_run
from graphs.runs.repository import events_of, run_of
from store.store import open_store
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.bedrock_run_process import STORED, execute_run

RUN = "same"
DEADLY = ("model_answered", "node_finished")
PATIENCE = 60.0

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

# each execution is a process of its own, forked from one that has imported everything
FRESH = get_context("forkserver")
HEAVY = [
    "agents.models.bedrock",
    "exchange_calendars",
    "numba.np.linalg",
    "numba.typed",
    "scipy.linalg",
    "desk.optimization.judgement.judge",
    "desk.optimization.search.search",
]
FRESH.set_forkserver_preload(["tests.journeys.bedrock_run_process", *HEAVY])


def start(home: Path, double: Double, deadly: Collection[str] = (), *, before: bool = False) -> Any:
    given = (home, RUN, double.url, deadly)
    process = FRESH.Process(target=execute_run, args=given, kwargs={"before": before}, daemon=True)
    process.start()
    return process


class Interrupted:
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
        process = start(self.home, self.double, deadly, before=before)
        ready = connection.wait([self._arrived, process.sentinel], PATIENCE)
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
        stored = self.stored | _stored(self.home, {each.tool_id(0): each.digest for each in received})
        lost = asked - (stored - self.stored)
        assert all(times == 1 and self.stored[digest] < self._wanted[digest] for digest, times in lost.items())
        self.lost += lost
        self.stored = stored
        self._seen = len(received)


def _stored(home: Path, digests: dict[str, bytes]) -> Counter[bytes]:
    """How often the answer to each call came to the store; who should write down the last may have died before."""
    file = home / STORED
    told = file.read_text().splitlines() if file.exists() else []
    return Counter(digests[_tool(text)] for text in told) | Counter(digests[_tool(text)] for text in kept(home))


def _tool(document: str) -> str:
    """The id of the first tool call, by which the double marks its answer."""
    return json.loads(document)["answer"]["messages"][0]["data"]["tool_calls"][0]["id"]


def kept(home: Path) -> list[str]:
    """The answers that are in the store now."""
    with closing(sqlite3.connect(home / "store.sqlite", timeout=30)) as store:
        return [text for (text,) in store.execute("SELECT document FROM records WHERE kind = 'answer'")]


async def prepare(home: Path, request: OptimizationRequest) -> None:
    async with open_dependencies(home) as dependencies:
        await create_run(dependencies, OWNER, request, run_id=RUN)


async def outcome(home: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """What a run came to: the digest of its result, and its trace."""
    async with open_store(home) as store:
        run = await run_of(store, OWNER, RUN)
        return run.result_digest, [event.comparable() for event in await events_of(store, OWNER, RUN)]


async def calm(home: Path, request: OptimizationRequest) -> tuple[Any, Counter[bytes]]:
    """What the run comes to when nobody disturbs it, and what it asks."""
    await prepare(home, request)
    with Interrupted(home, Counter()) as run:
        assert await asyncio.to_thread(run.execute) == 0
        assert run.stored == run.asked
        return await outcome(home), run.asked


async def ended(process: Any) -> int | None:
    await asyncio.to_thread(process.join, PATIENCE)
    return process.exitcode


@pytest.mark.soak
async def test_a_run_killed_at_every_node_and_call_asks_for_nothing_that_was_stored(tmp_path, small) -> None:
    expected, wanted = await calm(tmp_path / "calm", small())
    home = tmp_path / "rough"
    await prepare(home, small())
    with Interrupted(home, wanted, holds=wanted) as run:
        codes = [await asyncio.to_thread(run.execute, DEADLY)]
        while codes[-1] == -signal.SIGKILL:
            codes.append(await asyncio.to_thread(run.execute, DEADLY))
        assert codes[-1] == 0
        assert run.held == run.stored == wanted
        assert run.asked == wanted + run.lost
    assert await outcome(home) == expected
    assert len(codes) > sum(event["event"] in DEADLY for event in expected[1])
    assert kept(home) == []


@pytest.mark.soak
async def test_two_processes_with_the_same_run_ask_no_more_than_each_alone(tmp_path, small) -> None:
    expected, wanted = await calm(tmp_path / "calm", small())
    await prepare(tmp_path / "both", small())
    with Double(embedded()) as double:
        both = [start(tmp_path / "both", double), start(tmp_path / "both", double)]
        assert [await ended(process) for process in both] == [0, 0]
    asked = Counter(received.digest for received in double.received)
    assert not wanted - asked
    assert asked.total() <= 2 * wanted.total()  # the slower one may see a later state of the search, and ask about that
    assert await outcome(tmp_path / "both") == expected
    assert kept(tmp_path / "both") == []


@pytest.mark.soak
async def test_a_process_that_is_overtaken_tells_nothing_of_an_answer_that_does_not_count(tmp_path, small) -> None:
    home, held, ended_elsewhere = tmp_path / "late", threading.Event(), threading.Event()
    await prepare(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] == "optimizer" and not held.is_set():
            held.set()
            ended_elsewhere.wait(PATIENCE)

    with Double(embedded(), gate=gate) as double:
        late = start(home, double)
        assert await asyncio.to_thread(held.wait, PATIENCE)
        assert await ended(start(home, double)) == 0
        told = await outcome(home)
        ended_elsewhere.set()
        assert await ended(late) == 0
    assert await outcome(home) == told
    assert kept(home) == []


@pytest.mark.soak
async def test_an_answer_that_comes_after_the_end_of_its_run_is_not_kept(tmp_path, small) -> None:
    home = tmp_path / "late"
    held, ended_elsewhere, asked_again = threading.Event(), threading.Event(), threading.Event()
    await prepare(home, small())

    def gate(received: Received) -> None:
        if received.body["requestMetadata"]["agent"] != "risk_manager":
            return
        if not held.is_set():
            held.set()
            ended_elsewhere.wait(PATIENCE)
        elif ended_elsewhere.is_set():
            asked_again.set()
            double.stopping.wait()

    with Double(embedded(), gate=gate) as double:
        late = start(home, double)
        assert await asyncio.to_thread(held.wait, PATIENCE)
        assert await ended(start(home, double)) == 0
        told = await outcome(home)
        ended_elsewhere.set()
        assert await asyncio.to_thread(asked_again.wait, PATIENCE)
        late.kill()
        assert await ended(late) == -signal.SIGKILL
        assert len(kept(home)) == 1
        assert await ended(start(home, double)) == 0
    assert kept(home) == []
    assert await outcome(home) == told
