"""Security headers of every response."""

import base64
import hashlib
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = "max-age=31536000"

_CLOSED = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For responses that are not pages."""
_REPORT = f"{_CLOSED}; style-src 'unsafe-inline'; sandbox"
"""For exported HTML reports, which have inline styles and no scripts."""
_DOCUMENTATION = (
    f"{_CLOSED}; script-src 'self'{{scripts}}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'"
)
"""For the pages below /api/docs, which may run their own scripts only."""

_DOCS = "/api/docs"
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


class SecurityHeaders:
    """ASGI middleware: adds security headers to every response, unless a route has set them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        delayed_start: Message | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal delayed_start
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message.setdefault("headers", [])
                _add_headers(message, scope)
                if _is_page(message, scope):  # its policy contains digests of scripts in the body, which follows
                    delayed_start = message
                    return
            if delayed_start is not None:
                start, delayed_start = delayed_start, None
                MutableHeaders(scope=start)["Content-Security-Policy"] = _policy(message.get("body", b""))
                await send(start)
            await send(message)

        await self._app(scope, receive, send if scope["type"] == "lifespan" else send_with_headers)


def _add_headers(start: Message, scope: Scope) -> None:
    headers = MutableHeaders(scope=start)
    for name, value in ALWAYS.items():
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
