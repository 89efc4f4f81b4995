"""A loopback server that speaks Bedrock's Converse and ConverseStream, with faults on demand."""

import json
import logging
import socket
import socketserver
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from struct import pack
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from tests.doubles.bedrock.calls import Operation, Received
from tests.doubles.bedrock.drivers import Driver
from tests.doubles.bedrock.rendering import body_of, events_of, usage_of
from tests.doubles.bedrock.replies import Blocked, Broken, Fail, Raise, Reset, Say, Slow
from tests.doubles.bedrock.validation import refusal
from tests.doubles.bedrock.wire import EVENT_STREAM, encode, error_headers, exception

OPERATIONS: dict[str, Operation] = {"converse": "Converse", "converse-stream": "ConverseStream"}

log = logging.getLogger("stratigos.bedrock_double")


class Double:
    """Serves from entry to exit; an error of its driver or gate is raised at the exit.

    `models` are the model ids that exist, all when not given. `gate` may hold a call before it is answered.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        port: int = 0,
        models: Collection[str] | None = None,
        gate: Callable[[Received], object] | None = None,
    ) -> None:
        self.driver = driver
        self.models = models
        self.gate = gate
        self.errors: list[BaseException] = []
        self.stopping = threading.Event()
        self._received: list[Received] = []
        self._in_flight = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def received(self) -> list[Received]:
        """The calls so far, including refused ones."""
        with self._lock:
            return list(self._received)

    @property
    def in_flight(self) -> int:
        with self._lock:
            return self._in_flight

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()
        if self.errors and error is None:
            raise self.errors[0]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close all connections; pending calls get no answer."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()
        self._thread.join()

    def receive(self, operation: Operation, model: str, body: dict[str, Any], headers: dict[str, str]) -> Received:
        with self._lock:
            received = Received(len(self._received) + 1, operation, model, body, headers)
            self._received.append(received)
            self._in_flight += 1
        return received

    def leave(self, received: Received, *, outcome: str | None) -> None:
        """Record the outcome; None if the answer was not sent completely."""
        with self._lock:
            received.answered = outcome is not None
            self._in_flight -= 1
        log.info("%d %s %s: %s", received.number, received.operation, received.model, outcome or "broken off")


class _Server(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], double: Double) -> None:
        self.double = double
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Like the base class, without a lookup of the host name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close without a shutdown, which would hide a reset."""
        with self._lock:
            self._open.discard(request)
        request.close()

    def hang_up(self) -> None:
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError) and not self.double.stopping.is_set():
            log.error("call failed", exc_info=error)
            self.double.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the base)
        """The double logs calls, not requests."""

    def do_GET(self) -> None:
        self._fail(Fail("UnknownOperationException", f"There is no operation GET {self.path}"), "")

    def do_POST(self) -> None:
        double = self.server.double
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = self.path.split("/")
        if len(parts) != 4 or parts[1] != "model" or parts[3] not in OPERATIONS:
            self._fail(Fail("UnknownOperationException", f"There is no operation POST {self.path}"), "")
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = _parsed(raw)
        received = double.receive(OPERATIONS[parts[3]], unquote(parts[2]), body or {}, headers)
        self.answered = False
        try:
            if body is None:
                self._finish(received, Fail("SerializationException", "The body is no JSON object."))
            elif problem := refusal(received, double.models):
                self._finish(received, problem)
            else:
                self._answer(received)
        finally:
            if not self.answered:
                self.close_connection = True
                double.leave(received, outcome=None)

    def _answer(self, received: Received) -> None:
        double = self.server.double
        if double.gate:
            double.gate(received)
        reply = double.driver(received)
        between = 0.0
        if isinstance(reply, Slow):
            double.stopping.wait(reply.before)
            reply, between = reply.reply, reply.between
        if double.stopping.is_set():
            return
        if isinstance(reply, Reset):
            self._reset()
        elif isinstance(reply, Fail):
            self._finish(received, reply)
        elif received.operation == "Converse":
            self._converse(received, reply)
        else:
            self._stream(received, reply, between)

    def _converse(self, received: Received, reply: Say | Blocked | Broken) -> None:
        if not isinstance(reply, Broken):
            body = body_of(received, reply)
            received.reported = None if isinstance(body, Fail) else usage_of(received, reply)
            self._finish(received, body)
        elif isinstance(reply.by, Raise):
            self._finish(received, reply.by.as_failure())
        else:
            whole = body_of(received, reply.whole)
            assert isinstance(whole, bytes)
            self._head(
                200, received.request_id, {"Content-Type": "application/json", "Content-Length": str(len(whole))}
            )
            self.wfile.write(whole[: len(whole) // 2])
            if reply.by == "reset":
                self._reset()

    def _stream(self, received: Received, reply: Say | Blocked | Broken, between: float) -> None:
        head = {"Content-Type": EVENT_STREAM, "Transfer-Encoding": "chunked"}
        whole = reply.whole if isinstance(reply, Broken) else reply
        events = events_of(received, whole)
        sent_events, outcome = (
            (events[: reply.after], "broken off") if isinstance(reply, Broken) else (events, "answered")
        )
        if len(sent_events) >= len(events):  # the last event reports the usage
            received.reported = usage_of(received, whole)
        if isinstance(reply, Broken) and isinstance(reply.by, Raise):
            outcome = reply.by.name
            sent_events = [*sent_events, exception(reply.by.name, reply.by.message)]
        self._head(200, received.request_id, head)
        for piece in [_chunk(e) for e in sent_events] if between else [b"".join(_chunk(e) for e in sent_events)]:
            if self.server.double.stopping.wait(between):
                return
            self.wfile.write(piece)
        if isinstance(reply, Broken) and reply.by == "reset":
            self._reset()
        elif isinstance(reply, Broken) and reply.by == "cut":
            rest = b"".join(events[reply.after : reply.after + 1])
            self.wfile.write(_chunk(rest)[: len(rest) // 2])
        else:
            self._leave(received, outcome)
            self.wfile.write(b"0\r\n\r\n")

    def _finish(self, received: Received, outcome: bytes | Fail) -> None:
        self._leave(received, outcome.code if isinstance(outcome, Fail) else "answered")
        if isinstance(outcome, Fail):
            self._fail(outcome, received.request_id)
        else:
            head = {"Content-Type": "application/json", "Content-Length": str(len(outcome))}
            self._head(200, received.request_id, head, outcome)

    def _leave(self, received: Received, outcome: str) -> None:
        self.answered = True
        self.server.double.leave(received, outcome=outcome)

    def _fail(self, failure: Fail, request_id: str) -> None:
        body = encode({"message": failure.message})
        head = {**error_headers(failure.code), "Content-Length": str(len(body))}
        self._head(failure.status, request_id, head, body)

    def _head(self, status: int, request_id: str, headers: dict[str, str], body: bytes = b"") -> None:
        """Omit the date, so that equal requests get equal bytes."""
        self.send_response_only(status)
        self.send_header("x-amzn-RequestId", request_id)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))


def _parsed(raw: bytes) -> dict[str, Any] | None:
    """A member that is null counts as missing."""
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        return None
    return {name: value for name, value in body.items() if value is not None} if isinstance(body, dict) else None


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
