"""What API Gateway's WebSocket API invokes the function with: somebody connects, sends a message, or is gone."""

import asyncio
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from structlog.contextvars import bound_contextvars

from api.http.dependencies import authenticate
from api.http.errors.handlers import details_of, status_of
from api.http.errors.problems import CODES, Detail, Error, ErrorEnvelope, Problem
from api.http.errors.validation import field_errors
from api.http.identity.tickets import SOCKETS
from api.http.middleware.local_origin import origin_error
from api.lambda_ import http_events as lambda_http
from api.lambda_.http_events import Event
from api.settings import FORMS
from desk.base.errors import InvalidInput, UserError
from desk.governance.principals import Principal
from store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from api.http.dependencies import Service
    from graphs.streaming.websocket_connections import Connection, WebSocketConnections

LONGEST = 4_096
"""Characters of a message."""
LARGEST = 10**15 - 1
AGAIN = "the connection is not known; connect again, and follow from the last number that you have"


class Asked(BaseModel):
    """What a client may send."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["follow", "stop", "ping"]
    run: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A run, or a turn of a thread."""
    after: Annotated[int, Field(ge=0, le=LARGEST, strict=True)] = 0
    """The number of the last event that the client has."""


def is_socket(event: Event) -> bool:
    context = event.get("requestContext")
    return isinstance(context, dict) and isinstance(context.get("connectionId"), str) and "eventType" in context


async def socket(service: "Service", event: Event, until: float) -> Event:
    """What API Gateway is answered; the client itself is told through the management API."""
    sockets = service.dependencies.sockets
    if sockets is None:
        reason = "is not set, and nothing could be sent to whoever connects"
        raise InvalidInput("STRATIGOS_SOCKETS", "", reason=reason, allowed=FORMS["STRATIGOS_SOCKETS"])
    kind, id_ = event["requestContext"]["eventType"], event["requestContext"]["connectionId"]
    status = await _status(service, sockets, event, until)
    _logger().info("socket", kind=kind, connection=id_, status=status)
    return {"statusCode": status}


async def _status(service: "Service", sockets: "WebSocketConnections", event: Event, until: float) -> int:
    kind, id_ = event["requestContext"]["eventType"], event["requestContext"]["connectionId"]
    try:
        async with asyncio.timeout_at(until):
            match kind:
                case "CONNECT":
                    await _connect(service, sockets, event)
                case "MESSAGE":
                    await _hear(service, sockets, event)
                case "DISCONNECT":
                    await sockets.forget(id_)
                case _:
                    raise InvalidInput("eventType", str(kind)[:80], allowed="CONNECT, MESSAGE or DISCONNECT")
    except Problem as refused:
        return refused.status
    except Unavailable as error:
        _logger().warning("socket_unavailable", kind=kind, reason=str(error))
        return 503
    return 200


async def _connect(service: "Service", sockets: "WebSocketConnections", event: Event) -> None:
    connection = _request(event)
    if service.limits is not None:
        service.limits.check_address(event["requestContext"]["identity"]["sourceIp"])
    elif (wrong := origin_error(Headers(scope=connection.scope))) is not None:
        raise Problem(403, wrong.message)

    async def who() -> Principal:
        return await authenticate(connection, service)

    async with (
        nullcontext(await who()) if service.limits is None else service.limits.request(connection, who) as principal
    ):
        if not principal.may("research:read"):
            raise Problem(403, "research:read is not among what your roles permit")
        most = service.settings.streams_per_user
        if service.limits is not None and await sockets.open(principal.owner, most) >= most:
            raise Problem(429, f"too many sockets of a user at once; expected {most}")
        await sockets.connect(event["requestContext"]["connectionId"], principal, now=service.dependencies.now())


async def _hear(service: "Service", sockets: "WebSocketConnections", event: Event) -> None:
    id_ = event["requestContext"]["connectionId"]
    connection = await sockets.connection(id_)
    if connection is None:
        await sockets.send_text(id_, _envelope(Problem(401, AGAIN).error))
        return
    principal = connection.principal

    async def who() -> Principal:
        return principal

    with bound_contextvars(owner=principal.owner):
        try:
            async with nullcontext() if service.limits is None else service.limits.request(_request(event), who):
                await _carry_out(sockets, connection, _asked(event))
        except Problem as refused:
            await sockets.send_text(id_, _envelope(refused.error))
        except UserError as error:
            told = Error(code=CODES[status_of(error)], message=str(error), details=details_of(error))
            await sockets.send_text(id_, _envelope(told))
        except Invalid as error:
            await sockets.send_text(id_, _envelope(Error(code="VALIDATION_ERROR", message=str(error))))


async def _carry_out(sockets: "WebSocketConnections", connection: "Connection", asked: Asked) -> None:
    if asked.action == "ping":
        await sockets.catch_up(connection)
        await sockets.send_text(connection.id, '{"pong": true}')
        return
    if asked.run is None:
        raise InvalidInput("run", None, reason="it is missing", allowed="the id of one of your runs, or of a turn")
    if asked.action == "follow":
        await sockets.follow(connection, asked.run, asked.after)
    else:
        await sockets.stop(connection, asked.run)
        await sockets.send_text(connection.id, '{"stopped": true}')


def _asked(event: Event) -> Asked:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        raise Problem(422, "the message is binary; expected text that holds a JSON object")
    if len(text) > LONGEST:
        raise Problem(413, f"the message has {len(text)} characters; expected {LONGEST}")
    try:
        return Asked.model_validate_json(text.encode("utf-8", "replace"))
    except ValidationError as error:
        details = [Detail(**told) for told in field_errors(error.errors(), Asked.model_json_schema())]
        message = "; ".join(f"{one.field or 'message'}: {one.message}; expected {one.allowed}" for one in details[:3])
        raise Problem(422, message, details=details) from error


def _request(event: Event) -> HTTPConnection:
    """The event as the request that it was, or belongs to."""
    return HTTPConnection(lambda_http.request_of(event | {"httpMethod": "GET", "path": SOCKETS}).scope)


def _envelope(error: Error) -> str:
    return ErrorEnvelope(error=error).model_dump_json()


def _logger() -> Any:
    return structlog.get_logger()
