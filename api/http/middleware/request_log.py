"""Each request has an id and leaves one line in the log, which holds nothing that a client has sent but that id."""

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, bound_contextvars, unbind_contextvars

HEADER = "X-Request-Id"
_IDS = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHODS = frozenset({"SOCKET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def request_id(connection: HTTPConnection) -> str:
    return connection.state.request_id


def address(connection: HTTPConnection) -> str:
    """Of the socket's peer, or of whom a trusted proxy names; empty where there is no socket."""
    return "" if connection.client is None else connection.client.host


def known(connection: HTTPConnection, owner: str) -> None:
    """From here on the log tells whose request it is."""
    connection.state.owner = owner
    bind_contextvars(owner=owner, route=template(connection.scope))


def template(scope: Scope) -> str:
    """The route as the document names it, since what stands in its place may be anything."""
    places = (scope.get("fastapi", {}).get("effective_route_context"), scope.get("route"))
    return next((format_ for place in places if (format_ := getattr(place, "path_format", ""))), "")


class Numbered:
    """ASGI middleware around all others: the request's id in its answer, in the log's context and in its line."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get(HEADER, "")
        number = asked if _IDS.fullmatch(asked) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = number
        answer = _Answer(send, number)
        begun = time.perf_counter()
        method = scope.get("method", "SOCKET")
        with bound_contextvars(request_id=number, method=method if method in _METHODS else "another"):
            try:
                await self._app(scope, receive, answer)
            finally:
                unbind_contextvars("owner", "route")
                logger: Any = structlog.get_logger()
                logger.info(
                    "request",
                    route=template(scope),
                    status=answer.status,
                    milliseconds=round(1e3 * (time.perf_counter() - begun), 1),
                    bytes=answer.size,
                    owner=scope["state"].get("owner"),
                    address=address(HTTPConnection(scope)),
                )


class _Answer:
    """Passes an answer on, and remembers what it was."""

    def __init__(self, send: Send, number: str) -> None:
        self._send = send
        self._number = number
        self.status = 0
        """0 where the client went away before an answer; a socket's is the code that it was closed with."""
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self.status = message.get("status", 101)
            message.setdefault("headers", [])
            MutableHeaders(scope=message)[HEADER] = self._number
        elif message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        self.size += len(message.get("body") or message.get("bytes") or (message.get("text") or "").encode())
        await self._send(message)
