"""Pending approvals of all users, for those who may decide them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.pagination import After, Limit, Page
from desk.governance.approval_requests import REQUIRED_PERMISSION, Question, load_question, question_page
from desk.governance.approvals import Ruling
from graphs.conversations.approval_requests import decide_question

QuestionId = Annotated[
    str,
    Path(pattern=r"^[0-9a-f]{32}$", description="The id of a question", examples=["3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d"]),
]


async def require_any_decision(principal: PrincipalDep) -> None:
    """Reject users who may decide no kind of question."""
    if not any(principal.may(permission) for permission in REQUIRED_PERMISSION.values()):
        raise Problem(403, f"your roles grant no decision; expected {' or '.join(REQUIRED_PERMISSION.values())}")


router = APIRouter(tags=["approvals"], route_class=limited_route(10_000), dependencies=[Depends(require_any_decision)])


@router.get(
    "/approvals",
    summary="The questions that you may decide, the newest first",
    responses=error_responses(),
)
async def list_approvals(
    service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Question]:
    """Of all users: launches above a threshold for `launch:approve`, holdouts for `compliance:write`.

    Your own questions are excluded when a second person has to decide, and those of users who may decide
    themselves. A page may hold fewer than `limit`; the last page is the one whose `next` is null. A question shows
    the request and the estimate of its run, and nothing else of it.
    """
    dependencies = service.dependencies
    entries, cursor = await question_page(
        dependencies.store, principal, dependencies.second_person, after=after, limit=limit
    )
    return Page(items=[entry.question for entry in entries], next=cursor)


@router.get("/approvals/{question}", summary="A question", responses=error_responses(404))
async def get_approval(question: QuestionId, service: AppStateDep, principal: PrincipalDep) -> Question:
    """Available for 30 days after it was decided or withdrawn."""
    return (await load_question(service.dependencies.store, principal, question)).question


@router.post(
    "/approvals/{question}", summary="Approve, edit or reject", responses=error_responses(400, 404, 409, 410, 413)
)
async def decide_approval(
    question: QuestionId, body: Ruling, service: AppStateDep, principal: PrincipalDep
) -> Question:
    """The first decision is final: repeating it changes nothing, a different one returns 409.

    403 for the user who asked, when a second person has to decide; another key of the same user does not help.
    """
    return await decide_question(service.dependencies, service.answering, principal, question, body)
