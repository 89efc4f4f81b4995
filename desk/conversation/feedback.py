"""What people think of answers."""

import uuid
from datetime import datetime

from desk.conversation.schemas import Feedback, Opinion
from store.records import Key, iterate_records
from store.store import Store

KIND = "feedback"


async def give_feedback(store: Store, owner: str, turn: str, opinion: Opinion, *, by: str, at: datetime) -> Feedback:
    given = Feedback(**opinion.model_dump(), id=uuid.uuid4().hex, by=by, at=at)
    await store.records.put(Key(owner, KIND, f"{turn}.{given.id}"), given.model_dump(mode="json"), expected=0)
    return given


async def feedback_page(
    store: Store, owner: str, turn: str, *, after: str | None, limit: int
) -> tuple[list[Feedback], str | None]:
    """Newest first, and the cursor of the next page."""
    page = await store.records.list(owner, KIND, prefix=f"{turn}.", after=after, limit=limit, newest_first=True)
    return [Feedback.model_validate(record.document) for record in page.records], page.after


async def forget_feedback(store: Store, owner: str, turn: str) -> None:
    found = [record.key async for record in iterate_records(store.records, owner, KIND, prefix=f"{turn}.")]
    for key in found:
        await store.records.delete(key)
