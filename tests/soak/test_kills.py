"""Twenty runs, each killed once at another moment, then resumed."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUEST = ("--trials", "60", "--paths", "300", "--years", "2", "--stopping", "budget")
KILLS = 20

pytestmark = pytest.mark.soak


def start(home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "api", "optimize", *arguments],
        cwd=ROOT,
        env={**os.environ, "STRATIGOS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def digest(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    match = re.search(r"^result digest: ([0-9a-f]{64})$", out, re.MULTILINE)
    assert match, out
    return match[1]


def versions(home: Path) -> dict[str, int]:
    """Version of every stored trial; a trial computed twice would have version 2."""
    with sqlite3.connect(home / "store.sqlite") as store:
        return dict(store.execute("SELECT id, version FROM records WHERE kind = 'trial'"))


def events(home: Path) -> int:
    """Number of stored events of all runs."""
    if not (home / "store.sqlite").exists():
        return 0
    with sqlite3.connect(home / "store.sqlite", timeout=30) as store:
        try:
            return store.execute("SELECT count(*) FROM events").fetchone()[0]
        except sqlite3.OperationalError:  # before the tables are created
            return 0


def kill_at(home: Path, number: int, *arguments: str) -> None:
    """Start a run and kill it once that many events are stored, before it completes."""
    process = start(home, *arguments)
    while events(home) < number:
        assert process.poll() is None, f"the run ended before event {number}"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_a_run_killed_at_any_moment_ends_with_the_same_digest(tmp_path: Path) -> None:
    expected = digest(start(tmp_path / "whole", *REQUEST))
    last = events(tmp_path / "whole")
    for k in range(KILLS):
        home = tmp_path / f"killed-{k}"
        number = 1 + k * (last - 2) // (KILLS - 1)
        kill_at(home, number, *REQUEST)
        stored_versions = versions(home)
        assert digest(start(home, "--resume", "last")) == expected, f"killed at event {number} of {last}"
        after = versions(home)
        assert {id_: after[id_] for id_ in stored_versions} == stored_versions
        assert set(after.values()) == {1}
        assert events(home) == last
        print(f"kill {k + 1:2d}: at event {number} of {last}, {len(stored_versions):3d} trials stored", flush=True)
