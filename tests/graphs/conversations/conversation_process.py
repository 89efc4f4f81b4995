"""Sends a message to a conversation, or resumes one, and dies by SIGKILL at a chosen write."""

import asyncio
import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path
from typing import Any

from agents.embedded_planner import EmbeddedPlanner
from graphs.conversations.turn_execution import UNANSWERED, ask, conversation_of, resume, turn_of
from graphs.dependencies import Dependencies
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.bedrock_run_process import DeadlyEvents

TALK = "talk"
HEARD = "heard.jsonl"


CHEAP = (
    "is it luck?",
    "and with double the costs?",
    "how does it do in the bear market?",
    "where does it lose?",
    "what would change the answer?",
    "tell me a joke",
    "list my runs",
    "which limits bind?",
    "does it depend on the premium?",
    "what are the counter-arguments?",
)
"""Questions about a stored result, one of which is declined."""


def stored(home: Path) -> tuple[int, int, int]:
    """Bytes used by the store, the checkpoints and the blobs."""
    return (
        _in_use(home / "store.sqlite"),
        _in_use(home / "checkpoints.sqlite"),
        sum(file.stat().st_size for file in (home / "blobs").rglob("*") if file.is_file()),
    )


def _in_use(file: Path) -> int:
    with closing(sqlite3.connect(file, timeout=30)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        values = [
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        ]
    pages, free, size = values
    return (pages - free) * size


class Noting(EmbeddedPlanner):
    """Logs each question before it is answered."""

    file: Path

    def _reply(self, messages):
        line = [self.answers_with, [message.model_dump(mode="json", exclude={"id"}) for message in messages]]
        with self.file.open("a") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")
        return super()._reply(messages)


async def send_message(
    dependencies: Dependencies, text: str, conversation: str = TALK, owner: str = OWNER
) -> list[Any]:
    return [event async for event in ask(dependencies, owner, conversation, text)]


async def gone_on(dependencies: Dependencies, number: int, conversation: str = TALK) -> list[Any]:
    return [event async for event in resume(dependencies, OWNER, conversation, number)]


def talk(home: Path, text: str, deadly: Collection[str], *, before: bool = False, writes: int = 0) -> None:
    """Main function of the process, which dies after so many writes to the store."""
    asyncio.run(_talk(home, text, deadly, before=before, writes=writes))


async def _talk(home: Path, text: str, deadly: Collection[str], *, before: bool, writes: int) -> None:
    async with open_dependencies(home, Noting(file=home / HEARD)) as dependencies:
        object.__setattr__(dependencies.store, "events", DeadlyEvents(dependencies.store.events, deadly, before=before))
        if writes:
            from tests.graphs.runs.run_process import Deadly  # lazy: this script changes sys.path

            Deadly.left = writes
            for port in ("records", "events", "blobs"):
                object.__setattr__(dependencies.store, port, Deadly(getattr(dependencies.store, port)))
        last = (await conversation_of(dependencies.store, OWNER, TALK)).turns
        if last and (await turn_of(dependencies.store, OWNER, TALK, last)).state in UNANSWERED:
            await gone_on(dependencies, last)
        elif not last or (await turn_of(dependencies.store, OWNER, TALK, last)).asked != text:
            await send_message(dependencies, text)
