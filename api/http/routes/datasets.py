"""Imports, data sets and markers of bad data."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, TypeAlias, get_args

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Detail, Problem, error_responses
from api.http.pagination import After, Limit, Page
from api.http.response_headers import location_header
from desk.base.errors import InvalidInput
from desk.base.memory import release_memory
from desk.market.datasets import markers
from desk.market.datasets.repository import read_version
from desk.market.datasets.schemas import (
    Adjust,
    Calendar,
    Commit,
    Currency,
    Dataset,
    DatasetName,
    ImportReport,
    Kind,
    Marker,
    Mode,
    NewMarker,
    Reason,
    Role,
    Series,
    Stale,
    Symbol,
    Terms,
    Version,
)

MAX_BODY = 101_000_000
"""A file of 100 MB with the overhead of a form."""
LARGE_FILE = 1_000_000
"""Bytes of a file whose parsing takes much memory, which is returned afterwards."""

router = APIRouter(route_class=limited_route(MAX_BODY, max_parts=None))
marking = APIRouter(route_class=limited_route(100_000))


class Options(BaseModel):
    """Query parameters of an import: the body is the file."""

    model_config = ConfigDict(extra="forbid")

    dataset: DatasetName = Field(description="Name of a new or existing data set", examples=["mydata"])
    dry_run: bool = Field(default=True, description="Report only; `false` stores the new version")
    kind: Kind = Field(default=Terms.model_fields["kind"].default, description="What the values are")
    symbol: Symbol | None = Field(default=None, description=Terms.model_fields["symbol"].description)
    mapping: list[str] = Field(
        default=[],
        max_length=len(get_args(Role)),
        description=f"Columns that the header does not identify, each as role:column ({', '.join(get_args(Role))})",
        examples=[["date:Day", "close:Settle"]],
    )
    adjust: Adjust = Field(default="none", description=Terms.model_fields["adjust"].description)
    mode: Mode = Field(default="replace", description=Terms.model_fields["mode"].description)
    total_return: bool = Field(default=True, description=Terms.model_fields["total_return"].description)
    currency: Currency = Field(default="USD", description="ISO code of the currency of the prices")
    calendar: Calendar = Field(default="XNYS", description=Terms.model_fields["calendar"].description)
    accept: list[str] = Field(
        default=[],
        max_length=20,
        description="Failing gates to accept, each as gate:reason; every result shows them as a caveat",
        examples=[["missing_sessions:the exchange was closed after a storm"]],
    )

    def terms(self) -> Terms:
        values = self.model_dump(exclude={"dataset", "dry_run", "mapping", "accept"})
        roles = _pairs("mapping", self.mapping, "role:column")
        unknown = sorted(set(roles) - set(get_args(Role)))
        if unknown:
            raise InvalidInput("query.mapping", unknown[0], allowed=", ".join(get_args(Role)))
        reasons = _pairs("accept", self.accept, "gate:reason")
        try:
            TypeAdapter(dict[str, Reason]).validate_python(reasons)
        except ValidationError as error:
            raise InvalidInput("query.accept", self.accept, allowed="reasons of 3 to 300 characters") from error
        return Terms(**values, mapping=roles, accept=reasons)  # pyright: ignore[reportArgumentType]


def _pairs(field: str, texts: list[str], form: str) -> dict[str, str]:
    pairs = [text.partition(":") for text in texts]
    for text, (left, colon, right) in zip(texts, pairs, strict=True):
        if not (colon and left.strip() and right.strip()):
            raise InvalidInput(f"query.{field}", text[:80], allowed=form)
    values = {left.strip(): right.strip() for left, _, right in pairs}
    if len(values) < len(pairs):
        raise InvalidInput(f"query.{field}", texts, reason="a name is repeated", allowed=f"each {form} once")
    return values


Name: TypeAlias = Annotated[DatasetName, Path(description="The name of a data set", examples=["mydata"])]
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "CSV, XLSX, Parquet or JSON, detected from the content, not from the content type",
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "text/csv": {
                "schema": {"type": "string"},
                "example": "date,AAPL,MSFT\n2024-01-02,185.64,370.87\n2024-01-03,184.25,370.60\n",
            },
        },
    }
}


@router.post(
    "/market-data/imports",
    summary="Import a file as a data set, or report what the import would do",
    responses={
        201: {
            "model": ImportReport,
            "description": "A new version was stored",
            "headers": location_header("version"),
        },
        **error_responses(400, 409, 413),
    },
    openapi_extra=_FILE,
)
async def import_prices(
    request: Request,
    options: Annotated[Options, Query()],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
) -> ImportReport:
    """Daily closes or bars, wide (date and one column an asset) or long (date, symbol, close and more).

    A dry run, the default, returns how the file was parsed, every gate, and what would change. Content that equals the
    latest version is not stored again. A failing gate prevents the commit, unless a reason accepts it.
    """
    from desk.market.datasets.ingestion import import_file

    terms = options.terms()
    content = await _content(request)
    dependencies = service.dependencies
    try:
        report = await import_file(
            dependencies.store,
            principal.owner,
            options.dataset,
            content,
            terms,
            commit=not options.dry_run,
            now=dependencies.now(),
        )
    finally:
        if len(content) > LARGE_FILE:
            await asyncio.to_thread(release_memory)
    if report.committed:
        response.status_code = 201
        response.headers["Location"] = f"/api/market-data/datasets/{report.dataset}/versions/{report.version.hash}"
    return report


async def _content(request: Request) -> bytes:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1, max_fields=20, max_part_size=10_000) as form:
        parts: Mapping[str, Any] = form
        file = parts.get("file")
        if not isinstance(file, UploadFile) or len(parts) > 1:
            detail = Detail(
                field="body",
                message=f"the form has {', '.join(parts)[:80] or 'nothing'}",
                allowed="one file named file",
            )
            message = "body: the form must hold one file named `file`; options belong in the query"
            raise Problem(422, message, details=[detail])
        return await file.read()


@router.get("/market-data/datasets", summary="Your data sets, by name", responses=error_responses())
async def list_datasets(
    service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Dataset]:
    """Imported data sets; bundled ones are not listed."""
    from desk.market.datasets.queries import list_datasets

    dependencies = service.dependencies
    items, cursor = await list_datasets(
        dependencies.store, principal.owner, dependencies.now(), limit=limit, after=after
    )
    return Page[Dataset](items=items, next=cursor)


@router.get(
    "/market-data/datasets/{name}",
    summary="A data set: its latest version, or the one at a time, with its history",
    responses=error_responses(404),
)
async def get_dataset(
    name: Name,
    service: AppStateDep,
    principal: PrincipalDep,
    as_of: Annotated[datetime | None, Query(description="The version that was the latest at this time")] = None,
) -> Series:
    """With its newest version, or with the one that was current at `as_of`."""
    from desk.market.datasets.queries import read_dataset

    return await read_dataset(service.dependencies.store, principal.owner, name, service.dependencies.now(), as_of)


@router.get(
    "/market-data/datasets/{name}/versions", summary="All commits, newest first", responses=error_responses(404)
)
async def list_dataset_versions(
    name: Name, service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Commit]:
    """Commits, the newest first; the same version may be committed again."""
    from desk.market.datasets.queries import list_commits

    items, cursor = await list_commits(service.dependencies.store, principal.owner, name, limit=limit, after=after)
    return Page[Commit](items=items, next=cursor)


@router.get(
    "/market-data/datasets/{name}/versions/{hash}",
    summary="A version: gates, changes from the previous one, and the regime at its end",
    responses=error_responses(404),
)
async def get_dataset_version(
    name: Name,
    hash_: Annotated[str, Path(alias="hash", pattern="^[0-9a-f]{6,64}$", description="A prefix is enough")],
    service: AppStateDep,
    principal: PrincipalDep,
) -> Version:
    """A version never changes. Its gates say what was checked."""
    return await read_version(service.dependencies.store, principal.owner, name, hash_)


@router.get(
    "/market-data/stale-runs",
    summary="Runs whose prices were changed by a later version",
    responses=error_responses(),
)
async def list_stale_runs(
    service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Stale]:
    """Runs whose prices a later version changed by more than half a percent."""
    from desk.market.datasets.queries import list_stale_runs

    items, cursor = await list_stale_runs(service.dependencies.store, principal.owner, limit=limit, after=after)
    return Page[Stale](items=items, next=cursor)


@marking.post(
    "/market-data/markers",
    status_code=201,
    summary="Mark data as bad: new runs do not use them",
    responses={201: {"headers": location_header("marker")}, **error_responses(400, 413)},
)
async def create_marker(body: NewMarker, service: AppStateDep, principal: PrincipalDep, response: Response) -> Marker:
    """Valid for 30 days, or until a new version that covers the days and passes every gate."""
    marker = await markers.mark(service.dependencies.store, principal.owner, body, service.dependencies.now())
    response.headers["Location"] = f"/api/market-data/markers/{marker.id}"
    return marker


@marking.get(
    "/market-data/markers", summary="Your markers of bad data, including expired ones", responses=error_responses()
)
async def list_markers(
    service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[Marker]:
    """Active and expired markers."""
    items, cursor = await markers.list_markers(
        service.dependencies.store, principal.owner, service.dependencies.now(), limit=limit, after=after
    )
    return Page[Marker](items=items, next=cursor)


@marking.delete(
    "/market-data/markers/{marker}",
    status_code=204,
    summary="Remove a marker: the data are good",
    responses=error_responses(404),
)
async def delete_marker(
    marker: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="The id of a marker")],
    service: AppStateDep,
    principal: PrincipalDep,
) -> None:
    """New runs may use the data again."""
    await markers.unmark(service.dependencies.store, principal.owner, marker, service.dependencies.now())
