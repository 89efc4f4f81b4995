"""Records and events in one SQLite file that many processes may share."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from store.errors import Conflict, Corrupted, Invalid, Unavailable
from store.events import MAX_PAGE as MAX_EVENTS
from store.events import Event, conflict
from store.keys import (
    ABOVE_EVERY_ID,
    LARGEST,
    Key,
    check_id,
    check_kind,
    check_label,
    check_log,
    check_owner,
    check_prefix,
    check_range,
)
from store.listeners import Listeners
from store.records import MAX_PAGE, LabelName, Labels, Page, Put, Record, check_batch
from store.serialization import Document, decode, encode
from store.sqlite.migrations import migrate, transaction

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_SECONDS = 20.0
POLL_SECONDS = 0.25
NEVER = 1e300
FAULTS = {
    sqlite3.SQLITE_BUSY: "locked by another process",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_FULL: "disk full",
    sqlite3.SQLITE_IOERR: "disk error",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened",
    sqlite3.SQLITE_READONLY: "read-only",
}


class Database:
    """One connection in one thread.

    A whole transaction is one function run there, so coroutines, threads and event loops never
    meet inside it; aiosqlite would hop once per statement and need a lock around them.
    """

    def __init__(self, thread: ThreadPoolExecutor, connection: sqlite3.Connection) -> None:
        self._thread = thread
        self._connection = connection

    @classmethod
    async def open(cls, path: Path, *, busy_seconds: float = BUSY_SECONDS) -> "Database":
        """A writer that finds the file locked waits for `busy_seconds` before it is `Unavailable`."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        try:
            loop = asyncio.get_running_loop()
            connection = await loop.run_in_executor(thread, _connect, path, busy_seconds)
        except BaseException:
            thread.shutdown(wait=False)
            raise
        return cls(thread, connection)

    def close(self) -> None:
        """Blocking, so that a cancelled task closes too; waits for the work already begun."""
        self._thread.submit(self._connection.close).result()
        self._thread.shutdown()

    async def read(self, work: Work[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    async def write(self, work: Work[T]) -> T:
        """Run in a transaction that is on the disk when this returns, or has left no trace."""

        def transact(connection: sqlite3.Connection) -> T:
            with transaction(connection):
                return work(connection)

        return await self.read(transact)

    def _run(self, work: Work[T]) -> T:
        with faults():
            return work(self._connection)


class SqliteRecords:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(
        self,
        key: Key,
        document: Document,
        *,
        expected: int | None = None,
        labels: Labels | None = None,
        expires: datetime | None = None,
    ) -> int:
        (version,) = await self.put_many([Put(key, document, expected, labels or {}, expires)])
        return version

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        check_batch(puts)
        texts = [encode(f"the document of {put.key}", put.document) for put in puts]

        def work(connection: sqlite3.Connection) -> tuple[int, ...]:
            return tuple(_put(connection, put, text) for put, text in zip(puts, texts, strict=True))

        return await self._database.write(work)

    async def get(self, key: Key) -> Record | None:
        def work(connection: sqlite3.Connection) -> Record | None:
            row = connection.execute(
                "SELECT document, version FROM records WHERE owner = ? AND kind = ? AND id = ? AND expires > ?",
                (key.owner, key.kind, key.id, time.time()),
            ).fetchone()
            return None if row is None else Record(key, decode(row[0]), row[1])

        return await self._database.read(work)

    async def list(
        self,
        owner: str,
        kind: str,
        *,
        prefix: str = "",
        label: tuple[LabelName, str] | None = None,
        after: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page:
        check_owner(owner)
        check_kind(kind)
        check_prefix(prefix)
        check_range("limit", limit, 1, MAX_PAGE)
        if label is not None:
            check_label(*label)
        start = _newest_start(after) if newest_first else _id_start(after)
        query = listing(newest_first=newest_first, labelled=label is not None)

        def work(connection: sqlite3.Connection) -> Page:
            bounds = (prefix, prefix + ABOVE_EVERY_ID, start, time.time(), limit + 1)
            found = connection.execute(query, (owner, kind, *(label or ()), *bounds)).fetchall()
            rows = found[:limit]
            records = tuple(Record(Key(owner, kind, id_), decode(text), version) for _, id_, text, version in rows)
            if len(found) == len(rows):
                return Page(records, None)
            created, id_, *_ = rows[-1]
            return Page(records, str(created) if newest_first else id_)

        return await self._database.read(work)

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if expected is not None:
                _expect(connection, key, expected)
            deleted = connection.execute(
                "DELETE FROM records WHERE owner = ? AND kind = ? AND id = ? AND expires > ?",
                (key.owner, key.kind, key.id, time.time()),
            )
            return deleted.rowcount > 0

        return await self._database.write(work)

    async def sweep(self) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return connection.execute(SWEEP, (time.time(),)).rowcount

        return await self._database.write(work)


class SqliteEvents:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners = Listeners()

    async def append(self, owner: str, run_id: str, event_id: str, payload: Document) -> int:
        (number,) = await self.append_many(owner, run_id, [(event_id, payload)])
        return number

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        check_log(owner, run_id)
        texts: list[tuple[str, str]] = []
        for event_id, payload in events:
            check_id("event_id", event_id)
            texts.append((event_id, encode(f"the payload of event {event_id!r}", payload)))

        def work(connection: sqlite3.Connection) -> list[int]:
            last = _last(connection, owner, run_id)
            numbers = [_append(connection, owner, run_id, *text) for text in texts]
            if expected not in (None, last) and max(numbers, default=0) > last:
                raise conflict(run_id, last, expected)
            return numbers

        numbers = await self._database.write(work)
        self._listeners.notify(owner, run_id)
        return numbers

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = MAX_EVENTS) -> list[Event]:
        check_log(owner, run_id)
        check_range("after", after, 0, LARGEST)
        check_range("limit", limit, 1, MAX_EVENTS)

        def work(connection: sqlite3.Connection) -> list[Event]:
            rows = connection.execute(
                "SELECT number, event_id, payload FROM events "
                "WHERE owner = ? AND run_id = ? AND number > ? ORDER BY number LIMIT ?",
                (owner, run_id, after, limit),
            )
            return [Event(number, event_id, decode(text)) for number, event_id, text in rows]

        return await self._database.read(work)

    async def last(self, owner: str, run_id: str) -> int:
        check_log(owner, run_id)
        return await self._database.read(lambda connection: _last(connection, owner, run_id))

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout
        while True:
            # listening starts before the look: an append between the two rings
            with self._listeners.listen(owner, run_id) as rung:
                if await self.last(owner, run_id) > after:
                    return True
                if (left := deadline - clock()) <= 0:
                    return False
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(rung), min(left, POLL_SECONDS))

    async def delete(self, owner: str, run_id: str) -> int:
        check_log(owner, run_id)

        def work(connection: sqlite3.Connection) -> int:
            query = "DELETE FROM events WHERE owner = ? AND run_id = ?"
            return connection.execute(query, (owner, run_id)).rowcount

        return await self._database.write(work)


# the second bound is that of the partial index
SWEEP = "DELETE FROM records WHERE expires <= ? AND expires < 1e300"


def listing(*, newest_first: bool, labelled: bool) -> str:
    """The query of a page; it reads one index from the cursor on, without a sort."""
    source = "labels AS place CROSS JOIN records USING (created)" if labelled else "records AS place"
    label = "AND place.name = ? AND place.value = ?" if labelled else ""
    # `+id` keeps the planner on the index by creation
    id_, cursor = ("+place.id", "place.created < ?") if newest_first else ("place.id", "place.id > ?")
    return f"""
        SELECT place.created, place.id, document, version FROM {source}
        WHERE place.owner = ? AND place.kind = ? {label} AND {id_} >= ? AND {id_} < ? AND {cursor} AND expires > ?
        ORDER BY {"place.created DESC" if newest_first else "place.id"} LIMIT ?"""  # noqa: S608 - made of the words above alone; every value is bound


def _connect(path: Path, busy_seconds: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    with faults():
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _prepare(connection, busy_seconds)
            migrate(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, busy_seconds: float) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # NORMAL would survive kill -9 too, but a power cut could take events that the graph's
    # checkpoint, synced in its own file, says were written; the sync costs 0.2 ms
    connection.execute("PRAGMA synchronous = FULL")
    # what is deleted is overwritten: a draft that was refused leaves nothing in the file
    connection.execute("PRAGMA secure_delete = ON")
    _use_wal(connection, busy_seconds)


def _use_wal(connection: sqlite3.Connection, busy_seconds: float) -> None:
    deadline = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            # of two that open a new file at once SQLite refuses one, without waiting
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def faults() -> Generator[None]:
    """`Unavailable` for what another try may help."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not hasattr(error, "sqlite_errorcode"):  # of Python, which cannot read a text
            raise Corrupted(f"what is stored is no text: {error}") from error
        cause = FAULTS.get(error.sqlite_errorcode & 0xFF)  # the low byte is the primary code
        if cause is None:
            raise
        raise Unavailable(f"the database is unavailable ({cause}): {error}") from error


def _put(connection: sqlite3.Connection, put: Put, text: str) -> int:
    key = put.key
    connection.execute(
        "DELETE FROM records WHERE owner = ? AND kind = ? AND id = ? AND expires <= ?",
        (key.owner, key.kind, key.id, time.time()),
    )
    if put.expected is not None:
        _expect(connection, key, put.expected)
    expires = NEVER if put.expires is None else put.expires.timestamp()
    created, version = connection.execute(
        "INSERT INTO records (owner, kind, id, document, version, expires) VALUES (?, ?, ?, ?, 1, ?) "
        "ON CONFLICT (owner, kind, id) DO UPDATE "
        "SET document = excluded.document, version = version + 1, expires = excluded.expires "
        "RETURNING created, version",
        (key.owner, key.kind, key.id, text, expires),
    ).fetchall()[0]
    connection.execute("DELETE FROM labels WHERE created = ?", (created,))
    connection.executemany(
        "INSERT INTO labels (owner, kind, name, value, id, created) VALUES (?, ?, ?, ?, ?, ?)",
        [(key.owner, key.kind, name, value, key.id, created) for name, value in put.labels.items()],
    )
    return version


def _expect(connection: sqlite3.Connection, key: Key, expected: int) -> None:
    row = connection.execute(
        "SELECT version FROM records WHERE owner = ? AND kind = ? AND id = ? AND expires > ?",
        (key.owner, key.kind, key.id, time.time()),
    ).fetchone()
    version = row[0] if row else 0
    if version != expected:
        raise Conflict(f"{key} is at version {version}, expected was {expected} (0 is absent)")


def _newest_start(after: str | None) -> int:
    if after is None:
        return LARGEST
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise Invalid(f"`after` is {after!r}; allowed is the cursor of a page in this order")
    return int(after)


def _id_start(after: str | None) -> str:
    if after is None:
        return ""
    check_id("after", after)
    return after


def _append(connection: sqlite3.Connection, owner: str, run_id: str, event_id: str, text: str) -> int:
    known = connection.execute(
        "SELECT number FROM events WHERE owner = ? AND run_id = ? AND event_id = ?",
        (owner, run_id, event_id),
    ).fetchone()
    if known:
        return known[0]
    number = _last(connection, owner, run_id) + 1
    connection.execute(
        "INSERT INTO events (owner, run_id, number, event_id, payload) VALUES (?, ?, ?, ?, ?)",
        (owner, run_id, number, event_id, text),
    )
    return number


def _last(connection: sqlite3.Connection, owner: str, run_id: str) -> int:
    row = connection.execute(
        "SELECT max(number) FROM events WHERE owner = ? AND run_id = ?", (owner, run_id)
    ).fetchone()
    return row[0] or 0
