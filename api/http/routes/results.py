"""Results of jobs: result, trials, charts and files."""

from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query, Response

from api.export import job_files
from api.export.job_files import MEDIA, Format, Table
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.etags import IfNoneMatch, etag_response, not_modified
from api.http.pagination import After, Limit
from api.http.response_headers import DIGEST_HEADER, FILE_NAME_HEADER
from desk.base.errors import InvalidInput
from desk.optimization.reading.chart_schemas import MOST_POINTS, ChartName, Charts
from desk.optimization.reading.explanation import ResultExplanation
from desk.optimization.reading.side_by_side import SideBySide
from desk.optimization.reading.trial_pages import Order, SortBy, TrialDetails, TrialPage, TrialQuery, Within
from desk.optimization.result import OptimizationResult
from desk.optimization.unfinished import PartialResult
from desk.scenarios.schemas import HISTORY
from quant.strategies.family import WeightFunction

router = APIRouter(tags=["jobs"])

JobId: TypeAlias = Annotated[
    str,
    Path(pattern="^[A-Za-z0-9_-]{1,64}$", description="The id of a job", examples=["9f0c9c2be5b74d0d8f4a1f0c9c2be5b7"]),
]

_CACHED = DIGEST_HEADER | {
    "X-Cache": {
        "description": "`hit` for a cached response, at most a day old, with the same bytes",
        "schema": {"type": "string", "enum": ["hit", "miss"]},
    }
}
_FILE = _CACHED | FILE_NAME_HEADER


@router.get("/jobs/compare", summary="Compare finished jobs", responses=error_responses(404, 409, 410))
async def compare_jobs(
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    ids: Annotated[
        str,
        Query(
            pattern=r"^[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){1,4}$",
            description="Two to five jobs, separated by commas; the others are compared with the first",
            examples=["9f0c9c2be5b74d0d8f4a1f0c9c2be5b7,0d8f4a1f0c9c2be5b79f0c9c2be5b74d"],
        ),
    ],
) -> SideBySide:
    """The differences of requests and results, and a test of the difference on common days."""
    from graphs.runs.outcomes import compare_jobs

    jobs = ids.split(",")
    if len(set(jobs)) < len(jobs):
        raise InvalidInput("query.ids", ids, reason="a job is named twice", allowed="each job once")
    return await compare_jobs(service.dependencies.store, principal.owner, jobs)


@router.get(
    "/jobs/{job_id}/result",
    summary="The result of a job",
    response_model=OptimizationResult | PartialResult,
    responses={200: {"headers": DIGEST_HEADER}, **not_modified(), **error_responses(404, 409, 410)},
)
async def get_result(
    job_id: JobId, service: AppStateDep, principal: PrincipalDep, if_none_match: IfNoneMatch = None
) -> Response:
    """The result; a partial one without a winner for a cancelled or failed job.

    409 while the job runs: its state is at `/api/jobs/{id}`, its trials at `/api/jobs/{id}/trials`.
    """
    from graphs.runs.outcomes import result_json

    content = await result_json(service.dependencies.store, principal.owner, job_id)
    return etag_response(content, if_none_match, media_type=MEDIA["json"])


@router.get(
    "/jobs/{job_id}/explanation",
    summary="The result of a job in words",
    responses=error_responses(404, 409, 410),
)
async def explain_job(job_id: JobId, service: AppStateDep, principal: PrincipalDep) -> ResultExplanation:
    """What to do, why, how sure that is; each number in the text names the figure behind it."""
    from graphs.runs.outcomes import job_explanation

    return await job_explanation(service.dependencies.store, principal.owner, job_id)


@router.get(
    "/jobs/{job_id}/trials",
    summary="The trials of a job, in pages",
    responses=error_responses(404, 410),
)
async def list_trials(
    job_id: JobId,
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    sort: Annotated[SortBy, Query(description="Number of the trial, objective, or a metric in `scenario`")] = "number",
    order: Annotated[Order, Query(description="Direction of `sort`")] = "asc",
    scenario: Annotated[
        str, Query(max_length=64, description="The scenario of the metrics: one of the job, or history")
    ] = HISTORY,
    weight_function: Annotated[
        tuple[WeightFunction, ...], Query(description="Trials with these weight functions only")
    ] = (),
    feasible: Annotated[bool | None, Query(description="Trials that keep, or break, the limits")] = None,
    screened: Annotated[
        bool | None, Query(description="Trials that were, or were not, screened out after few paths")
    ] = None,
    within: Annotated[
        tuple[Within, ...],
        Query(
            description="Trials whose means over the scenarios, or whose objective, lie in these ranges",
            examples=["volatility:0.09..0.12"],
        ),
    ] = (),
    limit: Limit = 100,
    after: After = None,
) -> TrialPage:
    """In sample. Trials without an objective, because they were screened out after few paths, come last."""
    from graphs.runs.outcomes import load_outcome

    query = TrialQuery(
        sort=sort,
        order=order,
        scenario=scenario,
        weight_function=weight_function,
        feasible=feasible,
        screened=screened,
        within=within,
    )
    outcome = await load_outcome(service.dependencies.store, principal.owner, job_id)
    return await job_files.trials(service.dependencies, outcome, query, after=after, limit=limit)


@router.get(
    "/jobs/{job_id}/trials/{digest}",
    summary="One trial with all of its metrics",
    responses=error_responses(404, 410),
)
async def get_trial(
    job_id: JobId,
    digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="The digest of its configuration")],
    service: AppStateDep,
    principal: PrincipalDep,
) -> TrialDetails:
    """The configuration with its metrics in every scenario and on history, and the limits that it was held to."""
    from graphs.runs.outcomes import load_trial

    return await load_trial(service.dependencies.store, principal.owner, job_id, digest)


@router.get(
    "/jobs/{job_id}/charts",
    summary="The data of a job's charts",
    response_model=Charts,
    responses={200: {"headers": _CACHED}, **not_modified(_CACHED), **error_responses(404, 410)},
)
async def get_charts(
    job_id: JobId,
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    chart: Annotated[
        tuple[ChartName, ...],
        Query(max_length=4, description="These charts only, all by default", examples=[["convergence", "risk_return"]]),
    ] = (),
    points: Annotated[
        int, Query(ge=100, le=MOST_POINTS, description="Maximum number of points of a line")
    ] = MOST_POINTS,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """For a job without a result, the charts of its trials so far, marked as `partial`."""
    from graphs.runs.outcomes import load_outcome

    outcome = await load_outcome(service.dependencies.store, principal.owner, job_id)
    file = await job_files.charts(service.dependencies, outcome, chart, points)
    return etag_response(
        file.content, if_none_match, media_type=MEDIA["json"], digest=file.digest, headers=_cache_header(hit=file.hit)
    )


@router.get(
    "/jobs/{job_id}/export",
    summary="A finished job as a file",
    response_class=Response,
    responses={
        200: {
            "headers": _FILE,
            "description": "The file, which names the job, the last day of the prices and the version of the data",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/csv": {"schema": {"type": "string"}},
                MEDIA["xlsx"]: {"schema": {"type": "string", "format": "binary"}},
                "text/html": {"schema": {"type": "string"}},
            },
        },
        **not_modified(_FILE),
        **error_responses(404, 409, 410),
    },
)
async def export_job(
    job_id: JobId,
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    format_: Annotated[Format, Query(alias="format", description="`html` is the report")] = "json",
    table: Annotated[
        Table, Query(description="Content of a csv file: trials, figures, or the weights on each day")
    ] = "trials",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The bytes are the same for each request. No cell of a csv or xlsx file is a formula."""
    from graphs.runs.outcomes import load_completed

    completed_job = await load_completed(service.dependencies.store, principal.owner, job_id)
    file = await job_files.export(service.dependencies, completed_job, format_, table)
    name = f"stratigos-{job_id}" + ("-figures" if (format_, table) == ("csv", "figures") else "")
    headers = {"Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    headers |= _cache_header(hit=file.hit)
    return etag_response(file.content, if_none_match, media_type=MEDIA[format_], digest=file.digest, headers=headers)


def _cache_header(*, hit: bool) -> dict[str, str]:
    return {"X-Cache": "hit" if hit else "miss"}
