"""Where a graph keeps its place: SQLite, typed words only, nothing that a model wrote outside of them."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiosqlite
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from quant.strategy import StrategyConfig
from tools.figures import Claim, Figure
from tools.optimization import Decision, MarketView, RenderedClaim, ScenarioTilt, SearchPlan
from tools.reply import Reply

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


@asynccontextmanager
async def open_checkpoints(file: Path) -> AsyncGenerator[AsyncSqliteSaver]:
    file.parent.mkdir(parents=True, exist_ok=True)
    async with aiosqlite.connect(file, timeout=30.0) as connection:
        saver = AsyncSqliteSaver(connection, serde=WordSerializer(allowed_msgpack_modules=WORDS))
        try:
            yield saver
        finally:
            await asyncio.sleep(0)  # a graph that is interrupted leaves a write behind: it begins,
            async with saver.lock:  # and ends before the file is closed
                pass
