"""Instances of a job: each is a process with its own folder and loopback address."""

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
NO_CREDENTIALS = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
FEW_THREADS = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
TAKEN_PORT = 47_613
"""Port bound at the last address of a net to reserve it across processes."""
MAX_INSTANCES = 253
WAIT_OPTIONS = os.WEXITED | os.WNOHANG | os.WNOWAIT


@contextmanager
def addresses(count: int) -> Iterator[list[str]]:
    """Loopback addresses that no other job on this machine uses."""
    assert count <= MAX_INSTANCES
    for second, third in product(range(64, 128), range(256)):
        net = f"127.{second}.{third}"
        with suppress(OSError):
            lock = socket.create_server((f"{net}.254", TAKEN_PORT))
            break
    else:
        raise RuntimeError("every net of 127.64.0.0/10 is taken")
    with lock:
        yield [f"{net}.{n}" for n in range(1, count + 1)]


class Instance:
    """An instance; a lock excludes uploads after it is killed."""

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
        """Log file outside the folder, so that it outlives the instance."""
        return self.root.with_suffix(self.root.suffix + ".log")

    def start(self, command: list[str], environment: dict[str, str]) -> None:
        with self._lock, self.log.open("wb") as log:
            if self.lost:
                return
            self._process = subprocess.Popen(
                command, env=environment, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True
            )

    def code(self) -> int | None:
        """The exit code as in a shell; None while it runs."""
        if self._process is None:
            return None
        with self._ending:
            if self._process.returncode is None and os.waitid(os.P_PID, self._process.pid, WAIT_OPTIONS):
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
        """Kill the process and delete the folder, like the loss of a machine."""
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
        """The container's exit message."""
        path = self.root / "output/message"
        return path.read_bytes() if path.is_file() else b""

    def close(self) -> None:
        self.signal(signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        """Wait for the process; concurrent readers see it or its exit code."""
        with self._ending:
            if self._process:
                self._process.wait()


def environment(root: Path, own: dict[str, str], cloud: dict[str, str]) -> dict[str, str]:
    """Environment of a container, without AWS and Stratigos variables of the test process."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "STRATIGOS_"))}
    return variables | FEW_THREADS | NO_CREDENTIALS | cloud | own | {"STRATIGOS_CONTAINER_ROOT": str(root)}


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
