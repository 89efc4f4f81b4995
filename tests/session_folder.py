"""What the first process of a test session makes and the others read: the workers of pytest-xdist share a folder."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

SETTING = "STRATIGOS_TEST_SESSION"
"""Environment variable with the folder of this session; the process that starts the workers makes the folder."""


def make_once(name: str, make: Callable[[Path], None]) -> Path:
    """The folder or file `name` of this session, which `make` writes if no process has done so."""
    path = Path(os.environ[SETTING]) / name
    finished = path.with_suffix(".finished")
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            make(path)
            finished.touch()
    return path
