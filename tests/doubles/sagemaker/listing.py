"""Filters, sorts and paginates lists of jobs."""

from collections.abc import Iterator

from tests.doubles.sagemaker.validation import InvalidRequest, Request

ORDER = {"Name": "ProcessingJobName", "CreationTime": "CreationTime", "Status": "ProcessingJobStatus"}
FIELDS = (
    "ProcessingJobName",
    "ProcessingJobArn",
    "CreationTime",
    "ProcessingEndTime",
    "LastModifiedTime",
    "ProcessingJobStatus",
    "FailureReason",
    "ExitMessage",
)


def page(jobs: list[Request], request: Request) -> Request:
    matches = sorted(
        _matching(jobs, request),
        key=lambda job: job[ORDER[request.get("SortBy", "CreationTime")]],
        reverse=request.get("SortOrder", "Descending") == "Descending",
    )
    summaries, token = slice_of([{name: job[name] for name in FIELDS if name in job} for job in matches], request)
    return {"ProcessingJobSummaries": summaries} | token


def slice_of(entries: list[Request], request: Request) -> tuple[list[Request], Request]:
    """A page, and the token of the next page if there is one."""
    first = _place(request.get("NextToken", "0"))
    last = first + request.get("MaxResults", 10)
    return entries[first:last], {"NextToken": str(last)} if last < len(entries) else {}


def _place(token: str) -> int:
    if not token.isdecimal():
        raise InvalidRequest("ValidationException", f"Value '{token}' at 'NextToken' is no token of an earlier page")
    return int(token)


def _matching(jobs: list[Request], request: Request) -> Iterator[Request]:
    for job in jobs:
        created, modified = job["CreationTime"], job["LastModifiedTime"]
        if (
            request.get("NameContains", "") in job["ProcessingJobName"]
            and request.get("StatusEquals", job["ProcessingJobStatus"]) == job["ProcessingJobStatus"]
            and request.get("CreationTimeAfter", 0) <= created <= request.get("CreationTimeBefore", created)
            and request.get("LastModifiedTimeAfter", 0) <= modified <= request.get("LastModifiedTimeBefore", modified)
        ):
            yield job
