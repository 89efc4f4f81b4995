"""The audit log: chains of writers, their pages and their anchors; a killed or failed writer leaves it valid."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desk.base.clock import utc_now
from desk.base.errors import Conflicting
from desk.governance.audit_anchors import INTERVAL, anchor_chains
from desk.governance.audit_chains import Link
from desk.governance.audit_entries import Entry
from desk.governance.audit_faults import Unanchored
from desk.governance.audit_log import BATCH_SIZE, AuditLog
from desk.governance.audit_verification import Verification, verify
from store.embedded import open_store
from store.errors import Unavailable
from store.records import Key
from store.store import Store
from tests.desk.governance.audit_samples import entry, write_single_chain
from tests.doubles.aws import moto, point_at
from tests.store.openers import OPENERS, Opener

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
WRITER = Path(__file__).with_name("audit_writer.py")
SECRET = "k" * 32
AT_ONCE = timedelta(0)


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


async def places(log: AuditLog) -> list[str]:
    """The places of all entries, read in pages of three."""
    page = await log.page(None, 3)
    read = [each.place for each in page.entries]
    while page.after is not None:
        page = await log.page(page.after, 3)
        read += [each.place for each in page.entries]
    return read


async def test_entries_are_numbered_chained_and_listed(store: Store) -> None:
    log = AuditLog(store)
    assert await verify(store) == Verification(entries=0, chains=0, anchors=0, hash="", at=None)
    assert await log.page(None, 10) == ([], None)
    third = entry(2)
    written = [await log.append(each) for each in (entry(0), entry(1), third)]
    entries, after = await log.page(None, 2)
    assert [(each.number, each.place, each.object) for each in entries] == [
        (1, written[0], "threads/0 é"),
        (2, written[1], "threads/1 é"),
    ]
    assert after == written[1]
    [last], after = await log.page(after, 2)
    assert after is None
    assert Entry(**last.model_dump(exclude={"number", "hash", "chain", "place"})) == third
    waiting = (Unanchored(chain=last.chain, first=1, last=3),)
    verification = Verification(entries=3, chains=1, anchors=0, hash="", at="2026-03-02T10:00:02Z", unanchored=waiting)
    assert await verify(store) == verification


async def test_concurrent_entries_share_writes(store: Store) -> None:
    events, records = CallCounter(store.events), CallCounter(store.records)
    log = AuditLog(replace(store, events=events, records=records))
    written = await asyncio.gather(*(log.append(entry(n)) for n in range(120)))
    assert events.calls + records.calls == 3  # batches of 50
    assert list(written) == sorted(written)
    assert (await verify(store)).entries == 120


async def test_each_writer_has_a_chain_and_the_list_is_in_order_of_time(store: Store) -> None:
    logs = [AuditLog(store) for _ in range(4)]
    written = [await log.append(entry(n)) for n in range(3) for log in logs]
    assert await places(logs[0]) == written
    verification = await verify(store)
    assert (verification.entries, verification.chains, verification.fault) == (12, 4, None)


async def test_a_cancelled_append_does_not_cancel_others(store: Store) -> None:
    log = AuditLog(store)
    tasks = [asyncio.create_task(log.append(entry(n))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert [place.rpartition(".")[2] for place in await asyncio.gather(*tasks[1:])] == ["2", "3"]
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
async def test_an_entry_that_cannot_be_written_is_refused_and_the_next_is_written(tmp_path: Path, after: bool) -> None:
    async with open_store(tmp_path) as store:
        failing = Failing(store.records, "put_many", after=after)
        log = AuditLog(replace(store, records=failing))
        for n in range(2):
            with pytest.raises(Unavailable, match="disk full"):
                await log.append(entry(n))
        failing.failing = False
        await log.append(entry(2))
        verification = await verify(store)
        assert verification.fault is None
        assert verification.entries == (3 if after else 1)  # what was refused may be there: it was announced, not done
        assert (await log.page(None, 10)).entries[-1].object == "threads/2 é"


async def test_an_anchor_covers_the_chains_that_have_grown(store: Store) -> None:
    now = utc_now()
    logs = [AuditLog(store) for _ in range(3)]
    await asyncio.gather(*(log.append(entry(n)) for n in range(5) for log in logs))
    assert await anchor_chains(store, "", now) == 3
    await logs[0].append(entry(5))
    assert await anchor_chains(store, "", now + INTERVAL / 2) == 0
    [waiting] = (await verify(store)).unanchored
    assert (waiting.first, waiting.last) == (6, 6)
    assert await anchor_chains(store, "", now + INTERVAL) == 1
    assert await anchor_chains(store, "", now + 2 * INTERVAL) == 0
    verification = await verify(store)
    assert (verification.anchors, verification.unanchored, verification.fault) == (2, (), None)
    assert (await verify(store, expected_links=[Link(2, verification.hash)])).fault is None
    later = [await anchor_chains(store, "", now + timedelta(days=n), interval=AT_ONCE) for n in (1, 2, 40)]
    assert later == [0, 0, 0]


async def test_processes_that_anchor_at_once_leave_one_chain_of_anchors(store: Store) -> None:
    for n in range(4):
        await AuditLog(store).append(entry(n))
        anchored = await asyncio.gather(*(anchor_chains(store, "", utc_now(), interval=AT_ONCE) for _ in range(4)))
        assert sum(anchored) == 1
    verification = await verify(store)
    assert (verification.anchors, verification.unanchored, verification.fault) == (4, (), None)


async def test_anchors_of_several_months_are_one_chain(store: Store) -> None:
    log = AuditLog(store)
    for days in (0, 20, 40, 400):
        await log.append(entry())
        assert await anchor_chains(store, "", utc_now() + timedelta(days=days)) == 1
    verification = await verify(store)
    assert (verification.anchors, verification.fault) == (4, None)


async def test_a_key_changes_the_hashes_of_the_chains(store: Store) -> None:
    await AuditLog(store).append(entry(0))
    await anchor_chains(store, "", utc_now(), interval=AT_ONCE)
    set_at = datetime.now(UTC)
    log = AuditLog(store, SECRET)
    for n in range(2):
        await log.append(entry(n))
    await anchor_chains(store, SECRET, utc_now(), interval=AT_ONCE)
    verification = await verify(store, SECRET)
    assert verification.fault is not None
    assert (await verify(store, SECRET, keyed_since=set_at)).fault is None
    for key, wrong in (("", "STRATIGOS_AUDIT_KEY, which it was made with, is not set"), ("x" * 32, "is not that of")):
        verification = await verify(store, key, keyed_since=set_at)
        assert verification.fault is not None
        assert wrong in verification.fault.wrong or verification.fault.chain == "anchors"
        assert verification.fault.number in (1, 2)


async def test_a_log_of_the_single_chain_is_read_verified_and_anchored(store: Store) -> None:
    end = await write_single_chain(store, 4)
    verification = await verify(store)
    assert (verification.entries, verification.chains, verification.fault) == (4, 1, None)
    assert verification.unanchored == (Unanchored(chain="", first=1, last=4),)
    log = AuditLog(store)
    place = await log.append(entry(4))
    assert await places(log) == ["1", "2", "3", "4", place]
    assert await anchor_chains(store, "", utc_now()) == 2
    end = await write_single_chain(store, 2, previous=end, first=5)  # by a process of the earlier version
    assert [each.chain for each in (await verify(store)).unanchored] == [""]
    assert await places(log) == ["1", "2", "3", "4", "5", "6", place]
    assert (await verify(store, expected_links=[Link(6, end)])).fault is None
    for wrong in (Link(6, "0" * 64), Link(9, end)):
        fault = (await verify(store, expected_links=[wrong])).fault
        assert fault is not None
        assert ("missing at the end" in fault.wrong) == (wrong.number == 9)


async def test_a_key_of_the_single_chain_is_still_known(store: Store) -> None:
    end = await write_single_chain(store, 2)
    await write_single_chain(store, 2, key=SECRET, previous=end, first=3)
    assert (await verify(store, SECRET, keyed_after=2)).fault is None
    fault = (await verify(store, SECRET)).fault
    assert fault is not None
    assert (fault.number, fault.following, "--keyed-after" in fault.wrong) == (1, 3, True)


async def test_a_page_of_a_damaged_log_is_refused(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        log = AuditLog(store)
        await log.append(entry())
        [written] = (await log.page(None, 1)).entries
        day, suffix = written.chain.split(".")
        kind = f"audit-{day}-{int(suffix[-2:], 16) % 8}"
        await store.records.put(Key("_desk", kind, written.place), {"entry": "{}", "hash": ""})
        with pytest.raises(Conflicting, match="is malformed; run `python -m api audit verify`"):
            await log.page(None, 10)


async def test_a_sweep_of_expired_records_keeps_the_log(store: Store) -> None:
    await AuditLog(store).append(entry())
    await store.records.put(Key("ann", "x", "y"), {}, expires=datetime(2020, 1, 1, tzinfo=UTC))
    await store.records.sweep()
    assert (await verify(store)).entries == 1


# Several processes, and those that die


def start(adapter: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(WRITER), adapter, str(home), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_processes_write_chains_of_their_own(tmp_path: Path) -> None:
    writers = [start("embedded", tmp_path, "20") for _ in range(3)]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    async with open_store(tmp_path) as store:
        verification = await verify(store)
    assert (verification.entries, verification.chains, verification.fault) == (3 * 20 * 5, 3, None)


async def run_killed_writers(home: Path, times: int) -> None:
    """Writers are killed repeatedly, each before or after one of its writes; nothing is lost or doubled."""
    acknowledged: list[str] = []
    for kill in range(times):
        with start("embedded", home, "1000", str(1 + kill * 7 % 9), "after" if kill % 2 else "before") as writer:
            output, _ = writer.communicate(timeout=60)
        assert writer.returncode == -signal.SIGKILL
        acknowledged += output.split()
    async with open_store(home) as store:
        verification = await verify(store)
        assert verification.fault is None
        stored = await places(AuditLog(store))
    assert len(stored) == len(set(stored)) == verification.entries
    assert set(acknowledged) <= set(stored)
    assert len(stored) - len(acknowledged) <= 5 * times


async def test_the_log_is_valid_after_killed_writers(tmp_path: Path) -> None:
    await run_killed_writers(tmp_path, 5)


@pytest.mark.soak
async def test_the_log_is_valid_after_a_hundred_killed_writers(tmp_path: Path) -> None:
    await run_killed_writers(tmp_path, 100)


def test_a_batch_and_its_chain_fit_into_a_transaction() -> None:
    assert BATCH_SIZE + 2 <= 100
