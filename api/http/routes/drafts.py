"""Drafts: optimization requests that are saved before they are complete."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Response

from api.draft_forms import DraftFields, DraftForm, DraftPage, DraftProblem, draft_form, draft_summary, parse_draft
from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Detail, Problem, error_responses
from api.http.etags import etag, expected_versions
from api.http.pagination import After, Limit
from api.http.response_headers import location_header, version_header
from desk.optimization.request import OptimizationRequest
from desk.runs.drafts import KIND, DraftChanged, NoSuchDraft, draft_of, load_draft
from graphs.jobs import drafts
from graphs.runs.job_status import JobSummary, job_summary

router = APIRouter(tags=["jobs"], route_class=limited_route(200_000))

_EXAMPLES: dict[str, Any] = {
    "half": {"summary": "A form that is half filled", "value": {"name": "Ten percent", "trials": None}},
    "complete": {"summary": "A complete request", "value": {"name": "Ten percent", "trials": 20, "seed": 7}},
}
Fields: TypeAlias = Annotated[DraftFields, Body(openapi_examples=_EXAMPLES)]
DraftId: TypeAlias = Annotated[
    str,
    Path(
        pattern="^[A-Za-z0-9_-]{1,64}$", description="The id of a draft", examples=["6f1c9c2be5b74d0d8f4a6f1c9c2be5b7"]
    ),
]
IfMatch: TypeAlias = Annotated[
    str | None, Header(description='Change only this version, such as `"3"`; `*` for any version', examples=['"3"'])
]
_ETAG = version_header("The version of the draft")


@router.post(
    "/drafts",
    status_code=201,
    summary="Save a draft of an optimization",
    responses={201: {"headers": _ETAG | location_header("draft")}, **error_responses(400, 413)},
)
async def create_draft(body: Fields, service: AppStateDep, principal: PrincipalDep, response: Response) -> DraftForm:
    """Nothing is computed, and the fields may be incomplete or invalid: `problems` says what is still wrong.

    A draft that is not edited for `EXPIRE_DRAFT_DAYS` expires. It can be edited or submitted for 30 more days.
    """
    draft = await drafts.create_draft(service.dependencies, principal.owner, body.root)
    response.headers["Location"] = f"/api/drafts/{draft.id}"
    response.headers["ETag"] = etag(draft.version)
    return await draft_form(service.dependencies, draft)


@router.get("/drafts", summary="Your drafts, the newest first", responses=error_responses())
async def list_drafts(
    service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> DraftPage:
    """Drafts that are not submitted, expired ones included."""
    dependencies = service.dependencies
    page = await dependencies.store.records.list(principal.owner, KIND, after=after, limit=limit, newest_first=True)
    items = tuple(draft_summary(draft_of(record), dependencies.lifetimes) for record in page.records)
    return DraftPage(items=items, next=page.after)


@router.get(
    "/drafts/{draft_id}",
    summary="A draft, and what is still wrong with it",
    responses={200: {"headers": _ETAG}, **error_responses(404)},
)
async def get_draft(draft_id: DraftId, service: AppStateDep, principal: PrincipalDep, response: Response) -> DraftForm:
    """The ETag is the version of the draft."""
    draft = await load_draft(service.dependencies.store, principal.owner, draft_id)
    response.headers["ETag"] = etag(draft.version)
    return await draft_form(service.dependencies, draft)


@router.put(
    "/drafts/{draft_id}",
    summary="Replace the fields of a draft",
    responses={200: {"headers": _ETAG}, **error_responses(400, 404, 412, 413)},
)
async def update_draft(
    draft_id: DraftId,
    body: Fields,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> DraftForm:
    """An expired draft becomes a draft again. `If-Match` prevents overwriting a concurrent change."""
    versions = expected_versions(if_match)
    try:
        draft = await drafts.edit_draft(service.dependencies, principal.owner, draft_id, body.root, versions=versions)
    except DraftChanged as error:
        raise Problem(412, str(error)) from error
    response.headers["ETag"] = etag(draft.version)
    return await draft_form(service.dependencies, draft)


@router.delete("/drafts/{draft_id}", status_code=204, summary="Delete a draft", responses=error_responses(404, 412))
async def delete_draft(
    draft_id: DraftId, service: AppStateDep, principal: PrincipalDep, if_match: IfMatch = None
) -> Response:
    """A submitted draft is a job, which this does not delete."""
    versions = expected_versions(if_match)
    try:
        await drafts.delete_draft(service.dependencies, principal.owner, draft_id, versions=versions)
    except DraftChanged as error:
        raise Problem(412, str(error)) from error
    return Response(status_code=204)


@router.post(
    "/drafts/{draft_id}/submit",
    status_code=202,
    summary="Submit a draft as a job",
    responses={202: {"headers": location_header("job")}, **error_responses(404, 409, 412)},
)
async def submit_draft(
    draft_id: DraftId, service: AppStateDep, principal: PrincipalDep, response: Response, if_match: IfMatch = None
) -> JobSummary:
    """The draft becomes a queued job with the same id; a second submission returns that job.

    422 if the draft has problems; `details` names them all, and the draft does not change.
    """
    dependencies, owner = service.dependencies, principal.owner
    response.headers["Location"] = f"/api/jobs/{draft_id}"
    try:
        draft = await load_draft(dependencies.store, owner, draft_id, versions=expected_versions(if_match))
    except DraftChanged as error:
        raise Problem(412, str(error)) from error
    except NoSuchDraft:
        if (run := await drafts.submitted_draft(dependencies, owner, draft_id)) is None:
            raise
        return job_summary(run)
    request = parse_draft(draft)
    if not isinstance(request, OptimizationRequest):
        raise _unsubmittable(request)
    return job_summary(await drafts.submit_draft(dependencies, draft, request, launcher=principal))


def _unsubmittable(problems: tuple[DraftProblem, ...]) -> Problem:
    details = [Detail(field=each.field, message=each.message, allowed=each.allowed or None) for each in problems]
    return Problem(422, "; ".join(each.describe() for each in problems[:3]), details=details)
