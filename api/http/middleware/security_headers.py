"""What each answer forbids the browser that shows it."""

import base64
import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = "max-age=31536000"

_CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For what is no page."""
_REPORT = f"{_CLOSED}; style-src 'unsafe-inline'; sandbox"
"""For pages that are files: they have their styles in them, and no script."""
_DOCUMENTATION = (
    f"{_CLOSED}; script-src 'self'{{scripts}}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'"
)
"""For the pages below /api/docs: their own scripts and no others."""

_DOCS = "/api/docs"
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class Guarded:
    """ASGI middleware: the headers of security on every answer; a route's own stand above them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: Message | None = None

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message.setdefault("headers", [])
                _guard(message, scope)
                if _is_page(message, scope):  # its policy names its scripts, which come with the body
                    started = message
                    return
            if started is not None:
                begun, started = started, None
                MutableHeaders(scope=begun)["Content-Security-Policy"] = _policy(message.get("body", b""))
                await send(begun)
            await send(message)

        await self._app(scope, receive, send if scope["type"] == "lifespan" else guarded)


def _guard(start: Message, scope: Scope) -> None:
    headers = MutableHeaders(scope=start)
    for name, value in _ALWAYS.items():
        headers.setdefault(name, value)
    headers.setdefault("Content-Security-Policy", _REPORT if _is_html(headers) else _CLOSED)
    headers.setdefault("Cache-Control", "no-cache" if "etag" in headers else "no-store")
    if scope["scheme"] in ("https", "wss"):
        headers.setdefault("Strict-Transport-Security", _YEAR)


def _is_html(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("text/html")


def _is_page(start: Message, scope: Scope) -> bool:
    return scope["path"].startswith(_DOCS) and _is_html(Headers(scope=start))


def _policy(page: bytes) -> str:
    digests = (base64.b64encode(hashlib.sha256(script).digest()).decode() for script in _SCRIPT.findall(page))
    return _DOCUMENTATION.format(scripts="".join(f" 'sha256-{digest}'" for digest in digests))
