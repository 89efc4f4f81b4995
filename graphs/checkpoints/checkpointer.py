"""Where a graph keeps its place: SQLite or DynamoDB, typed words only, nothing that a model wrote outside of them."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import WRITES_IDX_MAP, BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.serde.types import ERROR
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from desk.conversation.reply import Reply
from desk.figures.figures import Claim, Figure, RenderedClaim
from desk.optimization.answers import Decision, MarketView, ScenarioTilt, SearchPlan
from graphs.checkpoints.table import DynamoTable
from quant.strategies.config import StrategyConfig
from store.sqlite.database import translate_errors

WORDS = (
    Claim,
    Decision,
    Figure,
    MarketView,
    RenderedClaim,
    Reply,
    ScenarioTilt,
    SearchPlan,
    StrategyConfig,
)
"""The types that a checkpoint may bring back to life."""


class WordSerializer(JsonPlusSerializer):
    """Keeps the class of an error and not its message, which may hold what a model wrote."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        return super().dumps_typed(type(obj).__name__ if isinstance(obj, BaseException) else obj)


SERIALIZER = WordSerializer(allowed_msgpack_modules=WORDS)


OPENING_SECONDS = 30.0
Writes: TypeAlias = Sequence[tuple[str, Any]]


def of_unfinished(writes: Writes) -> Writes:
    """Of a task that failed or was cut off only that: with any of its results, but not all, it would count as done."""
    if not any(channel == ERROR for channel, _ in writes):
        return writes
    return [(channel, value) for channel, value in writes if channel in WRITES_IDX_MAP]


class FileSaver(AsyncSqliteSaver):
    async def aput_writes(self, config: RunnableConfig, writes: Writes, task_id: str, task_path: str = "") -> None:
        await super().aput_writes(config, of_unfinished(writes), task_id, task_path)


@asynccontextmanager
async def open_checkpoints(place: Path | DynamoTable) -> AsyncGenerator[BaseCheckpointSaver[Any]]:
    """`Unavailable` for whoever works with checkpoints whose storage cannot answer."""
    if isinstance(place, DynamoTable):
        yield await asyncio.to_thread(lambda: place.saver)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with translate_errors():
        async with _open_file(place) as saver:
            yield saver


@asynccontextmanager
async def _open_file(place: Path) -> AsyncGenerator[FileSaver]:
    async with aiosqlite.connect(place, timeout=30.0) as connection:
        saver = FileSaver(connection, serde=SERIALIZER)
        await _set_up(saver)
        try:
            yield saver
        finally:
            await asyncio.sleep(0)  # a graph that is interrupted leaves a write behind: it begins,
            async with saver.lock:  # and ends before the file is closed
                pass


async def _set_up(saver: AsyncSqliteSaver) -> None:
    """Of two that open a new file at once SQLite refuses one, without waiting."""
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
