"""The audit log, for those who may read it."""

import re
from typing import Annotated

from fastapi import APIRouter, Query

from api.http.dependencies import ServiceDep
from api.http.errors.problems import error_responses
from api.http.pagination import Limit, Listed
from desk.base.errors import InvalidInput
from desk.governance.audit_log import LogEntry

router = APIRouter(tags=["audit"])

After = Annotated[
    str | None,
    Query(max_length=20, description="`next` of the page before, or the number of an entry", examples=["42"]),
]


@router.get(
    "/audit", summary="Who changed what and who took what away, the newest last", responses=error_responses(409)
)
async def audit(service: ServiceDep, limit: Limit = 100, after: After = None) -> Listed[LogEntry]:
    """Of everybody. Each change has an entry before it is done, and one with its outcome, whose `begun` is its number.

    409 where the log was tampered with: `python -m api audit verify` tells what was done to it.
    """
    if after is not None and not re.fullmatch("[0-9]{1,15}", after):
        raise InvalidInput("query.after", after, allowed="`next` of the page before, or the number of an entry")
    entries, end = await service.audit.page(int(after or 0), limit)
    return Listed(items=entries, next=None if end is None else str(end))
