"""HTTP events of API Gateway, load balancers and function URLs: converted to ASGI requests, and responses back."""

import asyncio
import base64
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType
from typing import Any, TypeAlias
from urllib.parse import unquote, urlencode

import structlog
from anyio import EndOfStream, create_memory_object_stream
from starlette.types import ASGIApp, Message, Scope

from api.http.errors.problems import CODES, Error, error_response
from api.http.request_context import REQUEST_ID_HEADER

Event: TypeAlias = dict[str, Any]

MARGIN = 1.0
"""Seconds before the deadline at which an invocation ends, because Lambda would then kill the process."""
MAX_RESPONSE_BYTES = 6 * 1024 * 1024
"""Limit of Lambda for a buffered response."""
MAX_STREAM_WAIT = 20.0
"""Seconds for which a buffered response waits for the events of a stream; API Gateway times out after 29."""
STREAM_SILENCE = 0.5
"""Seconds without an event after which a buffered stream ends."""
GRACE = 0.5
"""Seconds that a cancelled request has to finish."""
SEPARATOR = bytes(8)
REQUEST_ID = REQUEST_ID_HEADER.lower().encode()
HOP_BY_HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Request:
    scope: Scope
    body: bytes
    first_version: bool
    """Payload format 1.0, which has separate fields for repeated headers."""
    balanced: bool = False
    """From a load balancer, which expects repeated headers as it sends them, and cannot stream."""


@dataclass(frozen=True)
class Head:
    status: int
    headers: Sequence[tuple[str, str]] = field(default=())

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")


class Incomplete(Exception):
    """The application ended before its response was complete."""


def is_http(event: Any) -> bool:
    context = (event.get("requestContext") or {}) if isinstance(event, dict) else {}
    return "connectionId" not in context and ("httpMethod" in event or "http" in context)


def is_balanced(event: Event) -> bool:
    """Whether an Application Load Balancer sent the request."""
    return "elb" in event["requestContext"]


def is_event_stream(head: Head) -> bool:
    return head.header("content-type").startswith("text/event-stream")


def request_of(event: Event) -> Request:
    context: Event = event["requestContext"]
    first, balanced = "httpMethod" in event, is_balanced(event)
    path, root = _first_path(event) if first else _later_path(event["rawPath"], context)
    headers = _with_request_id(_first_headers(event) if first else _later_headers(event), context.get("requestId"))
    if balanced:
        address = _forwarded_for(headers)
    else:
        address = (context["identity"] if first else context["http"]).get("sourceIp") or ""
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
    text: str = event.get("body") or ""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": (event["httpMethod"] if first else context["http"]["method"]).upper(),
        "scheme": "https",
        "path": unquote(path),
        "raw_path": path.encode("utf-8", "replace"),
        "root_path": root,
        "query_string": _query(event, first=first, balanced=balanced),
        "headers": headers,
        "client": (address, 0),
        "server": (host.partition(":")[0], 443),
    }
    body = base64.b64decode(text) if event.get("isBase64Encoded") else text.encode("utf-8", "replace")
    return Request(scope, body, first and not (balanced and "multiValueHeaders" not in event), balanced)


class Exchange:
    """One request to the application, whose response is read while it is produced."""

    def __init__(self, app: ASGIApp, request: Request) -> None:
        self._app = app
        self._request = request
        self._sender, self._receiver = create_memory_object_stream[Message](0)
        self._body_sent = False

    async def __aenter__(self) -> "Exchange":
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        try:
            await asyncio.wait({self._task}, timeout=GRACE)
        finally:
            self._sender.close()
            self._receiver.close()

    async def head(self) -> Head:
        start = await self._next()
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in start["headers"]]
        return Head(start["status"], [each for each in headers if each[0] not in HOP_BY_HOP_HEADERS])

    async def chunks(self) -> AsyncGenerator[bytes]:
        more = True
        while more:
            message = await self._next()
            more = message.get("more_body", False)
            if message.get("body") and self._request.scope["method"] != "HEAD":
                yield message["body"]

    async def finish(self, until: float) -> None:
        """Wait for what the application does after its response."""
        await asyncio.wait({self._task}, timeout=max(0.0, until - asyncio.get_running_loop().time()))
        if self._task.done() and (error := self._task.exception()) is not None:
            logger: Any = structlog.get_logger()
            logger.warning("failed_after_the_answer", kind=type(error).__name__)

    async def _run(self) -> None:
        async with self._sender:
            await self._app(self._request.scope, self._receive, self._sender.send)

    async def _receive(self) -> Message:
        if self._body_sent:
            await asyncio.Event().wait()  # a disconnect is never reported; the waiting task is cancelled
        self._body_sent = True
        return {"type": "http.request", "body": self._request.body, "more_body": False}

    async def _next(self) -> Message:
        try:
            return await self._receiver.receive()
        except EndOfStream:
            await self._task  # raises the error of the application
            raise Incomplete("the application ended before its response was complete") from None


async def buffered(app: ASGIApp, event: Event, until: float) -> Event:
    """The whole response; for an event stream the events so far, after which the client reconnects."""
    request = request_of(event)
    async with Exchange(app, request) as exchange:
        try:
            async with asyncio.timeout_at(until), aclosing(exchange.chunks()) as chunks:
                head = await exchange.head()
                if is_event_stream(head):
                    return buffered_response(request, head, await _events_so_far(chunks))
                body = b"".join([chunk async for chunk in chunks])
        except TimeoutError:
            return buffered_response(request, *timeout_response())
        await exchange.finish(until)
    return buffered_response(request, head, body)


def buffered_response(request: Request, head: Head, body: bytes) -> Event:
    """A response in the payload format of its request."""
    try:
        text, encoded = body.decode(), False
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    response: Event = {"statusCode": head.status, "body": text, "isBase64Encoded": encoded}
    if request.first_version:
        response["multiValueHeaders"] = _grouped(head)
    else:
        response |= _joined(head)
    if request.balanced:
        response["statusDescription"] = f"{head.status} {HTTPStatus(head.status).phrase}"
        response.pop("cookies", None)
    if len(json.dumps(response)) > MAX_RESPONSE_BYTES:
        message = (
            f"the response is larger than {MAX_RESPONSE_BYTES // 2**20} MB; request less, for example with `limit`"
        )
        return buffered_response(request, *_problem(413, message))
    return response


def prelude(request: Request, head: Head) -> bytes:
    """The metadata that precedes the body of a streamed response."""
    metadata: Event = {"statusCode": head.status, **_joined(head)}
    if request.first_version:
        groups = _grouped(head)
        metadata["headers"] = {name: values[0] for name, values in groups.items() if len(values) == 1}
        metadata["multiValueHeaders"] = {name: values for name, values in groups.items() if len(values) > 1}
        metadata["cookies"] = []
    return json.dumps(metadata).encode() + SEPARATOR


def timeout_response() -> tuple[Head, bytes]:
    return _problem(504, "the time limit of the function was reached; try again, or request less")


def _problem(status: int, message: str) -> tuple[Head, bytes]:
    response = error_response(status, Error(code=CODES[status], message=message))
    return Head(status, response.headers.items()), bytes(response.body)


async def _events_so_far(chunks: AsyncGenerator[bytes]) -> bytes:
    clock = asyncio.get_running_loop().time
    end = clock() + MAX_STREAM_WAIT
    content = b""
    try:
        while True:
            async with asyncio.timeout_at(min(end, clock() + STREAM_SILENCE) if content else end):
                content += await anext(chunks)
    except (StopAsyncIteration, TimeoutError):
        return content


def _first_path(event: Event) -> tuple[str, str]:
    """The path below the stage, and its prefix."""
    path, context = event["path"], event["requestContext"]
    if event.get("version") == "1.0":  # an HTTP API, whose path includes the stage
        return _later_path(path, context)
    full = context.get("path") or path
    return path, _before(path, full.removesuffix(path) if full.endswith(path) else "")


def _later_path(path: str, context: Event) -> tuple[str, str]:
    root = f"/{context.get('stage', '$default')}"
    if not f"{path}/".startswith(f"{root}/"):
        return path, ""
    below = path.removeprefix(root) or "/"
    return below, _before(below, root)


def _before(path: str, root: str) -> str:
    """The root path; empty for a stage with the name of the path's first segment, which would hide the routes."""
    return "" if f"{path}/".startswith(f"{root}/") else root


def _first_headers(event: Event) -> list[tuple[bytes, bytes]]:
    values_by_name = event.get("multiValueHeaders") or {
        name: [value] for name, value in (event.get("headers") or {}).items()
    }
    return [_header(name, value) for name, values in values_by_name.items() for value in values]


def _later_headers(event: Event) -> list[tuple[bytes, bytes]]:
    cookies = event.get("cookies") or []
    headers = [_header(name, value) for name, value in event["headers"].items()]
    return [*headers, _header("cookie", "; ".join(cookies))] if cookies else headers


def _with_request_id(headers: list[tuple[bytes, bytes]], number: str | None) -> list[tuple[bytes, bytes]]:
    """Use the id of the gateway when the client sends none."""
    if number is None or any(name == REQUEST_ID for name, _ in headers):
        return headers
    return [*headers, (REQUEST_ID, number.encode())]


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("utf-8", "replace"), value.encode("utf-8", "replace")


def _forwarded_for(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's address, which the load balancer adds last."""
    value = next((value for name, value in headers if name == b"x-forwarded-for"), b"")
    return value.decode("latin-1").rpartition(",")[2].strip()


def _query(event: Event, *, first: bool, balanced: bool) -> bytes:
    if not first:
        return event.get("rawQueryString", "").encode()
    if not balanced:
        return _first_query(event)
    values_by_name: dict[str, list[str]] = event.get("multiValueQueryStringParameters") or {
        name: [value] for name, value in (event.get("queryStringParameters") or {}).items()
    }
    pairs = [f"{name}={value}" for name, values in values_by_name.items() for value in values]
    return "&".join(pairs).encode()  # a load balancer passes them on as they were sent


def _first_query(event: Event) -> bytes:
    values_by_name = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
    return urlencode(values_by_name, doseq=True, errors="replace").encode()


def _grouped(head: Head) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in head.headers:
        groups[name].append(value)
    return dict(groups)


def _joined(head: Head) -> Event:
    groups = _grouped(head)
    cookies = groups.pop("set-cookie", [])
    return {"headers": {name: ", ".join(values) for name, values in groups.items()}, "cookies": cookies}
