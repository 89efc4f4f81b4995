"""What waits for a person, whoever asked."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.http.body_limits import limited_route
from api.http.dependencies import PrincipalDep, ServiceDep
from api.http.errors.problems import Problem, error_responses
from api.http.pagination import After, Limit, Listed
from desk.governance.approval_requests import REQUIRED_PERMISSION, Question, load_question, question_page
from desk.governance.approvals import Ruling
from graphs.conversations.approval_requests import decide_question

QuestionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", examples=["3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d"])]


async def deciding(principal: PrincipalDep) -> None:
    """Whoever may decide nothing of all that is asked has no such list."""
    if not any(principal.may(permission) for permission in REQUIRED_PERMISSION.values()):
        raise Problem(403, f"your roles permit no decision; expected {' or '.join(REQUIRED_PERMISSION.values())}")


router = APIRouter(tags=["approvals"], route_class=limited_route(10_000), dependencies=[Depends(deciding)])


@router.get(
    "/approvals", summary="What waits for a decision that you may make, the newest first", responses=error_responses()
)
async def listed(
    service: ServiceDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Listed[Question]:
    """Of everybody: launches above a threshold for `launch:approve`, holdouts for `compliance:write`.

    What you have asked yourself is not among it where a second person has to decide. A page may hold fewer than
    `limit`; the last page is the one whose `next` is null. A question tells nothing else of its run.
    """
    dependencies = service.dependencies
    found, cursor = await question_page(
        dependencies.store, principal, dependencies.second_person, after=after, limit=limit
    )
    return Listed(items=[filed.question for filed in found], next=cursor)


@router.get("/approvals/{question}", summary="A question", responses=error_responses(404))
async def read(question: QuestionId, service: ServiceDep, principal: PrincipalDep) -> Question:
    """It can be read for 30 days after it was decided or withdrawn."""
    return (await load_question(service.dependencies.store, principal, question)).question


@router.post(
    "/approvals/{question}", summary="Approve, edit or reject", responses=error_responses(400, 404, 409, 410, 413)
)
async def decide(question: QuestionId, body: Ruling, service: ServiceDep, principal: PrincipalDep) -> Question:
    """The first decision holds: the same one again is harmless, another one is a 409.

    403 for whoever asked, where a second person has to decide: another key of the same user is the same person.
    """
    return await decide_question(service.dependencies, service.answering, principal, question, body)
