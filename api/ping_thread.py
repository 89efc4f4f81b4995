"""Answers `/ping` in a thread of its own, so that a busy event loop or a computation does not delay it.

The thread accepts every connection. It answers a connection whose first request is a ping and closes it; all others it
hands to the server through sockets that look like listening ones.
"""

import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from time import monotonic
from typing import Any

PING = b"GET /ping "
LARGEST_HEAD = 8_192
"""Bytes of the head of a ping; the server answers a longer one."""
HEAD_SECONDS = 5.0
"""Seconds after which a connection without a byte is handed to the server, which has a limit of its own."""
POLL_SECONDS = 0.5

Connection = tuple[socket.socket, Any]
"""A connection with the address of its other end."""


class HandedConnections(socket.socket):
    """Looks like a listening socket to asyncio: `accept` returns the connections that the thread hands over."""

    def __init__(self, listener: socket.socket) -> None:
        reading, self._writing = socket.socketpair()
        super().__init__(reading.family, reading.type, reading.proto, reading.detach())
        self._listener = listener
        self._connections: deque[Connection] = deque()

    def hand_over(self, connection: Connection) -> None:
        self._connections.append(connection)
        with suppress(OSError):  # the server has closed this socket
            self._writing.send(b"+")

    def accept(self) -> Connection:
        if not self.recv(1):  # which raises `BlockingIOError` without a connection
            raise BlockingIOError
        return self._connections.popleft()

    def listen(self, backlog: int = 0, /) -> None:
        """The listening socket listens already."""

    def getsockname(self) -> Any:
        return self._listener.getsockname()

    def close(self) -> None:
        self._writing.close()
        super().close()
        while self._connections:
            self._connections.popleft()[0].close()


@contextmanager
def answer_pings(
    listeners: Sequence[socket.socket], status: Callable[[], HTTPStatus]
) -> Generator[list[HandedConnections]]:
    """Sockets for the server in place of `listeners`; `status` is called in the thread for each ping."""
    handed = [HandedConnections(listener) for listener in listeners]
    ending = threading.Event()
    thread = threading.Thread(target=_serve, args=[handed, listeners, status, ending], name="ping", daemon=True)
    thread.start()
    try:
        yield handed
    finally:
        ending.set()
        thread.join()
        for each in handed:
            each.close()


def _serve(
    handed: Sequence[HandedConnections],
    listeners: Sequence[socket.socket],
    status: Callable[[], HTTPStatus],
    ending: threading.Event,
) -> None:
    with selectors.DefaultSelector() as selector:
        for listener, target in zip(listeners, handed, strict=True):
            listener.setblocking(False)
            selector.register(listener, selectors.EVENT_READ, (target, None, 0.0))
        while not ending.is_set():
            for key, _ in selector.select(POLL_SECONDS):
                target, connection, _ = key.data
                if connection is None:
                    _accept(selector, key.fileobj, target)
                elif _is_settled(connection, target, status):
                    selector.unregister(key.fileobj)
            for key in [key for key in selector.get_map().values() if 0.0 < key.data[2] < monotonic()]:
                target, connection, _ = key.data
                selector.unregister(key.fileobj)
                target.hand_over(connection)


def _accept(selector: selectors.BaseSelector, listener: Any, target: HandedConnections) -> None:
    with suppress(BlockingIOError, ConnectionError):  # the client has gone
        connection = listener.accept()
        connection[0].setblocking(False)
        selector.register(connection[0], selectors.EVENT_READ, (target, connection, monotonic() + HEAD_SECONDS))


def _is_settled(connection: Connection, target: HandedConnections, status: Callable[[], HTTPStatus]) -> bool:
    """Whether the connection was answered, handed over or closed; without any byte it is none of these."""
    client, _ = connection
    try:
        head = client.recv(LARGEST_HEAD, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        client.close()
        return True
    if not head.startswith(PING) or b"\r\n\r\n" not in head:
        target.hand_over(connection)
        return True
    with client, suppress(OSError):
        client.recv(len(head))
        client.sendall(_response(status()))
        client.shutdown(socket.SHUT_WR)
    return True


def _response(status: HTTPStatus) -> bytes:
    retry = "Retry-After: 1\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{retry}Content-Length: 0\r\nConnection: close\r\n\r\n"
    return head.encode()
