"""What waits for a person, in one list for all who may decide it: it tells of a run no more than what is asked."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import Field

from desk.base.errors import Forbidden, NotFound
from desk.governance.approvals import Approval, Asked, Decided, Subject, approval_key, approval_of
from desk.governance.principals import Principal
from desk.governance.roles import PERMISSIONS, Permission
from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.keys import SYSTEM
from store.records import Key, Put

if TYPE_CHECKING:
    from store.store import Store

KIND = "question"
OPEN, CLOSED = "open", "closed"
KEPT = timedelta(days=30)
"""How long a question can be read after its end."""
NEEDED: dict[Subject, Permission] = {"launch": "launch:approve", "holdout": "compliance:write"}
"""To decide it, and to see that it is asked."""
_MOST_PAGES = 50
"""Pages of the store that one page looks at, since not all questions are for everybody."""


class Question(Frozen):
    id: str = Field(description="Of the question; it says nothing about the run")
    owner: str = Field(description="Who asked")
    name: str = Field(description="Of the run")
    asked: Asked
    decided: Decided | None = None
    withdrawn: bool = Field(default=False, description="The run was cancelled before anybody decided")


class Filed(Frozen):
    """A question, and which run has asked it."""

    question: Question
    run: str


class NeedsAnother(Forbidden):
    """It waits for a second person."""

    code = "second_person"

    def __init__(self, subject: Subject, question: str) -> None:
        permission = NEEDED[subject]
        roles = " or ".join(role for role, granted in PERMISSIONS.items() if permission in granted)
        found = f"as question {question} of GET /api/approvals (python -m api approve {question} --server URL)"
        super().__init__(
            f"{subject}: it waits for a second person; expected another one who signs in with {permission} "
            f"({roles}){f', {found}' if question else ''}"
        )


def may_decide(decider: Principal, owner: str, subject: Subject, second_person: frozenset[Subject]) -> bool:
    """Whether `decider` may decide what `owner` has asked: the one rule, whichever the door."""
    return decider.may(NEEDED[subject]) and not (subject in second_person and decider.owner == owner)


async def ask(
    store: "Store", owner: str, run: str, name: str, asked: Asked, *, second_person: bool = False
) -> Approval:
    """Store the question and list it, unless it was asked already: what is stored holds, but for a decision."""
    approval = Approval(asked=asked, question=uuid4().hex, second_person=second_person)
    try:
        await store.records.put_many(
            [
                Put(approval_key(owner, run, asked.subject), approval.model_dump(mode="json"), 0),
                _put(_filed(owner, run, name, approval), 0),
            ]
        )
    except Conflict:
        earlier = await approval_of(store, owner, run, asked.subject)
        assert earlier is not None
        return earlier.model_copy(update={"decided": None})
    return approval


async def closing(store: "Store", approval: Approval | None, at: datetime, decided: Decided | None = None) -> list[Put]:
    """The write that takes the question off the list, since it is decided or, without a decision, withdrawn."""
    record = await store.records.get(_key(approval.question)) if approval and approval.question else None
    if record is None or record.document["question"]["decided"] is not None:
        return []
    filed = Filed.model_validate(record.document)
    question = filed.question.model_copy(update={"decided": decided, "withdrawn": decided is None})
    return [_put(filed.model_copy(update={"question": question}), record.version, expires=at + KEPT)]


async def reopening(store: "Store", owner: str, run: str, name: str, approval: Approval | None) -> list[Put]:
    """The write that lists a question again which was withdrawn."""
    if approval is None or not approval.question or approval.decided is not None:
        return []
    record = await store.records.get(_key(approval.question))
    if record is not None and not record.document["question"]["withdrawn"]:
        return []
    return [_put(_filed(owner, run, name, approval), 0 if record is None else record.version)]


async def filed_of(store: "Store", asking: Principal, question: str) -> Filed:
    """The question; for whoever may not decide such there is none."""
    record = await store.records.get(_key(question))
    filed = None if record is None else Filed.model_validate(record.document)
    if filed is None or not asking.may(NEEDED[filed.question.asked.subject]):
        raise NotFound(f"question: there is no question {question!r}; expected one that GET /api/approvals lists")
    return filed


async def question_page(
    store: "Store", asking: Principal, second_person: frozenset[Subject], *, after: str | None, limit: int
) -> tuple[list[Filed], str | None]:
    """What `asking` may decide, newest first, and the cursor of the next page; a page may hold fewer than `limit`."""
    found: list[Filed] = []
    for _ in range(_MOST_PAGES):
        page = await store.records.list(
            SYSTEM, KIND, label=("state", OPEN), after=after, limit=limit - len(found), newest_first=True
        )
        for record in page.records:
            filed = Filed.model_validate(record.document)
            if may_decide(asking, filed.question.owner, filed.question.asked.subject, second_person):
                found.append(filed)
        after = page.after
        if after is None or len(found) == limit:
            break
    return found, after


def _filed(owner: str, run: str, name: str, approval: Approval) -> Filed:
    return Filed(question=Question(id=approval.question, owner=owner, name=name, asked=approval.asked), run=run)


def _put(filed: Filed, version: int, *, expires: datetime | None = None) -> Put:
    document = filed.model_dump(mode="json")
    state = OPEN if expires is None else CLOSED
    return Put(_key(filed.question.id), document, version, labels={"state": state}, expires=expires)


def _key(question: str) -> Key:
    return Key(SYSTEM, KIND, question)
