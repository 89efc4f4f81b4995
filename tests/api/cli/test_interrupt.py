"""Ctrl-C while an endpoint keeps a call waiting."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.cli.interruptible_process import INTERRUPTIBLE

ROOT = Path(__file__).parents[3]
ASKED = ["optimize", "--trials", "10", "--paths", "100", "--years", "1"]
WAITED = 10
"""Seconds in which the program has to end; the call itself may last three minutes."""


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """An endpoint that takes every connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (ASKED, "optimize --resume"),
        pytest.param(
            ["record", "-o", "{folder}/mine.yaml", "--", *ASKED], "nothing was recorded", marks=pytest.mark.soak
        ),
    ],
)
def test_ctrl_c_ends_the_program_during_a_hanging_call(command, message, silent, tmp_path):
    environment = os.environ | {
        "STRATIGOS_HOME": str(tmp_path / "home"),
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://127.0.0.1:{silent.getsockname()[1]}",
        "AWS_ACCESS_KEY_ID": "double",
        "AWS_SECRET_ACCESS_KEY": "double",
        "AWS_REGION": "us-east-1",
        "MODEL": "bedrock_converse:us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    }
    started = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *(part.format(folder=tmp_path) for part in command)],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        connection, _ = silent.accept()
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=WAITED)
        connection.close()
    finally:
        started.kill()
        started.wait()
    assert started.returncode == 130
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "mine.yaml").exists()
