"""A person at the command line decides about a run that waits."""

import io
import json
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.cli.main import run
from tests.doubles.terminal_input import TerminalInput

SMALL = [
    "--trials",
    "10",
    "--paths",
    "100",
    "--years",
    "1",
    "--scenarios",
    "base_case",
    "--lookback",
    "21",
    "--from",
    "2015-01-05",
]


@pytest.fixture(autouse=True)
def guarded(monkeypatch):
    """More than five evaluations need a person."""
    monkeypatch.setenv("APPROVE_EVALUATIONS", "5")


@pytest.fixture
def typing(monkeypatch):
    """Answers of a person who sits at the terminal."""

    def typed(*lines: str) -> None:
        monkeypatch.setattr("sys.stdin", TerminalInput("".join(f"{line}\n" for line in lines)))
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    return typed


def listed(capfd) -> dict[str, str]:
    capfd.readouterr()
    assert run(["runs", "--json"]) == 0
    return {one["id"]: one["state"] for one in json.loads(capfd.readouterr().out)}


@dataclass(frozen=True)
class CommandHome:
    """A home in which a command was executed, and what it printed."""

    home: Path
    out: str
    err: str


def execute_in(home: Path, *arguments: str, code: int) -> CommandHome:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STRATIGOS_HOME", str(home))
        patch.setenv("APPROVE_EVALUATIONS", "5")
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            assert run(arguments) == code
    return CommandHome(home, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def waiting_home(tmp_path_factory) -> CommandHome:
    return execute_in(tmp_path_factory.mktemp("waiting") / "home", "optimize", *SMALL, code=3)


@pytest.fixture(scope="module")
def approved_home(waiting_home, tmp_path_factory) -> CommandHome:
    home = shutil.copytree(waiting_home.home, tmp_path_factory.mktemp("approved") / "home")
    return execute_in(home, "approve", "last", "--reason", "a small one", code=0)


@pytest.fixture
def waiting_run(waiting_home, home, capfd) -> str:
    """The id of a run that was requested and waits, the only one in the home of this test."""
    shutil.copytree(waiting_home.home, home)
    [(name, state)] = listed(capfd).items()
    assert state == "waiting"
    return name


@pytest.fixture
def approved_run(approved_home, home) -> CommandHome:
    """The output of the approval of the only run in the home of this test."""
    shutil.copytree(approved_home.home, home)
    return approved_home


def test_a_run_above_a_threshold_says_how_to_decide(capfd):
    assert run(["optimize", *SMALL]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert "the job would take 10 evaluations (above 5)" in err
    assert "Estimate of the whole: 10 trials, 10 evaluations" in err
    [name] = listed(capfd)
    assert f"python -m api approve {name}" in err
    assert f"python -m api reject {name} --reason" in err
    assert run(["runs"]) == 0
    assert f"Waiting for your decision: {name[:12]}" in capfd.readouterr().out
    assert run(["show", name]) == 2
    assert "waits for a person" in capfd.readouterr().err
    assert run(["approvals"]) == 0
    waits_for = capfd.readouterr().out
    assert all(part in waits_for for part in (name[:12], "local", "10 evaluations (above 5)", "approve RUN"))
    assert run(["approvals", "--json"]) == 0
    [question] = json.loads(capfd.readouterr().out)
    assert (question["owner"], question["asked"]["exceeded"]) == ("local", ["evaluations"])


def test_a_waiting_run_is_printed_as_json(capfd):
    for arguments in (SMALL, ["--resume", "last"]):
        assert run(["optimize", *arguments, "--json"]) == 3
        output = json.loads(capfd.readouterr().out)
        assert set(output) == {"run", "state", "asked"}
        assert output["state"] == "waiting"
        assert output["asked"]["exceeded"] == ["evaluations"]
        assert output["asked"]["thresholds"]["evaluations"] == 5
    assert list(listed(capfd)) == [output["run"]]


def test_an_approved_run_continues_to_its_result(capfd, approved_run):
    assert "Launch approved by local: a small one" in approved_run.err
    assert approved_run.out.splitlines()[-1].startswith("result digest: ")
    [(name, state)] = listed(capfd).items()
    assert state == "completed"
    assert run(["approve", name]) == 0
    assert "It was decided before" in capfd.readouterr().err
    assert run(["reject", name, "--reason", "too late"]) == 2
    assert "was approved by local on" in capfd.readouterr().err
    assert run(["trace", name]) == 0
    trace = capfd.readouterr().out
    assert "A person is asked: the job would take 10 evaluations (above 5)" in trace
    assert "Launch approved by local: a small one" in trace


def test_an_edited_run_is_executed_as_edited(capfd, waiting_run):
    assert run(["approve", waiting_run, "--trials", "12", "--paths", "128", "--json"]) == 0
    out, err = capfd.readouterr()
    result = json.loads(out)["result"]
    assert result["counts"]["trials"] <= 12
    assert result["manifest"]["request"]["trials"] == 12
    assert [s["paths"] for s in result["manifest"]["request"]["scenarios"]] == [128]
    assert "Launch edited by local, 12 trials, 128 paths" in err


def test_a_rejected_run_is_not_executed(capfd, waiting_run):
    assert run(["reject", waiting_run, "--reason", "too dear"]) == 0
    assert "nothing of it was computed" in capfd.readouterr().err
    assert listed(capfd) == {waiting_run: "rejected"}
    assert run(["optimize", "--resume", waiting_run]) == 2
    assert "was rejected and has no result" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["approve", "last", "--trials", "5"], ["--trials: 5 is not allowed", "10 to 5000"]),
        (["approve", "last", "--paths", "many"], ["--paths: 'many' is not allowed", "100 to 100000"]),
        (["approve", "last", "--reason", "x" * 501], ["--reason", "0 to 500 characters"]),
        (["approve", "absent"], ["RUN", "there is no run 'absent'"]),
        (["reject", "last"], ["--reason"]),
        (["reject", "last", "--reason", " "], ["--reason: ' ' is not allowed", "1 to 500 characters"]),
    ],
)
def test_an_invalid_decision_leaves_the_run_waiting(capfd, waiting_run, arguments, parts):
    assert run(arguments) == 2
    err = capfd.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert all(part in err for part in parts), err
    assert listed(capfd) == {waiting_run: "waiting"}


@pytest.mark.parametrize("answers", [[], [""], ["what", ""], ["e", "5", ""], ["r", "", ""]])
def test_no_decision_at_the_terminal_leaves_the_run_waiting(capfd, typing, answers):
    typing(*answers)
    assert run(["optimize", *SMALL]) == 3
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("a = approve") == max(1, len(answers) - (answers[0] in "er" if answers else 0))
    assert list(listed(capfd).values()) == ["waiting"]


@pytest.mark.parametrize(("answers", "trials"), [pytest.param(["a"], 10, marks=pytest.mark.soak), (["e", "12"], 12)])
def test_a_person_at_the_terminal_decides_in_place(capfd, typing, answers, trials):
    typing(*answers)
    assert run(["optimize", *SMALL]) == 0
    assert "x 1 scenarios x 100 paths x 1 year" in " ".join(capfd.readouterr().out.split())
    assert run(["show", "last", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["manifest"]["request"]["trials"] == trials


def test_a_person_at_the_terminal_rejects_in_place(capfd, typing):
    typing("r", "not today")
    assert run(["optimize", *SMALL]) == 0
    assert "Launch rejected by local: not today" in capfd.readouterr().err
    assert list(listed(capfd).values()) == ["rejected"]


@pytest.mark.soak
def test_a_threshold_that_is_switched_off_requires_no_approval(capfd, monkeypatch):
    monkeypatch.setenv("APPROVE_EVALUATIONS", "none")
    assert run(["optimize", *SMALL]) == 0
    assert list(listed(capfd).values()) == ["completed"]


def test_an_opened_holdout_marks_every_later_output(capfd, approved_run):
    assert "was opened on" not in approved_run.out
    assert run(["approve", "last", "--holdout", "--trials", "20"]) == 2
    assert run(["approve", "last", "--holdout", "--reason", "the committee asked"]) == 0
    out, err = capfd.readouterr()
    assert "Holdout approved by local: the committee asked" in err
    assert re.search(r"^The holdout \(.*\) was opened on .* by local", out)
    assert re.search(r"Sharpe ratio of the winner on the holdout: .?[0-9.]+$", out, re.MULTILINE)
    assert run(["show", "last"]) == 0
    summary = capfd.readouterr().out
    assert "was opened on" in " ".join(summary.split())
    assert summary.splitlines()[-1] == approved_run.out.splitlines()[-1]
    assert run(["export", "last", "--format", "html"]) == 0
    assert "was opened on" in capfd.readouterr().out
    assert run(["approve", "last", "--holdout", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["holdout"]["by"] == "local"
    assert run(["reject", "last", "--holdout", "--reason", "too late"]) == 2


def test_without_a_run_there_is_no_holdout():
    assert run(["approve", "last", "--holdout"]) == 2


@pytest.mark.usefixtures("approved_run")
def test_a_rejected_holdout_stays_locked(capfd):
    assert run(["reject", "last", "--holdout", "--reason", "keep it"]) == 0
    assert run(["approve", "last", "--holdout"]) == 2
    assert "was rejected by local on" in capfd.readouterr().err
    assert run(["show", "last"]) == 0
    assert "was opened on" not in capfd.readouterr().out
