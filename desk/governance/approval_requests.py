"""The shared list of pending approvals; an entry shows only the question, not the rest of its run."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from pydantic import Field, JsonValue

from desk.base.errors import Forbidden, NotFound
from desk.governance.approvals import Approval, ApprovalDecision, ApprovalRequest, Subject, approval_key, load_approval
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
RETENTION = timedelta(days=30)
"""How long a closed question remains readable."""
REQUIRED_PERMISSION: dict[Subject, Permission] = {"launch": "launch:approve", "holdout": "compliance:write"}
"""Permission to see and decide a question, by subject."""
_MAX_STORE_PAGES = 50
"""Limit on the store pages read for one page of questions, because some questions are filtered out."""


class Question(Frozen):
    id: str = Field(description="Question id; unrelated to the run's id")
    owner: str = Field(description="Owner of the run")
    name: str = Field(description="Name of the run")
    asked: ApprovalRequest
    request: dict[str, JsonValue] | None = Field(
        default=None, description="The request of the run; null in questions of earlier versions"
    )
    decided: ApprovalDecision | None = None
    withdrawn: bool = Field(default=False, description="The run was cancelled, or expired, before a decision")


class StoredQuestion(Frozen):
    """A question and the run that it belongs to."""

    question: Question
    run: str
    own_decision: bool = False
    """As in `Approval`."""


class SecondPersonRequired(Forbidden):
    """The decision must be made by a second person."""

    code = "second_person"

    def __init__(self, subject: Subject, question: str) -> None:
        permission = REQUIRED_PERMISSION[subject]
        roles = " or ".join(role for role, granted in PERMISSIONS.items() if permission in granted)
        location = f"as question {question} of GET /api/approvals (python -m api approve {question} --server URL)"
        super().__init__(
            f"{subject}: it waits for a second person; expected another user with {permission} "
            f"({roles}){f', {location}' if question else ''}"
        )


def may_decide(
    decider: Principal, owner: str, subject: Subject, second_person: frozenset[Subject], *, own_decision: bool = False
) -> bool:
    """Whether `decider` may decide a question of `owner`; every interface applies this rule.

    Another user decides only where a second person is required, or where the requester lacks the permission.
    """
    if not decider.may(REQUIRED_PERMISSION[subject]):
        return False
    return subject not in second_person if decider.owner == owner else not own_decision


async def request_approval(
    store: "Store",
    owner: str,
    run: str,
    name: str,
    request: ApprovalRequest,
    *,
    second_person: bool = False,
    content: dict[str, JsonValue] | None = None,
) -> Approval:
    """Store and list the question; if it is stored already, return the stored one without its decision.

    `content` is the request of the run, which the deciding person sees.
    """
    approval = new_approval(request, second_person=second_person)
    try:
        await store.records.put_many(opening_puts(owner, run, name, approval, content))
    except Conflict:
        earlier = await load_approval(store, owner, run, request.subject)
        assert earlier is not None
        return earlier.model_copy(update={"decided": None})
    return approval


def new_approval(request: ApprovalRequest, *, second_person: bool = False, own_decision: bool = False) -> Approval:
    return Approval(asked=request, question=uuid4().hex, second_person=second_person, own_decision=own_decision)


def opening_puts(
    owner: str, run: str, name: str, approval: Approval, content: dict[str, JsonValue] | None
) -> list[Put]:
    """The writes that store a new approval and list its question."""
    key = approval_key(owner, run, approval.asked.subject)
    return [
        Put(key, approval.model_dump(mode="json"), 0),
        _put(_stored_question(owner, run, name, approval, content), 0),
    ]


async def closing_puts(
    store: "Store", approval: Approval | None, at: datetime, decision: ApprovalDecision | None = None
) -> list[Put]:
    """Return the write that closes the question: decided, or withdrawn when `decision` is None."""
    record = await store.records.get(_key(approval.question)) if approval and approval.question else None
    if record is None or record.document["question"]["decided"] is not None:
        return []
    stored = StoredQuestion.model_validate(record.document)
    question = stored.question.model_copy(update={"decided": decision, "withdrawn": decision is None})
    return [_put(stored.model_copy(update={"question": question}), record.version, expires=at + RETENTION)]


async def reopening_puts(store: "Store", owner: str, run: str, name: str, approval: Approval | None) -> list[Put]:
    """Return the write that lists a withdrawn question again."""
    if approval is None or not approval.question or approval.decided is not None:
        return []
    record = await store.records.get(_key(approval.question))
    if record is not None and not record.document["question"]["withdrawn"]:
        return []
    content = None if record is None else StoredQuestion.model_validate(record.document).question.request
    stored_question = _stored_question(owner, run, name, approval, content)
    return [_put(stored_question, 0 if record is None else record.version)]


async def load_question(store: "Store", principal: Principal, question: str) -> StoredQuestion:
    """Load a question; one that `principal` may not decide counts as not found."""
    record = await store.records.get(_key(question))
    stored_question = None if record is None else StoredQuestion.model_validate(record.document)
    if (
        stored_question is None
        or not principal.may(REQUIRED_PERMISSION[stored_question.question.asked.subject])
        or (stored_question.own_decision and stored_question.question.owner != principal.owner)
    ):
        raise NotFound(f"question: {question!r} does not exist; expected an id that GET /api/approvals lists")
    return stored_question


async def question_page(
    store: "Store", principal: Principal, second_person: frozenset[Subject], *, after: str | None, limit: int
) -> tuple[list[StoredQuestion], str | None]:
    """Return the questions that `principal` may decide, newest first, and the next cursor.

    A page may hold fewer than `limit`.
    """
    questions: list[StoredQuestion] = []
    for _ in range(_MAX_STORE_PAGES):
        page = await store.records.list(
            SYSTEM, KIND, label=("state", OPEN), after=after, limit=limit - len(questions), newest_first=True
        )
        for record in page.records:
            stored_question = StoredQuestion.model_validate(record.document)
            question = stored_question.question
            if may_decide(
                principal,
                question.owner,
                question.asked.subject,
                second_person,
                own_decision=stored_question.own_decision,
            ):
                questions.append(stored_question)
        after = page.after
        if after is None or len(questions) == limit:
            break
    return questions, after


def _stored_question(
    owner: str, run: str, name: str, approval: Approval, content: dict[str, JsonValue] | None
) -> StoredQuestion:
    question = Question(id=approval.question, owner=owner, name=name, asked=approval.asked, request=content)
    return StoredQuestion(question=question, run=run, own_decision=approval.own_decision)


def _put(stored_question: StoredQuestion, version: int, *, expires: datetime | None = None) -> Put:
    document = stored_question.model_dump(mode="json")
    state = OPEN if expires is None else CLOSED
    return Put(_key(stored_question.question.id), document, version, labels={"state": state}, expires=expires)


def _key(question: str) -> Key:
    return Key(SYSTEM, KIND, question)
