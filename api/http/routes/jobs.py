"""Jobs: optimizations that run in the background."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Query, Response

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.pagination import After, Limit, Page, paginate
from api.http.response_headers import location_header
from api.http.routes.results import JobId
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, Ruling
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import load_run
from desk.runs.states import RunState
from graphs.jobs import job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.runs.job_lists import JobLists, JobPage
from graphs.runs.job_status import Job, JobSummary, job_of, job_summary
from graphs.runs.reproductions import Reproduction, reproductions

router = APIRouter(tags=["jobs"], route_class=limited_route(1_000_000))

_EXAMPLES: dict[str, Any] = {
    "small": {
        "summary": "A small search",
        "value": {"name": "Ten percent volatility", "mandate": {"target_volatility": 0.10}, "trials": 20, "seed": 7},
    },
    "stocks": {
        "summary": "Three stocks and a drawdown limit",
        "value": {
            "name": "Three stocks",
            "universe": "stocks:AAPL,JNJ,XOM",
            "limits": {"max_drawdown": {"bound": 0.25, "tolerated": 0.2}},
            "trials": 50,
        },
    },
    "scenario": {
        "summary": "A world of your own, with a probability",
        "value": {
            "name": "Stagflation",
            "scenarios": [
                {"name": "stagflation", "mu": 0.01, "sigma": 0.24, "cash_rate": 0.05, "probability": 1.0, "years": 5}
            ],
            "trials": 50,
        },
    },
}
Request: TypeAlias = Annotated[OptimizationRequest, Body(openapi_examples=_EXAMPLES)]
Why: TypeAlias = Annotated[str, Query(max_length=500, description="Stored in the history of the job")]


@router.post(
    "/jobs",
    status_code=202,
    summary="Submit an optimization",
    responses={202: {"headers": location_header("job")}, **error_responses(400, 409, 413)},
)
async def submit_job(
    body: Request,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1, max_length=200, description="Requests with the same key within 24 hours return the same job"
        ),
    ] = None,
) -> JobSummary:
    """The job is queued, and two jobs of a user run at a time; above a threshold it waits for approval first.

    A request that the data cannot serve is rejected at once.
    """
    if body.prices_file is not None:
        reason = "the service cannot read files of its clients"
        allowed = "null; import the file with POST /api/market-data/imports and name the data set in `universe`"
        raise InvalidInput("body.prices_file", body.prices_file, reason=reason, allowed=allowed)
    run = await job_queue.submit(
        service.dependencies, principal.owner, body, idempotency_key=idempotency_key, launcher=principal
    )
    response.headers["Location"] = f"/api/jobs/{run.id}"
    return job_summary(run)


@router.get("/jobs", summary="Your jobs, the newest first", responses=error_responses())
async def list_jobs(
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    state: Annotated[RunState | None, Query(description="Jobs in this state only")] = None,
    name: Annotated[str, Query(max_length=120, description="Jobs whose name contains this, ignoring case")] = "",
    limit: Limit = 100,
    after: After = None,
) -> JobPage:
    """A page with `name` may hold fewer than `limit`; the last page is the one whose `next` is null."""
    lists = JobLists(service.dependencies, service.following, principal)
    return await lists.page(state=state, name=name, after=after, limit=limit)


@router.get("/jobs/{job_id}", summary="State and progress of a job", responses=error_responses(404, 410))
async def get_job(job_id: JobId, service: AppStateDep, principal: PrincipalDep) -> Job:
    """`progress` never falls and is at most 0.99 before the end; its best objective is in sample."""
    return await job_of(service.dependencies.store, principal.owner, job_id)


@router.delete("/jobs/{job_id}", status_code=202, summary="Cancel a job", responses=error_responses(404, 409, 410))
async def cancel_job(job_id: JobId, service: AppStateDep, principal: PrincipalDep, *, reason: Why = "") -> JobSummary:
    """The job stops within ten seconds and keeps its trials. 409 for a job that has ended."""
    return job_summary(
        await job_queue.cancel(service.dependencies, principal.owner, job_id, by=principal.owner, reason=reason)
    )


@router.post(
    "/jobs/{job_id}/restart",
    status_code=202,
    summary="Restart a failed, cancelled or expired job",
    responses=error_responses(404, 409, 410),
)
async def restart_job(job_id: JobId, service: AppStateDep, principal: PrincipalDep, *, reason: Why = "") -> JobSummary:
    """Continues where the job stopped, with the decisions of its agents and its trials."""
    return job_summary(
        await job_queue.restart(service.dependencies, principal.owner, job_id, by=principal.owner, reason=reason)
    )


@router.post(
    "/jobs/{job_id}/approval",
    status_code=202,
    summary="Decide a job that waits for approval",
    responses=error_responses(400, 404, 409, 410, 413),
)
async def decide_job(job_id: JobId, body: Ruling, service: AppStateDep, principal: PrincipalDep) -> JobSummary:
    """The first decision is final; repeating it changes nothing. An approved job returns to the queue.

    403 without `launch:approve`: another person decides then, at `/approvals`.
    """
    decision = ApprovalDecision(**body.model_dump(), by=principal.owner, at=service.dependencies.now())
    run = await decide_approval(service.dependencies, principal.owner, job_id, decision, decider=principal)
    await service.answering.ensure_all(principal.owner)  # a thread may wait for it
    return job_summary(run)


@router.get("/jobs/{job_id}/request", summary="The request of a job", responses=error_responses(404, 410))
async def get_job_request(job_id: JobId, service: AppStateDep, principal: PrincipalDep) -> OptimizationRequest:
    """The body with which the job can be submitted again, for example with changes."""
    return (await load_run(service.dependencies.store, principal.owner, job_id)).request.to_submit()


@router.post(
    "/jobs/{job_id}/reproduce",
    status_code=202,
    summary="Run a finished job again from its manifest",
    responses={202: {"headers": location_header("reproductions")}, **error_responses(404, 409, 410)},
)
async def reproduce_job(
    job_id: JobId, service: AppStateDep, principal: PrincipalDep, response: Response
) -> Reproduction:
    """Runs without models and takes as long as the search did. A running reproduction is returned again."""
    from graphs.jobs.reproduction import request_reproduction

    response.headers["Location"] = f"/api/jobs/{job_id}/reproductions"
    return await request_reproduction(service.dependencies, principal.owner, job_id)


@router.get(
    "/jobs/{job_id}/reproductions",
    summary="The reproductions of a job",
    responses=error_responses(400, 404, 410),
)
async def list_reproductions(
    job_id: JobId, service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Reproduction]:
    """The newest first. `same` says whether the digests agree."""
    await load_run(service.dependencies.store, principal.owner, job_id)
    every = await reproductions(service.dependencies.store, principal.owner, job_id)
    return paginate(every, lambda each: each.id, limit, after)
