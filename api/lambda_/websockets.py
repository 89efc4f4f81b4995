"""Events of API Gateway's WebSocket API: connect, message and disconnect."""

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
from api.lambda_ import http_events
from api.lambda_.http_events import Event
from api.settings import FORMS
from desk.base.errors import InvalidInput, UserError
from desk.governance.principals import Principal
from store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from api.http.dependencies import AppState
    from graphs.streaming.websocket_connections import Connection, WebSocketConnections

MAX_MESSAGE_LENGTH = 4_096
"""Characters of a message."""
MAX_EVENT_NUMBER = 10**15 - 1
RECONNECT = "the connection is unknown; reconnect, and follow from the number of the last event that you have"


class ClientMessage(BaseModel):
    """A message of a client."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["follow", "stop", "ping"]
    run: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """A run, or a turn of a thread."""
    after: Annotated[int, Field(ge=0, le=MAX_EVENT_NUMBER, strict=True)] = 0
    """The number of the last event that the client has."""


def is_websocket(event: Event) -> bool:
    context = event.get("requestContext")
    return isinstance(context, dict) and isinstance(context.get("connectionId"), str) and "eventType" in context


async def handle_websocket(service: "AppState", event: Event, until: float) -> Event:
    """The response to API Gateway; messages to the client are sent through its management API."""
    sockets = service.dependencies.sockets
    if sockets is None:
        reason = "is not set, so no message can be sent to clients"
        raise InvalidInput("STRATIGOS_SOCKETS", "", reason=reason, allowed=FORMS["STRATIGOS_SOCKETS"])
    kind, id_ = event["requestContext"]["eventType"], event["requestContext"]["connectionId"]
    status = await _status(service, sockets, event, until)
    _logger().info("socket", kind=kind, connection=id_, status=status)
    return {"statusCode": status}


async def _status(service: "AppState", sockets: "WebSocketConnections", event: Event, until: float) -> int:
    kind, id_ = event["requestContext"]["eventType"], event["requestContext"]["connectionId"]
    try:
        async with asyncio.timeout_at(until):
            match kind:
                case "CONNECT":
                    await _connect(service, sockets, event)
                case "MESSAGE":
                    await _handle_message(service, sockets, event)
                case "DISCONNECT":
                    await sockets.forget(id_)
                case _:
                    raise InvalidInput("eventType", str(kind)[:80], allowed="CONNECT, MESSAGE or DISCONNECT")
    except Problem as problem:
        return problem.status
    except Unavailable as error:
        _logger().warning("socket_unavailable", kind=kind, reason=str(error))
        return 503
    return 200


async def _connect(service: "AppState", sockets: "WebSocketConnections", event: Event) -> None:
    connection = _request(event)
    if service.limits is not None:
        service.limits.check_address(event["requestContext"]["identity"]["sourceIp"])
    elif (wrong := origin_error(Headers(scope=connection.scope))) is not None:
        raise Problem(403, wrong.message)

    async def check() -> Principal:
        return await authenticate(connection, service)

    async with (
        nullcontext(await check()) if service.limits is None else service.limits.request(connection, check) as principal
    ):
        if not principal.may("research:read"):
            raise Problem(403, "your roles do not grant research:read")
        most = service.settings.streams_per_user
        if service.limits is not None and await sockets.open(principal.owner, most) >= most:
            raise Problem(429, f"too many sockets of a user at once; expected {most}")
        await sockets.connect(event["requestContext"]["connectionId"], principal, now=service.dependencies.now())


async def _handle_message(service: "AppState", sockets: "WebSocketConnections", event: Event) -> None:
    id_ = event["requestContext"]["connectionId"]
    connection = await sockets.connection(id_)
    if connection is None:
        await sockets.send_text(id_, _envelope(Problem(401, RECONNECT).error))
        return
    principal = connection.principal

    async def check() -> Principal:
        return principal

    with bound_contextvars(owner=principal.owner):
        try:
            async with nullcontext() if service.limits is None else service.limits.request(_request(event), check):
                await _execute(sockets, connection, _parse(event))
        except Problem as problem:
            await sockets.send_text(id_, _envelope(problem.error))
        except UserError as error:
            problem = Error(code=CODES[status_of(error)], message=str(error), details=details_of(error))
            await sockets.send_text(id_, _envelope(problem))
        except Invalid as error:
            await sockets.send_text(id_, _envelope(Error(code="VALIDATION_ERROR", message=str(error))))


async def _execute(sockets: "WebSocketConnections", connection: "Connection", message: ClientMessage) -> None:
    if message.action == "ping":
        await sockets.catch_up(connection)
        await sockets.send_text(connection.id, '{"pong": true}')
        return
    if message.run is None:
        raise InvalidInput("run", None, reason="it is missing", allowed="the id of one of your runs, or of a turn")
    if message.action == "follow":
        await sockets.follow(connection, message.run, message.after)
    else:
        await sockets.stop(connection, message.run)
        await sockets.send_text(connection.id, '{"stopped": true}')


def _parse(event: Event) -> ClientMessage:
    text = event.get("body") or ""
    if event.get("isBase64Encoded"):
        raise Problem(422, "the message is binary; expected text that holds a JSON object")
    if len(text) > MAX_MESSAGE_LENGTH:
        raise Problem(413, f"the message has {len(text)} characters; expected {MAX_MESSAGE_LENGTH}")
    try:
        return ClientMessage.model_validate_json(text.encode("utf-8", "replace"))
    except ValidationError as error:
        details = [Detail(**each) for each in field_errors(error.errors(), ClientMessage.model_json_schema())]
        text = "; ".join(f"{each.field or 'message'}: {each.message}; expected {each.allowed}" for each in details[:3])
        raise Problem(422, text, details=details) from error


def _request(event: Event) -> HTTPConnection:
    """The event as an HTTP connection, for authentication and limits."""
    return HTTPConnection(http_events.request_of(event | {"httpMethod": "GET", "path": SOCKETS}).scope)


def _envelope(error: Error) -> str:
    return ErrorEnvelope(error=error).model_dump_json()


def _logger() -> Any:
    return structlog.get_logger()
