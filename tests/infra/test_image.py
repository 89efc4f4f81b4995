import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import botocore
import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from api.settings import VARIABLES
from infra.sbom import installed_components
from tests.infra.dockerfile import expand, stages

ROOT = Path(__file__).parent.parent.parent
HOME = "/opt/stratigos"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = {stage.name: stage for stage in stages(DOCKERFILE)}
LAST = [*STAGES.values()][-1]
SCRIPT = (ROOT / "infra/image.sh").read_text()
LIBRARIES = ("bootstrap.py", "pyproject.toml", "uv.lock")
SCRIPTS = ("infra/image.sh", "infra/sbom.py", "infra/warm.py")
LINUX = {"sys_platform": "linux", "platform_system": "Linux", "python_full_version": "3.11.9", "python_version": "3.11"}
CANNOT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""Root can write to read-only files unless it drops these capabilities."""


def environment(image: str, scratch: str = "/tmp") -> dict[str, str]:
    """The environment of the last stage, for an image in the folder `image` that writes to `scratch`."""
    values = {"PATH": "/usr/bin:/bin"}
    for stage in (STAGES[LAST.origin], LAST):
        for pair in shlex.split(expand(" ".join(stage.arguments("ENV")), values)):
            name, _, value = pair.partition("=")
            values[name] = value.replace("/tmp", scratch).replace(HOME, image)
    return values


def test_every_stage_starts_from_one_base_that_is_pinned_by_digest() -> None:
    (base,) = re.findall(r"^ARG BASE=(.*)$", DOCKERFILE, flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert {stage.origin for stage in STAGES.values()} - STAGES.keys() == {base}


def test_the_image_has_a_layer_each_for_libraries_kernels_and_program() -> None:
    assert LAST.arguments("RUN") == []
    assert LAST.arguments("COPY") == [
        f"--from=libraries {HOME} {HOME}",
        f"--from=kernels {HOME}/.cache {HOME}/.cache",
        f"--from=program {HOME} {HOME}",
    ]
    assert STAGES["libraries"].arguments("RUN") == [f"/src/infra/image.sh {HOME} libraries"]
    assert STAGES["kernels"].arguments("RUN") == [f"/src/infra/image.sh {HOME} program"]
    assert LAST.steps.index(("ARG", "REVISION=unknown")) > LAST.steps.index(("COPY", LAST.arguments("COPY")[-1]))


def test_the_layer_of_libraries_depends_on_what_they_are_made_of_only() -> None:
    sources = [source for copied in STAGES["libraries"].arguments("COPY") for source in copied.split()[:-1]]
    assert sources == ["bootstrap.py", "pyproject.toml", "uv.lock", "infra/image.sh", "infra/sbom.py"]


@pytest.mark.parametrize(("platform", "cpu"), [("amd64", "x86-64-v3"), ("arm64", "neoverse-n1")])
def test_each_platform_has_kernels_for_its_own_processors(platform: str, cpu: str) -> None:
    named = stages(DOCKERFILE.replace("${TARGETARCH}", platform))
    assert [stage.origin for stage in named if stage.name == "libraries"] == [f"on-{platform}"]
    assert named[-1].origin == f"on-{platform}"
    values = dict(pair.split("=") for pair in STAGES[f"on-{platform}"].arguments("ENV"))
    assert values == {"NUMBA_CPU_NAME": cpu}
    for own, name in ({}, cpu), ({"CPU": "generic"}, "generic"):
        for stage in (STAGES["kernels"], LAST):
            assert f"NUMBA_CPU_NAME={name} " in expand(" ".join(stage.arguments("ENV")), values | own)


def test_the_image_describes_every_service_of_aws_that_the_program_calls() -> None:
    recorded = json.loads((ROOT / "tests/infra/recorded_calls.json").read_text())
    actions = {action for resources in recorded.values() for listed in resources.values() for action in listed}
    clients = {"bedrock": "bedrock-runtime", "execute-api": "apigatewaymanagementapi"}
    called = {clients.get(prefix, prefix) for prefix in (action.partition(":")[0] for action in actions)}
    kept = re.search(r"^services='(.*)'$", SCRIPT, flags=re.MULTILINE)
    assert kept
    described = set(kept[1].split("|"))
    assert called - {"iam"} < described  # a role is passed without a call
    known = {path.name for path in (Path(botocore.__file__).parent / "data").iterdir()}
    assert described < known


@pytest.fixture(scope="module")
def production() -> dict[str, list[frozenset[Tag]]]:
    """The tags of the wheels of each package that the image needs on Linux."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    wheels, pending = dict[str, list[frozenset[Tag]]](), [("stratigos", "")]
    while pending:
        name, extra = pending.pop()
        package = next(each for each in lock if each["name"] == name and is_for_linux(each))
        needed = package.get("optional-dependencies", {}).get(extra, []) if extra else package.get("dependencies", [])
        for each in needed:
            if "marker" not in each or Marker(each["marker"]).evaluate(LINUX):
                new = [(each["name"], extra) for extra in ("", *each.get("extra", ()))]
                pending += [one for one in new if one[1] or one[0] not in wheels]
        files = [PurePosixPath(each["url"]).name for each in package.get("wheels", ())]
        wheels[name] = [parse_wheel_filename(file)[3] for file in files]
    del wheels["stratigos"]
    return wheels


def is_for_linux(package: dict[str, Any]) -> bool:
    """Whether this version of a package is the one that Python 3.11 on Linux needs."""
    markers = package.get("resolution-markers", [])
    return not markers or any(Marker(each).evaluate(LINUX) for each in markers)


def test_the_image_has_no_package_for_tests_recordings_or_checks(production: dict[str, list[frozenset[Tag]]]) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    named = {Requirement(each).name for group in groups.values() for each in group if isinstance(each, str)}
    needed_by_libraries = {"anyio", "constructs"} & production.keys()
    assert {"httpx", "numba"} < production.keys()
    assert not (named - needed_by_libraries) & production.keys()
    assert not {"vcrpy", "pytest", "moto", "ministack", "playwright", "schemathesis", "ray"} & production.keys()


@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
def test_every_library_has_a_wheel_for_the_platform(
    production: dict[str, list[frozenset[Tag]]], processor: str
) -> None:
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in range(36, 4, -1)]  # of Debian 12
    platforms += [f"manylinux2014_{processor}", f"manylinux2010_{processor}", f"manylinux1_{processor}"]
    known = {*cpython_tags((3, 11), platforms=platforms), *compatible_tags((3, 11), "cp311", platforms)}
    without = [name for name, wheels in production.items() if not any(tags & known for tags in wheels)]
    assert without == []


def test_the_bill_of_materials_lists_what_is_installed_and_nothing_else() -> None:
    def component(name: str) -> dict[str, Any]:
        return {"bom-ref": name, "name": name, "version": "1", "externalReferences": [{"url": "https://example.com"}]}

    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "serialNumber": "urn:uuid:0",
        "metadata": {"timestamp": "now", "tools": [], "component": component("desk")},
        "components": [component("two-words"), component("for-windows"), component("one")],
        "dependencies": [{"ref": "desk", "dependsOn": ["one", "for-windows"]}, {"ref": "for-windows"}],
    }
    made = installed_components(bill, [("Two.Words", "1"), ("one", "1")])
    assert made == {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"tools": [], "component": component("desk")},
        "components": [dict.fromkeys(("bom-ref", "name"), name) | {"version": "1"} for name in ("one", "two-words")],
        "dependencies": [{"ref": "desk", "dependsOn": ["one"]}],
    }
    with pytest.raises(LookupError, match="one 2"):
        installed_components(bill, [("one", "2")])


def test_the_image_runs_as_an_unprivileged_user_and_serves_by_default() -> None:
    (user,) = LAST.arguments("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    assert json.loads(LAST.arguments("ENTRYPOINT")[0]) == ["python", "-m", "api"]
    assert json.loads(LAST.arguments("CMD")[0]) == ["serve"]
    assert "/api/health" in LAST.arguments("HEALTHCHECK")[0]


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
    assert let_through == {*parts[1].split(), *files[1].split(), *LIBRARIES, *SCRIPTS}
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
        check = LAST.arguments("HEALTHCHECK")[0].partition(" || ")[2]
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
    assert size < 900
