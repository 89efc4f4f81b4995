"""Decides an approval that another person requested, and resumes the conversation that waits for it."""

from desk.base.errors import Conflicting
from desk.governance.approval_requests import Question, load_question
from desk.governance.approvals import ApprovalDecision, Ruling
from desk.governance.principals import Principal
from graphs.conversations.background_turns import BackgroundTurns
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval


async def decide_question(
    dependencies: Dependencies, answering: BackgroundTurns, asking: Principal, question_id: str, ruling: Ruling
) -> Question:
    """Record the decision of `asking`, and resume the run and the conversation that waits for it."""
    filed_question = await load_question(dependencies.store, asking, question_id)
    owner, subject = filed_question.question.owner, filed_question.question.asked.subject
    if filed_question.question.withdrawn:
        raise Conflicting(f"question: {question_id!r} was withdrawn; expected one that GET /api/approvals lists")
    decision = ApprovalDecision(**ruling.model_dump(), by=asking.owner, at=dependencies.now())
    await decide_approval(dependencies, owner, filed_question.run, decision, subject, decider=asking)
    await answering.ensure_all(owner)
    return (await load_question(dependencies.store, asking, question_id)).question
