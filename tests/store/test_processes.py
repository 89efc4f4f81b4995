"""Several processes with one store, and `kill -9` of a writer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import Missing
from store.events import Event
from store.records import iterate_records
from store.store import Store
from tests.store.openers import Opener
from tests.store.writer import content

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).with_name("writer.py")


def start(adapter: str, home: Path, name: str, first: int, last: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(WRITER), adapter, str(home), name, str(first), str(last)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def whole_log(store: Store) -> list[Event]:
    events: list[Event] = []
    while page := await store.events.read("ann", "run", len(events)):
        events += page
    return events


async def test_processes_that_append_at_once_leave_one_log_without_gaps(
    adapter: str, opener: Opener, tmp_path: Path
) -> None:
    async with opener(tmp_path):
        pass  # creates the table
    count, each = (4, 40) if adapter == "embedded" else (2, 12)
    writers = [start(adapter, tmp_path, f"w{n}", 0, each) for n in range(count)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    async with opener(tmp_path) as store:
        events = await whole_log(store)
    assert [event.number for event in events] == list(range(1, (count + 1) * each + 1))
    names = [f"w{n}" for n in range(count)] + ["shared"]
    assert {event.event_id for event in events} == {f"{w}-{n}" for w in names for n in range(each)}


async def test_a_killed_writer_loses_no_acknowledged_write(adapter: str, opener: Opener, tmp_path: Path) -> None:
    async with opener(tmp_path):
        pass
    acknowledged, kills, step = (0, 5, 7) if adapter == "embedded" else (0, 2, 4)
    for kill in range(kills):
        with start(adapter, tmp_path, "w", max(acknowledged - 3, 0), 100_000) as writer:
            assert writer.stdout is not None
            for _ in range(5 + step * kill):
                acknowledged = int(writer.stdout.readline()) + 1
            writer.kill()
            acknowledged = max([acknowledged, *(int(line) + 1 for line in writer.stdout if line.endswith("\n"))])

        async with opener(tmp_path) as store:
            events = await whole_log(store)
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            ids = [event.event_id for event in events]
            assert len(set(ids)) == len(ids)
            assert {f"{w}-{n}" for w in ("w", "shared") for n in range(acknowledged)} <= set(ids)

            records = [record async for record in iterate_records(store.records, "ann", "w")]
            assert [record.document["n"] for record in records] == list(range(len(records)))
            assert len(records) >= acknowledged
            assert {record.version for record in records} == {1}

            for n in range(acknowledged):
                assert await store.blobs.get(f"ann/w/{n}") == content(n)
            try:  # the write that was in flight
                assert await store.blobs.get(f"ann/w/{acknowledged}") == content(acknowledged)
            except Missing:
                continue
    assert acknowledged >= 5 + step * (kills - 1)
