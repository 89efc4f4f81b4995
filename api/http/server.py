"""uvicorn, which says where it listens, and ends streams before it waits for requests."""

import asyncio
import errno
import logging
import socket
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from desk.base.errors import InvalidInput

CANNOT_START = 2
"""Exit code."""
LARGEST_HEAD = 32_768
"""Bytes of a request above its body, some more than `api.http.body_limits` allows, so that it can say so."""
OF_PORTS = {errno.EADDRINUSE, errno.EACCES}
OF_ADDRESSES = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""Where a name stands for several, as localhost does, one of them is enough."""


class Announced(uvicorn.Server):
    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(uvicorn.Config(app, **options))
        logging.getLogger("uvicorn.error").addFilter(_tame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():  # uvicorn names only those that it made
            host, port = each.getsockname()[:2]
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            logging.getLogger("uvicorn.error").info("Uvicorn running on http://%s (Press CTRL+C to quit)", place)


class Server(Announced):
    """Of the service: a reader of a stream would hold it up, and comes again anyway."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(app, **options)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.service.following.aclose()
        await super().shutdown(sockets)


def _tame(record: logging.LogRecord) -> bool:
    """No ticket of a socket's address is told, and a request that is cut off at the end of its time is no fault."""
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        record.msg, record.args, record.exc_info = "A request was cut off by the shutdown", (), None
    if isinstance(record.args, tuple) and "WebSocket" in str(record.msg):  # it may be an error
        record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
    return True


@contextmanager
def listening(host: str, port: int) -> Generator[list[socket.socket]]:
    """Sockets of every address of `host`, all at the same port: whoever connects from now on waits to be answered."""
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        failure: OSError | None = None
        for family, kind, proto, _, address in _addresses(host, port):
            taken = sockets[0].getsockname()[1] if sockets else port
            try:
                made = _listen(stack, (family, kind, proto), (address[0], taken, *address[2:]))
            except OSError as error:
                if error.errno not in OF_ADDRESSES:
                    raise _refused(host, port, error) from error
                failure = error
            else:
                sockets.append(made)
        if failure is not None and not sockets:
            raise _refused(host, port, failure)
        yield sockets


def _addresses(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _refused(host, port, error) from error


def _listen(stack: ExitStack, kind: tuple[int, int, int], address: tuple[Any, ...]) -> socket.socket:
    made = stack.enter_context(socket.socket(*kind))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if made.family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind(address)
    made.listen(2048)  # as many as uvicorn lets wait
    return made


def _refused(host: str, port: int, error: Exception) -> InvalidInput:
    told = (error.strerror if isinstance(error, OSError) else None) or "it is no name"
    reason = f"nothing can listen at {host}, port {port}: {told}"
    if isinstance(error, OSError) and error.errno in OF_PORTS:
        return InvalidInput("--port", port, reason=reason, allowed="a port that is free, or 0 for any (STRATIGOS_PORT)")
    return InvalidInput("--host", host, reason=reason, allowed="an address of this machine (STRATIGOS_HOST)")


def run(server: Announced, sockets: list[socket.socket]) -> int:
    """The exit code, once it was told to end."""
    try:
        with suppress(SystemExit):  # it has said why it could not start
            server.run(sockets)
    except KeyboardInterrupt:  # perhaps before it had started
        return 0
    return 0 if server.started else CANNOT_START
