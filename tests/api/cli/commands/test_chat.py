"""`chat` as a person uses it: at a terminal, through a pipe, with --say."""

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

from api.cli.main import run

ROOT = Path(__file__).parents[4]
SEARCH = "optimize the S&P 500 with 10% volatility, 10 trials, 100 paths, 1 year, base case and bear market"
JOKE = "tell me a joke"
LUCK = "is it luck?"
PATIENCE = 60.0
INTERRUPTIBLE = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have set it to be ignored
runpy.run_module("api", run_name="__main__", alter_sys=True)
"""


class Terminal:
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
        deadline = time.monotonic() + PATIENCE
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
        deadline = time.monotonic() + PATIENCE
        while self._read(deadline):
            pass
        return self._process.wait(PATIENCE)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(deadline - time.monotonic(), 0.0))
        assert ready, f"nothing more is shown than: {self.shown[-2000:]}"
        try:
            read = os.read(self._ours, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", read.decode(errors="replace")).replace("\r", "")
        return bool(read)


def _take_over(terminal: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


CTRL_C, CTRL_D = b"\x03", b"\x04"

Open = Callable[..., Terminal]


@pytest.fixture
def terminal() -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, **settings: str) -> Terminal:
        opened.append(Terminal(*arguments, **settings))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


def piped(text: bytes, *arguments: str, **options) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "api", "chat", *arguments], cwd=ROOT, input=text, capture_output=True, timeout=PATIENCE
    )


# ---- at a terminal


def test_a_person_is_told_what_is_known_here_and_leaves(terminal):
    chat = terminal()
    assert "answered by embedded planner" in chat.until("/quit leaves.")
    chat.until("› ")
    chat.type("/figures")
    chat.until("Known here: /help, /figures, /turns, /branch N, /quit.")
    chat.until("› ")
    chat.type("/help")
    assert "optimize the S&P 500 with 10% volatility" in chat.until("open the holdout")
    chat.until("› ")
    chat.type(JOKE)
    chat.until("nothing this desk can do")
    chat.until("› ")
    chat.type("/quit")
    assert chat.ended() == 0


# ---- without a terminal


def test_lines_of_stdin_are_messages_and_answers_go_to_stdout(home, capfd):
    done = piped(f"{JOKE}\n\n  \n/turns\n".encode())
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    assert "That is nothing this desk can do." in out
    assert f"› {JOKE}" in out
    assert "1  tell me a joke" in out
    assert "/quit leaves" in err
    assert "nothing this desk" not in err
    assert run(["chats"]) == 0
    [row] = capfd.readouterr().out.splitlines()[1:]
    assert row.endswith(JOKE)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"x" * 4001 + b"\n", "message: it has 4001 characters; expected 1 to 4000 characters"),
        (b"caf\xe9\n", "holds what is no character; expected "),
    ],
)
def test_a_line_that_is_no_message_ends_with_what_to_mend(text, told):
    done = piped(text + b"tell me a joke\n")
    assert done.returncode == 2
    assert told in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert done.stdout.decode().count("nothing this desk") == 0


def test_who_is_not_there_to_approve_is_told_how(home, monkeypatch, capfd):
    monkeypatch.setenv("APPROVE_EVALUATIONS", "5")
    assert run(["chat", "--say", SEARCH, "--say", JOKE]) == 3
    out, err = capfd.readouterr()
    assert "python -m api approve " in err
    assert JOKE not in out
    run_id = re.findall(r"python -m api approve ([0-9a-f]+)", err)[0]
    assert run(["chat", "--conversation", "last", "--say", JOKE]) == 3
    assert run(["approve", run_id]) == 0
    capfd.readouterr()
    assert run(["chat", "--conversation", "last", "--say", JOKE]) == 0
    out, err = capfd.readouterr()
    assert "Going on with: optimize" in err
    assert "The verdict is" in out
    assert "nothing this desk can do" in out


def test_whoever_stops_reading_ends_the_chat():
    started = subprocess.Popen(
        [sys.executable, "-m", "api", "chat", "--say", "what can you do?", *["--say", JOKE] * 20],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()
    started.stdout.close()
    assert started.stderr is not None
    told = started.stderr.read().decode()
    assert started.wait(PATIENCE) == 141
    assert "Traceback" not in told
    started.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--conversation", "last"], "--conversation: there is none yet"),
        (["--branch", "1"], "--branch: of which conversation is not said"),
        (["--say", " "], "message: it has 0 characters"),
        (["--say", "\udcff"], "message: it holds what is no character"),
    ],
)
def test_what_can_be_mended_is_named(arguments, told, home, capfd):
    assert run(["chat", *arguments]) == 2
    err = capfd.readouterr().err
    assert told in err
    assert "expected " in err


def test_the_last_conversation_is_one_in_which_something_was_said(home, capfd):
    assert run(["chat", "--say", JOKE]) == 0
    assert run(["chat", "--say", " "]) == 2
    capfd.readouterr()
    assert run(["chat", "--conversation", "last", "--say", JOKE]) == 0
    assert run(["chats"]) == 0
    turns = [row.split()[3] for row in capfd.readouterr().out.splitlines() if JOKE in row and "›" not in row]
    assert turns == ["2"]


def test_no_conversation_is_listed_where_there_is_none(home, capfd):
    assert run(["chats"]) == 0
    assert "No conversation yet" in capfd.readouterr().out
