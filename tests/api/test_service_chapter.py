"""The examples of README's chapter on the service, run in order and as written against `serve`."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
CHAPTER = re.search(r"^## The service\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
STRICT = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n'


def examples() -> str:
    assert CHAPTER is not None
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", CHAPTER[1], re.M | re.S))


@pytest.fixture
def address(home: Path) -> Iterator[str]:
    """A server with its worker, as `make serve` starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "api", "serve", "--port", str(port)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MODEL"))}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            _wait(f"http://127.0.0.1:{port}/api/health", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None, "the server ended"
        try:
            httpx.get(url)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(url)


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_example_of_the_readme_works_as_written(address: str, tmp_path: Path) -> None:
    script = STRICT + examples().replace("http://127.0.0.1:8000", address)
    folder = tmp_path / "examples"
    folder.mkdir()
    ran = subprocess.run(["bash", "-x", "-c", script], cwd=folder, capture_output=True, text=True, timeout=280)
    assert ran.returncode == 0, f"{ran.stdout[-800:]}\n{ran.stderr[-2000:]}"
    assert (folder / "result.xlsx").stat().st_size > 5_000
