"""Records in the SQLite file of the store."""

import sqlite3
import time
from collections.abc import Sequence

from store.errors import Conflict, InvalidCursor
from store.keys import ABOVE_EVERY_ID, LARGEST, Key, check_id
from store.records import Page, PageQuery, Put, Record, Records, check_batch
from store.serialization import decode, encode
from store.sqlite.database import Database

NEVER = 1e300
# the second bound lets SQLite use the partial index
SWEEP = "DELETE FROM records WHERE expires <= ? AND expires < 1e300"


def listing(*, newest_first: bool, labelled: bool) -> str:
    """The query of a page, which reads one index from the cursor without a sort."""
    source = "labels AS place CROSS JOIN records USING (created)" if labelled else "records AS place"
    label = "AND place.name = ? AND place.value = ?" if labelled else ""
    # a document as bytes, so that one that is not text fails the page that contains it, not the one before
    # `+id` makes SQLite's planner use the index by creation
    id_, cursor = ("+place.id", "place.created < ?") if newest_first else ("place.id", "place.id > ?")
    return f"""
        SELECT place.created, place.id, CAST(document AS BLOB), version FROM {source}
        WHERE place.owner = ? AND place.kind = ? {label} AND {id_} >= ? AND {id_} < ? AND {cursor} AND expires > ?
        ORDER BY {"place.created DESC" if newest_first else "place.id"} LIMIT ?"""  # noqa: S608 - built from the constants above; every value is bound


class SqliteRecords(Records):
    """Adapter of `store.records.Records`."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    async def read_page(self, query: PageQuery) -> Page:
        owner, kind = query.owner, query.kind
        start = _newest_start(query.after) if query.newest_first else _id_start(query.after)
        statement = listing(newest_first=query.newest_first, labelled=query.label is not None)

        def work(connection: sqlite3.Connection) -> Page:
            bounds = (query.prefix, query.prefix + ABOVE_EVERY_ID, start, time.time(), query.limit + 1)
            rows = connection.execute(statement, (owner, kind, *(query.label or ()), *bounds)).fetchall()
            last_page = len(rows) <= query.limit
            rows = rows[: query.limit]
            records = tuple(Record(Key(owner, kind, id_), decode(text), version) for _, id_, text, version in rows)
            if last_page:
                return Page(records, None)
            created, id_, *_ = rows[-1]
            return Page(records, str(created) if query.newest_first else id_)

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
        raise Conflict(f"{key} is at version {version}; the writer expected {expected} (0: absent)")


def _newest_start(after: str | None) -> int:
    if after is None:
        return LARGEST
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise InvalidCursor(after)
    return int(after)


def _id_start(after: str | None) -> str:
    if after is None:
        return ""
    check_id("after", after)
    return after
