"""Deciding what another person has asked."""

from graphs.answering import Answering
from graphs.desk import Desk
from graphs.runs import decide_approval
from tools.approval import Decided, Ruling
from tools.context import Principal
from tools.errors import Conflicting
from tools.questions import Question, filed_of


async def decide_question(
    desk: Desk, answering: Answering, asking: Principal, question_id: str, ruling: Ruling
) -> Question:
    """Record what `asking` decides; the run, and the conversation that waits for it, go on."""
    filed = await filed_of(desk.store, asking, question_id)
    owner, subject = filed.question.owner, filed.question.asked.subject
    if filed.question.withdrawn:
        raise Conflicting(f"question: {question_id!r} was withdrawn; allowed: one that GET /api/approvals lists")
    decided = Decided(**ruling.model_dump(), by=asking.owner, at=desk.now())
    await decide_approval(desk, owner, filed.run, decided, subject, decider=asking)
    await answering.ensure_all(owner)
    return (await filed_of(desk.store, asking, question_id)).question
