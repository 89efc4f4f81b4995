"""The strategy library: named strategies in versions that never change."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Query, Response

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.etags import IfNoneMatch, etag, expected_versions, matches, not_modified
from api.http.pagination import After, Limit, Page, paginate
from api.http.response_headers import FILE_NAME_HEADER, location_header, version_header
from desk.strategies import library
from desk.strategies.library_schemas import (
    LibraryEntry,
    NewStrategy,
    StrategyClone,
    StrategyContent,
    StrategyDifference,
    StrategyDocument,
)
from desk.strategies.repository import SavedStrategy

router = APIRouter(tags=["strategies"], route_class=limited_route(100_000))

StrategyId: TypeAlias = Annotated[
    str,
    Path(pattern="^[0-9a-f]{32}$", description="The id of a strategy", examples=["8d969eef6ecad3c29a3a629280e686cf"]),
]
VersionNumber: TypeAlias = Annotated[int, Path(ge=1, le=999_999, description="The number of a version", examples=[1])]
IfMatch: TypeAlias = Annotated[
    str | None,
    Header(description='Save only after this latest version, such as `"3"`; `*` for any version', examples=['"3"']),
]
_ETAG = version_header("The latest version, with a letter for an archived strategy")
_CREATED = {"headers": _ETAG | location_header("strategy")}
_RULE: dict[str, Any] = {
    "config": {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63},
    "mandate": {"target_volatility": 0.10},
}
_DOCUMENT = {"schema": "stratigos.strategy", "schema_version": 2, "name": "Core", "universe": "sp500", "rule": _RULE}


@router.post(
    "/strategies",
    status_code=201,
    summary="Save a strategy under a new name",
    responses={201: _CREATED, **error_responses(400, 409, 413)},
)
async def create_strategy(
    body: Annotated[
        NewStrategy,
        Body(openapi_examples={"rule": {"summary": "Inverse volatility", "value": {"name": "Core", "rule": _RULE}}}),
    ],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
) -> LibraryEntry:
    """409 if one of your strategies has the name, whatever the case; it gets a new version at `/versions`."""
    dependencies = service.dependencies
    entry = await library.create_strategy(dependencies.store, principal.owner, body.name, body, now=dependencies.now())
    response.headers["Location"] = f"/api/strategies/{entry.id}"
    return _with_etag(entry, response)


@router.get("/strategies", summary="Your strategies, by name", responses=error_responses())
async def list_strategies(
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    archived: Annotated[bool, Query(description="Archived strategies instead")] = False,
    limit: Limit = 100,
    after: After = None,
) -> Page[LibraryEntry]:
    """Each with its latest version. Strategies that the assistant saved are among them."""
    entries = await library.list_library(service.dependencies.store, principal.owner, archived=archived)
    return paginate(entries, lambda entry: entry.id, limit, after)


@router.post(
    "/strategies/import",
    status_code=201,
    summary="Import a strategy from a document",
    responses={201: _CREATED, **error_responses(400, 409, 413)},
)
async def import_strategy(
    body: Annotated[
        StrategyDocument, Body(openapi_examples={"document": {"summary": "An exported strategy", "value": _DOCUMENT}})
    ],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    name: Annotated[
        str | None,
        Query(min_length=1, max_length=64, description="Name instead of the document's", examples=["Core 2"]),
    ] = None,
) -> LibraryEntry:
    """The document is one that `/strategies/{strategy_id}/export` returned, here or elsewhere."""
    dependencies = service.dependencies
    entry = await library.create_strategy(
        dependencies.store, principal.owner, name or body.name, body.content(), now=dependencies.now()
    )
    response.headers["Location"] = f"/api/strategies/{entry.id}"
    return _with_etag(entry, response)


@router.get(
    "/strategies/{strategy_id}",
    summary="A strategy with its latest version",
    response_model=LibraryEntry,
    responses={200: {"headers": _ETAG}, **not_modified(), **error_responses(404)},
)
async def get_strategy(
    strategy_id: StrategyId,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """Archived ones too; `If-None-Match` saves reading an unchanged one."""
    entry = await library.load_entry(service.dependencies.store, principal.owner, strategy_id)
    if matches(if_none_match, _tag(entry)):
        return Response(status_code=304, headers={"ETag": _tag(entry)})
    return _with_etag(entry, response)


@router.get(
    "/strategies/{strategy_id}/versions",
    summary="The versions of a strategy, the newest first",
    responses=error_responses(404),
)
async def list_strategy_versions(
    strategy_id: StrategyId, service: AppStateDep, principal: PrincipalDep, limit: Limit = 100, after: After = None
) -> Page[SavedStrategy]:
    """A version never changes."""
    versions = await library.load_all_versions(service.dependencies.store, principal.owner, strategy_id)
    return paginate(versions[::-1], lambda version: str(version.version), limit, after)


@router.get(
    "/strategies/{strategy_id}/versions/{version}",
    summary="One version of a strategy",
    responses=error_responses(404),
)
async def get_strategy_version(
    strategy_id: StrategyId, version: VersionNumber, service: AppStateDep, principal: PrincipalDep
) -> SavedStrategy:
    """A version never changes, so it can be cached forever."""
    return await library.load_version(service.dependencies.store, principal.owner, strategy_id, version)


@router.post(
    "/strategies/{strategy_id}/versions",
    status_code=201,
    summary="Save a new version of a strategy",
    responses={201: {"headers": _ETAG}, **error_responses(400, 404, 409, 412, 413)},
)
async def add_strategy_version(
    strategy_id: StrategyId,
    body: Annotated[
        StrategyContent,
        Body(openapi_examples={"rule": {"summary": "Inverse volatility", "value": {"rule": _RULE, "note": "first"}}}),
    ],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> LibraryEntry:
    """The content of the latest version saves nothing. 409 for an archived strategy.

    `If-Match` prevents that a version which you have not seen is followed.
    """
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        entry = await library.add_version(
            dependencies.store, principal.owner, strategy_id, body, now=dependencies.now(), versions=versions
        )
    except library.StrategyChanged as error:
        raise Problem(412, str(error)) from error
    return _with_etag(entry, response)


@router.get(
    "/strategies/{strategy_id}/differences",
    summary="The differences of two versions of a strategy",
    responses=error_responses(404),
)
async def compare_strategy_versions(
    strategy_id: StrategyId,
    service: AppStateDep,
    principal: PrincipalDep,
    first: Annotated[int, Query(ge=1, description="The number of a version", examples=[1])],
    second: Annotated[int, Query(ge=1, description="The number of another version", examples=[2])],
) -> Page[StrategyDifference]:
    """One entry per field that differs, with both values; all of them are on one page."""
    store = service.dependencies.store
    found = await library.differences(store, principal.owner, strategy_id, first, second)
    return Page(items=list(found), next=None)


@router.post(
    "/strategies/{strategy_id}/clone",
    status_code=201,
    summary="Copy a strategy to a new name",
    responses={201: _CREATED, **error_responses(400, 404, 409, 413)},
)
async def clone_strategy(
    strategy_id: StrategyId,
    body: Annotated[
        StrategyClone, Body(openapi_examples={"latest": {"summary": "The latest version", "value": {"name": "Core 2"}}})
    ],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
) -> LibraryEntry:
    """The copy begins with version 1, whose note names its origin."""
    dependencies = service.dependencies
    entry = await library.clone_strategy(
        dependencies.store, principal.owner, strategy_id, body.name, body.version, now=dependencies.now()
    )
    response.headers["Location"] = f"/api/strategies/{entry.id}"
    return _with_etag(entry, response)


@router.post(
    "/strategies/{strategy_id}/archive",
    summary="Archive a strategy",
    responses={200: {"headers": _ETAG}, **error_responses(404)},
)
async def archive_strategy(
    strategy_id: StrategyId, service: AppStateDep, principal: PrincipalDep, response: Response
) -> LibraryEntry:
    """It leaves the list and gets no new versions; it keeps its name and can be restored at any time."""
    dependencies = service.dependencies
    entry = await library.archive_strategy(dependencies.store, principal.owner, strategy_id, now=dependencies.now())
    return _with_etag(entry, response)


@router.post(
    "/strategies/{strategy_id}/restore",
    summary="Restore an archived strategy",
    responses={200: {"headers": _ETAG}, **error_responses(404)},
)
async def restore_strategy(
    strategy_id: StrategyId, service: AppStateDep, principal: PrincipalDep, response: Response
) -> LibraryEntry:
    """A strategy in use does not change."""
    return _with_etag(
        await library.restore_strategy(service.dependencies.store, principal.owner, strategy_id), response
    )


@router.get(
    "/strategies/{strategy_id}/export",
    summary="A version of a strategy as a document",
    response_model=StrategyDocument,
    responses={
        200: {"headers": FILE_NAME_HEADER},
        **error_responses(404),
    },
)
async def export_strategy(
    strategy_id: StrategyId,
    service: AppStateDep,
    principal: PrincipalDep,
    version: Annotated[
        int | None, Query(ge=1, description="The number of a version; by default the latest", examples=[1])
    ] = None,
) -> Response:
    """JSON with a schema version, which POST /api/strategies/import accepts."""
    strategy = await library.load_version(service.dependencies.store, principal.owner, strategy_id, version)
    headers = {"Content-Disposition": f'attachment; filename="strategy-{strategy_id[:8]}-{strategy.version}.json"'}
    content = library.to_document(strategy).model_dump_json(by_alias=True, indent=2)
    return Response(content, media_type="application/json", headers=headers)


def _tag(entry: LibraryEntry) -> str:
    return etag(f"{entry.latest.version}{'' if entry.archived_at is None else 'a'}")


def _with_etag(entry: LibraryEntry, response: Response) -> LibraryEntry:
    response.headers["ETag"] = _tag(entry)
    return entry
