"""Stored feedback on answers."""

import uuid
from datetime import datetime

from desk.conversation.schemas import Feedback, Opinion
from store.records import Key, iterate_records
from store.store import Store

KIND = "feedback"


async def store_feedback(store: Store, owner: str, turn: str, opinion: Opinion, *, by: str, at: datetime) -> Feedback:
    feedback = Feedback(**opinion.model_dump(), id=uuid.uuid4().hex, by=by, at=at)
    await store.records.put(Key(owner, KIND, f"{turn}.{feedback.id}"), feedback.model_dump(mode="json"), expected=0)
    return feedback


async def feedback_page(
    store: Store, owner: str, turn: str, *, after: str | None, limit: int
) -> tuple[list[Feedback], str | None]:
    """Return the feedback of a turn, newest first, and the cursor of the next page."""
    page = await store.records.list(owner, KIND, prefix=f"{turn}.", after=after, limit=limit, newest_first=True)
    return [Feedback.model_validate(record.document) for record in page.records], page.after


async def delete_feedback(store: Store, owner: str, turn: str) -> None:
    keys = [record.key async for record in iterate_records(store.records, owner, KIND, prefix=f"{turn}.")]
    for key in keys:
        await store.records.delete(key)
