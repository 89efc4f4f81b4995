"""Restricts a service without authentication to programs and pages of this machine."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors.problems import Error, error_response
from api.http.identity.loopback import LOOPBACK


class LocalOriginOnly:
    """ASGI middleware: rejects requests whose Host or Origin is not this machine (CSRF and DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = None if scope["type"] == "lifespan" else origin_error(Headers(scope=scope))
        if error is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await error_response(403, error)(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": error.message[:120]})


def origin_error(headers: Headers) -> Error | None:
    """The error of a request from another machine or page; None for this machine's."""
    for name, url in (("Host", f"//{headers.get('host', '')}"), ("Origin", headers.get("origin", "//localhost"))):
        if (host := _host(url)) not in LOOPBACK:
            allowed = ", ".join(LOOPBACK)
            return Error(code="FORBIDDEN", message=f"{name}: {host!r} is not this machine; expected {allowed}")
    return None


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return url[:100]
