"""The command line against a server with a worker, where a person is asked before every search."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli.main import run
from api.client.client import Client
from tests.api.cli.interruptible_process import INTERRUPTIBLE
from tests.api.http.application import application, run_server
from tests.doubles.http_servers import scripted
from tests.graphs.dependencies import FIRST_DAY
from tests.graphs.jobs.queued_runs import queued_dependencies, working
from tests.graphs.runs.approval_process import LOW

ROOT = Path(__file__).parents[3]
SMALL = ["--trials", "12", "--paths", "100", "--years", "1", "--scenarios", "base_case", "--from", str(FIRST_DAY)]
SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"
JOKE = "tell me a joke"


@asynccontextmanager
async def worked(home: Path):
    async with queued_dependencies(home, thresholds=LOW) as dependencies, working(dependencies):
        yield dependencies


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("served") / "home"
    with run_server(application(home, worked(home))) as url:
        yield url


@dataclass(frozen=True)
class CommandOutput:
    code: int
    out: str
    err: str


def run_command(*arguments: str) -> CommandOutput:
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        code = run(arguments)
    return CommandOutput(code, out.getvalue(), err.getvalue())


@dataclass(frozen=True)
class SubmittedJob:
    """A job that waited for a person, and the output of each command until it was finished."""

    job: str
    home: Path
    waiting: CommandOutput
    listed: CommandOutput
    unfinished: CommandOutput
    approved: CommandOutput


@pytest.fixture(scope="module")
def submitted_job(server, tmp_path_factory):
    home = tmp_path_factory.mktemp("home") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRATIGOS_HOME", str(home))
        waiting = run_command("optimize", "--server", server, "--name", "Made", *SMALL)
        [name] = re.findall(rf"Approve it: python -m api approve (\w+) --server {re.escape(server)} ", waiting.err)
        listed, unfinished = run_command("runs", "--server", server), run_command("show", name, "--server", server)
        approved = run_command("approve", name, "--trials", "10", "--server", server)
    return SubmittedJob(name, home, waiting, listed, unfinished, approved)


def test_optimize_waits_for_approval_and_then_continues(server, submitted_job, capsys):
    assert (submitted_job.waiting.code, submitted_job.waiting.out) == (3, "")
    assert f"waits for a worker at {server}" in submitted_job.waiting.err
    assert f"Waiting for your decision: {submitted_job.job[:12]}" in submitted_job.listed.out
    assert submitted_job.unfinished.code == 2
    assert "waits for a person" in submitted_job.unfinished.err
    assert submitted_job.approved.code == 0
    assert "Launch edited by local, 10 trials" in submitted_job.approved.err
    assert "10 trials finished" in submitted_job.approved.err
    assert "10 configurations x 1 scenarios" in submitted_job.approved.out
    assert (submitted_job.home / "reports" / f"{submitted_job.job}.html").read_text().startswith("<!doctype html>")

    assert run(["optimize", "--resume", submitted_job.job, "--json", "--server", server]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["run"] == submitted_job.job
    assert f"result digest: {again['result_digest']}" in submitted_job.approved.out
    assert run(["cancel", submitted_job.job, "--server", server]) == 2
    assert "completed" in capsys.readouterr().err
    assert run(["approve", submitted_job.job, "--server", server]) == 2
    assert "was edited by local" in capsys.readouterr().err


def test_a_rejected_job_computes_nothing(server, capsys):
    assert run(["optimize", "--server", server, "--json", *SMALL]) == 3
    waiting = json.loads(capsys.readouterr().out)
    assert (waiting["state"], waiting["asked"]["subject"]) == ("waiting", "launch")
    assert run(["reject", waiting["run"], "--reason", "too dear", "--server", server]) == 0
    assert "nothing of it was computed" in capsys.readouterr().err
    assert run(["optimize", "--resume", waiting["run"], "--server", server]) == 2
    assert "rejected and has no result" in capsys.readouterr().err


def test_a_completed_job_is_shown_exported_and_reproduced(server, submitted_job, capsysbinary, monkeypatch, tmp_path):
    monkeypatch.setenv("STRATIGOS_SERVER", server)
    job = submitted_job.job
    assert run(["runs", "--json"]) == 0
    [line] = [line for line in json.loads(capsysbinary.readouterr().out) if line["id"] == job]
    assert (line["state"], line["name"]) == ("completed", "Made")
    assert run(["show", job[:10]]) == 0
    report = capsysbinary.readouterr().out.decode()
    assert "Made" in report
    assert f"result digest: {line['result_digest']}" in report
    assert run(["show", job, "--json"]) == 0
    whole = capsysbinary.readouterr().out
    assert run(["export", job]) == 0
    assert capsysbinary.readouterr().out == whole
    for format_, begins in (("csv", b"strategy,number"), ("html", b"<!doctype html>"), ("xlsx", b"PK")):
        place = tmp_path / f"export.{format_}"
        assert run(["export", job, "--format", format_, "-o", str(place)]) == 0
        assert place.read_bytes().lstrip(b"\xef\xbb\xbf").startswith(begins)
    capsysbinary.readouterr()
    assert run(["reproduce", job]) == 0
    assert b"The result is the same." in capsysbinary.readouterr().out


def test_an_opened_holdout_marks_every_later_output(server, submitted_job):
    name = ["--server", server]
    assert "was opened on" not in submitted_job.approved.out
    opened = run_command("approve", submitted_job.job, "--holdout", "--reason", "the committee asked", *name)
    assert opened.code == 0
    assert "Holdout approved by local: the committee asked" in opened.err
    assert re.search(r"^The holdout \(.*\) was opened on .* by local", opened.out)
    assert "Sharpe ratio of the winner on the holdout: " in opened.out
    again = run_command("approve", submitted_job.job, "--holdout", "--json", *name)
    assert json.loads(again.out)["holdout"]["by"] == "local"
    assert "was opened on" in " ".join(run_command("show", submitted_job.job, *name).out.split())
    late = run_command("reject", submitted_job.job, "--holdout", "--reason", "too late", *name)
    assert late.code == 2
    assert "was approved by local" in late.err


def test_a_chat_answers_waits_and_continues_after_the_decision(server, capsys):
    assert run(["chat", "--server", server, "--say", JOKE, "--say", SEARCH]) == 3
    output = capsys.readouterr()
    assert "nothing this desk can do" in output.out
    [(name, flag)] = re.findall(r"Approve it: python -m api approve (\w+) (--server \S+)", output.err)
    assert f"python -m api chat --conversation last {flag}" in output.err
    assert run(["chats", "--server", server]) == 0
    assert JOKE in capsys.readouterr().out
    assert run(["reject", name, "--reason", "too dear", "--server", server]) == 0
    capsys.readouterr()
    assert run(["chat", "--server", server, "--conversation", "last", "--say", JOKE]) == 0
    output = capsys.readouterr()
    assert output.out.count("nothing this desk can do") == 1
    assert run(["chat", "--server", server, "--conversation", "last", "--branch", "1", "--say", JOKE]) == 0


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["optimize", "--universe", "file", "--prices", "README.md"], ["--prices", "market-data/imports"]),
        (["optimize", "--universe", "stocks:NIX"], ["--universe", "NIX"]),
        (["optimize", "--resume", "nothing"], ["RUN", "there is no run 'nothing'"]),
        (["chat", "--conversation", "nothing"], ["--conversation", "'nothing'"]),
        (["show", "nothing"], ["RUN", "python -m api runs"]),
    ],
)
def test_an_unsupported_command_of_a_server_names_the_cause(server, arguments, parts, capsys):
    assert run([*arguments, "--server", server]) == 2
    output = capsys.readouterr()
    assert [part for part in parts if part not in output.err] == []
    assert output.out == ""


def test_a_missing_server_is_a_one_line_error(capsys, monkeypatch):
    with scripted((200, {}, {})) as (url, _):
        pass
    monkeypatch.setenv("STRATIGOS_SERVER", url)
    for arguments in (["optimize"], ["runs"], ["chat", "--say", JOKE], ["export", "last"]):
        assert run(arguments) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert url in line
        assert "make serve" in line
    assert run(["runs", "--server", ""]) == 0  # of the home, whatever the setting says
    monkeypatch.setenv("STRATIGOS_SERVER", "localhost")
    assert run(["runs"]) == 2
    assert "STRATIGOS_SERVER" in capsys.readouterr().err
    monkeypatch.delenv("STRATIGOS_SERVER")
    assert run(["cancel", "last"]) == 2
    assert "STRATIGOS_SERVER" in capsys.readouterr().err


def test_ctrl_c_leaves_the_job_running(home, capsys):
    with run_server(application(home, queued_dependencies(home))) as url:  # without a worker: it waits for ever
        started = subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, "optimize", "--server", url, *SMALL],
            cwd=ROOT,
            env=os.environ | {"STRATIGOS_HOME": str(home)},
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            assert started.stderr is not None
            first = started.stderr.readline()
            started.send_signal(signal.SIGINT)
            _, rest = started.communicate(timeout=120)
        finally:
            started.kill()
            started.wait()
        with Client(url) as client:
            [job] = client.jobs()
        assert started.returncode == 130
        assert job.id in first
        assert f"come back: python -m api optimize --resume {job.id} --server {url}" in rest
        assert f"end it: python -m api cancel {job.id} --server {url}" in rest
        assert "Traceback" not in rest
        assert job.state == "queued"
        assert run(["cancel", "last", "--reason", "enough", "--server", url]) == 0
        assert "is cancelled" in capsys.readouterr().err
