"""The door to conversations: begin one, ask, go on after an interruption, branch, read."""

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.assistant import assistant
from desk.base.errors import Conflicting, InvalidInput
from desk.conversation.context import CallResult, ChatContext, Evidence, load_evidence, message_figures
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.conversation.schemas import MAX_MESSAGE_LENGTH, UNANSWERED, Conversation, Turn
from desk.figures.figures import RenderedClaim
from desk.figures.guard.claims import render
from desk.governance.principals import Principal
from desk.runs.events import RunFailed, ToolCalled, TraceEvent, TurnFinished, TurnPaused, TurnStarted
from desk.runs.model_answers import delete_answers
from desk.runs.repository import load_events
from graphs.assistant import RECURSION_LIMIT, Before, State, Tell, Turning, noted, turning
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.conversations.launching import RunsOfOwner
from graphs.conversations.repository import (
    KIND,
    asked_with,
    begin_conversation,
    branch,
    conversation_of,
    conversations,
    is_decided,
    message_key,
    read_conversation,
    settled,
    turn_key,
    turn_of,
    turns_of,
    update,
)
from graphs.dependencies import Dependencies
from graphs.jobs.execution import code_of, kind_of
from graphs.runs.event_log import EventLog, Place, logged
from graphs.runs.recent_runs import recent_results
from graphs.runs.usage import usage_of
from graphs.stream_parts import Stopped, events
from store.errors import Conflict
from store.records import Key, Put
from store.store import Store

__all__ = [
    "MAX_MESSAGE_LENGTH",
    "REMEMBERED",
    "UNANSWERED",
    "Conversation",
    "OtherMessage",
    "Turn",
    "Unanswered",
    "adopt",
    "ask",
    "asked_with",
    "begin_conversation",
    "branch",
    "conversation_of",
    "conversations",
    "resume",
    "take",
    "turn_of",
]

REMEMBERED = 4
"""Turns that the assistant is reminded of; what is older is found in the store by its tools."""
BLANK: State = {"reply": None, "author": "", "missing": []}


class Unanswered(Conflicting):
    """A message came while another one of its conversation has no answer yet."""

    code = "unanswered"


class OtherMessage(Conflicting):
    """The key of a message came again with other words."""

    code = "other_message"


@dataclass(frozen=True)
class _Standing:
    """Where the next turn stands: what came before it."""

    before: Sequence[Turn]
    focus: Focus


async def ask(dependencies: Dependencies, owner: str, conversation_id: str, text: str) -> AsyncGenerator[TraceEvent]:
    """Store the message as the next turn and answer it; the events of runs that it launches are among those yielded.

    Ends early, with the turn in state `waiting`, where a person has to approve something.
    """
    turn = await take(dependencies, owner, conversation_id, text)
    async for event in resume(dependencies, owner, conversation_id, turn.number):
        yield event


async def take(
    dependencies: Dependencies,
    owner: str,
    conversation_id: str,
    text: str,
    *,
    key: str | None = None,
    detached: bool = False,
) -> Turn:
    """Store the message as the next turn, which nobody answers yet; the same `key` again gives the turn of then."""
    asked = _checked(text)
    conversation, version = await read_conversation(dependencies.store, owner, conversation_id)
    earlier = None if key is None else await asked_with(dependencies.store, owner, conversation_id, key)
    if earlier is not None:
        return _same(earlier, asked)
    if conversation.turns:
        _check_answered(await settled(dependencies.store, owner, conversation_id, conversation.turns))
    number = conversation.turns + 1
    turn = Turn(
        id=f"{conversation_id}-{number}",
        conversation=conversation_id,
        number=number,
        asked=asked,
        at=dependencies.now(),
        focus=(await _standing(dependencies.store, owner, conversation, number)).focus,
        detached=detached,
    )
    told = conversation.model_copy(update={"turns": number, "title": conversation.title or asked[:60]})
    puts = [
        Put(turn_key(owner, conversation_id, number), turn.model_dump(mode="json"), 0, {"state": turn.state}),
        Put(Key(owner, KIND, conversation_id), told.model_dump(mode="json"), version),
    ]
    if key is not None:
        said = {"conversation": conversation_id, "turn": number}
        puts.append(Put(message_key(owner, conversation_id, key), said, 0))
    try:
        await dependencies.store.records.put_many(puts)
    except Conflict as error:
        earlier = None if key is None else await asked_with(dependencies.store, owner, conversation_id, key)
        if earlier is not None:  # the same message, sent twice at once
            return _same(earlier, asked)
        raise Unanswered(
            "message: another message of this conversation is being answered; expected one at a time"
        ) from error
    return turn


def _same(earlier: Turn, asked: str) -> Turn:
    if earlier.asked != asked:
        raise OtherMessage(f"key: it belongs to turn {earlier.number}, which says something else; expected a new key")
    return earlier


def _checked(text: str) -> str:
    asked = text.strip()
    allowed = f"1 to {MAX_MESSAGE_LENGTH} characters"
    if not 1 <= len(asked) <= MAX_MESSAGE_LENGTH:
        raise InvalidInput("message", asked[:40], reason=f"it has {len(asked)} characters", allowed=allowed)
    if any("\ud800" <= character <= "\udfff" for character in asked):
        raise InvalidInput("message", "", reason="it holds what is no character", allowed=f"{allowed} in UTF-8")
    return asked


def _check_answered(last: Turn) -> None:
    """Else the next answer would rest on what is not there yet."""
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
    """Go on with a turn that was interrupted, or whose approval was decided; a finished one is read out."""
    turn = await turn_of(dependencies.store, owner, conversation_id, number)
    stored = await load_events(dependencies.store, owner, turn.id)
    if turn.state == "completed":
        for event in stored:
            yield event
        return
    if not await _begins_again(dependencies.store, owner, turn):
        return
    if dependencies.models is None:
        raise ValueError("a conversation needs a desk with models")
    log = EventLog(dependencies.store, owner, turn.id, stored, dependencies.observe, dependencies.now)
    known = {event.id for event in stored}
    try:
        async with aclosing(logged(turn.id, _steps(dependencies, owner, turn, log))) as steps:
            async for event in steps:
                known.add(event.id)
                yield event
        for event in await _untold(dependencies.store, owner, turn, known):
            yield event
    except Exception as error:
        for event in await _untold(dependencies.store, owner, turn, known):
            yield event
        failures = sum(isinstance(event, RunFailed) for event in stored)
        failed = log.make(RunFailed, "turn", 0, failures, code=code_of(error), kind=kind_of(error))
        ended = await log.append(failed)
        await update(dependencies.store, owner, turn, state="failed")
        await delete_answers(
            dependencies.store, owner, turn.id
        )  # nobody has to go on with it, and drafts must not stay
        for event in ended:
            yield event
        raise


async def _begins_again(store: Store, owner: str, turn: Turn) -> bool:
    """Whether it waits for nobody; one that did says so no longer."""
    if turn.waits_for is None:
        return True
    if not await is_decided(store, owner, *turn.waits_for):
        return False
    await update(store, owner, turn, state="running", waits_for=None)
    return True


async def _untold(store: Store, owner: str, turn: Turn, known: Collection[str]) -> list[TraceEvent]:
    """What a graph that stops or fails has stored and did not come to stream."""
    return [event for event in await load_events(store, owner, turn.id) if event.id not in known]


async def _steps(dependencies: Dependencies, owner: str, turn: Turn, log: EventLog) -> AsyncGenerator[TraceEvent]:
    assert dependencies.models is not None
    chain = dependencies.models.of("assistant")
    started = log.make(
        TurnStarted, "turn", 0, 0, conversation=turn.conversation, turn=turn.number, model=chain.models[0].name
    )
    for event in await log.append(started):
        yield event
    conversation = await conversation_of(dependencies.store, owner, turn.conversation)
    place = await _standing(dependencies.store, owner, conversation, turn.number)
    evidence = await load_evidence(dependencies.store, owner, turn.id)
    evidence.calls["message"] = CallResult(message_figures(turn.asked), {})

    def context(at: Place, tell: Tell) -> ChatContext:
        return ChatContext(
            principal=Principal(owner=owner),
            run=turn.id,
            store=dependencies.store,
            budgets=dependencies.budgets,
            now=dependencies.now,
            quotable_texts=(*(earlier.asked for earlier in place.before), turn.asked),
            prices=dependencies.prices_of(owner),
            runs=RunsOfOwner(dependencies, owner, turn.id, lambda: evidence.current_focus(turn.focus), at, tell),
            focus=turn.focus,
            evidence=evidence,
        )

    execution = Turning(
        context=context,
        evidence=evidence,
        log=log,
        agent=assistant(chain),
        asked=turn.asked,
        before=[_reminder(earlier) for earlier in place.before],
    )
    async with open_checkpoints(dependencies.checkpoints) as checkpointer:
        graph, thread = turning(checkpointer), f"{owner}/{turn.id}"
        config: RunnableConfig = {
            "configurable": {"thread_id": thread},
            "recursion_limit": RECURSION_LIMIT,
            "callbacks": [*dependencies.listeners],
        }
        at = await graph.aget_state(config)
        begun = at.created_at is not None
        if not begun or at.tasks:
            interrupted = any(task.interrupts for task in at.tasks)
            parts = graph.astream(
                Command(resume=True) if interrupted else None if begun else BLANK,
                config,
                context=execution,
                stream_mode=["custom"],
                version="v2",
                durability="sync",
            )
            async for event in events(parts):
                if not isinstance(event, Stopped):
                    yield event
            at = await graph.aget_state(config)
        waiting = [value.value for task in at.tasks for value in task.interrupts]
        if waiting:
            waits_for = [waiting[0]["run"], waiting[0]["subject"]]
            paused = log.make(
                TurnPaused,
                "turn",
                0,
                ".".join(waits_for),
                conversation=turn.conversation,
                turn=turn.number,
                waits_for=waits_for[0],
                subject=waits_for[1],
            )
            for event in await log.append(paused):
                yield event
            await update(dependencies.store, owner, turn, state="waiting", waits_for=waits_for)
            return
        if "reply" not in at.values:  # another process has finished the turn meanwhile
            return
        async for event in _finish(
            dependencies.store, owner, turn, at.values["reply"], at.values["missing"], evidence, log
        ):
            yield event
        await checkpointer.adelete_thread(thread)


async def _finish(
    store: Store,
    owner: str,
    turn: Turn,
    reply: Reply | None,
    missing: Sequence[str],
    evidence: Evidence,
    log: EventLog,
) -> AsyncGenerator[TraceEvent]:
    outcome = reply.outcome if reply else "no_answer"
    said = await load_events(store, owner, turn.id)
    finished = log.make(
        TurnFinished,
        "turn",
        0,
        0,
        conversation=turn.conversation,
        turn=turn.number,
        outcome=outcome,
        usage=usage_of(said),
    )
    said_by_it = [render(claim, evidence.figures) for claim in (reply.claims if reply else ())]
    claims = [*noted(evidence, missing), *said_by_it]
    new = await log.append(finished)
    calls = [(event.tool, event.arguments) for event in said if isinstance(event, ToolCalled)]
    exhibits = evidence.exhibits(calls)
    used = {
        id_
        for shown in (*claims, *exhibits)
        for id_ in (shown.figures if isinstance(shown, RenderedClaim) else shown.ids())
    }
    await update(
        store,
        owner,
        turn,
        state="completed",
        waits_for=None,
        outcome=outcome,
        claims=[claim.model_dump(mode="json") for claim in claims],
        figures=[f.model_dump(mode="json") for f in evidence.figures if f.id in used],
        exhibits=[exhibit.model_dump(mode="json") for exhibit in exhibits],
        offers=list(reply.offers if reply else ()),
        did=[list(call) for call in calls],
        focus=evidence.focus_after(turn.focus, calls).model_dump(mode="json"),
    )
    for event in new:
        yield event


async def _standing(store: Store, owner: str, conversation: Conversation, number: int) -> _Standing:
    """The last turns before `number`, and what the conversation is about after them."""
    turns = await turns_of(store, owner, conversation, max(1, number - REMEMBERED), number - 1)
    return _Standing(before=turns, focus=turns[-1].focus if turns else await _begun(store, owner))


async def _begun(store: Store, owner: str) -> Focus:
    """A new conversation knows the latest results, so that they can be asked about."""
    done = await recent_results(store, owner, 2)
    return Focus(run=next(iter(done), None), previous_run=next(iter(done[1:]), None))


async def adopt(store: Store, owner: str, turn: Turn) -> None:
    """From now on whoever serves the owner goes on with the turn."""
    await update(store, owner, turn, detached=True)


def _reminder(turn: Turn) -> Before:
    return Before(asked=turn.asked, did=turn.did, answered=tuple(claim.template for claim in turn.claims))
