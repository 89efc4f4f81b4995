import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.settings import VARIABLES

ROOT = Path(__file__).parent.parent.parent
HOME = "/opt/stratigos"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
SCRIPT = (ROOT / "infra/image.sh").read_text()
CANNOT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Root can write to read-only files unless it drops these capabilities."""


def instructions(stage: str, name: str) -> list[str]:
    text = re.sub(r"\\\n\s*", "", stage)
    return re.findall(rf"^{name} (.*)$", text, flags=re.MULTILINE)


def environment(image: str, scratch: str = "/tmp") -> dict[str, str]:
    """The environment of the last stage, for an image in the folder `image` that writes to `scratch`."""
    pairs = re.findall(r"(\w+)=(\S*)", " ".join(instructions(STAGES[-1], "ENV")))
    cpu = next(arg.partition("=")[2] for arg in instructions(STAGES[-1], "ARG") if arg.startswith("CPU="))
    return {
        name: value.replace("/tmp", scratch)
        .replace(HOME, image)
        .replace("${CPU}", cpu)
        .replace("$PATH", "/usr/bin:/bin")
        for name, value in pairs
    }


def test_both_stages_start_from_one_base_that_is_pinned_by_digest() -> None:
    (base,) = re.findall(r"^ARG BASE=(.*)$", DOCKERFILE, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert [stage.split()[0] for stage in STAGES] == ["${BASE}", "${BASE}"]


def test_the_image_consists_of_the_output_of_the_script() -> None:
    build, last = STAGES
    assert instructions(build, "RUN") == [f"/src/infra/image.sh {HOME}"]
    assert instructions(last, "RUN") == []
    assert instructions(last, "COPY") == [f"--from=build {HOME} {HOME}"]
    assert instructions(build, "ARG") == [arg for arg in instructions(last, "ARG") if arg.startswith("CPU=")]


def test_the_image_runs_as_an_unprivileged_user_and_serves_by_default() -> None:
    (user,) = instructions(STAGES[-1], "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert json.loads(instructions(STAGES[-1], "ENTRYPOINT")[0]) == ["python", "-m", "api"]
    assert json.loads(instructions(STAGES[-1], "CMD")[0]) == ["serve"]
    assert "/api/health" in instructions(STAGES[-1], "HEALTHCHECK")[0]


def test_its_environment_names_settings_that_exist() -> None:
    variables = environment(HOME)
    assert {name for name in variables if name.startswith("STRATIGOS_")} <= set(VARIABLES)
    assert variables["STRATIGOS_HOME"].startswith("/tmp/")
    assert variables["STRATIGOS_HOST"] == "0.0.0.0"
    assert variables["STRATIGOS_LOG"] == "stdout"


def test_the_build_context_is_exactly_what_the_script_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text().split("\n")
    let_through = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    parts = re.search(r"parts=\((.*)\)", SCRIPT)
    files = re.search(r'"\$\{parts\[@\]\}" (\w.*) \|', SCRIPT)
    assert parts
    assert files
    assert let_through == {*parts[1].split(), *files[1].split(), "infra/image.sh", "infra/warm.py"}
    assert all((ROOT / path).exists() for path in let_through)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"infra"}  # describes the platform only
    assert packages <= set(parts[1].split())


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="stratigos-image-"))
    target = folder / "image"
    try:
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NUMBA", "STRAT"))
        }
        variables |= {
            "PYTHON": str(Path(sys.executable).resolve()),
            "UV_OFFLINE": "1",
        }  # the libraries are in uv's cache
        subprocess.run([ROOT / "infra/image.sh", target], env=variables, check=True, timeout=3600)
        subprocess.run(["chmod", "-R", "a-w", target], check=True)
        yield target
    finally:
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)
        shutil.rmtree(folder)


def command(image: Path, scratch: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The entry point's command line and environment, with one writable folder and without this checkout."""
    variables = environment(str(image), str(scratch)) | {"TMPDIR": str(scratch)}
    return ["env", *CANNOT_OVERRIDE, "python", "-m", "api", *arguments], variables


def run(image: Path, scratch: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    line, variables = command(image, scratch, *arguments)
    return subprocess.run(line, cwd=scratch, env=variables | more, capture_output=True, text=True, timeout=600)


@contextmanager
def serve(image: Path, scratch: Path) -> Iterator[str]:
    line, variables = command(image, scratch, "serve", "--host", "127.0.0.1", "--port", "0")
    log = scratch / "served.log"
    with log.open("w") as out:
        process = subprocess.Popen(line, cwd=scratch, env=variables, stdout=out, stderr=out)
    try:
        end = time.monotonic() + 120
        while not (address := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield address[0]
    finally:
        process.terminate()
        process.wait(60)


def get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


@pytest.mark.soak
def test_every_command_starts_from_the_image_alone(image: Path, tmp_path: Path) -> None:
    help_page = run(image, tmp_path, "--help", COLUMNS="200")
    commands = re.findall(r"^│ (\w+) ", help_page.stdout[help_page.stdout.index("Commands") :], flags=re.MULTILINE)
    assert {"serve", "work", "optimize"} <= set(commands)
    for name in commands:
        process = run(image, tmp_path, name, "--help")
        assert (process.returncode, process.stderr) == (0, ""), name


@pytest.mark.soak
def test_on_lambda_the_same_image_asks_the_runtime_api_for_work(image: Path, tmp_path: Path) -> None:
    entry = re.search(r"entry point is (\[.*?\])", DOCKERFILE)
    assert entry
    variables = environment(str(image), str(tmp_path)) | {"TMPDIR": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as runtime:
        variables["AWS_LAMBDA_RUNTIME_API"] = f"127.0.0.1:{runtime.getsockname()[1]}"
        runtime.settimeout(120)
        with subprocess.Popen(["env", *CANNOT_OVERRIDE, *json.loads(entry[1])], cwd=tmp_path, env=variables) as process:
            try:
                connection, _ = runtime.accept()
                with connection:
                    assert connection.recv(4096).startswith(b"GET /2018-06-01/runtime/invocation/next")
            finally:
                process.kill()


@pytest.mark.soak
def test_the_service_answers_from_a_read_only_tree_and_is_found_healthy(image: Path, tmp_path: Path) -> None:
    with serve(image, tmp_path) as address:
        assert get(f"{address}/api/health")["status"] == "ok"
        check = instructions(STAGES[-1], "HEALTHCHECK")[0].partition(" || ")[2]
        variables = command(image, tmp_path)[1] | {"STRATIGOS_PORT": address.rpartition(":")[2]}
        assert subprocess.run(["sh", "-c", check], env=variables, timeout=60).returncode == 0
    assert subprocess.run(["sh", "-c", check], env=variables, timeout=60, stderr=subprocess.DEVNULL).returncode != 0


@pytest.mark.soak
def test_the_service_does_not_listen_on_all_addresses_without_authentication(image: Path, tmp_path: Path) -> None:
    process = run(image, tmp_path, "serve")
    assert process.returncode == 2
    assert "STRATIGOS_AUTH" in process.stderr


@pytest.mark.soak
def test_a_search_uses_the_kernels_of_the_image_and_compiles_none(image: Path, tmp_path: Path) -> None:
    process = run(
        image, tmp_path, "optimize", "--trials", "10", "--paths", "100", "--years", "1", NUMBA_DEBUG_CACHE="1"
    )
    assert process.returncode == 0, process.stderr
    assert "data loaded from" in process.stdout
    assert "data saved to" not in process.stdout
    assert "result digest" in process.stdout


@pytest.mark.soak
def test_the_image_contains_only_what_the_product_needs(image: Path) -> None:
    libraries = next((image / ".venv/lib").glob("python3.*/site-packages"))
    installed = {path.name for path in libraries.iterdir()}
    assert not installed & {"pytest", "moto", "ruff", "hypothesis", "skfolio", "aws_cdk", "pip"}
    assert not list(image.rglob("tests"))
    assert {path.name for path in image.iterdir()} >= {"api", "quant", ".venv", ".cache"}
    assert not {"tests", ".git", ".stratigos", ".tools", "infra"} & {path.name for path in image.iterdir()}
    size = int(subprocess.run(["du", "-sm", image], capture_output=True, text=True, check=True).stdout.split()[0])
    assert size < 950
