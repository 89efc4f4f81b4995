"""Who may ask a service that listens on this machine only: programs, and pages of this machine."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors.handlers import Error, answer
from api.http.identity.loopback import LOOPBACK


class OnThisMachine:
    """ASGI middleware: a page of another site reaches nothing here, neither blindly nor under a name it made up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wrong = None if scope["type"] == "lifespan" else refused(Headers(scope=scope))
        if wrong is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await answer(403, wrong)(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": wrong.message[:120]})


def refused(headers: Headers) -> Error | None:
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
