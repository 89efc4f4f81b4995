"""Worker processes of a server: restarted when they die, stopped with the server."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress

import structlog

from api.settings import ROOT

COMMAND = (sys.executable, "-m", "api", "work", "--while-fed")
STOP_SECONDS = 10.0
"""Time to give back a job before the process is killed."""
LONGEST_PAUSE = 30.0
NICENESS = 10
"""The service and the browser of its user go first where a search would use every core."""


class WorkerProcess:
    """One process that is restarted until it is dismissed."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._dismissed = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._supervise, name="worker")
        self._thread.start()

    def dismiss(self) -> None:
        """Let the process give back its job and end."""
        self._dismissed.set()

    def wait(self) -> None:
        self._thread.join()

    def _start(self) -> "subprocess.Popen[bytes]":
        # when this process dies, its pipe closes, which ends the worker
        process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE)  # noqa: S603 - a fixed command, without a shell
        if sys.platform != "win32":
            with suppress(ProcessLookupError):  # it died at once; `_supervise` sees that
                os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)  # its threads begin later, and inherit it
        return process

    def _supervise(self) -> None:
        pause = 1.0
        while not self._dismissed.wait(0.2):
            if self._process.poll() is None:
                continue
            structlog.get_logger().warning("worker_died", status=self._process.returncode, pause=pause)
            self._close()
            if self._dismissed.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE)
            self._process = self._start()
        self._close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()  # another worker resumes its job when the lease ends
            self._process.wait()

    def _close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()


@contextmanager
def workers(count: int, command: Sequence[str] = COMMAND) -> Generator[None]:
    processes: list[WorkerProcess] = []
    try:
        processes.extend(WorkerProcess(command) for _ in range(count))
        yield
    finally:
        for process in processes:
            process.dismiss()
        for process in processes:  # after all were dismissed: they end side by side
            process.wait()
