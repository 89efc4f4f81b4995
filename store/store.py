"""The store as the application holds it, and how the embedded one opens."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from store.blobs import Blobs
from store.events import Events
from store.local_files import FileBlobs
from store.records import Records
from store.sqlite.database import Database, SqliteEvents, SqliteRecords


@dataclass(frozen=True, slots=True)
class Store:
    records: Records
    events: Events
    blobs: Blobs


@asynccontextmanager
async def open_store(home: Path) -> AsyncGenerator[Store]:
    """The embedded store under `home`, created when absent; many processes may open one home."""
    database = await Database.open(home / "store.sqlite")
    try:
        yield Store(SqliteRecords(database), SqliteEvents(database), FileBlobs(home / "blobs"))
    finally:
        database.close()
