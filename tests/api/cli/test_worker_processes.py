"""Worker processes beside a server: one that dies is followed by another, and none outlives who began it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from api.cli.worker_processes import workers
from tests.processes import is_alive

ROOT = Path(__file__).parents[3]
OBEDIENT = "import os, sys; print(os.getpid(), file=open(sys.argv[1], 'a')); sys.stdin.read()"
ENDING_TOGETHER = f"""{OBEDIENT}
import time
print("end", file=open(sys.argv[2], 'a'))
while len(open(sys.argv[2]).readlines()) < 4:
    time.sleep(0.01)
print("together", file=open(sys.argv[3], 'a'))
"""
"""Ends once the other three have been told to end."""
SECONDS = 60.0


def until(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + SECONDS
    while not condition():
        assert monotonic() < deadline
        sleep(0.02)


def test_a_killed_worker_is_replaced_and_the_last_ends_with_the_server(tmp_path):
    began = tmp_path / "began"
    began.touch()

    def processes() -> list[int]:
        return [int(line) for line in began.read_text().splitlines()]

    with workers(2, [sys.executable, "-c", OBEDIENT, str(began)]):
        until(lambda: len(processes()) == 2)
        os.kill(processes()[0], signal.SIGKILL)
        until(lambda: len(processes()) == 3)
    assert not [each for each in processes() if is_alive(each)]


@pytest.mark.skipif(sys.platform == "win32", reason="priorities have other names there")
def test_a_worker_lets_the_service_go_first(tmp_path):
    began = tmp_path / "began"
    began.touch()
    with workers(1, [sys.executable, "-c", OBEDIENT, str(began)]):
        until(lambda: began.read_text().endswith("\n"))
        worker = int(began.read_text())
        until(lambda: os.getpriority(os.PRIO_PROCESS, worker) > os.getpriority(os.PRIO_PROCESS, 0))


def test_workers_end_side_by_side(tmp_path):
    began, end, together = (tmp_path / name for name in ("began", "end", "together"))
    began.touch()
    with workers(4, [sys.executable, "-c", ENDING_TOGETHER, str(began), str(end), str(together)]):
        until(lambda: len(began.read_text().splitlines()) == 4)
    assert together.read_text().splitlines() == ["together"] * 4


def test_no_worker_starts_when_zero_are_configured():
    with workers(0, ["/nothing"]):
        pass


@pytest.mark.parametrize("end", ["the parent dies", pytest.param("SIGTERM", marks=pytest.mark.soak)])
def test_a_worker_ends_by_itself(end, tmp_path):
    working = subprocess.Popen(
        [sys.executable, "-m", "api", "work", "--while-fed"],
        cwd=ROOT,
        env=os.environ | {"STRATIGOS_HOME": str(tmp_path)},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert working.stdin is not None
    assert working.stderr is not None
    try:
        assert "takes jobs" in working.stderr.readline()
        if end == "SIGTERM":
            working.send_signal(signal.SIGTERM)
        else:
            working.stdin.close()  # as the kernel does for a process that was killed
        assert working.wait(SECONDS) == 0
    finally:
        working.kill()
        working.wait()
        working.stderr.close()
        working.stdin.close()
