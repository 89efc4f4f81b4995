"""FastAPI dependencies of routes: the service, the authenticated user, permissions and concurrency slots."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.http.errors.problems import Problem
from api.http.errors.validation import request_schema
from api.http.identity.authentication import Identity, SignIn
from api.http.identity.revocation import RECHECK_SECONDS, StreamAccess
from api.http.identity.tickets import redeem_from_url
from api.http.rate_limits import RateLimits
from api.http.request_context import bind_owner
from api.operations.readiness import ReadinessChecks
from api.settings import Settings
from desk.base.errors import InvalidInput
from desk.governance.audit_log import AuditLog
from desk.governance.principals import Principal
from desk.governance.roles import PERMISSIONS, Permission

if TYPE_CHECKING:
    from api.operations.metrics import Metrics
    from graphs.conversations.background_turns import BackgroundTurns
    from graphs.dependencies import Dependencies
    from graphs.streaming.followers import LogFollowers


@dataclass(frozen=True)
class AppState:
    """What the application holds while it runs; `app.state.service`."""

    settings: Settings
    identity: Identity
    limits: RateLimits | None
    """None when authentication is off."""
    dependencies: "Dependencies"
    answering: "BackgroundTurns"
    following: "LogFollowers"
    readiness: ReadinessChecks
    audit: AuditLog
    sign_in: SignIn | None = None
    """None when authentication is off."""
    metrics: "Metrics | None" = None
    recheck_seconds: float = RECHECK_SECONDS
    """Seconds after which the credentials of an open stream are checked again."""


async def get_service(connection: HTTPConnection) -> AppState:  # a plain function would cost a hop to a thread
    return connection.app.state.service


AppStateDep = Annotated[AppState, Depends(get_service)]


async def get_principal(connection: HTTPConnection, service: AppStateDep) -> AsyncGenerator[Principal]:
    """The authenticated user, who holds a request slot until the response is sent."""
    principal = await admit(connection)
    with nullcontext() if service.limits is None else service.limits.request_slot(principal.owner):
        bind_owner(connection, principal.owner)
        service.answering.attend(principal.owner)
        yield principal


async def admit(connection: HTTPConnection) -> Principal:
    """Authenticate and apply the user's rate limit, once per request and before its body is read."""
    state = connection.state
    if not hasattr(state, "principal"):
        service = await get_service(connection)
        check = partial(authenticate, connection, service)
        state.principal = await (check() if service.limits is None else service.limits.admit(connection, check))
    return state.principal


@asynccontextmanager
async def body_slot(connection: HTTPConnection) -> AsyncGenerator[None]:
    """Hold one of the user's slots for request bodies while a body is read."""
    principal, limits = await admit(connection), (await get_service(connection)).limits
    with nullcontext() if limits is None else limits.body_slot(principal.owner):
        yield


async def authenticate(connection: HTTPConnection, service: AppState) -> Principal:
    """The user of the ticket in a stream's URL, or else of the API key, access token or session."""
    by_ticket = await redeem_from_url(service.dependencies.store, connection)
    return by_ticket or await service.identity.authenticate(connection)


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def _stream_access(connection: HTTPConnection, service: AppStateDep, principal: PrincipalDep) -> StreamAccess:
    return StreamAccess(
        connection, principal, service.identity, service.dependencies.store, recheck_seconds=service.recheck_seconds
    )


StreamAccessDep = Annotated[StreamAccess, Depends(_stream_access)]


async def _stream_slot(service: AppStateDep, principal: PrincipalDep) -> AsyncGenerator[None]:
    with nullcontext() if service.limits is None else service.limits.stream_slot(principal.owner):
        yield


async def _calculation_slot(service: AppStateDep, principal: PrincipalDep) -> AsyncGenerator[None]:
    async with nullcontext() if service.limits is None else service.limits.calculation_slot(principal.owner):
        yield


STREAM_SLOT = Depends(_stream_slot)
"""For routes that stay open while a client listens: limits the open streams of a user."""
CALCULATION_SLOT = Depends(_calculation_slot, scope="function")
"""For routes that occupy threads: two requests of a user run at once, further ones wait."""


def require_permissions(reading: Permission, writing: Permission) -> Any:
    """Require the first permission of GET and HEAD requests, and the second of all others."""

    async def check_permission(connection: HTTPConnection, principal: PrincipalDep) -> None:
        reads = connection.scope.get("method", "GET") in ("GET", "HEAD")
        permission = reading if reads else writing
        if not principal.may(permission):
            roles = ", ".join(role for role, granted in PERMISSIONS.items() if permission in granted)
            raise Problem(403, f"your roles do not grant {permission}; expected {roles}")

    return Depends(check_permission)


async def reject_unknown_parameters(connection: HTTPConnection) -> None:
    """Refuse misspelled and repeated query parameters, which FastAPI would ignore."""
    if connection.scope["type"] != "http" or not connection.query_params:
        return
    parameters = request_schema(connection)["properties"].get("query", {"properties": {}})["properties"]
    for name, count in Counter(name for name, _ in connection.query_params.multi_items()).items():
        if name not in parameters:
            allowed = ", ".join(parameters) or "no parameter"
            raise InvalidInput(f"query.{name[:80]}", "", reason="there is no such parameter", allowed=allowed)
        if count > 1 and parameters[name].get("type") != "array":
            raise InvalidInput(f"query.{name}", "", reason=f"it is given {count} times", allowed="once")
