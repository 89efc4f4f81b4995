"""Audits requests that change something or download a file: one entry before the handler, one with the outcome."""

from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.request_context import client_address, request_id, route_template
from api.operations.audit import AuditRecord, start_record
from desk.base.clock import utc_now
from desk.governance.audit_entries import MAX_OBJECT_LENGTH, Entry
from desk.governance.audit_log import AuditLog
from desk.governance.principals import Principal

CUT = "cut off"


async def audit_request(connection: HTTPConnection, principal: PrincipalDep, service: AppStateDep) -> None:
    """Dependency that writes the entry before the handler runs; a request that cannot be audited is rejected."""
    if connection.scope["type"] == "http" and _is_audited(connection.scope):
        await start_request_record(connection, principal, service.audit)


async def start_request_record(connection: HTTPConnection, principal: Principal, log: AuditLog) -> None:
    """Write the entry of a request; `AuditOutcomes` adds its outcome."""
    entry = Entry(
        at=utc_now(),
        owner=principal.owner,
        via=principal.via,
        roles=principal.roles,
        action=f"{connection.scope['method']} {route_template(connection.scope)}",
        object=_object(connection.scope["path"]),
        request=request_id(connection),
        address=client_address(connection),
    )
    connection.state.audit = await start_record(log, entry)


class AuditOutcomes:
    """ASGI middleware: writes the outcome of an audited request before the response starts."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def send_audited(message: Message) -> None:
            record: AuditRecord | None = state.get("audit")
            if message["type"] == "http.response.start" and record is not None:
                state["audit"] = None
                location = urlsplit(Headers(raw=message.get("headers", ())).get("location", "")).path
                await record.finish(str(message["status"]), _object(unquote(location)))
            await send(message)

        try:
            await self._app(scope, receive, send_audited)
        finally:  # the client may disconnect before the response starts
            record = state.get("audit")
            if record is not None:
                state["audit"] = None
                await record.finish(CUT)


def _is_audited(scope: Scope) -> bool:
    """Every change, and every route that declares a file response in the OpenAPI document."""
    if scope["method"] not in ("GET", "HEAD"):
        return True
    responses = getattr(scope.get("route"), "responses", {})
    return "Content-Disposition" in responses.get(200, {}).get("headers", {})


def _object(path: str) -> str:
    return path.removeprefix("/api").removeprefix("/")[:MAX_OBJECT_LENGTH]
