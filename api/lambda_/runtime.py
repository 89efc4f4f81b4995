"""Client of the Lambda Runtime API that streams responses; `python -m api.lambda_` runs it.

The official client (`awslambdaric`) sends whole responses only; `api.lambda_.handler` is its entry point.
"""

import asyncio
import base64
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import h11
import structlog
from structlog.contextvars import bound_contextvars

from api.lambda_ import dispatch, http_events
from desk.base.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

STREAM_GRACE = 0.5
"""Seconds after the end of an invocation for the error trailer of a stream, or for a slow client to read the rest."""
STREAM = "application/vnd.awslambda.http-integration-response"
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"
READ_BYTES = 65_536

Headers: TypeAlias = list[tuple[str, str]]


class RuntimeFault(Exception):
    """The Runtime API rejected a request; the process must exit."""


@dataclass(frozen=True)
class Invocation:
    id: str
    payload: bytes
    until: float
    """The end of the invocation, on the clock of the event loop."""
    trace: str
    attempt: str
    """The id of this attempt, if Lambda sends one; it is sent back."""


class RuntimeApi:
    """Calls the Runtime API, each time on a new connection, because the process is frozen between invocations."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def next(self) -> Invocation:
        headers, payload = await self._call("GET", "invocation/next", [], b"")
        remaining = int(headers["lambda-runtime-deadline-ms"]) / 1000 - time.time() - http_events.MARGIN
        return Invocation(
            id=headers["lambda-runtime-aws-request-id"],
            payload=payload,
            until=asyncio.get_running_loop().time() + remaining,
            trace=headers.get("lambda-runtime-trace-id", ""),
            attempt=headers.get("lambda-runtime-invocation-id", ""),
        )

    async def respond(self, invocation: Invocation, response: Any) -> None:
        headers = [("Content-Type", "application/json"), *_attempt_header(invocation)]
        await self._call("POST", f"invocation/{invocation.id}/response", headers, json.dumps(response).encode())

    @asynccontextmanager
    async def stream(self, invocation: Invocation) -> "AsyncGenerator[Stream]":
        headers = [
            ("Content-Type", STREAM),
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", f"{ERROR_TYPE}, {ERROR_BODY}"),
            *_attempt_header(invocation),
        ]
        async with self._connected() as connection:
            await connection.begin("POST", f"invocation/{invocation.id}/response", headers)
            yield Stream(connection)

    async def report_error(self, invocation: Invocation, error: Exception) -> None:
        await self._report(f"invocation/{invocation.id}/error", error, _attempt_header(invocation))

    async def report_start_error(self, error: Exception) -> None:
        await self._report("init/error", error, [])

    async def _report(self, path: str, error: Exception, headers: Headers) -> None:
        body = {**_error_body(error), "stackTrace": []}
        kinds = [("Content-Type", "application/vnd.aws.lambda.error+json"), (ERROR_TYPE, _kind(error))]
        await self._call("POST", path, [*kinds, *headers], json.dumps(body).encode())

    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> tuple[dict[str, str], bytes]:
        length = [("Content-Length", str(len(body)))] if method == "POST" else []
        async with self._connected() as connection:
            await connection.begin(method, path, [*headers, *length])
            await connection.send(h11.Data(data=body), h11.EndOfMessage())
            return await connection.response()

    @asynccontextmanager
    async def _connected(self) -> "AsyncGenerator[_Connection]":
        host, _, port = self._address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield _Connection(self._address, reader, writer)
        finally:
            writer.transport.abort()  # every request has its response by now
            with suppress(OSError):
                await writer.wait_closed()


class ClientGone(Exception):
    """The Runtime API stopped reading the response."""


class Stream:
    """A response that is sent chunk by chunk."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    async def send(self, chunk: bytes) -> None:
        try:
            await self._connection.send(h11.Data(data=chunk))
        except OSError as error:
            raise ClientGone from error

    async def end(self, error: Exception | None = None, *, until: float) -> None:
        """End the stream, with an error trailer if it failed; a slow client can read the rest until `until`."""
        trailers: Headers = []
        if error is not None:
            body = base64.b64encode(json.dumps(_error_body(error)).encode()).decode()
            trailers = [(ERROR_TYPE, _kind(error)), (ERROR_BODY, body)]
        try:
            async with asyncio.timeout_at(until):
                await self._connection.send(h11.EndOfMessage(headers=trailers))
                await self._connection.response()
        except (OSError, TimeoutError) as failure:  # the response has started: a second one would break the protocol
            raise ClientGone from failure


class _Connection:
    def __init__(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    async def begin(self, method: str, path: str, headers: Headers) -> None:
        target = f"/2018-06-01/runtime/{path}"
        self._target = f"{method} {target}"
        all_headers = [("Host", self._address), ("User-Agent", "stratigos"), ("Connection", "close"), *headers]
        await self.send(h11.Request(method=method, target=target, headers=all_headers))

    async def send(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        for event in events:
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def response(self) -> tuple[dict[str, str], bytes]:
        """Has no timeout, because the process is frozen while it waits for the next invocation."""
        status, headers, body = 0, dict[str, str](), b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(READ_BYTES))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        if not 200 <= status < 300:
            raise RuntimeFault(f"{self._target} returned {status}: {body[:200].decode(errors='replace')}")
        return headers, body


class Deadline(Exception):
    """The invocation reached its time limit."""


async def run(api: RuntimeApi, open_function: Callable[[], AbstractContextManager[dispatch.Function]]) -> None:
    """Start the application, then serve invocations one after the other until cancelled."""
    async with AsyncExitStack() as stack:
        try:
            function = stack.enter_context(open_function())
            await stack.enter_async_context(function.app.router.lifespan_context(function.app))
        except Exception as error:
            await api.report_start_error(error)
            raise
        while True:
            invocation = await api.next()
            _trace(invocation.trace)
            with bound_contextvars(invocation=invocation.id):
                await _serve(api, function.app, invocation)
                await dispatch.settle(function, invocation.until)


async def _serve(api: RuntimeApi, app: "FastAPI", invocation: Invocation) -> None:
    streams = app.state.service.settings.lambda_answers == "streamed"
    try:
        event = json.loads(invocation.payload)
        if streams and http_events.is_http(event) and not http_events.is_balanced(event):
            await _stream(api, app, invocation, event)
            return
        response = await dispatch.respond(app, event, invocation.until)
    except RuntimeFault:
        raise
    except ClientGone:
        _logger().warning("nobody_takes_the_answer")
    except Exception as error:  # noqa: BLE001  (the outermost handler: logs the traceback)
        _logger().error("invocation_failed", exc_info=error)
        await api.report_error(invocation, error)
    else:
        await api.respond(invocation, response)


async def _stream(api: RuntimeApi, app: "FastAPI", invocation: Invocation, event: http_events.Event) -> None:
    request = http_events.request_of(event)
    async with http_events.Exchange(app, request) as exchange:
        try:
            async with asyncio.timeout_at(invocation.until):
                head = await exchange.head()
        except TimeoutError:
            head, body = http_events.timeout_response()
            async with api.stream(invocation) as out:
                await out.send(http_events.prelude(request, head) + body)
                await out.end(until=invocation.until + STREAM_GRACE)
            return
        async with api.stream(invocation) as out:
            await out.send(http_events.prelude(request, head))
            error = await _forward(exchange, out, invocation.until)
            if isinstance(error, Deadline) and http_events.is_event_stream(head):
                error = None  # its reader connects again and continues after the last event
            await out.end(error, until=invocation.until + STREAM_GRACE)
        await exchange.finish(invocation.until)


async def _forward(exchange: http_events.Exchange, out: Stream, until: float) -> Exception | None:
    """Send the chunks as the application produces them; return the error that ended them early."""
    try:
        async with asyncio.timeout_at(until), aclosing(exchange.chunks()) as chunks:
            async for chunk in chunks:
                await out.send(chunk)
    except TimeoutError:
        _logger().warning("stream_cut", reason="time limit of the function")
        return Deadline("the time limit of the function is reached; request the rest")
    except ClientGone:
        raise
    except Exception as error:  # noqa: BLE001  (the status is sent already: only a trailer can report it)
        _logger().error("stream_failed", exc_info=error)
        return error
    return None


def _error_body(error: Exception) -> dict[str, str]:
    """The message of an error that the user can fix; other errors are in the log."""
    message = (
        str(error)
        if isinstance(error, UserError | Deadline)
        else "internal error; the log of the service has the details"
    )
    return {"errorMessage": message, "errorType": _kind(error)}


def _kind(error: Exception) -> str:
    return f"Stratigos.{type(error).__name__}"


def _attempt_header(invocation: Invocation) -> Headers:
    return [("Lambda-Runtime-Invocation-Id", invocation.attempt)] if invocation.attempt else []


def _trace(trace: str) -> None:
    """Set the variable from which X-Ray and OpenTelemetry read the trace id."""
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _logger() -> Any:
    return structlog.get_logger()


async def _run_until_terminated() -> None:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await run(RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"]), dispatch.open_function)


def main() -> int:
    try:
        asyncio.run(_run_until_terminated())
    except asyncio.CancelledError:
        return 0
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
