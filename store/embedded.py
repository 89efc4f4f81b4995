"""The store of one machine: a SQLite file for records and events, and local files for blobs."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from store.local_files import FileBlobs
from store.sqlite.database import Database
from store.sqlite.events import SqliteEvents
from store.sqlite.records import SqliteRecords
from store.store import Store


@asynccontextmanager
async def open_store(home: Path) -> AsyncGenerator[Store]:
    """The embedded store in the folder `home`, created if absent; several processes may open it."""
    database = await Database.open(home / "store.sqlite")
    try:
        yield Store(SqliteRecords(database), SqliteEvents(database), FileBlobs(home / "blobs"))
    finally:
        database.close()
