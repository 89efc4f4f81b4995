"""The SQLite file of the store, which processes may share: its connections, threads, transactions and errors."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from store.errors import Corrupted, Unavailable
from store.sqlite.migrations import migrate, transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_SECONDS = 20.0
FAILURES = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "disk error",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "read-only",
}


class Database:
    """One connection that writes and one that reads, each used by one thread.

    A transaction is one function that runs in its thread, so no lock is needed. A read waits neither for the lock of
    another process nor for the disk, as a write may. aiosqlite switches threads for every statement and needs a lock
    around a transaction.
    """

    def __init__(self, writer: "_Connection", reader: "_Connection", path: Path) -> None:
        self._writer = writer
        self._reader = reader
        self._log = path.with_name(f"{path.name}-wal")

    @classmethod
    async def open(cls, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> "Database":
        """Open or create the file; a writer waits `busy_seconds` for a lock before it raises `Unavailable`."""
        writer = await _Connection.open("store", partial(_connect, path, busy_seconds))
        try:
            reader = await _Connection.open("store-reads", partial(_connect_reader, path, busy_seconds))
        except BaseException:
            writer.close()
            raise
        return cls(writer, reader, path)

    def last_write(self) -> tuple[int, int]:
        """Time and size of the write-ahead log, which a commit of any process changes."""
        try:
            state = self._log.stat()
        except FileNotFoundError:  # nothing is written yet
            return 0, 0
        return state.st_mtime_ns, state.st_size

    def close(self) -> None:
        """Close after the work in progress; it blocks, so that a cancelled task closes too."""
        self._reader.close()
        self._writer.close()

    async def read(self, work: Work[T]) -> T:
        """Run `work` on the last commit."""
        return await self._reader.run(work)

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction, durable on return and rolled back on an error."""

        def transact(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        return await self._writer.run(transact)


class _Connection:
    """A connection and the only thread that uses it."""

    def __init__(self, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self._thread = thread
        self._connection = connection

    @classmethod
    async def open(cls, name: str, connect: Callable[[], sqlite3.Connection]) -> "_Connection":
        thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        try:
            connection = await asyncio.get_running_loop().run_in_executor(thread, connect)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(thread, connection)

    async def run(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def close(self) -> None:
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    def _run(self, work: Work[T]) -> T:
        with translate_errors():
            return work(self._connection)


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with translate_errors():
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _prepare(connection, busy_seconds)
            migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _connect_reader(path: Path, busy_seconds: float) -> sqlite3.Connection:
    with translate_errors():
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, busy_seconds: float) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # NORMAL survives kill -9 too, but a power failure could lose events that the graph's
    # checkpoint, synced in its own file, records as written; the sync costs 0.2 ms
    connection.execute("PRAGMA synchronous = FULL")
    # overwrite deleted data, so that a refused draft leaves nothing in the file
    connection.execute("PRAGMA secure_delete = ON")
    _use_wal(connection, busy_seconds)


def _use_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # of two processes that open a new file at once, SQLite refuses one without waiting
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def translate_errors() -> Generator[None]:
    """Raise `Unavailable` for errors that a retry may solve, and `Corrupted` for what cannot be decoded."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not hasattr(error, "sqlite_errorcode"):  # raised by Python, which cannot decode a text
            raise Corrupted(f"a stored value is not text: {error}") from error
        cause = FAILURES.get(error.sqlite_errorcode & 0xFF)  # the low byte is the primary code
        if cause is None:
            raise
        raise Unavailable(f"the database is unavailable ({cause}): {error}") from error
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise
        raise Corrupted(f"the database is damaged: {error}") from error
