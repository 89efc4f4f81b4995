"""A chat in a pseudo-terminal."""

import errno
import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.api.cli.interruptible_process import INTERRUPTIBLE

ROOT = Path(__file__).parents[3]
SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"
JOKE = "tell me a joke"
LUCK = "is it luck?"
TIMEOUT = 60.0


class ChatTerminal:
    """A chat at the end of a pty: what it prints, and what a person types."""

    def __init__(self, *arguments: str, **settings: str) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (50, 250))
        self._process = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, "chat", *arguments],
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm"} | settings,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: _take_over(theirs),  # noqa: PLW1509  (no thread is in between)
        )
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> str:
        """What is shown up to and with `text`."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.shown:
            assert self._read(deadline), f"{text!r} is not shown, but: {self.shown[-2000:]}"
        before, _, self.shown = self.shown.partition(text)
        return before + text

    def type(self, text: str) -> None:
        os.write(self._ours, f"{text}\n".encode())

    def press(self, key: bytes) -> None:
        os.write(self._ours, key)

    def ended(self) -> int:
        """The exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self._read(deadline):
            pass
        return self._process.wait(TIMEOUT)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0.0))
        assert ready, f"nothing more is shown than: {self.shown[-2000:]}"
        try:
            chunk = os.read(self._ours, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", chunk.decode(errors="replace")).replace("\r", "")
        return bool(chunk)


def _take_over(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


CTRL_C, CTRL_D = b"\x03", b"\x04"


OpenTerminal = Callable[..., ChatTerminal]


@pytest.fixture
def terminal() -> Iterator[OpenTerminal]:
    terminals: list[ChatTerminal] = []

    def start(*arguments: str, **settings: str) -> ChatTerminal:
        terminals.append(ChatTerminal(*arguments, **settings))
        return terminals[-1]

    yield start
    for each in terminals:
        each.close()
