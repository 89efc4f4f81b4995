"""Runs the server in a thread of the test."""

import asyncio
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

from fastapi import FastAPI

from api.http.server import LimitedHeads, Server


@contextmanager
def running_server(
    app: FastAPI, *, grace: float, level: str = "warning", http: type[LimitedHeads] = LimitedHeads
) -> Generator[tuple[str, Server]]:
    """A server, which has ended at the latest when this is left."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(app, http=http, log_level=level, timeout_graceful_shutdown=grace)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
