"""Turns of a conversation in processes that a test kills, and what they store."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from desk.runs.repository import list_runs, load_events
from graphs.conversations.turn_execution import begin_conversation, conversation_of, turn_of
from store.embedded import open_store
from store.records import iterate_records
from tests.graphs.conversations.conversation_process import HEARD, TALK, Noting, send_message, talk
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.processes import FORK_SERVER

SEARCH = "optimize the S&P 500 with 10% volatility, 10 trials, 100 paths, 1 year, base case"


@dataclass(frozen=True)
class AnsweredSearch:
    home: Path
    events: list[Any]
    """What the person received in answer to `SEARCH`."""


@pytest.fixture(scope="module")
def answered_search(tmp_path_factory) -> AnsweredSearch:
    folder = tmp_path_factory.mktemp("home_with_result")

    async def search() -> list[Any]:
        async with open_dependencies(folder, Noting(file=folder / HEARD)) as dependencies:
            await begin_conversation(dependencies, OWNER, conversation_id=TALK)
            return await send_message(dependencies, SEARCH)

    return AnsweredSearch(folder, asyncio.run(search()))


@pytest.fixture(scope="module")
def home_with_result(answered_search: AnsweredSearch) -> Path:
    """A home with a conversation that has one result."""
    return answered_search.home


def run_process(home: Path, text: str, deadly: Collection[str], **options: Any) -> int | None:
    """The exit code of a process that sends `text`, or resumes its turn."""
    child = FORK_SERVER.Process(target=talk, args=(home, text, deadly), kwargs=options, daemon=True)
    child.start()
    child.join(120)
    return child.exitcode


async def stored_traces(home: Path) -> dict[str, Any]:
    """The results of the turns and runs of a home."""
    async with open_store(home) as store:
        last = (await conversation_of(store, OWNER, TALK)).turns
        turns = [await turn_of(store, OWNER, TALK, n) for n in range(1, last + 1)]
        logs = [each.id for each in turns] + [run.id for run in await list_runs(store, OWNER)]
        return {
            "turns": [each.model_dump(exclude={"at"}) for each in turns],
            "logs": {log: [e.comparable() for e in await load_events(store, OWNER, log)] for log in logs},
            "evidence": [
                (r.key.id, r.document, r.version) async for r in iterate_records(store.records, OWNER, "evidence")
            ],
        }


def count_questions(home: Path) -> Counter[str]:
    return Counter((home / HEARD).read_text().splitlines())


async def begin_talk(home: Path) -> None:
    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
