"""The door to conversations: begin one, ask, go on after an interruption, branch, read."""

import asyncio
import hashlib
import uuid
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command
from pydantic import Field

from agents.assistant import assistant
from graphs.assistant import RECURSION_LIMIT, Before, State, Tell, Turning, noted, turning
from graphs.checkpoints import open_checkpoints
from graphs.launching import DeskRuns
from graphs.log import EventLog, Place, logged
from graphs.runs import Desk, code_of, events_of, kind_of, list_runs
from graphs.stream import Stopped, events
from graphs.usage import usage_of
from quant.strategy import Frozen
from store.errors import Conflict
from store.records import Key, Put, every
from store.store import Store
from tools.answers import forget_answers
from tools.approval import Subject, approval_of
from tools.chat import ChatContext, Evidence, Returned, load_evidence, said_figures
from tools.claims import render
from tools.context import Principal
from tools.errors import Conflicting, InvalidInput, NotFound
from tools.exhibits import Exhibit
from tools.figures import Figure
from tools.focus import Focus
from tools.optimization import RenderedClaim
from tools.reply import Reply
from tools.trace import RunFailed, ToolCalled, TraceEvent, TurnFinished, TurnStarted
from tools.wishes import Offer

KIND, TURN, MESSAGE = "conversation", "turn", "message"
REMEMBERED = 4
"""Turns that the assistant is reminded of; what is older is found in the store by its tools."""
BLANK: State = {"reply": None, "author": "", "missing": []}
LONGEST_MESSAGE = 4_000
SETTLING = 50
"""Looks at a turn whose log has ended, 20 ms apart."""

TurnState: TypeAlias = Literal["running", "waiting", "completed", "failed"]
UNANSWERED: tuple[TurnState, ...] = ("running", "waiting")


class Conversation(Frozen):
    id: str
    created_at: datetime
    title: str
    turns: int = 0
    """The number of the last turn; turns up to `branched_at` are those of `parent`."""
    parent: str | None = None
    branched_at: int = 0


class Turn(Frozen):
    """A message and its answer; `id` names the turn in the trace."""

    id: str
    conversation: str
    number: int
    asked: Annotated[str, Field(max_length=LONGEST_MESSAGE)]
    at: datetime
    state: TurnState = "running"
    outcome: Literal["answered", "declined", "asked_back", "no_answer"] | None = None
    claims: tuple[RenderedClaim, ...] = ()
    figures: tuple[Figure, ...] = ()
    """Those that the claims and the tables refer to."""
    exhibits: tuple[Exhibit, ...] = ()
    """Tables that code made of what the tools returned."""
    offers: tuple[Offer, ...] = ()
    did: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Tools and their arguments."""
    waits_for: tuple[str, Subject] | None = None
    """The run and the subject of the approval."""
    focus: Focus = Focus()
    """After this turn."""
    detached: bool = False
    """Whoever serves the owner goes on with it, not the process that was told the message: see `graphs.answering`."""


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


async def begin_conversation(desk: Desk, owner: str, *, conversation_id: str | None = None) -> str:
    id_ = conversation_id or uuid.uuid4().hex[:12]
    made = Conversation(id=id_, created_at=desk.now(), title="")
    await desk.store.records.put(Key(owner, KIND, id_), made.model_dump(mode="json"), expected=0)
    return id_


async def branch(desk: Desk, owner: str, conversation_id: str, turn: int, *, branch_id: str | None = None) -> str:
    """A new conversation that goes on after a turn of another; both stand beside each other from then on."""
    parent = await conversation_of(desk.store, owner, conversation_id)
    if not 1 <= turn <= parent.turns:
        allowed = f"1 to {parent.turns}" if parent.turns else "a turn of a conversation that has some"
        raise InvalidInput("turn", turn, allowed=allowed)
    if (await turn_of(desk.store, owner, conversation_id, turn)).state in UNANSWERED:
        raise InvalidInput("turn", turn, reason=f"turn {turn} is not answered yet", allowed="a turn that is")
    id_ = branch_id or uuid.uuid4().hex[:12]
    made = Conversation(
        id=id_,
        created_at=desk.now(),
        title=parent.title,
        turns=turn,
        parent=conversation_id,
        branched_at=turn,
    )
    await desk.store.records.put(Key(owner, KIND, id_), made.model_dump(mode="json"), expected=0)
    return id_


async def ask(desk: Desk, owner: str, conversation_id: str, text: str) -> AsyncGenerator[TraceEvent]:
    """Store the message as the next turn and answer it; the events of runs that it launches are among those yielded.

    Ends early, with the turn in state `waiting`, where a person has to approve something.
    """
    turn = await take(desk, owner, conversation_id, text)
    async for event in resume(desk, owner, conversation_id, turn.number):
        yield event


async def take(
    desk: Desk, owner: str, conversation_id: str, text: str, *, key: str | None = None, detached: bool = False
) -> Turn:
    """Store the message as the next turn, which nobody answers yet; the same `key` again gives the turn of then."""
    asked = _checked(text)
    conversation, version = await _read(desk.store, owner, conversation_id)
    earlier = None if key is None else await asked_with(desk.store, owner, conversation_id, key)
    if earlier is not None:
        return _same(earlier, asked)
    if conversation.turns:
        _check_answered(await _settled(desk.store, owner, conversation_id, conversation.turns))
    number = conversation.turns + 1
    turn = Turn(
        id=f"{conversation_id}-{number}",
        conversation=conversation_id,
        number=number,
        asked=asked,
        at=desk.now(),
        focus=(await _standing(desk.store, owner, conversation, number)).focus,
        detached=detached,
    )
    told = conversation.model_copy(update={"turns": number, "title": conversation.title or asked[:60]})
    puts = [
        Put(_turn_key(owner, conversation_id, number), turn.model_dump(mode="json"), 0, {"state": turn.state}),
        Put(Key(owner, KIND, conversation_id), told.model_dump(mode="json"), version),
    ]
    if key is not None:
        said = {"conversation": conversation_id, "turn": number}
        puts.append(Put(_message_key(owner, conversation_id, key), said, 0))
    try:
        await desk.store.records.put_many(puts)
    except Conflict as error:
        earlier = None if key is None else await asked_with(desk.store, owner, conversation_id, key)
        if earlier is not None:  # the same message, sent twice at once
            return _same(earlier, asked)
        raise Unanswered(
            "message: another message of this conversation is being answered; allowed: one at a time"
        ) from error
    return turn


async def asked_with(store: Store, owner: str, conversation_id: str, key: str) -> Turn | None:
    """The turn that the message with this key became."""
    record = await store.records.get(_message_key(owner, conversation_id, key))
    return None if record is None else await turn_of(store, owner, conversation_id, record.document["turn"])


def _same(earlier: Turn, asked: str) -> Turn:
    if earlier.asked != asked:
        raise OtherMessage(f"key: it belongs to turn {earlier.number}, which says something else; allowed: a new key")
    return earlier


def _checked(text: str) -> str:
    asked = text.strip()
    allowed = f"1 to {LONGEST_MESSAGE} characters"
    if not 1 <= len(asked) <= LONGEST_MESSAGE:
        raise InvalidInput("message", asked[:40], reason=f"it has {len(asked)} characters", allowed=allowed)
    if any("\ud800" <= character <= "\udfff" for character in asked):
        raise InvalidInput("message", "", reason="it holds what is no character", allowed=f"{allowed} in UTF-8")
    return asked


async def _settled(store: Store, owner: str, conversation_id: str, number: int) -> Turn:
    """The turn; if its log tells of its end, as it is a moment later, when its record does too."""
    for _ in range(SETTLING):
        turn = await turn_of(store, owner, conversation_id, number)
        if turn.state != "running" or not await _has_ended(store, owner, turn.id):
            return turn
        await asyncio.sleep(0.02)
    return await turn_of(store, owner, conversation_id, number)


async def _has_ended(store: Store, owner: str, log: str) -> bool:
    last = await store.events.last(owner, log)
    ends = await store.events.read(owner, log, last - 1) if last else []
    return any(event.payload["event"] in ("turn_finished", "run_failed") for event in ends)


def _check_answered(last: Turn) -> None:
    """Else the next answer would rest on what is not there yet."""
    if last.state == "waiting" and last.waits_for is not None:
        run, subject = last.waits_for
        raise Unanswered(
            f"message: turn {last.number} waits for an approval ({subject} of run {run}); "
            "allowed: a message once that is decided, or a branch after an earlier turn"
        )
    if last.state == "running":
        raise Unanswered(
            f"message: turn {last.number} is not answered yet; "
            "allowed: a message once it is, or a branch after an earlier turn"
        )


async def resume(desk: Desk, owner: str, conversation_id: str, number: int) -> AsyncGenerator[TraceEvent]:
    """Go on with a turn that was interrupted, or whose approval was decided; a finished one is read out."""
    turn = await turn_of(desk.store, owner, conversation_id, number)
    stored = await events_of(desk.store, owner, turn.id)
    if turn.state == "completed":
        for event in stored:
            yield event
        return
    if turn.waits_for is not None and not await _is_decided(desk.store, owner, *turn.waits_for):
        return
    if desk.models is None:
        raise ValueError("a conversation needs a desk with models")
    log = EventLog(desk.store, owner, turn.id, stored, desk.observe, desk.now)
    known = {event.id for event in stored}
    try:
        async with aclosing(logged(turn.id, _steps(desk, owner, turn, log))) as steps:
            async for event in steps:
                known.add(event.id)
                yield event
        for event in await _untold(desk.store, owner, turn, known):
            yield event
    except Exception as error:
        for event in await _untold(desk.store, owner, turn, known):
            yield event
        failures = sum(isinstance(event, RunFailed) for event in stored)
        failed = log.make(RunFailed, "turn", 0, failures, code=code_of(error), kind=kind_of(error))
        ended = await log.append(failed)
        await _update(desk.store, owner, turn, state="failed")
        await forget_answers(desk.store, owner, turn.id)  # nobody has to go on with it, and drafts must not stay
        for event in ended:
            yield event
        raise


async def _untold(store: Store, owner: str, turn: Turn, known: Collection[str]) -> list[TraceEvent]:
    """What a graph that stops or fails has stored and did not come to stream."""
    return [event for event in await events_of(store, owner, turn.id) if event.id not in known]


async def _steps(desk: Desk, owner: str, turn: Turn, log: EventLog) -> AsyncGenerator[TraceEvent]:
    assert desk.models is not None
    chain = desk.models.of("assistant")
    started = log.make(
        TurnStarted, "turn", 0, 0, conversation=turn.conversation, turn=turn.number, model=chain.models[0].name
    )
    for event in await log.append(started):
        yield event
    conversation = await conversation_of(desk.store, owner, turn.conversation)
    place = await _standing(desk.store, owner, conversation, turn.number)
    evidence = await load_evidence(desk.store, owner, turn.id)
    evidence.calls["message"] = Returned(said_figures(turn.asked), {})

    def context(at: Place, tell: Tell) -> ChatContext:
        return ChatContext(
            principal=Principal(owner=owner),
            run=turn.id,
            store=desk.store,
            budgets=desk.budgets,
            now=desk.now,
            said=(*(earlier.asked for earlier in place.before), turn.asked),
            prices=desk.prices,
            runs=DeskRuns(desk, owner, turn.id, lambda: evidence.about(turn.focus), at, tell),
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
    async with open_checkpoints(desk.checkpoints) as checkpointer:
        graph, thread = turning(checkpointer), f"{owner}/{turn.id}"
        config: RunnableConfig = {
            "configurable": {"thread_id": thread},
            "recursion_limit": RECURSION_LIMIT,
            "callbacks": [*desk.listeners],
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
            await _update(desk.store, owner, turn, state="waiting", waits_for=waits_for)
            return
        if "reply" not in at.values:  # another process has finished the turn meanwhile
            return
        async for event in _finish(desk.store, owner, turn, at.values["reply"], at.values["missing"], evidence, log):
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
    said = await events_of(store, owner, turn.id)
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
    await _update(
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
        focus=evidence.focus(turn.focus, calls).model_dump(mode="json"),
    )
    for event in new:
        yield event


async def conversation_of(store: Store, owner: str, conversation_id: str) -> Conversation:
    return (await _read(store, owner, conversation_id))[0]


async def conversations(store: Store, owner: str) -> list[Conversation]:
    """The owner's, newest first."""
    found = every(store.records, owner, KIND, newest_first=True)
    return [Conversation.model_validate(record.document) async for record in found]


async def turn_of(store: Store, owner: str, conversation_id: str, number: int) -> Turn:
    """A turn of the conversation, or of the one that it branched from."""
    conversation = await conversation_of(store, owner, conversation_id)
    while conversation.parent is not None and number <= conversation.branched_at:
        conversation = await conversation_of(store, owner, conversation.parent)
    record = await store.records.get(_turn_key(owner, conversation.id, number))
    if record is None:
        raise NotFound(f"turn: there is no turn {number}; allowed: 1 to {conversation.turns}")
    return Turn.model_validate(record.document)


async def _read(store: Store, owner: str, conversation_id: str) -> tuple[Conversation, int]:
    """A conversation and the version of its record."""
    record = await store.records.get(Key(owner, KIND, conversation_id))
    if record is None:
        raise NotFound(
            f"conversation: there is no conversation {conversation_id!r}; allowed: the id of one of your conversations"
        )
    return Conversation.model_validate(record.document), record.version


async def _standing(store: Store, owner: str, conversation: Conversation, number: int) -> _Standing:
    """The last turns before `number`, and what the conversation is about after them."""
    numbers = range(max(1, number - REMEMBERED), number)
    turns = [await turn_of(store, owner, conversation.id, n) for n in numbers]
    return _Standing(before=turns, focus=turns[-1].focus if turns else await _begun(store, owner))


async def _begun(store: Store, owner: str) -> Focus:
    """A new conversation knows the latest results, so that they can be asked about."""
    done = [run.id for run in await list_runs(store, owner) if run.state == "completed"]
    return Focus(run=next(iter(done), None), previous_run=next(iter(done[1:]), None))


async def unanswered(store: Store, owner: str) -> list[Turn]:
    """Turns that are not answered yet, those that wait for a person among them."""
    found = [every(store.records, owner, TURN, label=("state", state)) for state in UNANSWERED]
    return [Turn.model_validate(record.document) for records in found async for record in records]


async def can_go_on(store: Store, owner: str, turn: Turn) -> bool:
    """Whether there is something to execute: it is not answered, and no decision of a person is missing."""
    if turn.state not in UNANSWERED:
        return False
    return turn.waits_for is None or await _is_decided(store, owner, *turn.waits_for)


async def adopt(store: Store, owner: str, turn: Turn) -> None:
    """From now on whoever serves the owner goes on with the turn."""
    await _update(store, owner, turn, detached=True)


async def _is_decided(store: Store, owner: str, run: str, subject: Subject) -> bool:
    approval = await approval_of(store, owner, run, subject)
    return approval is not None and approval.decided is not None


def _reminder(turn: Turn) -> Before:
    return Before(asked=turn.asked, did=turn.did, answered=tuple(claim.template for claim in turn.claims))


def _turn_key(owner: str, conversation_id: str, number: int) -> Key:
    return Key(owner, TURN, f"{conversation_id}.{number:06d}")


def _message_key(owner: str, conversation_id: str, key: str) -> Key:
    return Key(owner, MESSAGE, f"{conversation_id}.{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}")


async def _update(store: Store, owner: str, turn: Turn, **changes: Any) -> None:
    """Change the turn, unless another process has completed it meanwhile."""
    key = _turn_key(owner, turn.conversation, turn.number)
    while True:
        record = await store.records.get(key)
        assert record is not None
        if record.document["state"] == "completed":
            return
        changed = {**record.document, **changes}
        try:
            await store.records.put(key, changed, expected=record.version, labels={"state": changed["state"]})
        except Conflict:
            continue
        return
