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
REQUEST = ("--trials", "60", "--paths", "600", "--years", "3", "--stopping", "budget")
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
    found = re.search(r"^result digest: ([0-9a-f]{64})$", out, re.MULTILINE)
    assert found, out
    return found[1]


def versions(home: Path) -> dict[str, int]:
    """Version of every stored trial; a trial that was computed twice would have been written twice."""
    with sqlite3.connect(home / "store.sqlite") as store:
        return dict(store.execute("SELECT id, version FROM records WHERE kind = 'trial'"))


def test_a_run_killed_at_any_moment_ends_with_the_same_digest(tmp_path: Path) -> None:
    digest(start(tmp_path / "warm", *REQUEST))
    begun = time.monotonic()
    expected = digest(start(tmp_path / "whole", *REQUEST))
    duration = time.monotonic() - begun

    killed = 0
    for k in range(KILLS):
        home = tmp_path / f"killed-{k}"
        process = start(home, *REQUEST)
        time.sleep(duration * (0.20 + 0.75 * k / KILLS))
        unfinished = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert unfinished, f"kill {k} came after the run had ended"
        stored = versions(home) if (home / "store.sqlite").exists() else {}
        with_run = (home / "store.sqlite").exists() and _runs(home) > 0
        resumed = start(home, "--resume", "last") if with_run else start(home, *REQUEST)
        assert digest(resumed) == expected, f"kill {k}, after {len(stored)} stored trials"
        after = versions(home)
        assert {id_: after[id_] for id_ in stored} == stored
        assert set(after.values()) == {1}
        killed += 1
        print(f"kill {k + 1:2d}: {len(stored):3d} trials were stored", flush=True)
    assert killed == KILLS


def _runs(home: Path) -> int:
    with sqlite3.connect(home / "store.sqlite") as store:
        return store.execute("SELECT count(*) FROM records WHERE kind = 'run'").fetchone()[0]
