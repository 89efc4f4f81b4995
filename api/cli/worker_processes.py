"""Worker processes beside the server: begun again when they die, ended with it."""

import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import structlog

from api.settings import ROOT

COMMAND = (sys.executable, "-m", "api", "work", "--while-fed")
PATIENCE_SECONDS = 10.0
LONGEST_PAUSE = 30.0


class Kept:
    """One process that lives as long as it is wanted."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._unwanted = threading.Event()
        self._process = self._begin()
        self._thread = threading.Thread(target=self._keep, name="worker")
        self._thread.start()

    def dismiss(self) -> None:
        """It reads the end of its input, gives back what it is at and goes."""
        self._unwanted.set()

    def wait(self) -> None:
        self._thread.join()

    def _begin(self) -> "subprocess.Popen[bytes]":
        # when this process dies, however it does, the pipe ends, and the worker with it
        return subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)  # noqa: S603 - a command of ours, no shell

    def _keep(self) -> None:
        pause = 1.0
        while not self._unwanted.wait(0.2):
            if self._process.poll() is None:
                continue
            structlog.get_logger().warning("worker_died", status=self._process.returncode, pause=pause)
            self._close()
            if self._unwanted.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            self._process = self._begin()
        self._close()
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its job is resumed by another when its lease has ended
            self._process.wait()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


@contextmanager
def workers(count: int, command: Sequence[str] = COMMAND) -> Generator[None]:
    kept: list[Kept] = []
    try:
        kept.extend(Kept(command) for _ in range(count))
        yield
    finally:
        for each in kept:
            each.dismiss()
        for each in kept:  # all of them are ending meanwhile
            each.wait()
