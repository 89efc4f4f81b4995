"""A part of the program in which nothing of it reaches the network, this machine's own included.

An audit hook holds for every thread and every forked child, and cannot be taken away again: it is set once, and does
nothing outside `sockets_blocked`. It cannot see data on a connection that was open before, nor a socket that listens
without an address of its own.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

ON_A_SOCKET = {"socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"}
NAMES = {"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo"}
SPAWNED = "stratigos.spawn"
PROGRAMS = {
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
    SPAWNED,
}
"""A program that this one starts would be free of the block."""
REFUSED = ON_A_SOCKET | NAMES | PROGRAMS


class SocketBlocked(RuntimeError):
    """No `OSError`: nothing may take it for a connection that is worth another try."""


class Block:
    def __init__(self) -> None:
        from ctypes import c_uint64
        from multiprocessing import get_context

        # shared with forked children; not the default lock of a value, which a fork may take over half held
        processes = get_context("fork")
        self._lock = processes.Lock()
        self._count = processes.RawValue(c_uint64, 0)

    @property
    def attempts(self) -> int:
        return self._count.value

    def count(self) -> None:
        with self._lock:
            self._count.value += 1


class _Guard:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: tuple[Block, ...] = ()
        self._set = False

    def add(self, block: Block) -> None:
        with self._lock:
            if not self._set:
                _announce_spawning()
                sys.addaudithook(self._refuse)
                self._set = True
            self._blocks = (*self._blocks, block)

    def remove(self, block: Block) -> None:
        with self._lock:
            self._blocks = tuple(other for other in self._blocks if other is not block)

    def _refuse(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._blocks or event not in REFUSED:
            return
        for block in self._blocks:
            block.count()
        subject = arguments[1] if event in ON_A_SOCKET else arguments[0]  # not all: programs bring their environment
        raise SocketBlocked(f"{event} {subject!r} is refused: neither a connection nor a program is allowed here")


_guard = _Guard()


@contextmanager
def sockets_blocked() -> Generator[Block]:
    """Refuse and count every try of this process and its forks to connect, to listen or to start a program."""
    import urllib3.util.connection  # noqa: F401 - binds a socket when it is first imported, to learn about IPv6

    block = Block()
    _guard.add(block)
    try:
        yield block
    finally:
        _guard.remove(block)


def _announce_spawning() -> None:
    """Alone of all ways to start a program, that of multiprocessing raises no audit event."""
    from multiprocessing import util

    start: Any = getattr(util, "spawnv_passfds")  # noqa: B009 - the stubs do not know it

    def announced(path: Any, *arguments: Any) -> Any:
        sys.audit(SPAWNED, path)
        return start(path, *arguments)

    setattr(util, "spawnv_passfds", announced)  # noqa: B010
