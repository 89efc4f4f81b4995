"""Scores what conversations about labelled texts call, by the events `tool_called` of their last turn.

    python -m tests.agents.planner.conversations tests/agents/planner/texts/development.jsonl [outcome ...]

Each text is sent in a conversation of its own, with the graph, the embedded planner and the tools as they are, on a
desk with one finished search. A search that is launched ends at once with the result of that one. What is offered in
answer to the text is accepted by its place in the list, each in a branch. With names of outcomes it prints their texts.
"""

import asyncio
import json
import multiprocessing
import shutil
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from agents.planner.language.languages import language_note
from agents.planner.language.wording import UNCLEAR, nearest
from desk.conversation.schemas import Turn
from desk.governance.approvals import ApprovalDecision
from desk.optimization.reading.result_summary import summarize
from desk.optimization.repositories.result_repository import load_result, save_result
from desk.runs.events.agents import ToolCalled
from desk.runs.repository import Run, change_run, load_events, load_run
from graphs.conversations.turn_execution import ask, begin_conversation, branch, conversation_of, resume, turn_of
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from store.serialization import Document
from tests.agents.planner.labelled_texts import (
    Calls,
    Outcome,
    expects_nothing,
    is_right,
    load,
    outcome_of_calls,
    report,
)
from tests.graphs.dependencies import OWNER, open_dependencies, small_request

FINISHED = "f1d0" * 8
"""Id of the finished search."""
PROCESSES = 2
PLACES = ("1", "2", "3")
"""Answers that accept what is offered."""


class InstantSearches:
    """A queue whose jobs are completed when they are sent, with the result of the finished search."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies

    async def send(self, body: Document) -> str:
        store, run_id = self._dependencies.store, body["job"]
        run = await load_run(store, OWNER, run_id)
        finished = await load_result(store, OWNER, FINISHED, "final")
        manifest = finished.manifest.model_copy(update={"request": run.request})
        result = finished.model_copy(update={"manifest": manifest})
        await save_result(store, OWNER, run_id, "final", result)
        ending = {"result_digest": result.digest(), "summary": summarize(result)}

        def complete(run: Run) -> Run:
            return run.advanced_to("completed", at=self._dependencies.now(), by="worker", **ending)

        await change_run(store, OWNER, run_id, complete)
        return run_id


@dataclass(frozen=True)
class Answer:
    """The calls of a turn, and how it ended."""

    turn: Turn
    calls: Calls

    @property
    def offers_readings(self) -> bool:
        """Whether it asks back about a reading of the message; every other question is the same for all messages."""
        return self.turn.outcome == "asked_back" and self.turn.claims[0].text != UNCLEAR

    @property
    def explains(self) -> bool:
        """Whether it is about the message: a question, offers that are like it, or the way to a language model."""
        message = self.turn.asked
        fits = self.turn.outcome == "declined" and self.turn.offers != nearest(message)
        return self.offers_readings or fits or language_note(message) is not None

    def describe(self) -> str:
        calls = [f"{tool} {json.dumps(arguments)}" for tool, arguments in self.calls]
        return " and ".join(calls) or f"{self.turn.outcome}: {' '.join(claim.text for claim in self.turn.claims)}"


@dataclass(frozen=True)
class Score:
    """The outcome of a text, the last answer to a message before it, its own, and those to `PLACES`."""

    outcome: Outcome
    before: tuple[Answer, ...]
    answer: Answer
    accepted: tuple[Answer, ...] = ()

    def details(self) -> Iterator[str]:
        answers = (*self.before, self.answer, *self.accepted)
        yield from (f"{answer.turn.asked[:40]!r}: {answer.describe()}" for answer in answers)


def silence_logs() -> None:
    structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())


def make_home(home: Path) -> None:
    """Make the home that every conversation begins with: one finished search."""

    async def search() -> None:
        async with open_dependencies(home) as dependencies:
            await create_run(dependencies, OWNER, small_request(), run_id=FINISHED)
            async for _ in execute(dependencies, OWNER, FINISHED):
                pass

    asyncio.run(search())


def score(item: dict[str, Any], finished_home: Path) -> Score:
    """The score of a text in a copy of the home."""

    async def converse(home: Path) -> Score:
        async with _open_desk(home) as desk:
            return await _score(desk, item)

    with TemporaryDirectory(prefix="stratigos-") as folder:
        return asyncio.run(converse(shutil.copytree(finished_home, Path(folder) / "home")))


@asynccontextmanager
async def _open_desk(home: Path) -> AsyncGenerator[Dependencies]:
    """The desk of one person who approves every search."""
    async with open_dependencies(home) as dependencies:
        queue = InstantSearches(dependencies)
        yield replace(dependencies, queue=queue, jobs_per_user=sys.maxsize, thresholds=None)


async def _score(desk: Dependencies, item: dict[str, Any]) -> Score:
    conversation = await begin_conversation(desk, OWNER)
    before: list[Answer] = []
    for message in item["before"]:
        conversation, answer = await _send_and_confirm(desk, conversation, message)
        before.append(answer)
    answer = await _send(desk, conversation, item["text"])
    if answer.calls:
        return Score(outcome_of_calls(answer.calls, item), tuple(before), answer)
    accepted: list[Answer] = []
    for place in PLACES if answer.offers_readings else ():
        side = await branch(desk, OWNER, conversation, answer.turn.number)
        accepted.append(await _send(desk, side, place))
    return Score(_outcome(item, answer, accepted), tuple(before), answer, tuple(accepted))


async def _send_and_confirm(desk: Dependencies, conversation: str, message: str) -> tuple[str, Answer]:
    """Send a message, and "yes" where the answer offers readings.

    The conversation continues without the "yes" if it leads to no call, since the answer asked for something else.
    """
    answer = await _send(desk, conversation, message)
    if answer.offers_readings:
        side = await branch(desk, OWNER, conversation, answer.turn.number)
        confirmed = await _send(desk, side, "yes")
        conversation, answer = (side, confirmed) if confirmed.calls else (conversation, answer)
    await _approve(desk, answer.turn)
    return conversation, answer


def _outcome(item: dict[str, Any], answer: Answer, accepted: Sequence[Answer]) -> Outcome:
    """The outcome of a text that was not acted on."""
    if expects_nothing(item) or (item["or_asks"] and answer.offers_readings):
        return "understood"
    if any(is_right(each.calls, item) and not _is_amount(each) for each in accepted):
        return "offered"
    return "asked" if answer.explains else "unhelpful"


def _is_amount(accepted: Answer) -> bool:
    """Whether the place in the list was read as an amount, such as a leverage of 1."""
    return any(json.dumps(accepted.turn.asked) in json.dumps(arguments) for _, arguments in accepted.calls)


async def _send(desk: Dependencies, conversation: str, message: str) -> Answer:
    async for _ in ask(desk, OWNER, conversation, message):
        pass
    number = (await conversation_of(desk.store, OWNER, conversation)).turns
    turn = await turn_of(desk.store, OWNER, conversation, number)
    events = await load_events(desk.store, OWNER, turn.id)
    return Answer(turn, [(event.tool, event.arguments) for event in events if isinstance(event, ToolCalled)])


async def _approve(desk: Dependencies, turn: Turn) -> None:
    """Decide what the turn waits for, so that the next message can be sent."""
    if turn.waits_for is not None:
        run, subject = turn.waits_for
        decision = ApprovalDecision(verdict="approved", by="risk officer", at=desk.now())
        await decide_approval(desk, OWNER, run, decision, subject)
        async for _ in resume(desk, OWNER, turn.conversation, turn.number):
            pass


def score_all(items: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Future[Score]]]:
    """The scores of texts, computed by a few processes; a conversation that fails leaves an exception."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(PROCESSES, context, initializer=silence_logs)
    with TemporaryDirectory(prefix="stratigos-") as folder, pool:
        home = Path(folder) / "home"
        pool.submit(make_home, home).result()
        yield from [(item, pool.submit(score, item, home)) for item in items]


def _rows(items: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Outcome, Sequence[str]]]:
    for item, future in score_all(items):
        if (error := future.exception()) is not None:
            yield item, "unhelpful", [f"fails: {error!r}"]
        else:
            yield item, future.result().outcome, [*future.result().details()]


if __name__ == "__main__":
    print("\n".join(report(_rows(load(Path(sys.argv[1]))), {*sys.argv[2:]})))
