"""The signed-in user and the user's preferences."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Response
from pydantic import BaseModel, Field

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.etags import etag, expected_versions
from api.http.response_headers import version_header
from desk.governance.preferences import (
    Preferences,
    PreferencesChanged,
    load_preferences,
    replace_preferences,
)
from desk.governance.roles import PERMISSIONS, Permission, Role

router = APIRouter(tags=["users"], route_class=limited_route(20_000))

IfMatch: TypeAlias = Annotated[
    str | None, Header(description='Change only this version, such as `"3"`; `*` for any version', examples=['"3"'])
]
_ETAG = version_header("The version of the preferences")
_EXAMPLES: dict[str, Any] = {
    "display": {"summary": "Display only", "value": {"number_format": "1.234,56", "theme": "dark"}},
    "all": {
        "summary": "Everything",
        "value": {
            "horizon_years": 10,
            "risk_tolerance": "medium",
            "exclusions": ["XOM"],
            "number_format": "1,234.56",
            "date_format": "DD.MM.YYYY",
            "theme": "light",
            "density": "compact",
        },
    },
}


class Me(BaseModel):
    """The user whose credentials the request carries."""

    name: Annotated[str, Field(description="Name of the user, under which objects are stored", examples=["anna"])]
    roles: Annotated[tuple[Role, ...], Field(description="Roles of the user", examples=[["portfolio-manager"]])]
    permissions: Annotated[
        list[Permission],
        Field(
            description="Permissions that the roles grant, restricted by the scopes of the API key, sorted",
            examples=[["launch:approve", "research:read", "research:write"]],
        ),
    ]
    via: Annotated[
        str,
        Field(
            description="How the user signed in: `local` without authentication, `key:<id>` or `token:<client>`",
            examples=["key:3f6c0e8a5f0e"],
        ),
    ]


@router.get("/me", summary="The signed-in user with roles and permissions", responses=error_responses())
async def get_me(principal: PrincipalDep) -> Me:
    """Every signed-in user may read it, whatever the roles."""
    every = frozenset[Permission]().union(*PERMISSIONS.values())
    permissions: list[Permission] = sorted(permission for permission in every if principal.may(permission))
    return Me(name=principal.owner, roles=principal.roles, permissions=permissions, via=principal.via)


@router.get(
    "/me/preferences",
    summary="Your preferences",
    responses={200: {"headers": _ETAG}, **error_responses()},
)
async def get_preferences(service: AppStateDep, principal: PrincipalDep, response: Response) -> Preferences:
    """Defaults for forms and the display of values; version 0 before the first change."""
    preferences, version = await load_preferences(service.dependencies.store, principal.owner)
    response.headers["ETag"] = etag(version)
    return preferences


@router.put(
    "/me/preferences",
    summary="Replace your preferences",
    responses={200: {"headers": _ETAG}, **error_responses(400, 412, 413)},
)
async def put_preferences(
    body: Annotated[Preferences, Body(openapi_examples=_EXAMPLES)],
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> Preferences:
    """Fields that are not given return to their defaults. `If-Match` prevents overwriting a concurrent change."""
    store, versions = service.dependencies.store, expected_versions(if_match)
    try:
        version = await replace_preferences(store, principal.owner, body, versions=versions)
    except PreferencesChanged as error:
        raise Problem(412, str(error)) from error
    response.headers["ETag"] = etag(version)
    return body
