"""Guarantees of the SQLite adapter."""

import asyncio
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.embedded import open_store
from store.errors import NewerSchema, Unavailable
from store.records import Key, Record
from store.sqlite.database import Database
from store.sqlite.events import SqliteEvents
from store.sqlite.migrations import MIGRATIONS
from store.sqlite.records import SWEEP, SqliteRecords, listing

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def database(anyio_backend: str, tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "store.sqlite")
    yield database
    database.close()


async def pragma(database: Database, name: str) -> object:
    """Of the connection that writes."""
    return await database.write(lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0])


async def test_every_commit_is_synced_to_a_write_ahead_log(database: Database) -> None:
    assert await pragma(database, "journal_mode") == "wal"
    assert await pragma(database, "synchronous") == 2  # FULL
    assert await pragma(database, "foreign_keys") == 1
    assert await pragma(database, "user_version") == len(MIGRATIONS)


async def test_a_commit_of_another_process_shows_without_a_query(database: Database, tmp_path: Path) -> None:
    await SqliteEvents(database).append("ann", "run", "first", {})
    before = database.last_write()
    await SqliteEvents(database).last("ann", "run")
    assert database.last_write() == before
    change = "INSERT INTO events (owner, run_id, number, event_id, payload) VALUES ('ann', 'run', 2, 'second', '{}')"
    program = f"import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute({change!r}); c.commit()"
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(tmp_path / "store.sqlite")], check=True)
    assert database.last_write() != before
    assert await SqliteEvents(database).wait("ann", "run", 1, timeout=0)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
async def test_listings_read_one_index_from_the_cursor(database: Database, newest_first: bool, labelled: bool) -> None:
    query = listing(newest_first=newest_first, labelled=labelled)
    values = ("a", "b", *(("state", "new") if labelled else ()), "", "z", 0, 0, 1)
    first, *rest = await database.read(
        lambda connection: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    )
    assert first.startswith("SEARCH place USING ")
    assert ("created<?" if newest_first else "id>?") in first
    assert all(step.startswith("SEARCH records USING INTEGER PRIMARY KEY") for step in rest)
    assert len(rest) == labelled


async def test_a_sweep_reads_only_expired_records(database: Database) -> None:
    plan = await database.write(lambda connection: connection.execute(f"EXPLAIN QUERY PLAN {SWEEP}", (0,)).fetchall())
    assert "SEARCH records USING COVERING INDEX records_by_expiry (expires<?)" in str(plan)


async def test_a_database_of_the_first_schema_keeps_its_records_and_gains_labels(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    MIGRATIONS[0](connection)
    connection.executemany(
        "INSERT INTO records (owner, kind, id, document, version) VALUES ('ann', 'run', ?, ?, ?)",
        [("b", '{"n":1}', 3), ("a", '{"n":2}', 1)],
    )
    connection.execute("INSERT INTO events VALUES ('ann', 'r', 1, 'e', '{}')")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    async with open_store(tmp_path) as store:
        page = await store.records.list("ann", "run", newest_first=True)
        assert page.records == (
            Record(Key("ann", "run", "a"), {"n": 2}, 1),
            Record(Key("ann", "run", "b"), {"n": 1}, 3),
        )
        assert not (await store.records.list("ann", "run", label=("state", "new"))).records
        assert await store.records.put(Key("ann", "run", "b"), {}, expected=3, labels={"state": "new"}) == 4
        (labelled,) = (await store.records.list("ann", "run", label=("state", "new"))).records
        assert labelled.key.id == "b"
        assert await store.events.last("ann", "r") == 1
        assert await store.records.sweep() == 0


async def test_a_database_of_a_newer_version_is_refused_and_unchanged(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        pass
    connection = sqlite3.connect(tmp_path / "store.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = (tmp_path / "store.sqlite").read_bytes()
    with pytest.raises(NewerSchema, match=r"store.sqlite has schema 99, this program supports up to"):
        async with open_store(tmp_path):
            pass
    assert (tmp_path / "store.sqlite").read_bytes() == before


async def test_a_failed_migration_leaves_the_schema_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_store(tmp_path) as store:
        await store.records.put(Key("ann", "run", "1"), {})

    def m999_fails(connection: sqlite3.Connection) -> None:
        connection.execute("DROP TABLE records")
        raise ZeroDivisionError

    monkeypatch.setattr("store.sqlite.migrations.MIGRATIONS", [*MIGRATIONS, m999_fails])
    with pytest.raises(ZeroDivisionError):
        async with open_store(tmp_path):
            pass
    monkeypatch.undo()
    async with open_store(tmp_path) as store:
        assert await store.records.get(Key("ann", "run", "1"))


async def test_a_full_disk_is_unavailable_and_writes_nothing(database: Database) -> None:
    records, events = SqliteRecords(database), SqliteEvents(database)
    pages = await pragma(database, "page_count")
    await pragma(database, f"max_page_count = {pages}")
    with pytest.raises(Unavailable, match="disk full"):
        await records.put(Key("ann", "run", "1"), {"x": "x" * 100_000})
    with pytest.raises(Unavailable, match="disk full"):
        await events.append_many("ann", "r", [("e1", {}), ("e2", {"x": "x" * 100_000})])
    await pragma(database, "max_page_count = 100000")
    assert await events.last("ann", "r") == 0
    assert await records.put(Key("ann", "run", "1"), {"x": "x" * 100_000}, expected=0) == 1


async def test_a_persistent_lock_is_unavailable(database: Database, tmp_path: Path) -> None:
    await pragma(database, "busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    events = SqliteEvents(database)
    with pytest.raises(Unavailable, match="locked by another process"):
        await events.append("ann", "r", "e", {})
    assert await events.last("ann", "r") == 0  # readers are not blocked
    other.execute("ROLLBACK")
    other.close()
    assert await events.append("ann", "r", "e", {}) == 1


async def test_a_read_waits_for_no_write(database: Database, tmp_path: Path) -> None:
    records = SqliteRecords(database)
    key = Key("ann", "run", "1")
    await records.put(key, {"n": 1})
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    writing = asyncio.create_task(records.put(key, {"n": 2}))
    await asyncio.sleep(0)  # the write is begun
    assert await records.get(key) == Record(key, {"n": 1}, 1)
    assert not writing.done()
    other.execute("ROLLBACK")
    other.close()
    assert await writing == 2
    assert await records.get(key) == Record(key, {"n": 2}, 2)


async def test_a_home_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").mkdir()
    with pytest.raises(Unavailable, match="cannot be opened"):
        async with open_store(tmp_path):
            pass


@pytest.mark.soak  # measures a duration
async def test_opening_is_cheap(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        pass
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        async with open_store(tmp_path):
            best = min(best, time.perf_counter() - start)
    assert best < 0.02


def test_importing_the_store_imports_nothing_heavy() -> None:
    code = "import sys, store.store; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"numpy", "pandas", "numba", "scipy", "langgraph", "pyarrow", "pydantic", "boto3"}
    assert not heavy & set(modules)
