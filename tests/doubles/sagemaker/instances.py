"""The machines of a job: each a process with a tree and an address of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from tests.doubles.sagemaker.transfer import Upload

REPOSITORY = Path(__file__).parents[3]
IMAGE = [sys.executable, "-m", "api"]
"""The entry point of the image."""
ALONE = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
FEW_THREADS = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TAKEN_PORT = 47_613
"""Bound at the last address of a net, it marks the net as taken, for other processes too."""
MOST = 253
LOOKING = os.WEXITED | os.WNOHANG | os.WNOWAIT


@contextmanager
def addresses(count: int) -> Iterator[list[str]]:
    """Loopback addresses that no other job on this machine uses."""
    assert count <= MOST
    for second, third in product(range(64, 128), range(256)):
        net = f"127.{second}.{third}"
        with suppress(OSError):
            taken = socket.create_server((f"{net}.254", TAKEN_PORT))
            break
    else:
        raise RuntimeError("every net of 127.64.0.0/10 is taken")
    with taken:
        yield [f"{net}.{n}" for n in range(1, count + 1)]


class Instance:
    """Its uploads and its end exclude each other: nothing comes from a machine that is gone."""

    def __init__(self, root: Path, address: str, hosts: list[str]) -> None:
        self.root, self.address = root, address
        self.lost = False
        self.uploads: list[Upload] = []
        self._lock, self._ending = threading.Lock(), threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        write(root / "config/resourceconfig.json", {"current_host": address, "hosts": hosts})
        (root / "output").mkdir()

    @property
    def log(self) -> Path:
        """Beside the tree: it outlives the instance."""
        return self.root.with_suffix(self.root.suffix + ".log")

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        with self._lock, self.log.open("wb") as log:
            if self.lost:
                return
            self._process = subprocess.Popen(
                command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )

    def code(self) -> int | None:
        """The exit code as a shell tells it; none while it runs."""
        if self._process is None:
            return None
        with self._ending:
            if self._process.returncode is None and os.waitid(os.P_PID, self._process.pid, LOOKING):
                os.killpg(self._process.pid, signal.SIGKILL)  # a container ends with its first process
            code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def running(self) -> bool:
        return not self.lost and self._process is not None and self.code() is None

    def signal(self, number: int) -> None:
        """SIGTERM goes to the container's first process, SIGKILL to all of them."""
        if self._process is not None and self.code() is None:
            (os.killpg if number == signal.SIGKILL else os.kill)(self._process.pid, number)

    def kill(self) -> None:
        """As a machine goes: at once, with all that it had."""
        with self._lock:
            self.lost = True
            self.signal(signal.SIGKILL)
            self._wait()
            shutil.rmtree(self.root, ignore_errors=True)

    def upload(self, *, all_outputs: bool = False) -> None:
        for upload in self.uploads:
            if all_outputs or upload.continuous:
                with self._lock:
                    if not self.lost:
                        upload.send()

    def message(self) -> bytes:
        """What the container left for people to read."""
        path = self.root / "output/message"
        return path.read_bytes() if path.is_file() else b""

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        """Whoever looks meanwhile finds the process, or its code."""
        with self._ending:
            if self._process:
                self._process.wait()


def environment(root: Path, given: dict[str, str], cloud: dict[str, str]) -> dict[str, str]:
    """Of a container: nothing of AWS or Stratigos comes from whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STRATIGOS_"))}
    return kept | FEW_THREADS | ALONE | cloud | given | {"STRATIGOS_CONTAINER_ROOT": str(root)}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
