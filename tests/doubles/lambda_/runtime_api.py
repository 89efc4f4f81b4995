"""Lambda's Runtime API over loopback: it hands out invocations and records violations of the protocol."""

import base64
import itertools
import json
import queue
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BEFORE = "/2018-06-01/runtime/"
STREAM = "application/vnd.awslambda.http-integration-response"
ERROR_TYPE, ERROR_BODY = "Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"
PATIENCE = 60.0


@dataclass
class Answer:
    """The response to an invocation, as far as it has arrived."""

    id: str
    payload: bytes
    deadline: float
    trace: str | None
    chunks: "queue.Queue[bytes]" = field(default_factory=queue.Queue)
    """The chunks of a stream, as they arrive."""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    trailers: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    complete: bool = False
    """Whether the response has ended."""
    completion: threading.Event = field(default_factory=threading.Event)

    def wait(self) -> "Answer":
        assert self.completion.wait(max(PATIENCE, self.deadline - time.time())), f"{self.id} was not answered"
        return self

    def json(self) -> Any:
        return json.loads(self.wait().body)

    @property
    def prelude(self) -> dict[str, Any]:
        return json.loads(self.body.partition(bytes(8))[0])

    @property
    def streamed(self) -> bytes:
        return self.body.partition(bytes(8))[2]

    @property
    def trailer_error(self) -> tuple[str, dict[str, Any]]:
        """The type and the body of the error in the trailers."""
        return self.trailers[ERROR_TYPE], json.loads(base64.b64decode(self.trailers[ERROR_BODY]))


class Lambda(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.waiting: queue.Queue[Answer | None] = queue.Queue()
        self.current: Answer | None = None
        self.invocations: dict[str, Answer] = {}
        self.violations: list[str] = []
        self.init_errors: queue.Queue[dict[str, Any]] = queue.Queue()
        self.next_requests = threading.Semaphore(0)
        """Number of requests for the next invocation."""
        self.late = 0.0
        """Seconds of delay before a response is acknowledged."""
        self._numbers = itertools.count(1)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def invoke(self, event: Any, *, seconds: float = 60.0, trace: str | None = None) -> Answer:
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        id_ = f"8476a536-e9f4-11e8-9739-{next(self._numbers):012}"
        answer = Answer(id_, payload, time.time() + seconds, trace)
        self.invocations[id_] = answer
        self.waiting.put(answer)
        return answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect while they wait for an invocation."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is sent in two parts, of which the second would wait
    server: Lambda  # pyright: ignore[reportIncompatibleVariableOverride]

    def log_message(self, *args: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        pass

    def do_GET(self) -> None:
        api = self.server
        if self.path != f"{BEFORE}invocation/next":
            self._breach(404, f"GET {self.path}")
            return
        if api.current is not None and not api.current.complete:
            api.violations.append(f"the next invocation was asked for before {api.current.id} was answered")
        api.next_requests.release()
        answer = api.waiting.get()
        if answer is None:
            self.close_connection = True
            return
        api.current = answer
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.payload)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", answer.id)
        self.send_header("Lambda-Runtime-Invocation-Id", f"{answer.id}-1")
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(answer.deadline * 1000)))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:1:function:desk")
        if answer.trace is not None:
            self.send_header("Lambda-Runtime-Trace-Id", answer.trace)
        self.end_headers()
        self.wfile.write(answer.payload)

    def do_POST(self) -> None:
        if self.path == f"{BEFORE}init/error":
            self._begin_failed()
            return
        place, _, what = self.path.removeprefix(f"{BEFORE}invocation/").partition("/")
        answer = self.server.invocations.get(place)
        if answer is None or what not in ("response", "error"):
            self._breach(404, f"POST {self.path}")
            return
        if answer is not self.server.current or answer.headers:
            self._breach(400, f"{place} is not open")
            return
        answer.headers = {name.lower(): value for name, value in self.headers.items()}
        answer.failed = what == "error"
        if self.headers.get("Lambda-Runtime-Invocation-Id") != f"{place}-1":
            self.server.violations.append(f"{place} was answered for another try")
        if self.headers.get("Transfer-Encoding") == "chunked":
            self._stream(answer)
        else:
            answer.body = self._whole()
        if time.time() > answer.deadline:
            self.server.violations.append(f"{place} was answered too late: Lambda has killed the process")
        if answer.failed:
            self._check_error(answer.body)
        time.sleep(self.server.late)
        answer.complete = True
        self._accept()
        answer.completion.set()

    def _stream(self, answer: Answer) -> None:
        expected_headers = {
            "lambda-runtime-function-response-mode": "streaming",
            "content-type": STREAM,
            "content-length": None,
        }
        if (headers := {name: answer.headers.get(name) for name in expected_headers}) != expected_headers:
            self.server.violations.append(f"a stream began with {headers}")
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunk = self.rfile.read(size)
            answer.body += chunk
            answer.chunks.put(chunk)
            if self.rfile.readline() != b"\r\n":
                self.server.violations.append("a chunk is longer than it says")
        declared = {name.strip().lower() for name in answer.headers.get("trailer", "").split(",")}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            answer.trailers[name] = value.strip()
            if name.lower() not in declared:
                self.server.violations.append(f"{name} was not announced")
        if bytes(8) not in answer.body[:16_384]:
            self.server.violations.append("the stream has no prelude")

    def _whole(self) -> bytes:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) > 6_291_556:
            self.server.violations.append(f"{len(body)} bytes are too many")
        return body

    def _begin_failed(self) -> None:
        if self.server.current is not None:
            self.server.violations.append("it fails to begin, and has begun")
        body = self._whole()
        self._check_error(body)
        self._accept()
        self.server.init_errors.put(json.loads(body))

    def _check_error(self, body: bytes) -> None:
        error = json.loads(body)
        kinds = {"errorType": str, "errorMessage": str, "stackTrace": list}
        if {name: type(value) for name, value in error.items()} != kinds and "requestId" not in error:
            self.server.violations.append(f"an error is told as {error}")

    def _accept(self) -> None:
        body = b'{"status":"OK"}'
        self.send_response(202)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def _breach(self, status: int, what: str) -> None:
        self.server.violations.append(what)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def runtime_api() -> Generator[Lambda]:
    """Runs the server; at its end waiting clients are disconnected and violations raise."""
    api = Lambda()
    thread = threading.Thread(target=api.serve_forever, kwargs={"poll_interval": 0.01}, name="runtime-api")
    thread.start()
    try:
        yield api
    finally:
        api.waiting.put(None)
        api.shutdown()
        api.server_close()
        thread.join()
    assert not api.violations, api.violations
