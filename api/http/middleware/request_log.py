"""Request ids and one log line per request, which contains nothing that the client sent except that id."""

import re
import time
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars, unbind_contextvars

from api.http.request_context import REQUEST_ID_HEADER, client_address, route_template

_IDS = re.compile(r"[A-Za-z0-9_-]{1,64}")
_METHODS = frozenset({"SOCKET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestLog:
    """Outermost ASGI middleware: sets `X-Request-Id`, binds it to the log context and logs one line per request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        client_id = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = client_id if _IDS.fullmatch(client_id) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        response = _Response(send, request_id)
        start = time.perf_counter()
        method = scope.get("method", "SOCKET")
        with bound_contextvars(request_id=request_id, method=method if method in _METHODS else "another"):
            try:
                await self._app(scope, receive, response)
            finally:
                unbind_contextvars("owner", "route")
                logger: Any = structlog.get_logger()
                logger.info(
                    "request",
                    route=route_template(scope),
                    status=response.status,
                    milliseconds=round(1e3 * (time.perf_counter() - start), 1),
                    bytes=response.size,
                    owner=scope["state"].get("owner"),
                    address=client_address(HTTPConnection(scope)),
                )


class _Response:
    """Forwards the messages of a response, and records its status and size."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0
        """0 when the client disconnected before the response; for a WebSocket the close code."""
        self.size = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start", "websocket.accept"):
            self.status = message.get("status", 101)
            message.setdefault("headers", [])
            MutableHeaders(scope=message)[REQUEST_ID_HEADER] = self._request_id
        elif message["type"] == "websocket.close":
            self.status = message.get("code", 1000)
        self.size += len(message.get("body") or message.get("bytes") or (message.get("text") or "").encode())
        await self._send(message)
