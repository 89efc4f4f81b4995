"""Limits of a request's URL and headers."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors.problems import CODES, Error, error_response

MAX_URL_BYTES = 8_000
MAX_HEADERS, MAX_HEADER_BYTES = 100, 16_000


class HeadLimits:
    """ASGI middleware: rejects long URLs, unprintable paths, and too many or too large headers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        violation = None if scope["type"] == "lifespan" else _violation(scope)
        if violation is None:
            await self._app(scope, receive, send)
        else:
            status, message = violation
            await error_response(status, Error(code=CODES[status], message=message))(scope, receive, send)


def _violation(scope: Scope) -> tuple[int, str] | None:
    url = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
    if url > MAX_URL_BYTES:
        return 414, f"the URL has {url:,} bytes; expected at most {MAX_URL_BYTES:,}"
    headers = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        allowed = f"at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES:,} bytes together"
        return 431, f"there are {len(headers)} headers of {size:,} bytes; expected {allowed}"
    if not scope["path"].isprintable():
        return 400, "the path contains an unprintable character; expected printable ones"
    return None
