"""Code samples of README.md and docs/: every command is parsed, every sample that can run on one machine is executed.

Executing all pages and the whole demo takes several minutes and is part of `make soak`. `make test` executes, in this
process, a smaller demo, the sample of the numeric core and the notebook, and parses every command of Stratigos.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from pyarrow import csv

from api.cli.main import app, run
from desk.optimization.request import OptimizationRequest
from graphs.dependencies import Dependencies
from tests.api.http.application import application, run_server
from tests.docs.pages import EXECUTABLE, PAGES, ROOT, Sample, commands_of, samples_of, text_of
from tests.graphs.jobs.queued_runs import queued_dependencies, working

AWS = "needs an AWS account"
NOT_EXECUTED = {
    ("docs/language-models.md", "export AWS_REGION=us-east-1 MODEL"): AWS,
    ("docs/scaling.md", "ray start --head"): "needs several machines; the clusters of tests/journeys are local",
    ("docs/scaling.md", "export STRATIGOS_COMPUTE=sagemaker"): AWS,
    ("docs/scaling.md", ".venv/bin/python -m api pipeline start"): AWS,
    ("docs/operations.md", "curl -N -H"): AWS,
    ("docs/operations.md", "wscat"): AWS,
    ("docs/deployment.md", "make deploy"): AWS,
    ("docs/deployment.md", "aws cognito-idp"): AWS,
    ("docs/operations.md", "cp .stratigos/blobs"): "needs an endpoint on SageMaker",
    ("docs/operations.md", "docker build"): "needs a container engine; tests/infra build the image without one",
}
"""Samples that are only parsed, by page and beginning, each with the reason."""
NOT_EXECUTED_LINES = {"make test": "executes this test"}

FILES = {
    "docs/http-api.md": ("example.py", "PYTHONPATH=. .venv/bin/python example.py"),
    "docs/notebook.md": ("notebook.py", "make serve\nPYTHONPATH=. .venv/bin/python notebook.py"),
    "docs/numeric-core.md": ("example.py", ".venv/bin/python example.py"),
    "docs/testing-agents.md": (
        "tests/graphs/test_mine.py",
        ".venv/bin/python -m pytest -q -p no:cacheprovider tests/graphs/test_mine.py",
    ),
}
"""Where a page says that its Python sample is saved, and how it is executed."""
BEFORE = {
    "docs/report-and-verdict.md": "python -m api optimize --trials 10 --paths 100 --years 1",
    "docs/assistant.md": "python -m api optimize --trials 10 --paths 100 --years 1",
    "docs/cli.md": "make serve",
}
"""What the reader of a page did before."""
EXIT_CODES = {"docs/assistant.md": 3}
"""Of the last command of a page, where it is not 0: the chat ends with a question that waits for approval."""
PORTS = {"8000": "STRATIGOS_PORT", "8080": "SAGEMAKER_BIND_TO_PORT", "4566": "", "8770": ""}
"""Ports of the samples, and the setting that moves each; each test takes free ones instead."""

PRELUDE = """\
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
wait_for() { for _ in $(seq 600); do command curl -s -o /dev/null "$1" && return; sleep 0.2; done; return 1; }
make() {
  case "$1" in
    serve)
      if [ -f server.pid ]; then kill "$(cat server.pid)"; while kill -0 "$(cat server.pid)"; do sleep 0.1; done; fi
      command make -o bootstrap.py -o pyproject.toml -o uv.lock "$@" & echo $! > server.pid
      wait_for http://127.0.0.1:8000/api/health ;;
    serve-*)
      command make -o bootstrap.py -o pyproject.toml -o uv.lock "$@" ARGS="--port 8770" &
      wait_for http://127.0.0.1:8770 ;;
    *) command make -o bootstrap.py -o pyproject.toml -o uv.lock "$@" ;;
  esac
}
"""
"""Fails at the first command that fails; a server that a sample starts in the foreground runs in the background."""


def is_executed(sample: Sample) -> bool:
    return sample.language in EXECUTABLE and not any(
        sample.page == page and sample.text.startswith(beginning) for page, beginning in NOT_EXECUTED
    )


def script_of(page: str) -> str:
    lines = [PRELUDE, BEFORE.get(page, "")]
    for sample in filter(is_executed, samples_of(page)):
        if sample.language == "python":
            file, command = FILES[page]
            lines += [f"cat > {file} <<'SAMPLE'", sample.text.rstrip("\n"), "SAMPLE", command]
        else:
            lines += [
                line for line in sample.text.splitlines() if line.partition(" #")[0].rstrip() not in NOT_EXECUTED_LINES
            ]
    return "\n".join(lines)


def messages_of(page: str) -> str:
    """What a page tells its reader to type into a chat."""
    table = re.findall(r"^\| ([a-z][^|`]+[^|` ]) \| .* \|$", text_of(page), flags=re.MULTILINE)
    chats = [sample.text for sample in samples_of(page) if sample.text.startswith("does the 12-month rule")]
    return "".join(chats) or "".join(f"{message}\n" for message in table if message != "message")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout with its environment, and the files that the pages take for granted."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name not in (".git", ".stratigos", "tests"):
            (folder / path.name).symlink_to(path)
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    index = pq.read_table(ROOT / "desk/market/data/sp500_index.parquet")
    csv.write_csv(index, folder / "mine.csv")
    (folder / "request.json").write_text(OptimizationRequest().model_dump_json())
    return folder


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def executed(script: str, folder: Path, *, text: str = "") -> subprocess.CompletedProcess[str]:
    """Runs the script in a session of its own and ends all that it has started."""
    foreign = ("AWS_", "MODEL", "STRATIGOS_", "SAGEMAKER_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    for port, setting in PORTS.items():
        free = free_port()
        script = re.sub(rf"(127\.0\.0\.1:|GATEWAY_PORT=|--port ){port}\b", rf"\g<1>{free}", script)
        environment |= {setting: free} if setting else {}
    (folder / "typed").write_text(text)
    with (folder / "typed").open() as stdin, (folder / "out").open("w") as out, (folder / "err").open("w") as err:
        shell = subprocess.Popen(
            ["bash", "-x", "-c", script],
            cwd=folder,
            env=environment,
            stdin=stdin,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=1800)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(script, code, (folder / "out").read_text(), (folder / "err").read_text())


def test_every_sample_is_executed_or_has_a_reason() -> None:
    samples = [sample for page in PAGES for sample in samples_of(page) if sample.language in EXECUTABLE]
    excluded = [sample for sample in samples if not is_executed(sample)]
    assert len(excluded) == len(NOT_EXECUTED)
    assert all(page in FILES for page in {sample.page for sample in samples if sample.language == "python"})
    lines = {line.partition(" #")[0].rstrip() for sample in samples for line in sample.text.splitlines()}
    assert set(NOT_EXECUTED_LINES) <= lines
    languages = {sample.language for page in PAGES for sample in samples_of(page)}
    assert languages == {*EXECUTABLE, "text", "mermaid"}


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_ours_is_accepted(page: str) -> None:
    """Names, options and values; nothing is executed."""
    shells = [sample for sample in samples_of(page) if sample.language in ("console", "sh")]
    for command in (command for sample in shells for command in commands_of(sample)):
        for arguments in re.findall(r"-m api\b([^|&)]*)", command):
            parse(shlex.split(arguments))
        for target in re.findall(r"^make ([a-z-]+)", command):
            assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command


def parse(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    while hasattr(command, "commands"):
        names.append(arguments[len(names)])
        command = command.commands[names[-1]]
    context = command.make_context(" ".join(names), arguments[len(names) :])
    if inner := context.params.get("arguments"):
        parse(list(inner) if names == ["record"] else ["optimize", *inner])


def demo_arguments() -> list[str]:
    demo = re.search(r"^demo: .*\n\t\$\(RUN\) -m api (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert demo is not None
    return demo[1].split()


def readme_output() -> list[str]:
    """The lines of the demo that README.md shows."""
    (output,) = [sample.text for sample in samples_of("README.md") if sample.text.startswith("Request: New strategy\n")]
    *lines, rest = output.splitlines()
    assert rest == "..."
    return lines


def printed_lines(home: Path, capsys: pytest.CaptureFixture[str], arguments: Sequence[str]) -> list[str]:
    assert run(arguments) == 0
    printed = [line.rstrip() for line in capsys.readouterr().out.strip().splitlines()]
    assert printed[-2].startswith(f"Report {home / 'reports'}")
    assert re.fullmatch("result digest: [0-9a-f]{64}", printed[-1])
    return printed


def headings(lines: Sequence[str]) -> list[str]:
    """The words before the colon or the column that start a line."""
    return [match[1] for line in lines if (match := re.match(r"([A-Z][\w ]*?)(?:: | {2,})", line))]


@pytest.mark.soak
def test_the_readme_shows_what_the_demo_prints(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = readme_output()
    assert printed_lines(home, capsys, demo_arguments())[: len(lines)] == lines


def test_the_readme_shows_the_headings_of_a_smaller_demo(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = headings(readme_output())
    assert len(shown) > 5
    command, *options = demo_arguments()
    smaller = {"--trials": "10", "--paths": "100", "--years": "1"}
    assert smaller.keys() <= set(options)
    values = [smaller.get(name, value) for name, value in pairwise(["", *options])]
    assert headings(printed_lines(home, capsys, [command, *values]))[: len(shown)] == shown


def test_the_sample_of_the_numeric_core_runs() -> None:
    (sample,) = samples_of("docs/numeric-core.md")
    exec(compile(sample.text, sample.page, "exec"), {})


def test_the_notebook_runs_against_a_service(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    @asynccontextmanager
    async def with_worker() -> AsyncGenerator[Dependencies]:
        async with queued_dependencies(home) as dependencies, working(dependencies):
            yield dependencies

    (sample,) = [sample for sample in samples_of("docs/notebook.md") if sample.language == "python"]
    assert sample.text.count("http://127.0.0.1:8000") == 1
    with run_server(application(home, with_worker())) as address:
        variables: dict[str, Any] = {}
        exec(compile(sample.text.replace("http://127.0.0.1:8000", address), sample.page, "exec"), variables)
        with variables["client"]:
            pass  # closes its connections
    printed = capsys.readouterr().out
    for column in ("sharpe_error", "wealth.strategy", "risk_share", "probability_of_ruin"):
        assert column in printed


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("page", [page for page in PAGES if any(map(is_executed, samples_of(page)))])
def test_every_sample_runs_as_written(page: str, checkout: Path) -> None:
    ran = executed(script_of(page), checkout, text=messages_of(page))
    assert ran.returncode == EXIT_CODES.get(page, 0), f"{ran.stdout[-800:]}\n{ran.stderr[-3000:]}"
    for refusal in ("cannot be done as it was asked", "nothing this desk can do", "could be checked"):
        assert refusal not in ran.stdout
