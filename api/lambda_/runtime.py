"""`python -m api.lambda_.runtime`: the application on Lambda, by the Runtime API; answers leave as they come.

The official client (`awslambdaric`) sends whole answers only; `api.lambda_.dispatch.handler` is there for it.
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

from api.lambda_ import dispatch as lambda_events
from api.lambda_ import http_events as lambda_http
from desk.base.errors import UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

LAST_WORDS = 0.5
"""Seconds beyond the end of an invocation in which a stream says that it is cut, or its reader takes the rest."""
STREAM = "application/vnd.awslambda.http-integration-response"
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"
PIECE = 65_536

Headers: TypeAlias = list[tuple[str, str]]


class RuntimeFault(Exception):
    """The Runtime API refused what it was told; the process cannot go on."""


@dataclass(frozen=True)
class Invocation:
    id: str
    payload: bytes
    until: float
    """On the clock of the event loop."""
    trace: str
    try_: str
    """Names this try of the invocation, where Lambda does; it is told back."""


class RuntimeApi:
    """Lambda's side; each call has a connection of its own, since the process is frozen between invocations."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def next(self) -> Invocation:
        headers, payload = await self._call("GET", "invocation/next", [], b"")
        left = int(headers["lambda-runtime-deadline-ms"]) / 1000 - time.time() - lambda_http.MARGIN
        return Invocation(
            id=headers["lambda-runtime-aws-request-id"],
            payload=payload,
            until=asyncio.get_running_loop().time() + left,
            trace=headers.get("lambda-runtime-trace-id", ""),
            try_=headers.get("lambda-runtime-invocation-id", ""),
        )

    async def answer(self, invocation: Invocation, told: Any) -> None:
        headers = [("Content-Type", "application/json"), *_try(invocation)]
        await self._call("POST", f"invocation/{invocation.id}/response", headers, json.dumps(told).encode())

    @asynccontextmanager
    async def streaming(self, invocation: Invocation) -> "AsyncGenerator[Stream]":
        headers = [
            ("Content-Type", STREAM),
            ("Lambda-Runtime-Function-Response-Mode", "streaming"),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", f"{ERROR_TYPE}, {ERROR_BODY}"),
            *_try(invocation),
        ]
        async with self._connected() as connection:
            await connection.begin("POST", f"invocation/{invocation.id}/response", headers)
            yield Stream(connection)

    async def fail(self, invocation: Invocation, error: Exception) -> None:
        await self._tell_error(f"invocation/{invocation.id}/error", error, _try(invocation))

    async def fail_to_start(self, error: Exception) -> None:
        await self._tell_error("init/error", error, [])

    async def _tell_error(self, path: str, error: Exception, headers: Headers) -> None:
        told = {**_as_told(error), "stackTrace": []}
        kinds = [("Content-Type", "application/vnd.aws.lambda.error+json"), (ERROR_TYPE, _kind(error))]
        await self._call("POST", path, [*kinds, *headers], json.dumps(told).encode())

    async def _call(self, method: str, path: str, headers: Headers, body: bytes) -> tuple[dict[str, str], bytes]:
        length = [("Content-Length", str(len(body)))] if method == "POST" else []
        async with self._connected() as connection:
            await connection.begin(method, path, [*headers, *length])
            await connection.send(h11.Data(data=body), h11.EndOfMessage())
            return await connection.answer()

    @asynccontextmanager
    async def _connected(self) -> "AsyncGenerator[_Connection]":
        host, _, port = self._address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            yield _Connection(self._address, reader, writer)
        finally:
            writer.transport.abort()  # whatever was to be said has been answered
            with suppress(OSError):
                await writer.wait_closed()


class Gone(Exception):
    """Nobody takes the answer any more."""


class Stream:
    """An answer that leaves as it comes."""

    def __init__(self, connection: "_Connection") -> None:
        self._connection = connection

    async def send(self, chunk: bytes) -> None:
        try:
            await self._connection.send(h11.Data(data=chunk))
        except OSError as error:
            raise Gone from error

    async def end(self, error: Exception | None = None, *, until: float) -> None:
        """With what has cut it short, if something has; a slow reader has until then to take what was sent."""
        trailers: Headers = []
        if error is not None:
            told = base64.b64encode(json.dumps(_as_told(error)).encode()).decode()
            trailers = [(ERROR_TYPE, _kind(error)), (ERROR_BODY, told)]
        try:
            async with asyncio.timeout_at(until):
                await self._connection.send(h11.EndOfMessage(headers=trailers))
                await self._connection.answer()
        except (OSError, TimeoutError) as gone:  # the answer has begun: another one would be a breach of the protocol
            raise Gone from gone


class _Connection:
    def __init__(self, address: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    async def begin(self, method: str, path: str, headers: Headers) -> None:
        target = f"/2018-06-01/runtime/{path}"
        self._target = f"{method} {target}"
        given = [("Host", self._address), ("User-Agent", "stratigos"), ("Connection", "close"), *headers]
        await self.send(h11.Request(method=method, target=target, headers=given))

    async def send(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        for event in events:
            self._writer.write(self._http.send(event) or b"")
        await self._writer.drain()

    async def answer(self) -> tuple[dict[str, str], bytes]:
        """No time limit: the process is frozen while it waits for what comes next."""
        status, headers, body = 0, dict[str, str](), b""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(PIECE))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                break
        if not 200 <= status < 300:
            raise RuntimeFault(f"{self._target} was answered with {status}: {body[:200].decode(errors='replace')}")
        return headers, body


class Deadline(Exception):
    """The time that the function has is over."""


async def run(api: RuntimeApi, make: Callable[[], AbstractContextManager[lambda_events.Function]]) -> None:
    """Begin once, then serve one invocation after the other until it is cancelled."""
    async with AsyncExitStack() as stack:
        try:
            function = stack.enter_context(make())
            await stack.enter_async_context(function.app.router.lifespan_context(function.app))
        except Exception as error:
            await api.fail_to_start(error)
            raise
        while True:
            invocation = await api.next()
            _trace(invocation.trace)
            with bound_contextvars(invocation=invocation.id):
                await _serve(api, function.app, invocation)
                await lambda_events.settle(function, invocation.until)


async def _serve(api: RuntimeApi, app: "FastAPI", invocation: Invocation) -> None:
    streamed = app.state.service.settings.lambda_answers == "streamed"
    try:
        event = json.loads(invocation.payload)
        if streamed and lambda_http.is_http(event):
            await _stream(api, app, invocation, event)
            return
        told = await lambda_events.answered(app, event, invocation.until)
    except RuntimeFault:
        raise
    except Gone:
        _logger().warning("nobody_takes_the_answer")
    except Exception as error:  # noqa: BLE001  (the edge: logged whole, told to Lambda in one line)
        _logger().error("invocation_failed", exc_info=error)
        await api.fail(invocation, error)
    else:
        await api.answer(invocation, told)


async def _stream(api: RuntimeApi, app: "FastAPI", invocation: Invocation, event: lambda_http.Event) -> None:
    request = lambda_http.request_of(event)
    async with lambda_http.Exchange(app, request) as exchange:
        try:
            async with asyncio.timeout_at(invocation.until):
                head = await exchange.head()
        except TimeoutError:
            head, body = lambda_http.too_late()
            async with api.streaming(invocation) as out:
                await out.send(lambda_http.prelude(request, head) + body)
                await out.end(until=invocation.until + LAST_WORDS)
            return
        async with api.streaming(invocation) as out:
            await out.send(lambda_http.prelude(request, head))
            cut = await _pass_on(exchange, out, invocation.until)
            await out.end(cut, until=invocation.until + LAST_WORDS)
        await exchange.ended(invocation.until)


async def _pass_on(exchange: lambda_http.Exchange, out: Stream, until: float) -> Exception | None:
    """Send what comes as it comes; what has cut it short, if something has."""
    try:
        async with asyncio.timeout_at(until), aclosing(exchange.chunks()) as chunks:
            async for chunk in chunks:
                await out.send(chunk)
    except TimeoutError:
        _logger().warning("stream_cut", reason="the time of the function is over")
        return Deadline("the time that the function has is over; ask for what comes next")
    except Gone:
        raise
    except Exception as error:  # noqa: BLE001  (the status is out: all that can be told is that it is cut)
        _logger().error("stream_failed", exc_info=error)
        return error
    return None


def _as_told(error: Exception) -> dict[str, str]:
    """What the user can mend is told, and a fault is in the log."""
    said = (
        str(error)
        if isinstance(error, UserError | Deadline)
        else "internal error; the log of the service has the details"
    )
    return {"errorMessage": said, "errorType": _kind(error)}


def _kind(error: Exception) -> str:
    return f"Stratigos.{type(error).__name__}"


def _try(invocation: Invocation) -> Headers:
    return [("Lambda-Runtime-Invocation-Id", invocation.try_)] if invocation.try_ else []


def _trace(trace: str) -> None:
    """Where X-Ray's and OpenTelemetry's libraries read it."""
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _logger() -> Any:
    return structlog.get_logger()


async def _main() -> None:
    running = asyncio.current_task()
    assert running is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await run(RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"]), lambda_events.function)


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except asyncio.CancelledError:
        sys.exit(0)
    except UserError as error:
        sys.exit(str(error))
