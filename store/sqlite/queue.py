"""A queue in the SQLite file of the store, for the processes of one machine."""

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from store.keys import check_range
from store.listeners import Listeners
from store.queue import Delivery, Document
from store.serialization import decode, encode
from store.sqlite.database import Database

POLL_SECONDS = 0.1
LONGEST = 12 * 3600.0  # the limit of SQS for a lease and for the delay of a released message
LISTENER_KEY = ("_queue", "messages")
NEXT = "SELECT number FROM messages WHERE dead IS NULL AND visible <= ? ORDER BY number LIMIT 1"


class SqliteQueue:
    """Adapter of `store.queue.Queue`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners = Listeners()

    async def send(self, body: Document) -> str:
        text, id_ = encode("the body of the message", body), uuid.uuid4().hex

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO messages (id, body) VALUES (?, ?)", (id_, text))

        await self._database.write(work)
        self._listeners.notify(*LISTENER_KEY)
        return id_

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        _check_seconds("lease", lease)
        clock = asyncio.get_running_loop().time
        deadline = clock() + wait
        while True:
            with self._listeners.listen(*LISTENER_KEY) as arrival:
                if (delivery := await self._take(lease)) is not None:
                    return delivery
                if (remaining := deadline - clock()) <= 0:
                    return None
                with suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.wrap_future(arrival), min(remaining, POLL_SECONDS))

    async def adopt(self, delivery: Delivery, *, lease: float) -> bool:
        return await self.extend(delivery, lease=lease)

    async def extend(self, delivery: Delivery, *, lease: float) -> bool:
        _check_seconds("lease", lease)
        return await self._update_leased(delivery, "UPDATE messages SET visible = ?", time.time() + lease)

    async def finish(self, delivery: Delivery) -> None:
        await self._update_leased(delivery, "DELETE FROM messages")

    async def release(self, delivery: Delivery, *, after: float = 0.0) -> None:
        _check_seconds("after", after)
        await self._update_leased(delivery, "UPDATE messages SET receipt = NULL, visible = ?", time.time() + after)
        self._listeners.notify(*LISTENER_KEY)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        await self._update_leased(delivery, "UPDATE messages SET receipt = NULL, dead = ?", reason)

    async def dead_letters(self, limit: int = 100) -> list[Delivery]:
        check_range("limit", limit, 1, 1000)

        def work(connection: sqlite3.Connection) -> list[Delivery]:
            rows = connection.execute(
                "SELECT id, body, attempt FROM messages WHERE dead IS NOT NULL ORDER BY number LIMIT ?", (limit,)
            )
            return [Delivery(id_, decode(body), attempt, receipt="") for id_, body, attempt in rows]

        return await self._database.read(work)

    async def replay(self, message_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            # a new number puts it at the end of the queue
            cursor = connection.execute(
                "UPDATE messages SET number = (SELECT max(number) + 1 FROM messages), dead = NULL, attempt = 0, "
                "visible = 0 WHERE id = ? AND dead IS NOT NULL",
                (message_id,),
            )
            return cursor.rowcount > 0

        replays = await self._database.write(work)
        self._listeners.notify(*LISTENER_KEY)
        return replays

    async def depth(self) -> int:
        def work(connection: sqlite3.Connection) -> int:
            query = "SELECT count(*) FROM messages WHERE dead IS NULL AND visible <= ?"
            return connection.execute(query, (time.time(),)).fetchone()[0]

        return await self._database.read(work)

    async def _take(self, lease: float) -> Delivery | None:
        # a read takes no lock, so idle workers do not delay writers
        if await self._database.read(lambda connection: connection.execute(NEXT, (time.time(),)).fetchone()) is None:
            return None
        receipt = uuid.uuid4().hex

        def work(connection: sqlite3.Connection) -> Delivery | None:
            now = time.time()
            rows = connection.execute(
                f"UPDATE messages SET attempt = attempt + 1, receipt = ?, visible = ? WHERE number = ({NEXT}) "  # noqa: S608 - NEXT is a constant
                "RETURNING id, body, attempt",
                (receipt, now + lease, now),
            ).fetchall()
            return Delivery(rows[0][0], decode(rows[0][1]), rows[0][2], receipt) if rows else None

        return await self._database.write(work)

    async def _update_leased(self, delivery: Delivery, change: str, *values: object) -> bool:
        """Run `change` on the message if the delivery still holds it, and return whether it does."""
        where = "WHERE id = ? AND receipt = ? AND visible > ? AND dead IS NULL"

        def work(connection: sqlite3.Connection) -> bool:
            cursor = connection.execute(f"{change} {where}", (*values, delivery.id, delivery.receipt, time.time()))
            return cursor.rowcount > 0

        return await self._database.write(work)


@asynccontextmanager
async def open_sqlite_queue(home: Path) -> AsyncGenerator[SqliteQueue]:
    """The queue in the embedded store's file in the folder `home`; several processes may open it."""
    database = await Database.open(home / "store.sqlite")
    try:
        yield SqliteQueue(database)
    finally:
        database.close()


def _check_seconds(field: str, value: float) -> None:
    check_range(field, int(value), 0, int(LONGEST))
