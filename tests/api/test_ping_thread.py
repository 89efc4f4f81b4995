"""Pings are answered while the event loop is busy and another thread computes."""

import asyncio
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import httpx
import pytest
import uvicorn

from api.http.server import listening_sockets
from api.ping_thread import answer_pings

WANTED = 1.0
"""Seconds."""


class Application:
    """Answers every request, after blocking its event loop until it is told to continue."""

    def __init__(self) -> None:
        self.busy, self.proceed = threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/block":
            self.busy.set()
            self.proceed.wait(30.0)
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


@contextmanager
def serving(application: Application, status: HTTPStatus = HTTPStatus.OK) -> Generator[str]:
    with listening_sockets("127.0.0.1", 0) as sockets, answer_pings(sockets, lambda: status) as handed:
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(list(handed))))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        finally:
            application.proceed.set()
            server.should_exit = True
            thread.join()


@contextmanager
def computing() -> Generator[None]:
    """A thread that holds the GIL whenever it can."""
    ending = threading.Event()

    def compute() -> None:
        while not ending.is_set():
            sum(range(10_000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def test_pings_are_answered_while_the_event_loop_is_blocked_and_a_thread_computes() -> None:
    application = Application()
    with serving(application) as address, httpx.Client(base_url=address) as client, computing():
        blocking = threading.Thread(target=httpx.get, args=[f"{address}/block"], kwargs={"timeout": 60})
        blocking.start()
        assert application.busy.wait(30.0)
        for _ in range(5):
            start = time.monotonic()
            assert client.get("/ping").status_code == 200
            assert time.monotonic() - start < WANTED
        application.proceed.set()
        blocking.join()


def test_other_requests_reach_the_server_whatever_the_first_bytes() -> None:
    with serving(Application()) as address, httpx.Client(base_url=address) as client:
        assert client.get("/pings").text == "/pings"
        assert client.post("/ping", content=b"x" * 100_000).status_code == 201
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as slow:
            slow.sendall(b"GE")
            assert client.get("/other").text == "/other"
            slow.sendall(b"T /late HTTP/1.1\r\nHost: here\r\n\r\n")
            assert slow.recv(12) == b"HTTP/1.1 201"


@pytest.mark.parametrize("status", [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.INTERNAL_SERVER_ERROR])
def test_a_ping_has_the_status_of_the_endpoint(status: HTTPStatus) -> None:
    with serving(Application(), status) as address:
        answer = httpx.get(f"{address}/ping")
    assert answer.status_code == status
    assert answer.headers["Connection"] == "close"
    assert ("Retry-After" in answer.headers) == (status == HTTPStatus.SERVICE_UNAVAILABLE)
