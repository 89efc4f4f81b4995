"""The desk: what a user sees first."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from graphs.runs.job_lists import Desk, JobLists

router = APIRouter(tags=["jobs"])


@router.get("/desk", summary="What waits for you, what runs, what ended, and stale data", responses=error_responses())
async def get_desk(
    service: AppStateDep,
    principal: PrincipalDep,
    since: Annotated[
        AwareDatetime | None,
        Query(description="Show jobs that ended after this time only", examples=["2026-03-02T09:00:00Z"]),
    ] = None,
) -> Desk:
    """At most 20 items of each list. Approvals and data are empty where your roles do not grant them."""
    return await JobLists(service.dependencies, service.following, principal).desk(since)
