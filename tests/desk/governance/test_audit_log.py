"""The audit log: every change is detected, and a killed or failed writer leaves it valid."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desk.base.errors import Conflicting
from desk.governance.audit_log import BATCH_SIZE, HEAD, RUN, AuditLog, Entry, Link
from desk.governance.audit_verification import Verification, verify
from store.embedded import open_store
from store.errors import Unavailable
from store.records import Key
from store.store import Store
from tests.doubles.aws import moto, point_at
from tests.store.openers import OPENERS, Opener

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
WRITER = Path(__file__).with_name("audit_writer.py")
SECRET = "k" * 32


def entry(number: int = 0, **changes: Any) -> Entry:
    defaults = {
        "at": datetime(2026, 3, 2, 10, 0, number % 60, tzinfo=UTC),
        "owner": "ann",
        "via": "local",
        "roles": ("analyst",),
        "action": "DELETE /api/threads/{thread}",
        "object": f"threads/{number} é",
        "request": f"r{number}",
        "address": "127.0.0.1",
    }
    return Entry(**defaults | changes)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with moto() as server:
        yield server.url


@pytest.fixture(params=["embedded", pytest.param("aws", marks=pytest.mark.soak)])
def opener(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Opener:
    if request.param == "aws":
        point_at(monkeypatch, request.getfixturevalue("aws"))
    return OPENERS[request.param]


@pytest.fixture
async def store(anyio_backend: str, opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as opened_store:
        yield opened_store


class CallCounter:
    """A port that counts its calls."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        self.calls += 1
        return getattr(self._port, name)


async def test_entries_are_numbered_chained_and_listed(store: Store) -> None:
    log = AuditLog(store)
    assert await verify(store) == Verification(entries=0, hash="", at=None)
    assert await log.page(0, 10) == ([], None)
    third = entry(2)
    assert [await log.append(each) for each in (entry(0), entry(1), third)] == [1, 2, 3]
    entries, after = await log.page(0, 2)
    assert [(each.number, each.object) for each in entries] == [(1, "threads/0 é"), (2, "threads/1 é")]
    assert after == 2
    [last], after = await log.page(2, 2)
    assert after is None
    assert Entry(**last.model_dump(exclude={"number", "hash"})) == third
    assert await verify(store) == Verification(entries=3, hash=last.hash, at="2026-03-02T10:00:02Z")


async def test_concurrent_entries_share_writes(store: Store) -> None:
    events, records = CallCounter(store.events), CallCounter(store.records)
    log = AuditLog(replace(store, events=events, records=records))
    numbers = await asyncio.gather(*(log.append(entry(n)) for n in range(120)))
    assert sorted(numbers) == list(range(1, 121))
    assert events.calls + records.calls <= 10
    assert (await verify(store)).entries == 120


async def test_logs_that_are_written_at_once_stay_one_chain(store: Store) -> None:
    """Append as several processes do, each with its own cached end of the log."""
    logs = [AuditLog(store) for _ in range(3)]
    await asyncio.gather(*(log.append(entry(n)) for n in range(5) for log in logs))
    for n in range(4):
        await logs[n % 3].append(entry(n))
    verification = await verify(store)
    assert (verification.entries, verification.fault) == (19, None)


async def test_a_cancelled_append_does_not_cancel_others(store: Store) -> None:
    log = AuditLog(store)
    tasks = [asyncio.create_task(log.append(entry(n))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert await asyncio.gather(*tasks[1:]) == [2, 3]
    assert (await verify(store)).entries == 3


class Failing:
    """A port of which one method fails, before or after its effect."""

    def __init__(self, port: Any, method: str, *, after: bool = False) -> None:
        self._port, self._method, self._after = port, method, after
        self.failing = True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name != self._method or not self.failing:
            return method

        async def fail(*arguments: Any, **options: Any) -> Any:
            if self._after:
                await method(*arguments, **options)
            raise Unavailable("disk full")

        return fail


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("port", "method"), [("events", "append_many"), ("records", "put"), ("records", "get")])
async def test_an_entry_that_cannot_be_written_is_refused_and_the_next_is_written(
    tmp_path: Path, port: str, method: str, after: bool
) -> None:
    async with open_store(tmp_path) as store:
        failing = Failing(getattr(store, port), method, after=after)
        log = AuditLog(replace(store, **{port: failing}))
        for n in range(2):
            with pytest.raises(Unavailable, match="disk full"):
                await log.append(entry(n))
        failing.failing = False
        await log.append(entry(2))
        verification = await verify(store)
        assert verification.fault is None
        assert verification.entries in (1, 2, 3)  # what was refused may stand there: it was announced and not done
        assert (await log.page(0, 10))[0][-1].object == "threads/2 é"


async def test_a_key_changes_the_hashes_of_the_chain(store: Store) -> None:
    for n in range(2):
        await AuditLog(store).append(entry(n))
    assert "entry before it (or STRATIGOS_AUDIT_KEY" not in str(await verify(store))
    log = AuditLog(store, SECRET)
    for n in range(2):
        await log.append(entry(n))
    verification = await verify(store, SECRET)
    assert verification.fault is not None
    assert verification.fault.number == 1
    assert "without STRATIGOS_AUDIT_KEY" in verification.fault.wrong
    assert (await verify(store, SECRET, keyed_after=2)).entries == 4
    for key, wrong in (("", "STRATIGOS_AUDIT_KEY, which it was made with, is not set"), ("x" * 32, "is not that of")):
        verification = await verify(store, key, keyed_after=2)
        assert verification.fault is not None
        assert (verification.fault.number, verification.fault.following) == (3, 1)
        assert wrong in verification.fault.wrong


async def test_an_earlier_head_detects_a_rewritten_log(tmp_path: Path) -> None:
    async def write_log(home: str, owner: str) -> Verification:
        async with open_store(tmp_path / home) as store:
            log = AuditLog(store)
            for n in range(4):
                await log.append(entry(n, owner=owner))
            return await verify(store)

    earlier = await write_log("one", "ann")
    await write_log("two", "bob")
    link = Link(earlier.entries, earlier.hash)
    async with open_store(tmp_path / "one") as store:
        assert (await verify(store, expected_links=[link])).fault is None
        longer = await verify(store, expected_links=[Link(9, link.hash)])
        assert longer.fault is not None
        assert (longer.fault.number, longer.fault.wrong) == (
            5,
            "it is missing at the end, and the one that was expected is of entry 9",
        )
    async with open_store(tmp_path / "two") as store:
        assert (await verify(store)).fault is None
        verification = await verify(store, expected_links=[link])
    assert verification.fault is not None
    assert verification.fault.number == 4
    assert "written anew" in verification.fault.wrong


# What is done to the stored log


COUNT = 6


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("written")

    async def write() -> None:
        async with open_store(home) as store:
            log = AuditLog(store)
            for n in range(COUNT):
                await log.append(entry(n))

    asyncio.run(write())
    return home


Change = Callable[[sqlite3.Connection], Any]


def verify_after(home: Path, change: Change) -> Verification:
    """The verification after a change, which is then reverted."""
    with closing(sqlite3.connect(home / "store.sqlite", isolation_level=None)) as connection:
        remaining = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("events", "records")}
        connection.execute("BEGIN")
        change(connection)
        connection.execute("COMMIT")
        try:
            return asyncio.run(verify_home(home))
        finally:
            for name, rows in remaining.items():
                connection.execute(f"DELETE FROM {name}")
                connection.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(rows[0]))})", rows)


async def verify_home(home: Path) -> Verification:
    async with open_store(home) as store:
        return await verify(store)


def number_of(verification: Verification) -> int:
    assert verification.fault is not None
    assert verification.entries == max(0, verification.fault.number - 1)
    return verification.fault.number


def payload_of(connection: sqlite3.Connection, number: int) -> bytes:
    return connection.execute("SELECT CAST(payload AS BLOB) FROM events WHERE number = ?", (number,)).fetchone()[0]


@given(number=st.integers(1, COUNT), place=st.integers(0, 10**6), byte=st.integers(0, 255))
@example(number=2, place=30, byte=0xFF)
@example(number=2, place=30, byte=0)
@example(number=2, place=0, byte=ord("["))
@settings(max_examples=40)
def test_a_changed_byte_of_any_entry_is_detected(log_folder: Path, number: int, place: int, byte: int) -> None:
    def change(connection: sqlite3.Connection) -> None:
        payload = bytearray(payload_of(connection, number))
        at = place % len(payload)
        payload[at] = byte if byte != payload[at] else byte ^ 1
        connection.execute("UPDATE events SET payload = CAST(? AS TEXT) WHERE number = ?", (bytes(payload), number))

    verification = verify_after(log_folder, change)
    assert number_of(verification) == number
    assert verification.fault is not None
    assert verification.fault.following == COUNT - number


@given(one=st.integers(1, COUNT), other=st.integers(1, COUNT), whole=st.booleans())
@settings(max_examples=12)
def test_swapped_entries_are_detected(log_folder: Path, one: int, other: int, whole: bool) -> None:
    if one == other:
        return
    columns = "event_id, payload" if whole else "payload"
    holes = ", ".join(f"{name} = ?" for name in columns.split(", "))

    def change(connection: sqlite3.Connection) -> None:
        rows = {
            n: connection.execute(f"SELECT {columns} FROM events WHERE number = ?", (n,)).fetchone()
            for n in (one, other)
        }
        connection.execute("UPDATE events SET event_id = event_id || 'x' WHERE number IN (?, ?)", (one, other))
        for n, row in ((one, rows[other]), (other, rows[one])):
            connection.execute(f"UPDATE events SET {holes} WHERE number = ?", (*row, n))

    assert number_of(verify_after(log_folder, change)) == min(one, other)


@given(number=st.integers(1, COUNT), renumbered=st.booleans())
@settings(max_examples=12)
def test_a_removed_entry_is_detected(log_folder: Path, number: int, renumbered: bool) -> None:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM events WHERE number = ?", (number,))
        if renumbered:  # those after it take its place
            connection.execute("UPDATE events SET number = -number WHERE number > ?", (number,))
            connection.execute("UPDATE events SET number = -number - 1 WHERE number < 0")

    verification = verify_after(log_folder, change)
    assert number_of(verification) == number
    if number == COUNT:
        assert verification.fault is not None
        assert "missing at the end" in verification.fault.wrong


@given(number=st.integers(1, COUNT), place=st.integers(1, COUNT + 1))
@settings(max_examples=12)
def test_a_duplicated_entry_is_detected(log_folder: Path, number: int, place: int) -> None:
    def change(connection: sqlite3.Connection) -> None:
        owner, run, _, id_, payload = connection.execute("SELECT * FROM events WHERE number = ?", (number,)).fetchone()
        connection.execute("UPDATE events SET number = -number WHERE number >= ?", (place,))
        connection.execute("UPDATE events SET number = 1 - number WHERE number < 0")
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", (owner, run, place, f"{id_}x", payload))

    assert number_of(verify_after(log_folder, change)) == place


@pytest.mark.parametrize("count", range(COUNT))
def test_a_truncated_end_is_detected(log_folder: Path, count: int) -> None:
    change = lambda store: store.execute("DELETE FROM events WHERE number > ?", (count,))  # noqa: E731
    verification = verify_after(log_folder, change)
    assert number_of(verification) == count + 1
    assert verification.fault is not None
    assert verification.fault.wrong == f"it is missing at the end, and that of the head is of entry {COUNT}"


@pytest.mark.parametrize("document", ['{"number": 6, "hash": "0"}', '{"number": 7, "hash": "0"}', "{}", "x", "[]"])
def test_a_changed_head_is_detected(log_folder: Path, document: str) -> None:
    verification = verify_after(log_folder, lambda store: store.execute("UPDATE records SET document = ?", (document,)))
    assert verification.fault is not None
    assert verification.fault.number in (0, COUNT, COUNT + 1)


@pytest.mark.parametrize("count", [BATCH_SIZE, BATCH_SIZE + 1])
async def test_a_missing_head_is_detected_once_it_cannot_be_late(tmp_path: Path, count: int) -> None:
    async with open_store(tmp_path) as store:
        await asyncio.gather(*(AuditLog(store).append(entry()) for _ in range(2)))
        log = AuditLog(store)
        await asyncio.gather(*(log.append(entry()) for _ in range(count - 2)))
        await store.records.delete(HEAD)
        assert ((await verify(store)).fault is None) == (count == BATCH_SIZE)
        await AuditLog(store).append(entry())
        assert (await verify(store)).entries == count + 1


async def test_a_truncated_log_accepts_no_entry(tmp_path: Path) -> None:
    """An append would overwrite the evidence of the truncation."""
    async with open_store(tmp_path) as store:
        log = AuditLog(store)
        for n in range(3):
            await log.append(entry(n))
        with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as connection:
            connection.execute("DELETE FROM events WHERE number > 1")
        for each in (log, AuditLog(store)):
            with pytest.raises(Unavailable, match="ends at entry 1, its head at 3; no entry can be added"):
                await each.append(entry(9))
        with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as connection:
            connection.execute("UPDATE events SET payload = '{}'")
        with pytest.raises(Conflicting, match="entry 1 of the audit log is malformed"):
            await log.page(0, 10)
        verification = await verify(store)
        assert verification.fault is not None
        assert verification.fault.number == 1


async def test_changes_of_a_log_in_dynamodb_are_detected(
    aws: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    point_at(monkeypatch, aws)
    from tests.store.openers import clients, name_of

    async with OPENERS["aws"](tmp_path) as store:
        log = AuditLog(store)
        for n in range(4):
            await log.append(entry(n))
        table, _ = clients(aws)

        def place(number: int) -> dict[str, Any]:
            return {"pk": {"S": f"_desk#e#{RUN}"}, "sk": {"S": f"n#{number:019d}"}}

        def item(number: int) -> dict[str, Any]:
            return table.get_item(TableName=name_of(tmp_path), Key=place(number))["Item"]

        async def wrong() -> int:
            verification = await verify(store)
            assert verification.fault is not None
            return verification.fault.number

        second, last = item(2), item(4)
        text = second["text"]["S"]
        for changed in (text.replace("ann", "bob"), text[:-1], text.replace("2026", "2027")):
            table.put_item(TableName=name_of(tmp_path), Item=second | {"text": {"S": changed}})
            assert await wrong() == 2
        table.delete_item(TableName=name_of(tmp_path), Key=place(2))
        assert await wrong() == 2
        with pytest.raises(Conflicting, match="entries after 0 are missing from the audit log"):
            await log.page(0, 3)
        table.put_item(TableName=name_of(tmp_path), Item=second)
        table.delete_item(TableName=name_of(tmp_path), Key=place(4))
        assert await wrong() == 4
        table.put_item(TableName=name_of(tmp_path), Item=last)
        assert (await verify(store)).fault is None


async def test_a_sweep_of_expired_records_keeps_the_log(store: Store) -> None:
    await AuditLog(store).append(entry())
    await store.records.put(Key("ann", "x", "y"), {}, expires=datetime(2020, 1, 1, tzinfo=UTC))
    await store.records.sweep()
    assert (await verify(store)).entries == 1
    assert await store.records.get(HEAD) is not None


# Several processes, and those that die


def start(adapter: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(WRITER), adapter, str(home), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_processes_that_write_at_once_leave_one_chain(tmp_path: Path) -> None:
    writers = [start("embedded", tmp_path, "20") for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    async with open_store(tmp_path) as store:
        verification = await verify(store)
    assert (verification.entries, verification.fault) == (3 * 20 * 5, None)


async def run_killed_writers(home: Path, times: int) -> None:
    """Writers are killed repeatedly, each before or after one of its writes."""
    acknowledged = 0
    for kill in range(times):
        with start("embedded", home, "1000", str(1 + kill * 7 % 9), "after" if kill % 2 else "before") as writer:
            output, _ = writer.communicate(timeout=60)
        assert writer.returncode == -signal.SIGKILL
        acknowledged = max([acknowledged, *map(int, output.split())])
        async with open_store(home) as store:
            verification = await verify(store)
            assert verification.fault is None
            assert verification.entries >= acknowledged
            assert verification.entries > 0 or kill == 0


async def test_the_log_is_valid_after_killed_writers(tmp_path: Path) -> None:
    await run_killed_writers(tmp_path, 5)


@pytest.mark.soak
async def test_the_log_is_valid_after_a_hundred_killed_writers(tmp_path: Path) -> None:
    await run_killed_writers(tmp_path, 100)
