"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.http.dependencies import AppStateDep
from api.http.errors.problems import error_responses
from api.http.pagination import Limit, Page
from desk.base.errors import InvalidInput
from desk.governance.audit_chains import is_place
from desk.governance.audit_entries import LogEntry

router = APIRouter(tags=["audit"])

After = Annotated[
    str | None,
    Query(
        max_length=40,
        description="`next` of the previous page, or the place of an entry",
        examples=["1795459255896736.1f3a9c0b.2"],
    ),
]


@router.get("/audit", summary="Changes and downloads of all users, the newest last", responses=error_responses(409))
async def list_audit_entries(service: AppStateDep, limit: Limit = 100, after: After = None) -> Page[LogEntry]:
    """Each change has an entry before it starts, and one with its outcome, whose `begun` is the place of the first.

    409 when the log was tampered with: `python -m api audit verify` reports where.
    """
    if after is not None and not is_place(after):
        raise InvalidInput("query.after", after, allowed="`next` of the previous page, or the place of an entry")
    entries, end = await service.audit.page(after, limit)
    return Page(items=entries, next=end)
