"""`chat` as a person uses it: at a terminal, through a pipe, with --say."""

import io
import re
import subprocess
import sys

import pytest

from api.cli.main import run
from tests.api.cli.chat_terminal import JOKE, ROOT, SEARCH, TIMEOUT


@pytest.fixture
def pipe(monkeypatch):
    """Makes `text` the standard input of commands that run in this process."""

    def pipe(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8"))

    return pipe


# ---- at a terminal


def test_help_lists_the_commands_and_quit_ends_the_chat(terminal):
    chat = terminal()
    assert "answered by embedded planner" in chat.until("/quit ends.")
    chat.until("› ")
    chat.type("/figures")
    chat.until("Commands: /help, /figures, /turns, /branch N, /quit.")
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


def test_lines_of_stdin_are_messages_and_answers_go_to_stdout(home, capfd, pipe):
    pipe(f"{JOKE}\n\n  \n/turns\n")
    assert run(["chat"]) == 0
    out, err = capfd.readouterr()
    assert "That is nothing this desk can do: " in out
    assert f"› {JOKE}" in out
    assert "1  tell me a joke" in out
    assert "ends." in err
    assert "nothing this desk" not in err
    assert run(["chats"]) == 0
    [row] = capfd.readouterr().out.splitlines()[1:]
    assert row.endswith(JOKE)


def test_a_line_that_is_too_long_ends_the_chat_with_its_error(home, capfd, pipe):
    pipe("x" * 4001 + f"\n{JOKE}\n")
    assert run(["chat"]) == 2
    out, err = capfd.readouterr()
    assert "message: it has 4001 characters; expected 1 to 4000 characters" in err
    assert "nothing this desk" not in out


@pytest.mark.parametrize(
    ("errors", "message"),
    [("strict", "expected UTF-8"), ("surrogateescape", "contains an unpaired surrogate; expected ")],
)
def test_bytes_that_are_no_utf_8_end_the_chat_with_their_error(errors, message, home, monkeypatch, capfd):
    """Python decodes standard input strictly or with surrogates, depending on the locale."""
    lines = io.BytesIO(b"caf\xe9\n" + f"{JOKE}\n".encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(lines, encoding="utf-8", errors=errors))
    assert run(["chat"]) == 2
    out, err = capfd.readouterr()
    assert message in err
    assert "nothing this desk" not in out


@pytest.mark.soak
def test_bytes_that_are_no_utf_8_end_the_program_without_a_traceback():
    process = subprocess.run(
        [sys.executable, "-m", "api", "chat"],
        cwd=ROOT,
        input=b"caf\xe9\n" + f"{JOKE}\n".encode(),
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert process.returncode == 2
    assert "contains an unpaired surrogate; expected " in process.stderr.decode()
    assert "Traceback" not in process.stderr.decode()
    assert "nothing this desk" not in process.stdout.decode()


def test_without_a_terminal_the_output_says_how_to_approve(home, monkeypatch, capfd):
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
    assert "Continuing: optimize" in err
    assert "The verdict is" in out
    assert "nothing this desk can do" in out


def test_a_closed_pipe_ends_the_chat():
    started = subprocess.Popen(
        [sys.executable, "-m", "api", "chat", "--say", "what can you do?", *["--say", JOKE] * 5],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert started.stdout is not None
    started.stdout.readline()
    started.stdout.close()
    assert started.stderr is not None
    error = started.stderr.read().decode()
    assert started.wait(TIMEOUT) == 141
    assert "Traceback" not in error
    started.stderr.close()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--conversation", "last"], "--conversation: there is none yet"),
        (["--branch", "1"], "--branch: no conversation is named"),
        (["--say", " "], "message: it has 0 characters"),
        (["--say", "\udcff"], "message: it contains an unpaired surrogate"),
    ],
)
def test_an_invalid_option_is_named_with_what_is_accepted(arguments, error, home, capfd):
    assert run(["chat", *arguments]) == 2
    err = capfd.readouterr().err
    assert error in err
    assert "expected " in err


def test_last_names_a_conversation_that_has_turns(home, capfd):
    assert run(["chat", "--say", JOKE]) == 0
    assert run(["chat", "--say", " "]) == 2
    capfd.readouterr()
    assert run(["chat", "--conversation", "last", "--say", JOKE]) == 0
    assert run(["chats"]) == 0
    turns = [row.split()[3] for row in capfd.readouterr().out.splitlines() if JOKE in row and "›" not in row]
    assert turns == ["2"]


def test_an_empty_list_of_conversations_says_so(home, capfd):
    assert run(["chats"]) == 0
    assert "No conversation yet" in capfd.readouterr().out
