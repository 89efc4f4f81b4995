"""API Gateway's management API over loopback: it accepts messages for WebSocket connections."""

import json
import re
import threading
from collections import defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

STAGE = "prod"
PLACE = re.compile(rf"/{STAGE}/@connections/([^/]+)")
LARGEST = 131_072
ERRORS = {403: "ForbiddenException", 410: "GoneException", 413: "PayloadTooLargeException"}
THROTTLED = "LimitExceededException"


class Gateway:
    """Connections and their messages; the responses may be changed at any time."""

    def __init__(self) -> None:
        self.url = ""
        self.open: set[str] = set()
        self.sent: defaultdict[str, list[Any]] = defaultdict(list)
        self.statuses: list[int] = []
        """Responses to the next posts."""
        self.always: int | None = None
        self.posts = 0
        self.violations: list[str] = []

    def events(self, connection: str) -> list[Any]:
        """The events in the batches of a connection, in order of arrival."""
        return [event for message in self.sent[connection] for event in message.get("events", ())]

    def numbers(self, connection: str) -> list[int]:
        return [event["sequence"] for event in self.events(connection)]

    def take(self, connection: str, content: bytes) -> int:
        self.posts += 1
        if self.statuses:
            status = self.statuses.pop(0)
        elif self.always is not None:
            status = self.always
        elif connection not in self.open:
            status = 410
        elif len(content) > LARGEST:
            status = 413
        else:
            self.sent[connection].append(json.loads(content))
            status = 200
        return status


@contextmanager
def management_api() -> Generator[Gateway]:
    gateway = Gateway()
    lock = threading.Lock()

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer is sent in two parts, of which the second would wait

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            place = PLACE.fullmatch(self.path)
            with lock:
                if place is None or "/execute-api/aws4_request" not in self.headers["Authorization"]:
                    gateway.violations.append(f"{self.path} {self.headers['Authorization']}")
                status = 400 if place is None else gateway.take(unquote(place[1]), content)
            answer = b"" if status == 200 else json.dumps({"message": "refused"}).encode()
            self.send_response(status)
            if status != 200:
                self.send_header("x-amzn-ErrorType", THROTTLED if status == 429 else ERRORS.get(status, "Internal"))
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        gateway.url = f"http://127.0.0.1:{server.server_port}/{STAGE}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield gateway
        finally:
            server.shutdown()
            thread.join()
    assert gateway.violations == []
