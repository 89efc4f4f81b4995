"""Blocks network access of this process and its forks, loopback included.

The block is an audit hook, which covers every thread and forked child and cannot be removed: it is added once, and has
no effect outside `sockets_blocked`. It does not see data on connections that were open before, nor a socket that
listens without a bound address.
"""

import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

SOCKET_EVENTS = {"socket.bind", "socket.connect", "socket.sendmsg", "socket.sendto"}
NAME_EVENTS = {"socket.getaddrinfo", "socket.gethostbyaddr", "socket.gethostbyname", "socket.getnameinfo"}
SPAWN_EVENT = "stratigos.spawn"
PROGRAM_EVENTS = {
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.startfile",
    "os.system",
    "pty.spawn",
    "subprocess.Popen",
    SPAWN_EVENT,
}
"""Starts of programs, which the block would not cover."""
BLOCKED_EVENTS = SOCKET_EVENTS | NAME_EVENTS | PROGRAM_EVENTS


class SocketBlocked(RuntimeError):
    """Not an `OSError`, so that no client retries it as a connection error."""


class Block:
    def __init__(self) -> None:
        from ctypes import c_uint64
        from multiprocessing import get_context

        # shared with forks; without the default lock of a value, which a fork may inherit while it is held
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
        self._hooked = False

    def add(self, block: Block) -> None:
        with self._lock:
            if not self._hooked:
                _audit_spawning()
                sys.addaudithook(self._refuse)
                self._hooked = True
            self._blocks = (*self._blocks, block)

    def remove(self, block: Block) -> None:
        with self._lock:
            self._blocks = tuple(other for other in self._blocks if other is not block)

    def _refuse(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._blocks or event not in BLOCKED_EVENTS:
            return
        for block in self._blocks:
            block.count()
        subject = (
            arguments[1] if event in SOCKET_EVENTS else arguments[0]
        )  # the other arguments of programs contain the environment
        raise SocketBlocked(f"{event} {subject!r} is blocked: a replay opens no connection and starts no program")


_guard = _Guard()


@contextmanager
def sockets_blocked() -> Generator[Block]:
    """Block and count attempts of this process and its forks to connect, to listen or to start a program."""
    import urllib3.util.connection  # noqa: F401 - the first import binds a socket, to detect IPv6

    block = Block()
    _guard.add(block)
    try:
        yield block
    finally:
        _guard.remove(block)


def _audit_spawning() -> None:
    """Raise an audit event where multiprocessing starts a program; it is the only way without one."""
    from multiprocessing import util

    start: Any = getattr(util, "spawnv_passfds")  # noqa: B009 - missing in the stubs

    def audited_start(path: Any, *arguments: Any) -> Any:
        sys.audit(SPAWN_EVENT, path)
        return start(path, *arguments)

    setattr(util, "spawnv_passfds", audited_start)  # noqa: B010
