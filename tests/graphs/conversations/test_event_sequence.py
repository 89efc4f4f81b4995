"""The event sequence of a turn and its runs is the same during and after the execution."""

import asyncio
from datetime import UTC, datetime

import pytest

from desk.governance.approvals import DEFAULT_THRESHOLDS, ApprovalRequest
from desk.governance.usage import Usage
from desk.runs.events.agents import ToolReturned
from desk.runs.events.approvals import ApprovalRequested
from desk.runs.events.conversation import RunLaunched, TurnFinished, TurnPaused, TurnStarted
from desk.runs.events.run import NodeStarted, RunFailed, RunFinished
from graphs.conversations.event_sequence import turn_events
from graphs.runs.event_log import EventLog
from graphs.streaming.followers import LogFollowers
from store.embedded import open_store
from store.records import Key
from store.store import Store

pytestmark = pytest.mark.anyio

OWNER, TURN = "local", "talk-1"
NOW = datetime(2026, 1, 5, tzinfo=UTC)
ASKED = ApprovalRequest(
    subject="launch", estimate=None, exceeded=("evaluations",), thresholds=DEFAULT_THRESHOLDS, at=NOW
)
IN_TURN = {"conversation": "talk", "turn": 1}

KINDS = {
    "started": (TurnStarted, {**IN_TURN, "model": "m"}),
    "launched a": (RunLaunched, {"launched": "a", "name": "A"}),
    "launched b": (RunLaunched, {"launched": "b", "name": "B"}),
    "paused a": (TurnPaused, {**IN_TURN, "waits_for": "a", "subject": "launch"}),
    "paused b": (TurnPaused, {**IN_TURN, "waits_for": "b", "subject": "launch"}),
    "returned": (ToolReturned, {"agent": "assistant", "tool": "t", "result_digest": "d", "figures": ()}),
    "finished": (TurnFinished, {**IN_TURN, "outcome": "answered", "usage": Usage()}),
    "failed": (RunFailed, {"code": "fault", "kind": "OSError"}),
    "asks": (ApprovalRequested, {"asked": ASKED}),
    "prepare": (NodeStarted, {}),
    "search": (NodeStarted, {}),
    "ends": (RunFinished, {"result_digest": "d"}),
}
STATES = {"finished": "completed", "failed": "failed", "ends": "completed"}


class Logs:
    """Logs of a turn and of the runs `a` and `b`; writes `event` of the turn, or `run: event`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._logs = {log: EventLog(store, OWNER, log, [], now=lambda: NOW) for log in (TURN, "a", "b")}
        self.told: dict[str, str] = {}

    async def open(self) -> None:
        for log in self._logs:
            await self._state(log, "running")

    async def write(self, line: str) -> None:
        log, name = line.split(": ") if ": " in line else (TURN, line)
        kind, fields = KINDS[name]
        event = self._logs[log].make(kind, name, 0, 0, **fields)
        self.told[event.id] = line
        await self._logs[log].append(event)
        if name in STATES:
            await self._state(log, STATES[name])

    async def _state(self, log: str, state: str) -> None:
        key = Key(OWNER, "turn", "talk.000001") if log == TURN else Key(OWNER, "run", log)
        await self._store.records.put(key, {"state": state})


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "started, launched a, a: prepare, a: ends, returned, finished",
            "started, launched a, a: prepare, a: ends, returned, finished",
        ),
        (  # two at once: one after the other
            "launched a, launched b, b: prepare, a: prepare, b: ends, a: ends, finished",
            "launched a, a: prepare, a: ends, launched b, b: prepare, b: ends, finished",
        ),
        (  # both wait for a person, who decides them in order
            "launched a, launched b, a: asks, b: asks, paused a, a: search, a: ends, "
            "paused b, b: search, b: ends, returned, finished",
            "launched a, a: asks, launched b, b: asks, paused a, a: search, a: ends, "
            "paused b, b: search, b: ends, returned, finished",
        ),
        (  # decided before the turn waits
            "launched a, a: asks, a: search, a: ends, returned, finished",
            "launched a, a: asks, a: search, a: ends, returned, finished",
        ),
        (  # the turn failed, and its run is not resumed
            "launched a, a: prepare, failed",
            "launched a, a: prepare, failed",
        ),
        (
            "launched a, a: prepare, a: failed, failed",
            "launched a, a: prepare, a: failed, failed",
        ),
    ],
)
async def test_the_order_depends_on_the_stored_logs_only(tmp_path, written: str, told: str):
    async with open_store(tmp_path) as store:
        logs, following = Logs(store), LogFollowers(store)
        await logs.open()

        async def read() -> list[str]:
            return [logs.told[live.event.id] async for live in turn_events(following, OWNER, TURN)]

        live = asyncio.create_task(read())
        for line in written.split(", "):
            await logs.write(line)
            await asyncio.sleep(0.005)
        assert await live == told.split(", ")
        assert await read() == told.split(", ")
        await following.aclose()
