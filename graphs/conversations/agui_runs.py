"""AG-UI runs: maps each to a part of a turn, and streams its events."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.conversation.schemas import Turn
from desk.governance.approvals import Ruling, load_approval
from desk.governance.principals import Principal
from desk.runs.events.conversation import TurnFinished, TurnPaused
from desk.runs.repository import load_events
from graphs.conversations.background_turns import BackgroundTurns
from graphs.conversations.event_sequence import turn_events
from graphs.conversations.interrupts import decide
from graphs.conversations.repository import begin_conversation, conversation_of, settled_turn, turn_with_key
from graphs.dependencies import Dependencies
from graphs.runs.approval import can_decide
from graphs.streaming.followers import LogFollowers
from store.errors import Conflict
from store.records import Key
from store.store import Store

if TYPE_CHECKING:
    from ag_ui.core import BaseEvent, Message

KIND = "agent-run"
SETTLING = 0.1


@dataclass(frozen=True)
class AgentRun:
    """Part `part` of a turn, between two approvals."""

    thread: str
    run: str
    turn: Turn
    part: int


class AlreadyDecided(Conflicting):
    """An earlier decision differs, and the first one counts."""

    code = "already_decided"


class RunIdUsed(Conflicting):
    """The id belongs to a run with another message or decision."""

    code = "run_id_used"


async def find_run(
    dependencies: Dependencies, answering: BackgroundTurns, owner: str, thread: str, run: str
) -> AgentRun | None:
    """The run, if it exists; its turn is resumed if no process executes it."""
    record = await dependencies.store.records.get(_key(owner, thread, run))
    if record is not None:
        number, part = record.document["turn"], record.document["part"]
    else:
        turn = await _turn_of(dependencies.store, owner, thread, run)
        if turn is None:
            return None
        number, part = turn.number, 0
    return AgentRun(thread, run, await answering.ensure(owner, thread, number), part)


async def check_same_input(
    store: Store, owner: str, run: AgentRun, text: str | None, answers: Sequence[tuple[str, Ruling]]
) -> None:
    """Raise `RunIdUsed` if the run began with another message or another decision."""
    if run.part == 0:
        same = text is None or text.strip() == run.turn.asked
    else:
        pause = (await _pauses(store, owner, run.turn.id))[run.part - 1]
        approval = await load_approval(store, owner, pause.waits_for, pause.subject)
        decision = None if approval is None else approval.decided
        same = all(decision is not None and decision.has_same_effect(ruling) for _, ruling in answers)
    if not same:
        raise RunIdUsed(f"body.runId: {run.run[:80]!r} is the id of a run with another input; expected a new id")


async def begin_run(
    dependencies: Dependencies, answering: BackgroundTurns, owner: str, thread: str, run: str, text: str
) -> AgentRun:
    """Ask `text` in the thread, creating the thread if necessary."""
    try:
        await conversation_of(dependencies.store, owner, thread)
    except NotFound:
        try:
            await begin_conversation(dependencies, owner, conversation_id=thread)
        except Conflict:  # deleted, or another message started a turn
            await conversation_of(dependencies.store, owner, thread)
    return AgentRun(thread, run, await answering.ask(owner, thread, text, key=run), 0)


async def resume_run(
    dependencies: Dependencies,
    answering: BackgroundTurns,
    asking: Principal,
    thread: str,
    run: str,
    answers: Sequence[tuple[str, Ruling]],
) -> AgentRun:
    """Submit the decision that the thread waits for, which starts a new run."""
    owner = asking.owner
    turn = await _last(dependencies.store, owner, thread)
    pauses = [] if turn is None else await _pauses(dependencies.store, owner, turn.id)
    ids = [f"{pause.waits_for}.{pause.subject}" for pause in pauses[-1:]]
    if turn is None or not ids or [id_ for id_, _ in answers] != ids:
        allowed = f"one answer, to {ids[0]}" if ids else "no resume: the thread waits for no decision"
        raise InvalidInput("body.resume", ", ".join(id_ for id_, _ in answers)[:200], allowed=allowed)
    ((_, ruling),) = answers
    approval = await load_approval(dependencies.store, owner, pauses[-1].waits_for, pauses[-1].subject)
    assert approval is not None
    if approval.decided is None:
        await decide(dependencies, answering, asking, thread, pauses[-1].waits_for, ruling)
    elif not approval.decided.has_same_effect(ruling):
        raise AlreadyDecided(f"body.resume: it was {approval.decided.verdict}; expected that decision")
    document = {"turn": turn.number, "part": len(pauses)}
    with suppress(Conflict):  # the same answer, sent twice concurrently
        await dependencies.store.records.put(_key(owner, thread, run), document, expected=0)
    return AgentRun(thread, run, await answering.ensure(owner, thread, turn.number), len(pauses))


async def run_events(
    dependencies: Dependencies, following: LogFollowers, asking: Principal, run: AgentRun, messages: "Sequence[Message]"
) -> "AsyncGenerator[BaseEvent]":
    """The events of the run, from the first; `messages` are those that the client already has."""
    owner = asking.owner
    from graphs.conversations.agui import AguiTranslation  # lazy: ag_ui is needed by streams only

    turn = run.turn
    translation = AguiTranslation(thread=run.thread, run=run.run, turn=turn.id, part=run.part, messages=messages)
    for event in translation.begin():
        yield event
    async with aclosing(turn_events(following, owner, turn.id)) as lives:
        async for live in lives:
            agui_events = translation.of(live)
            match live.event:
                case TurnPaused():
                    approval = await load_approval(dependencies.store, owner, live.event.waits_for, live.event.subject)
                    assert approval is not None
                    here = can_decide(dependencies, asking, owner, live.event.subject, approval)
                    agui_events += translation.pause(live.event.waits_for, approval.asked, second_person=not here)
                case TurnFinished():
                    agui_events += translation.finish(await _answered_turn(dependencies.store, owner, turn))
                case _:
                    pass
            for event in agui_events:
                yield event
            if translation.over:
                return
    for event in translation.fail("cancelled", "without a word"):
        yield event


async def _answered_turn(store: Store, owner: str, turn: Turn) -> Turn:
    """The turn with its answer, which is stored shortly after its last event."""
    while True:
        now = await settled_turn(store, owner, turn.conversation, turn.number)
        if now.state == "completed":
            return now
        await asyncio.sleep(SETTLING)


async def _last(store: Store, owner: str, thread: str) -> Turn | None:
    conversation = await conversation_of(store, owner, thread)
    return await settled_turn(store, owner, thread, conversation.turns) if conversation.turns else None


async def _pauses(store: Store, owner: str, turn: str) -> list[TurnPaused]:
    return [event for event in await load_events(store, owner, turn) if isinstance(event, TurnPaused)]


async def _turn_of(store: Store, owner: str, thread: str, run: str) -> Turn | None:
    try:
        return await turn_with_key(store, owner, thread, run)
    except NotFound:
        return None


def _key(owner: str, thread: str, run: str) -> Key:
    """Hashes `run`, which is a client's choice of any length and characters."""
    return Key(owner, KIND, f"{thread}.{hashlib.sha256(run.encode(errors='replace')).hexdigest()[:32]}")
