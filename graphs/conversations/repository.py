"""The stored conversations and turns: create, branch, list, rename, delete."""

import asyncio
import hashlib
import re
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.conversation.feedback import delete_feedback
from desk.conversation.messages import Message, message_number, number_messages
from desk.conversation.schemas import EVIDENCE, UNANSWERED, Conversation, Turn
from desk.governance.approvals import Subject, load_approval
from desk.runs.model_answers import delete_answers
from graphs.dependencies import Dependencies
from graphs.runs.leases import hold_lease
from store.errors import Conflict
from store.records import Key, Put, Record, iterate_records
from store.store import Store

KIND, TURN, MESSAGE = "conversation", "turn", "message"
ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
SETTLING = 50
"""Reads of a turn whose log has ended, 20 ms apart."""
ENDS = ("turn_finished", "turn_paused", "run_failed")


class Branched(Conflicting):
    """The conversation has branches."""

    code = "branched"


class Span(NamedTuple):
    """Consecutive turns stored under one conversation's id."""

    conversation: str
    first: int
    last: int


def check_conversation_id(field: str, id_: str) -> None:
    if not ID.fullmatch(id_):
        raise InvalidInput(field, id_[:110], allowed="1 to 100 letters a-z, A-Z, digits, _ and -")


async def begin_conversation(
    dependencies: Dependencies, owner: str, *, conversation_id: str | None = None, title: str = ""
) -> str:
    id_ = uuid.uuid4().hex[:12] if conversation_id is None else conversation_id
    check_conversation_id("conversation", id_)
    conversation = Conversation(id=id_, created_at=dependencies.now(), title=title)
    await dependencies.store.records.put(Key(owner, KIND, id_), conversation.model_dump(mode="json"), expected=0)
    return id_


async def branch(
    dependencies: Dependencies, owner: str, conversation_id: str, turn: int, *, branch_id: str | None = None
) -> str:
    """Create a conversation that continues after a turn of another; both continue independently."""
    parent, version = await read_conversation(dependencies.store, owner, conversation_id)
    if not 1 <= turn <= parent.turns:
        allowed = f"1 to {parent.turns}" if parent.turns else "a turn of a conversation with turns"
        raise InvalidInput("turn", turn, allowed=allowed)
    if (await turn_of(dependencies.store, owner, conversation_id, turn)).state in UNANSWERED:
        raise InvalidInput("turn", turn, reason=f"turn {turn} is not answered yet", allowed="a turn that is")
    id_ = branch_id or uuid.uuid4().hex[:12]
    new_conversation = Conversation(
        id=id_,
        created_at=dependencies.now(),
        title=parent.title,
        turns=turn,
        parent=conversation_id,
        branched_at=turn,
    )
    puts = [
        Put(Key(owner, KIND, id_), new_conversation.model_dump(mode="json"), 0),
        Put(Key(owner, KIND, conversation_id), parent.model_dump(mode="json"), version),  # fails if it is being deleted
    ]
    await dependencies.store.records.put_many(puts)
    return id_


async def rename(store: Store, owner: str, conversation_id: str, title: str) -> Conversation:
    while True:
        conversation, version = await read_conversation(store, owner, conversation_id)
        renamed = conversation.model_copy(update={"title": title})
        try:
            await store.records.put(
                Key(owner, KIND, conversation_id), renamed.model_dump(mode="json"), expected=version
            )
        except Conflict:
            continue
        return renamed


async def delete_conversation(dependencies: Dependencies, owner: str, conversation_id: str) -> None:
    """Delete the conversation with its turns; runs that it started stay."""
    store = dependencies.store
    record = await store.records.get(Key(owner, KIND, conversation_id))
    if record is not None and record.document.get("deleted"):  # by a process that may have died during the deletion
        await _delete_turns(store, owner, conversation_id)
    conversation, version = await read_conversation(store, owner, conversation_id)
    async for record in iterate_records(store.records, owner, KIND):
        if record.document["parent"] == conversation_id and not record.document.get("deleted"):
            raise Branched(f"conversation: {record.key.id!r} branches off it; delete that conversation first")
    own = [turn async for turn in _own_turns(store, owner, conversation_id)]
    tombstone = Conversation(id=conversation_id, created_at=conversation.created_at, title="", deleted=True)
    async with _lock_last_turn(dependencies, owner, own):
        await store.records.put(Key(owner, KIND, conversation_id), tombstone.model_dump(mode="json"), expected=version)
    await _delete_turns(store, owner, conversation_id)


async def conversation_of(store: Store, owner: str, conversation_id: str) -> Conversation:
    return (await read_conversation(store, owner, conversation_id))[0]


async def list_conversations(store: Store, owner: str) -> list[Conversation]:
    """The owner's conversations, newest first."""
    records = iterate_records(store.records, owner, KIND, newest_first=True)
    return [
        conversation
        async for record in records
        if not (conversation := Conversation.model_validate(record.document)).deleted
    ]


async def conversation_page(
    store: Store, owner: str, *, after: str | None, limit: int
) -> tuple[list[Conversation], str | None]:
    """A page of conversations, newest first, and the cursor of the next page."""
    items: list[Conversation] = []
    while True:
        page = await store.records.list(owner, KIND, after=after, limit=limit - len(items), newest_first=True)
        page_items = [Conversation.model_validate(record.document) for record in page.records]
        items += [conversation for conversation in page_items if not conversation.deleted]
        after = page.after
        if after is None or len(items) == limit:
            return items, after


async def turn_of(store: Store, owner: str, conversation_id: str, number: int) -> Turn:
    """A turn of the conversation, or of the one that it branched from."""
    requested_conversation = conversation = await conversation_of(store, owner, conversation_id)
    while conversation.parent is not None and number <= conversation.branched_at:
        conversation = await conversation_of(store, owner, conversation.parent)
    record = await store.records.get(turn_key(owner, conversation.id, number)) if number > 0 else None
    if record is None:
        raise NotFound(f"turn: there is no turn {number}; expected {_turn_range(requested_conversation)}")
    return Turn.model_validate(record.document)


async def turns_of(store: Store, owner: str, conversation: Conversation, first: int, last: int) -> list[Turn]:
    """Turns `first` to `last`, those before a branch included."""
    turns: list[Turn] = []
    for span in await _spans(store, owner, conversation):
        low, high = max(first, span.first), min(last, span.last)
        if low <= high:
            page = await store.records.list(
                owner,
                TURN,
                prefix=f"{span.conversation}.",
                after=turn_key(owner, span.conversation, low - 1).id,
                limit=high - low + 1,
            )
            turns += [Turn.model_validate(record.document) for record in page.records]
    return turns


async def turn_page(
    store: Store, owner: str, conversation_id: str, *, after: str | None, limit: int
) -> tuple[list[Turn], str | None]:
    """A page of turns, from the first, and the cursor of the next page."""
    conversation = await conversation_of(store, owner, conversation_id)
    last = message_number(after, "after") + limit
    turns = await turns_of(store, owner, conversation, last - limit + 1, last)
    return turns, str(last) if last < conversation.turns else None


async def message_page(
    store: Store, owner: str, conversation_id: str, *, after: str | None, limit: int
) -> tuple[list[Message], str | None]:
    """A page of messages, from the first, and the cursor of the next page."""
    conversation = await conversation_of(store, owner, conversation_id)
    first = message_number(after, "after") + 1
    numbers = range(first, first + limit)
    # one turn more shows whether there is another page
    turns = await turns_of(store, owner, conversation, (first + 1) // 2, (first + limit + 1) // 2)
    if turns and turns[-1].state == "running":  # its answer may have been read from the log already
        turns[-1] = await settled_turn(store, owner, conversation_id, turns[-1].number)
    messages = dict(number_messages(turns))
    more = max(messages, default=0) >= numbers.stop
    return [message for number, message in messages.items() if number in numbers], str(
        numbers.stop - 1
    ) if more else None


async def settled_turn(store: Store, owner: str, conversation_id: str, number: int) -> Turn:
    """The turn; waits briefly for its record if its log has already stopped."""
    for _ in range(SETTLING):
        turn = await turn_of(store, owner, conversation_id, number)
        if turn.state != "running" or not await _has_stopped(store, owner, turn.id):
            return turn
        await asyncio.sleep(0.02)
    return await turn_of(store, owner, conversation_id, number)


async def unanswered_turns(store: Store, owner: str) -> list[Turn]:
    """Turns without an answer, including those that wait for a person."""
    records_by_state = [iterate_records(store.records, owner, TURN, label=("state", state)) for state in UNANSWERED]
    return [Turn.model_validate(record.document) for records in records_by_state async for record in records]


async def is_resumable(store: Store, owner: str, turn: Turn) -> bool:
    """Whether the turn can be executed: it has no answer, and no decision is missing."""
    if turn.state not in UNANSWERED:
        return False
    return turn.waits_for is None or await is_decided(store, owner, *turn.waits_for)


async def is_decided(store: Store, owner: str, run: str, subject: Subject) -> bool:
    approval = await load_approval(store, owner, run, subject)
    return approval is not None and approval.decided is not None


async def turn_with_key(store: Store, owner: str, conversation_id: str, key: str) -> Turn | None:
    """The turn that was created from the message with this key."""
    record = await store.records.get(message_key(owner, conversation_id, key))
    return None if record is None else await turn_of(store, owner, conversation_id, record.document["turn"])


async def read_conversation(store: Store, owner: str, conversation_id: str) -> tuple[Conversation, int]:
    """A conversation and the version of its record."""
    record = await store.records.get(Key(owner, KIND, conversation_id))
    conversation = None if record is None else Conversation.model_validate(record.document)
    if record is None or conversation is None or conversation.deleted:
        raise NotFound(
            f"conversation: there is no conversation {conversation_id!r}; expected the id of one of your conversations"
        )
    return conversation, record.version


async def update_turn(store: Store, owner: str, turn: Turn, **changes: Any) -> None:
    """Change the turn, unless another process completed or deleted it."""
    key = turn_key(owner, turn.conversation, turn.number)
    while True:
        record = await store.records.get(key)
        if record is None or record.document["state"] == "completed":  # deleted with its conversation, or completed
            return
        changed = {**record.document, **changes}
        try:
            await store.records.put(key, changed, expected=record.version, labels={"state": changed["state"]})
        except Conflict:
            continue
        return


def turn_key(owner: str, conversation_id: str, number: int) -> Key:
    return Key(owner, TURN, f"{conversation_id}.{number:06d}")


def message_key(owner: str, conversation_id: str, key: str) -> Key:
    """Hashes `key`, which is a client's choice of any length and characters."""
    return Key(owner, MESSAGE, f"{conversation_id}.{hashlib.sha256(key.encode(errors='replace')).hexdigest()[:32]}")


async def _spans(store: Store, owner: str, conversation: Conversation) -> Sequence[Span]:
    """Where the turns of a conversation are stored, in order."""
    last = conversation.turns
    spans = [Span(conversation.id, conversation.branched_at + 1, last)]
    while conversation.parent is not None:
        last = min(last, conversation.branched_at)
        conversation = await conversation_of(store, owner, conversation.parent)
        spans.insert(0, Span(conversation.id, conversation.branched_at + 1, last))
    return spans


async def _own_turns(store: Store, owner: str, conversation_id: str) -> AsyncGenerator[Turn]:
    async for record in iterate_records(store.records, owner, TURN, prefix=f"{conversation_id}."):
        yield Turn.model_validate(record.document)


async def _delete_turns(store: Store, owner: str, conversation_id: str) -> None:
    """Deletes the turns last, because they name the other records to delete."""
    for turn in [turn async for turn in _own_turns(store, owner, conversation_id)]:
        await delete_answers(store, owner, turn.id)
        await delete_feedback(store, owner, turn.id)
        await _delete_records(store, owner, EVIDENCE, f"{turn.id}.")
        await store.events.delete(owner, turn.id)
    await _delete_records(store, owner, MESSAGE, f"{conversation_id}.")
    await _delete_records(store, owner, TURN, f"{conversation_id}.")


@asynccontextmanager
async def _lock_last_turn(dependencies: Dependencies, owner: str, turns: Sequence[Turn]) -> AsyncGenerator[None]:
    """Lock the last turn; raises `LeaseHeld` if a process executes it."""
    if turns and await is_resumable(dependencies.store, owner, turns[-1]):
        async with hold_lease(dependencies.store, owner, turns[-1].id, now=dependencies.now):
            yield
    else:
        yield


async def _has_stopped(store: Store, owner: str, log: str) -> bool:
    last = await store.events.last(owner, log)
    ends = await store.events.read(owner, log, last - 1) if last else []
    return any(event.payload["event"] in ENDS for event in ends)


async def _delete_records(store: Store, owner: str, kind: str, prefix: str) -> None:
    records: list[Record] = [record async for record in iterate_records(store.records, owner, kind, prefix=prefix)]
    for record in records:
        await store.records.delete(record.key)


def _turn_range(conversation: Conversation) -> str:
    return f"1 to {conversation.turns}" if conversation.turns else "none, since nothing was said in it yet"
