"""A proxy that cuts connections, and a server with scripted responses."""

import json
import socket
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


class Wire:
    """Forwards connections to a server, and cuts the next ones after given numbers of response bytes."""

    def __init__(self, url: str, cuts: Sequence[int]) -> None:
        self.point_at(url)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._cuts = list(cuts)
        self._ends: list[socket.socket] = []
        self.connections = 0
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, name="wire")]
        self._threads[0].start()

    @property
    def cuts_left(self) -> int:
        return len(self._cuts)

    def point_at(self, url: str) -> None:
        """The address to which new connections are forwarded."""
        self._there = (urlsplit(url).hostname, urlsplit(url).port)

    def cut(self) -> None:
        """Cut all open connections."""
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):  # it is closed
            self._listening.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in (self._listening, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                self.connections += 1
                self._ends.append(near)
                far = socket.create_connection(self._there)
                self._ends.append(far)
                limit = self._cuts.pop(0) if self._cuts else None
                for source, sink, most in ((near, far, None), (far, near, limit)):
                    thread = threading.Thread(target=_pass_on, args=(source, sink, most), name="wire")
                    self._threads.append(thread)
                    thread.start()


def _pass_on(source: socket.socket, sink: socket.socket, most: int | None) -> None:
    with suppress(OSError):
        while chunk := source.recv(1_000 if most is None else max(1, min(most, 1_000))):
            sink.sendall(chunk if most is None else chunk[:most])
            if most is not None and (most := most - len(chunk)) <= 0:
                break
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cut_wire(url: str, cuts: Sequence[int] = ()) -> Generator[Wire]:
    wire = Wire(url, cuts)
    try:
        yield wire
    finally:
        wire.close()


@dataclass
class Script:
    """Responses in order (status, headers, body); the last one is repeated."""

    answers: list[tuple[int, dict[str, str], Any]]
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of each request."""


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], Any]) -> Generator[tuple[str, Script]]:
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.requests.append((self.command, self.path, dict(self.headers)))
            status, headers, content = script.answers[0]
            if len(script.answers) > 1:
                script.answers.pop(0)
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="script")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
