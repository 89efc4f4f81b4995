"""Executes turns: stores a message, answers it, and resumes an interrupted answer."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.build import build
from agents.table import ASSISTANT
from desk.base.errors import Conflicting, InvalidInput
from desk.conversation.context import CallResult, ChatContext, Evidence, load_evidence, message_figures
from desk.conversation.focus import Focus
from desk.conversation.schemas import MAX_MESSAGE_LENGTH, UNANSWERED, Conversation, Turn
from desk.conversation.universes import own_data
from desk.figures.figures import RenderedClaim
from desk.figures.guard.claims import render
from desk.governance.principals import Principal
from desk.runs.events.agents import ToolCalled
from desk.runs.events.conversation import TurnFinished, TurnPaused, TurnStarted
from desk.runs.events.run import RunFailed
from desk.runs.events.table import TraceEvent
from desk.runs.model_answers import delete_answers
from desk.runs.repository import load_events
from graphs.assistant import (
    RECURSION_LIMIT,
    PastTurn,
    State,
    Tell,
    TurnContext,
    assistant_graph,
    claims_of,
    note_claims,
    reading_claims,
)
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.conversations.assistant_runs import AssistantRuns
from graphs.conversations.repository import (
    KIND,
    begin_conversation,
    branch,
    conversation_of,
    is_decided,
    list_conversations,
    message_key,
    read_conversation,
    settled_turn,
    turn_key,
    turn_of,
    turn_with_key,
    turns_of,
    update_turn,
)
from graphs.dependencies import Dependencies
from graphs.jobs.execution import failure_code, failure_kind
from graphs.runs.event_log import EventLog, NodeLog, bind_run_to_logs
from graphs.runs.recent_runs import recent_results
from graphs.runs.usage import usage_of
from graphs.stream_parts import GraphStopped, trace_events
from store.errors import Conflict
from store.records import Key, Put
from store.store import Store

__all__ = [
    "MAX_MESSAGE_LENGTH",
    "REMEMBERED",
    "UNANSWERED",
    "Conversation",
    "MessageKeyUsed",
    "Turn",
    "Unanswered",
    "adopt",
    "ask",
    "begin_conversation",
    "branch",
    "conversation_of",
    "list_conversations",
    "resume",
    "store_message",
    "turn_of",
    "turn_with_key",
]

REMEMBERED = 4
"""Earlier turns shown to the assistant; its tools find older ones in the store."""
BLANK: State = {"reply": None, "author": "", "missing": [], "described": []}


class Unanswered(Conflicting):
    """The conversation has an unanswered message."""

    code = "unanswered"


class MessageKeyUsed(Conflicting):
    """The message key belongs to another text."""

    code = "other_message"


@dataclass(frozen=True)
class _History:
    """The position of the next turn: the turns before it and the focus after them."""

    before: Sequence[Turn]
    focus: Focus


async def ask(dependencies: Dependencies, owner: str, conversation_id: str, text: str) -> AsyncGenerator[TraceEvent]:
    """Store the message as the next turn and answer it; also yields the events of the runs that it launches.

    Ends early, with the turn in state `waiting`, if a person's approval is required.
    """
    turn = await store_message(dependencies, owner, conversation_id, text)
    async for event in resume(dependencies, owner, conversation_id, turn.number):
        yield event


async def store_message(
    dependencies: Dependencies,
    owner: str,
    conversation_id: str,
    text: str,
    *,
    key: str | None = None,
    detached: bool = False,
) -> Turn:
    """Store the message as the next turn without answering it; the same `key` again returns the same turn."""
    message = _check_text(text)
    conversation, version = await read_conversation(dependencies.store, owner, conversation_id)
    earlier = None if key is None else await turn_with_key(dependencies.store, owner, conversation_id, key)
    if earlier is not None:
        return _same_turn(earlier, message)
    if conversation.turns:
        _check_answered(await settled_turn(dependencies.store, owner, conversation_id, conversation.turns))
    number = conversation.turns + 1
    focus = (await _history(dependencies.store, owner, conversation, number)).focus
    turn = Turn(
        id=f"{conversation_id}-{number}",
        conversation=conversation_id,
        number=number,
        asked=message,
        at=dependencies.now(),
        focus=focus.model_copy(update={"data": await own_data(dependencies.prices_of(owner))}),
        detached=detached,
    )
    updated_conversation = conversation.model_copy(
        update={"turns": number, "title": conversation.title or message[:60]}
    )
    puts = [
        Put(turn_key(owner, conversation_id, number), turn.model_dump(mode="json"), 0, {"state": turn.state}),
        Put(Key(owner, KIND, conversation_id), updated_conversation.model_dump(mode="json"), version),
    ]
    if key is not None:
        key_document = {"conversation": conversation_id, "turn": number}
        puts.append(Put(message_key(owner, conversation_id, key), key_document, 0))
    try:
        await dependencies.store.records.put_many(puts)
    except Conflict as error:
        earlier = None if key is None else await turn_with_key(dependencies.store, owner, conversation_id, key)
        if earlier is not None:  # the same message, sent twice concurrently
            return _same_turn(earlier, message)
        raise Unanswered(
            "message: another message of this conversation is being answered; expected one at a time"
        ) from error
    return turn


def _same_turn(earlier: Turn, message: str) -> Turn:
    if earlier.asked != message:
        raise MessageKeyUsed(f"key: it belongs to turn {earlier.number}, which says something else; expected a new key")
    return earlier


def _check_text(text: str) -> str:
    message = text.strip()
    allowed = f"1 to {MAX_MESSAGE_LENGTH} characters"
    if not 1 <= len(message) <= MAX_MESSAGE_LENGTH:
        raise InvalidInput("message", message[:40], reason=f"it has {len(message)} characters", allowed=allowed)
    if any("\ud800" <= character <= "\udfff" for character in message):
        raise InvalidInput("message", "", reason="it contains an unpaired surrogate", allowed=f"{allowed} in UTF-8")
    return message


def _check_answered(last: Turn) -> None:
    """Raise `Unanswered` if the last turn has no answer, on which the next one would rest."""
    if last.state == "waiting" and last.waits_for is not None:
        run, subject = last.waits_for
        raise Unanswered(
            f"message: turn {last.number} waits for an approval ({subject} of run {run}); "
            "expected a message once that is decided, or a branch after an earlier turn"
        )
    if last.state == "running":
        raise Unanswered(
            f"message: turn {last.number} is not answered yet; "
            "expected a message once it is, or a branch after an earlier turn"
        )


async def resume(
    dependencies: Dependencies, owner: str, conversation_id: str, number: int
) -> AsyncGenerator[TraceEvent]:
    """Resume an interrupted or decided turn; yields the stored events of a finished one."""
    turn = await turn_of(dependencies.store, owner, conversation_id, number)
    stored_events = await load_events(dependencies.store, owner, turn.id)
    if turn.state == "completed":
        for event in stored_events:
            yield event
        return
    if not await _leave_waiting(dependencies.store, owner, turn):
        return
    if dependencies.models is None:
        raise ValueError("a conversation needs models, but none are configured")
    log = EventLog(dependencies.store, owner, turn.id, stored_events, dependencies.observe, dependencies.now)
    yielded_ids = {event.id for event in stored_events}
    try:
        async with aclosing(bind_run_to_logs(turn.id, _run_graph(dependencies, owner, turn, log))) as steps:
            async for event in steps:
                yielded_ids.add(event.id)
                yield event
        for event in await _unstreamed(dependencies.store, owner, turn, yielded_ids):
            yield event
    except Exception as error:
        for event in await _unstreamed(dependencies.store, owner, turn, yielded_ids):
            yield event
        failures = sum(isinstance(event, RunFailed) for event in stored_events)
        failure = log.make(RunFailed, "turn", 0, failures, code=failure_code(error), kind=failure_kind(error))
        new_events = await log.append(failure)
        await update_turn(dependencies.store, owner, turn, state="failed")
        await delete_answers(
            dependencies.store, owner, turn.id
        )  # no process needs to resume it, and its drafts must be deleted
        for event in new_events:
            yield event
        raise


async def _leave_waiting(store: Store, owner: str, turn: Turn) -> bool:
    """Return whether no decision is missing; marks a waiting turn as running again."""
    if turn.waits_for is None:
        return True
    if not await is_decided(store, owner, *turn.waits_for):
        return False
    await update_turn(store, owner, turn, state="running", waits_for=None)
    return True


async def _unstreamed(store: Store, owner: str, turn: Turn, yielded_ids: Collection[str]) -> list[TraceEvent]:
    """Stored events that a stopped or failed graph did not stream."""
    return [event for event in await load_events(store, owner, turn.id) if event.id not in yielded_ids]


async def _run_graph(dependencies: Dependencies, owner: str, turn: Turn, log: EventLog) -> AsyncGenerator[TraceEvent]:
    assert dependencies.models is not None
    chain = dependencies.models.of(ASSISTANT.name)
    start_event = log.make(
        TurnStarted, "turn", 0, 0, conversation=turn.conversation, turn=turn.number, model=chain.models[0].name
    )
    for event in await log.append(start_event):
        yield event
    conversation = await conversation_of(dependencies.store, owner, turn.conversation)
    history = await _history(dependencies.store, owner, conversation, turn.number)
    evidence = await load_evidence(dependencies.store, owner, turn.id)
    evidence.calls["message"] = CallResult(message_figures(turn.asked), {})

    def context(at: NodeLog, tell: Tell) -> ChatContext:
        return ChatContext(
            principal=Principal(owner=owner),
            run=turn.id,
            store=dependencies.store,
            budgets=dependencies.budgets,
            now=dependencies.now,
            quotable_texts=(*(earlier.asked for earlier in history.before), turn.asked),
            prices=dependencies.prices_of(owner),
            runs=AssistantRuns(dependencies, owner, turn.id, lambda: evidence.current_focus(turn.focus), at, tell),
            focus=turn.focus,
            evidence=evidence,
            message=turn.asked,
        )

    execution = TurnContext(
        context=context,
        evidence=evidence,
        log=log,
        agent=build(ASSISTANT, chain),
        asked=turn.asked,
        before=[_past_turn(earlier) for earlier in history.before],
    )
    async with open_checkpoints(dependencies.checkpoints) as checkpointer:
        graph, thread = assistant_graph(checkpointer), f"{owner}/{turn.id}"
        config: RunnableConfig = {
            "configurable": {"thread_id": thread},
            "recursion_limit": RECURSION_LIMIT,
            "callbacks": [*dependencies.listeners],
        }
        snapshot = await graph.aget_state(config)
        has_checkpoint = snapshot.created_at is not None
        if not has_checkpoint or snapshot.tasks:
            interrupted = any(task.interrupts for task in snapshot.tasks)
            parts = graph.astream(
                Command(resume=True) if interrupted else None if has_checkpoint else BLANK,
                config,
                context=execution,
                stream_mode=["custom"],
                version="v2",
                durability="sync",
            )
            async for event in trace_events(parts):
                if not isinstance(event, GraphStopped):
                    yield event
            snapshot = await graph.aget_state(config)
        interrupts = [value.value for task in snapshot.tasks for value in task.interrupts]
        if interrupts:
            waits_for = [interrupts[0]["run"], interrupts[0]["subject"]]
            pause_event = log.make(
                TurnPaused,
                "turn",
                0,
                ".".join(waits_for),
                conversation=turn.conversation,
                turn=turn.number,
                waits_for=waits_for[0],
                subject=waits_for[1],
            )
            for event in await log.append(pause_event):
                yield event
            await update_turn(dependencies.store, owner, turn, state="waiting", waits_for=waits_for)
            return
        if "reply" not in snapshot.values:  # another process has finished the turn
            return
        async for event in _finish(dependencies.store, owner, turn, cast("State", snapshot.values), evidence, log):
            yield event
        await checkpointer.adelete_thread(thread)


async def _finish(
    store: Store,
    owner: str,
    turn: Turn,
    state: State,
    evidence: Evidence,
    log: EventLog,
) -> AsyncGenerator[TraceEvent]:
    reply = state["reply"]
    outcome = reply.outcome if reply else "no_answer"
    turn_events = await load_events(store, owner, turn.id)
    finish_event = log.make(
        TurnFinished,
        "turn",
        0,
        0,
        conversation=turn.conversation,
        turn=turn.number,
        outcome=outcome,
        usage=usage_of(turn_events),
    )
    reply_claims = [render(claim, evidence.figures) for claim in claims_of(state)]
    claims = [*note_claims(evidence, state["missing"]), *reply_claims, *reading_claims(evidence)]
    new = await log.append(finish_event)
    calls = [(event.tool, event.arguments) for event in turn_events if isinstance(event, ToolCalled)]
    exhibits = evidence.exhibits(calls)
    figure_ids = {
        id_
        for item in (*claims, *exhibits)
        for id_ in (item.figures if isinstance(item, RenderedClaim) else item.ids())
    }
    await update_turn(
        store,
        owner,
        turn,
        state="completed",
        waits_for=None,
        outcome=outcome,
        claims=[claim.model_dump(mode="json") for claim in claims],
        figures=[f.model_dump(mode="json") for f in evidence.figures if f.id in figure_ids],
        exhibits=[exhibit.model_dump(mode="json") for exhibit in exhibits],
        offers=list(reply.offers if reply else ()),
        did=[list(call) for call in calls],
        focus=evidence.focus_after(turn.focus, calls).model_dump(mode="json"),
    )
    for event in new:
        yield event


async def _history(store: Store, owner: str, conversation: Conversation, number: int) -> _History:
    """The last turns before `number`, and the focus of the conversation after them."""
    turns = await turns_of(store, owner, conversation, max(1, number - REMEMBERED), number - 1)
    return _History(before=turns, focus=turns[-1].focus if turns else await _initial_focus(store, owner))


async def _initial_focus(store: Store, owner: str) -> Focus:
    """The latest results of the owner, so that a new conversation can refer to them, and change the latest search."""
    latest, previous = (*await recent_results(store, owner, 2), None, None)[:2]
    return Focus(
        run=latest and latest.id, previous_run=previous and previous.id, request=latest.request if latest else None
    )


async def adopt(store: Store, owner: str, turn: Turn) -> None:
    """Mark the turn for execution by the background turns of its owner."""
    await update_turn(store, owner, turn, detached=True)


def _past_turn(turn: Turn) -> PastTurn:
    return PastTurn(asked=turn.asked, did=turn.did, answered=tuple(claim.template for claim in turn.claims))
