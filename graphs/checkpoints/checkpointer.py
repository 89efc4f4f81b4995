"""Opens the checkpoints of a graph: a SQLite file or a DynamoDB table."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from graphs.checkpoints.serializer import SERIALIZER, Writes, writes_to_store
from graphs.checkpoints.table import DynamoTable
from store.sqlite.database import translate_errors

OPENING_SECONDS = 30.0


class FileSaver(AsyncSqliteSaver):
    async def aput_writes(self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = "") -> None:
        await super().aput_writes(config, writes_to_store(writes), task_id, task_path)


@asynccontextmanager
async def open_checkpoints(location: Path | DynamoTable) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """Open the saver of that file or table; raises `Unavailable` if the storage does not respond."""
    if isinstance(location, DynamoTable):
        yield await asyncio.to_thread(lambda: location.saver)
        return
    location.parent.mkdir(parents=True, exist_ok=True)
    with translate_errors():
        async with _open_file(location) as saver:
            yield saver


@asynccontextmanager
async def _open_file(path: Path) -> AsyncGenerator[FileSaver]:
    async with aiosqlite.connect(path, timeout=30.0) as connection:
        saver = FileSaver(connection, serde=SERIALIZER)
        await _set_up(saver)
        try:
            yield saver
        finally:
            # an interrupted graph leaves one pending write, which must finish before the file closes
            await asyncio.sleep(0)
            async with saver.lock:
                pass


async def _set_up(saver: AsyncSqliteSaver) -> None:
    """Create the tables; retried, since SQLite rejects one of two processes that open a new file at once."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + OPENING_SECONDS
    while True:
        try:
            await saver.setup()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or clock() > deadline:
                raise
            await asyncio.sleep(0.01)
