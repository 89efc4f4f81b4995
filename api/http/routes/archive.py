"""Restores archived jobs."""

from fastapi import APIRouter

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.routes.results import JobId
from graphs.runs.archive import restore
from graphs.runs.job_status import JobSummary, job_summary

router = APIRouter(tags=["jobs"])


@router.post("/jobs/{job_id}/unarchive", summary="Restore an archived job", responses=error_responses(404, 409))
async def unarchive_job(job_id: JobId, service: AppStateDep, principal: PrincipalDep) -> JobSummary:
    """Restores every byte, and keeps the job for another 30 days. 409 for a job that is not archived.

    409 also when the archive was modified: nothing is restored from it then.
    """
    return job_summary(await restore(service.dependencies, principal.owner, job_id))
