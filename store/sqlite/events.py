"""Events in the SQLite file of the store."""

import asyncio
import sqlite3
from collections.abc import Iterable

from store.events import MAX_PAGE, Event, Events, conflict, encode_events
from store.keys import LARGEST, check_log, check_range
from store.listeners import Listeners
from store.serialization import Document, decode
from store.sqlite.database import Database

LOOK_SECONDS = 0.02
"""Between two looks at whether another process has written to the file, which cost no query."""
READ_SECONDS = 0.25
"""After which the log is read though the file seems unchanged."""


class SqliteEvents(Events):
    """Adapter of `store.events.Events`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners = Listeners()

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        check_log(owner, run_id)
        texts = encode_events(events)

        def work(connection: sqlite3.Connection) -> list[int]:
            last = _last(connection, owner, run_id)
            numbers = [_append(connection, owner, run_id, *text) for text in texts]
            if expected not in (None, last) and max(numbers, default=0) > last:
                raise conflict(run_id, last, expected)
            return numbers

        numbers = await self._database.write(work)
        self._listeners.notify(owner, run_id)
        return numbers

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = MAX_PAGE) -> list[Event]:
        check_log(owner, run_id)
        check_range("after", after, 0, LARGEST)
        check_range("limit", limit, 1, MAX_PAGE)

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
            # listen before the check, so that an append between the two is not missed
            with self._listeners.listen(owner, run_id) as listener:
                written = self._database.last_write()
                if await self.last(owner, run_id) > after:
                    return True
                if (remaining := deadline - clock()) <= 0:
                    return False
                appended, until = asyncio.wrap_future(listener), clock() + min(remaining, READ_SECONDS)
                while not appended.done() and self._database.last_write() == written and clock() < until:
                    await asyncio.wait({appended}, timeout=min(LOOK_SECONDS, until - clock()))

    async def delete(self, owner: str, run_id: str) -> int:
        check_log(owner, run_id)

        def work(connection: sqlite3.Connection) -> int:
            query = "DELETE FROM events WHERE owner = ? AND run_id = ?"
            return connection.execute(query, (owner, run_id)).rowcount

        return await self._database.write(work)


def _append(connection: sqlite3.Connection, owner: str, run_id: str, event_id: str, text: str) -> int:
    row = connection.execute(
        "SELECT number FROM events WHERE owner = ? AND run_id = ? AND event_id = ?",
        (owner, run_id, event_id),
    ).fetchone()
    if row:
        return row[0]
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
