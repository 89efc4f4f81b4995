"""The uvicorn server: opens its sockets, logs its addresses, and ends streams on shutdown."""

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from desk.base.errors import InvalidInput

CANNOT_START = 2
"""Exit code."""
LARGEST_HEAD = 32_768
"""Bytes of the head of a request; more than the limit of `middleware.head_limits`, which reports the error."""
HEAD_SECONDS = 30.0
"""Seconds in which the head of a request must arrive."""
SWITCH_SECONDS = 0.0005
"""After which a thread that computes an answer lets the event loop go on; with Python's own 5 ms it would send an event
of a burst every 5 ms."""
PORT_ERRORS = {errno.EADDRINUSE, errno.EACCES}
ADDRESS_ERRORS = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
"""Errors of one address; a name such as localhost has several, of which one suffices."""


class LimitedHeads(H11Protocol):
    """The HTTP protocol of uvicorn, which closes connections whose request head does not end in time."""

    head_seconds = HEAD_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop_watching()

    def _watch_head(self) -> None:
        """Start the deadline with the first byte of a head, and end it with the request."""
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering or self.transport.get_protocol() is not self:  # a WebSocket has a protocol of its own
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class LoggedServer(uvicorn.Server):
    """A uvicorn server that logs its addresses, and no tickets."""

    def __init__(self, app: FastAPI, *, http: type[H11Protocol] = LimitedHeads, **options: Any) -> None:
        super().__init__(uvicorn.Config(app, http=http, **options))
        logging.getLogger("uvicorn.error").addFilter(_clean_record)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for each in sockets or ():  # uvicorn logs only sockets that it opened
            host, port = each.getsockname()[:2]
            place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            logging.getLogger("uvicorn.error").info("Uvicorn running on http://%s (Press CTRL+C to quit)", place)


class Server(LoggedServer):
    """The server of the service, which ends event streams at shutdown; clients reconnect."""

    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(app, **options)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.service.following.aclose()
        await super().shutdown(sockets)


def _clean_record(record: logging.LogRecord) -> bool:
    """Remove tickets from logged WebSocket URLs, and the traceback of requests that the shutdown cancels."""
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        record.msg, record.args, record.exc_info = "A request was cut off by the shutdown", (), None
    if isinstance(record.args, tuple) and "WebSocket" in str(record.msg):  # it may be an error
        record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
    return True


@contextmanager
def listening_sockets(host: str, port: int) -> Generator[list[socket.socket]]:
    """Listening sockets for every address of `host`, all at the same port."""
    with ExitStack() as stack:
        sockets: list[socket.socket] = []
        failure: OSError | None = None
        for family, kind, proto, _, address in _addresses(host, port):
            bound_port = sockets[0].getsockname()[1] if sockets else port
            try:
                listener = _listen(stack, (family, kind, proto), (address[0], bound_port, *address[2:]))
            except OSError as error:
                if error.errno not in ADDRESS_ERRORS:
                    raise _listen_error(host, port, error) from error
                failure = error
            else:
                sockets.append(listener)
        if failure is not None and not sockets:
            raise _listen_error(host, port, failure)
        yield sockets


def _addresses(host: str, port: int) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _listen_error(host, port, error) from error


def _listen(stack: ExitStack, kind: tuple[int, int, int], address: tuple[Any, ...]) -> socket.socket:
    listener = stack.enter_context(socket.socket(*kind))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(address)
    listener.listen(2048)  # the backlog of uvicorn
    return listener


def _listen_error(host: str, port: int, error: Exception) -> InvalidInput:
    cause = (error.strerror if isinstance(error, OSError) else None) or "the name is invalid"
    reason = f"cannot listen on {host}, port {port}: {cause}"
    if isinstance(error, OSError) and error.errno in PORT_ERRORS:
        return InvalidInput("--port", port, reason=reason, allowed="a free port, or 0 for any (STRATIGOS_PORT)")
    return InvalidInput("--host", host, reason=reason, allowed="an address of this machine (STRATIGOS_HOST)")


def run(server: LoggedServer, sockets: Sequence[socket.socket]) -> int:
    """Serve until a signal ends the process; returns the exit code."""
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with suppress(SystemExit):  # uvicorn has logged the reason
            server.run(list(sockets))
    except KeyboardInterrupt:  # possibly before the start
        return 0
    return 0 if server.started else CANNOT_START
