"""The locked holdout of a job: whether it was opened, and its opening."""

from typing import Annotated

from fastapi import APIRouter, Body

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.routes.results import JobId
from desk.governance.approvals import Ruling
from desk.optimization.holdout import HoldoutStatus

router = APIRouter(tags=["jobs"], route_class=limited_route(10_000))


@router.get(
    "/jobs/{job_id}/holdout",
    summary="Whether the locked holdout of a job was opened",
    responses=error_responses(404, 409, 410),
)
async def get_holdout(job_id: JobId, service: AppStateDep, principal: PrincipalDep) -> HoldoutStatus:
    """Opens nothing. 409 while the job runs."""
    from graphs.jobs.holdout_requests import load_holdout_status  # imports numpy

    return await load_holdout_status(service.dependencies, principal, job_id)


@router.post(
    "/jobs/{job_id}/holdout",
    summary="Request, decide or open the locked holdout of a job",
    responses=error_responses(400, 404, 409, 410, 413),
)
async def open_holdout(
    job_id: JobId,
    service: AppStateDep,
    principal: PrincipalDep,
    body: Annotated[
        Ruling | None,
        Body(openapi_examples={"approve": {"summary": "Approve and open it", "value": {"verdict": "approved"}}}),
    ] = None,
) -> HoldoutStatus:
    """The holdout can be opened once, and every later report says so; repeating the request changes nothing.

    A ruling is the owner's own decision. 403 where a second person decides: the question is then at `/approvals`, and
    the same request opens the holdout after it was approved there. The first decision is final, a different one is 409.
    """
    from graphs.jobs.holdout_requests import request_holdout  # imports numpy

    status = await request_holdout(service.dependencies, principal, job_id, body)
    await service.answering.ensure_all(principal.owner)  # a thread may wait for it
    return status
