"""SageMaker's JSON 1.1 protocol over loopback HTTP; other operations go to the server behind."""

import json
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.doubles.sagemaker.validation import Fault, InvalidRequest, Request

JSON = "application/x-amz-json-1.1"
PREFIX = "SageMaker."

Play = Callable[[str, Request], Request]
"""Answers an operation's request, or raises a `Fault`."""


class Behind:
    """Forwards a request with its headers to the server behind."""

    def __init__(self, url: str, region: str) -> None:
        self.address, self.region = urlsplit(url).netloc, region

    def __call__(self, operation: str, request: Request) -> Request:
        scope = f"AKIDEXAMPLE/20260101/{self.region}/sagemaker/aws4_request"
        head = {
            "Content-Type": JSON,
            "X-Amz-Target": PREFIX + operation,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        with closing(HTTPConnection(self.address, timeout=60)) as connection:
            connection.request("POST", "/", json.dumps(request), head)
            answer = connection.getresponse()
            body = json.loads(answer.read() or b"{}")
        if answer.status != 200:
            raise Fault(body["__type"].rpartition("#")[2], body.get("message", body.get("Message", "")), answer.status)
        return body


class Server:
    """Serves until it is stopped; collects errors other than `Fault`."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.violations: list[str] = []
        self.errors: list[BaseException] = []
        self._serving = _Serving(self)
        self.url = f"http://127.0.0.1:{self._serving.server_port}"
        self._thread = threading.Thread(target=self._serving.serve_forever, args=(0.02,), name="fleet's server")
        self._thread.start()

    def stop(self) -> None:
        self._serving.shutdown()
        self._thread.join()
        self._serving.server_close()


class _Serving(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, server: Server) -> None:
        self.of = server
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, ConnectionError):
            self.of.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    server: _Serving  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server.of
        try:
            self._answer(200, server.play(*self._read(raw)))
        except Fault as fault:
            if isinstance(fault, InvalidRequest):
                server.violations.append(str(fault))
            self._answer(fault.status, {"__type": fault.code, "message": fault.message})

    def _read(self, raw: bytes) -> tuple[str, Request]:
        if "/sagemaker/aws4_request" not in self.headers.get("Authorization", ""):
            raise InvalidRequest("MissingAuthenticationTokenException", "the request is not signed for sagemaker")
        if self.headers.get("Content-Type") != JSON:
            raise InvalidRequest(
                "UnknownOperationException", f"Content-Type is {self.headers.get('Content-Type')}, not {JSON}"
            )
        target = self.headers.get("X-Amz-Target", "")
        if not target.startswith(PREFIX):
            raise InvalidRequest("UnknownOperationException", f"X-Amz-Target is {target!r}, not {PREFIX}OPERATION")
        return target.removeprefix(PREFIX), json.loads(raw)

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", JSON)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  (the name of the base)
        pass
