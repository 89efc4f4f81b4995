"""The steps of the Dockerfile, executed by `chroot` on Debian's root file system, and what they make."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.dockerfile import Image, build, context_of, stages

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parent.parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
LAST = stages(DOCKERFILE)[-1]
LARGEST_MEGABYTES = 900
SYSTEM = os.environ.get("IMAGE_ROOT", "")
"""A folder with a root file system that has Python 3.11, as debootstrap makes it (docs/operations.md, The image)."""


@pytest.fixture(scope="module")
def built() -> Iterator[dict[str, Image]]:
    if os.getuid() or not SYSTEM:
        pytest.skip("needs root, and a root file system in IMAGE_ROOT")
    work = Path(tempfile.mkdtemp(prefix="stratigos-container-"))
    try:
        context = context_of(ROOT, work / "context")
        # tests have no network: uv and the libraries in its cache are those of this machine
        folders = {Path.home() / ".cache/uv": "/root/.cache/uv", (ROOT / ".tools").resolve(): "/src/.tools"}
        yield build(DOCKERFILE, Path(SYSTEM), context, work, environment={"UV_OFFLINE": "1"}, folders=folders)
    finally:
        shutil.rmtree(work)


@pytest.fixture(scope="module")
def image(built: dict[str, Image]) -> Image:
    return built[LAST.name]


def megabytes(folder: Path) -> int:
    return int(subprocess.run(["du", "-sm", folder], capture_output=True, text=True, check=True).stdout.split()[0])


def test_libraries_kernels_and_program_are_layers_of_less_than_900_megabytes(built: dict[str, Image]) -> None:
    layers = {"libraries": "", "kernels": ".cache", "program": ""}
    sizes = {name: megabytes(built[name].root / "opt/stratigos" / folder) for name, folder in layers.items()}
    print(sizes)
    assert sum(sizes.values()) < LARGEST_MEGABYTES
    assert {each.name for each in (built["program"].root / "opt/stratigos").iterdir()} >= {"api", "quant", "web"}
    assert not {".venv", ".cache"} & {each.name for each in (built["program"].root / "opt/stratigos").iterdir()}


def test_the_bill_of_materials_lists_what_is_installed(image: Image) -> None:
    bill = json.loads((image.root / "opt/stratigos/sbom.cdx.json").read_text())
    code = (
        "from importlib.metadata import distributions\n"
        "for each in distributions(): print(each.metadata['Name'], each.version)"
    )
    run = subprocess.run(image.command("python", "-c", code), capture_output=True, text=True, check=True)
    listed = {(each["name"].lower(), each["version"]) for each in bill["components"]}
    assert listed == {
        (re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in map(str.split, run.stdout.splitlines())
    }


def test_a_search_runs_on_a_read_only_system_as_its_user_and_compiles_nothing(image: Image) -> None:
    line = ["python", "-m", "api", "optimize", "--trials", "10", "--paths", "100", "--years", "1"]
    command = image.command(*line, environment={"NUMBA_DEBUG_CACHE": "1"}, read_only=True)
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert "data loaded from" in process.stdout
    assert "data saved to" not in process.stdout
    assert "result digest" in process.stdout


def test_the_service_is_found_healthy(image: Image) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    line = [*json.loads(LAST.arguments("ENTRYPOINT")[0]), *json.loads(LAST.arguments("CMD")[0])]
    settings = {"STRATIGOS_PORT": str(port), "STRATIGOS_AUTH": "keys"}
    server = subprocess.Popen(image.command(*line, environment=settings, read_only=True))
    try:
        end = time.monotonic() + 300
        while True:
            assert server.poll() is None
            assert time.monotonic() < end
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=10) as answer:
                    assert json.load(answer)["status"] == "ok"
                    break
            except urllib.error.URLError:
                time.sleep(0.2)
        check = LAST.arguments("HEALTHCHECK")[0].partition(" CMD ")[2]
        inside = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().strip()
        assert (Path("/proc") / inside / "status").read_text().partition("Uid:\t")[2].startswith(image.user[:5])
        variables = [f"{name}={value}" for name, value in (image.environment | settings).items()]
        enter = ["nsenter", "--target", inside, "--mount", "--pid", "--root", "--wd"]
        line = [*enter, "env", "-i", *variables, "sh", "-c", check]
        assert subprocess.run(line, timeout=60).returncode == 0
        os.kill(int(inside), signal.SIGTERM)  # as a container engine stops the first process
        server.wait(60)
    finally:
        server.kill()
        server.wait()
