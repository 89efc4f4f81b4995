"""Archived jobs, and the way back."""

from fastapi import APIRouter

from api.http.dependencies import PrincipalDep, ServiceDep
from api.http.errors.problems import error_responses
from api.http.routes.results import JobId
from graphs.runs.archive import restore
from graphs.runs.job_status import JobSummary, job_summary

router = APIRouter(tags=["jobs"])


@router.post("/jobs/{job_id}/unarchive", summary="Bring an archived job back", responses=error_responses(404, 409))
async def unarchive(job_id: JobId, service: ServiceDep, principal: PrincipalDep) -> JobSummary:
    """As it was, to the last byte; it stays for another 30 days. 409 for one that is not archived.

    409 also where its archive was changed after it was written: nothing is taken from it then.
    """
    return job_summary(await restore(service.dependencies, principal.owner, job_id))
