"""Drafts of jobs: requests that are saved before they are complete, and submitted later."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import JsonValue

from desk.base.errors import Conflicting, NotFound
from desk.runs.states import JobState, Transition, check_transition
from quant.numeric.frozen import Frozen
from store.records import Key, Put, Record
from store.store import Store

KIND = "draft"
RETENTION = timedelta(days=30)
"""Time after its expiry during which a draft can still be edited or submitted."""
_PAST = datetime.fromtimestamp(0, UTC)


class Draft(Frozen):
    """A request that may be incomplete; the job that it becomes has the same id."""

    id: str
    owner: str
    state: JobState = "draft"
    """`draft` or `expired`."""
    request: dict[str, JsonValue]
    """Fields of an `OptimizationRequest`, unchecked."""
    created_at: datetime
    edited_at: datetime
    history: tuple[Transition, ...]
    version: int = 0
    """Version of its record; 0 before it is stored."""

    @property
    def name(self) -> str:
        """Name of the request, if it has one."""
        name = self.request.get("name")
        return name if isinstance(name, str) else ""

    def edited(self, request: dict[str, JsonValue], *, at: datetime, by: str) -> "Draft":
        """Return the draft with another request; an expired draft is a draft again."""
        renewal = () if self.state == "draft" else (Transition(state="draft", at=at, by=by, reason="edited"),)
        update = {"request": request, "edited_at": at, "state": "draft", "history": (*self.history, *renewal)}
        return self.model_copy(update=update)

    def with_state(self, state: JobState, *, at: datetime, by: str, reason: str) -> "Draft":
        """Return the draft in `state`; `IllegalTransition` if that is not allowed."""
        check_transition(self.id, self.state, state)
        history = (*self.history, Transition(state=state, at=at, by=by, reason=reason))
        return self.model_copy(update={"state": state, "history": history})

    def put(self) -> Put:
        """Return the write of this draft over the version that was read."""
        expires = None if self.state == "draft" else self.history[-1].at + RETENTION
        document = self.model_dump(mode="json", exclude={"version"})
        return Put(_key(self.owner, self.id), document, self.version, {"state": self.state}, expires)

    def removal(self) -> Put:
        """Return the write that removes this version of the draft, for a transaction with other writes."""
        return Put(_key(self.owner, self.id), {}, self.version, expires=_PAST)


class NoSuchDraft(NotFound):
    """The owner has no draft with this id, or has submitted it."""

    code = "no_such_draft"

    def __init__(self, draft_id: str) -> None:
        super().__init__(
            f"draft: there is no draft {draft_id!r}; expected the id of one of your drafts (a submitted draft is a job "
            "with the same id)"
        )


class DraftChanged(Conflicting):
    """The draft has another version than the request expects."""

    code = "changed"

    def __init__(self, draft_id: str, version: int) -> None:
        super().__init__(f"draft: {draft_id!r} is now at version {version}; expected the version that was read last")


async def save_draft(store: Store, draft: Draft) -> Draft:
    """Write the draft over the version that was read; `Conflict` after a concurrent write."""
    (version,) = await store.records.put_many([draft.put()])
    return draft.model_copy(update={"version": version})


async def load_draft(store: Store, owner: str, draft_id: str, *, versions: Collection[int] | None = None) -> Draft:
    """Load a draft; `DraftChanged` unless its version is one of `versions`, if they are given."""
    record = await store.records.get(_key(owner, draft_id))
    if record is None:
        raise NoSuchDraft(draft_id)
    if versions is not None and record.version not in versions:
        raise DraftChanged(draft_id, record.version)
    return draft_of(record)


async def delete_draft(store: Store, draft: Draft) -> None:
    """Delete this version of the draft; `Conflict` after a concurrent write."""
    await store.records.delete(_key(draft.owner, draft.id), expected=draft.version)


def draft_of(record: Record) -> Draft:
    document: dict[str, Any] = {**record.document, "version": record.version}
    return Draft.model_validate(document)


def _key(owner: str, draft_id: str) -> Key:
    return Key(owner, KIND, draft_id)
