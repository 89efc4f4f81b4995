"""A proxy before AWS services that returns faults or drops responses."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

SECRET = "FwoGZXIvYXdzEXAMPLETOKEN"
FOREVER = 10**9


@dataclass(frozen=True)
class Fault:
    status: int
    code: str
    details: dict[str, Any] = field(default_factory=dict)

    def body(self, *, of_s3: bool) -> bytes:
        if of_s3:
            return f"<Error>\n<Code>{self.code}</Code><Token-0>{SECRET}</Token-0></Error>".encode()
        return json.dumps({"__type": f"com.amazon#{self.code}", "message": SECRET} | self.details).encode()


LOST = Fault(0, "the request is carried out and its answer lost")
CUT = Fault(0, "the connection ends before the request is carried out")
SILENT = Fault(0, "nothing is carried out, and nothing answered for a long time")
HALF = Fault(0, "the request is carried out, and half of its answer sent")
WIRE = (LOST, CUT, SILENT, HALF)
SILENCE_SECONDS = 12.0
THROTTLED = Fault(400, "ProvisionedThroughputExceededException")
INTERNAL = Fault(500, "InternalServerError")
S3_INTERNAL = Fault(500, "InternalError")
SLOW_DOWN = Fault(503, "SlowDown")
EXPIRED = Fault(400, "ExpiredTokenException")
S3_EXPIRED = Fault(400, "ExpiredToken")
IN_CONFLICT = Fault(
    400, "TransactionCanceledException", {"CancellationReasons": [{"Code": "TransactionConflict"}, {"Code": "None"}]}
)


class Proxy:
    """Counts requests by DynamoDB operation or S3 method, and applies planned faults."""

    def __init__(self, target: str) -> None:
        self.target = urlsplit(target).netloc
        self.request_counts: Counter[str] = Counter()
        self.url = ""
        self._lock = threading.Lock()
        self._faults: dict[str, tuple[Fault, int]] = {}
        self.healed = threading.Event()

    def fail(self, operation: str, fault: Fault, times: int = FOREVER) -> None:
        self._faults[operation] = (fault, times)
        self.healed.clear()

    def heal(self) -> None:
        self._faults.clear()
        self.healed.set()

    def next(self, operation: str) -> Fault | None:
        with self._lock:
            self.request_counts[operation] += 1
            fault, times = self._faults.get(operation) or self._faults.get("*") or (None, 0)
            if operation in self._faults and times:
                self._faults[operation] = (self._faults[operation][0], times - 1)
            return fault if times else None


class Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # an answer is sent in two parts, of which the second would wait

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        operation = self.headers.get("X-Amz-Target", self.command).rpartition(".")[2]
        fault = self.proxy.next(operation)
        if fault is not None and fault not in WIRE:
            self.answer(fault.status, {}, fault.body(of_s3=operation == self.command))
            return
        self.close_connection = fault is not None
        if fault is SILENT:
            self.proxy.healed.wait(SILENCE_SECONDS)
        if fault not in (SILENT, CUT):
            self.carry_out(body, fault)

    def carry_out(self, body: bytes, fault: Fault | None) -> None:
        status, headers, content = forward(self.proxy.target, self.command, self.path, body, dict(self.headers))
        if fault is HALF:
            headers |= {"Content-Length": str(len(content) or 2)}
            content = content[: len(content) // 2]
        if fault is not LOST:
            self.answer(status, headers, content)

    def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass


@contextmanager
def start_proxy(target: str) -> Iterator[Proxy]:
    proxy = Proxy(target)

    class Bound(Handler):
        pass

    Bound.proxy = proxy
    with ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield proxy
        server.shutdown()
        thread.join()


def forward(
    target: str, command: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    with closing(http.client.HTTPConnection(target, timeout=120)) as connection:
        connection.request(command, path, body, headers)
        answer = connection.getresponse()
        end_to_end_headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        return answer.status, end_to_end_headers, answer.read()


HOP_BY_HOP = {"connection", "content-length", "transfer-encoding", "keep-alive"}
