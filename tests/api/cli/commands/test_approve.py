"""A person at the command line decides about a run that waits."""

import json
import re

import pytest

from api.cli.main import run
from tests.doubles.terminal_input import TerminalInput

SMALL = ["--trials", "10", "--paths", "100", "--years", "1", "--scenarios", "base_case", "--lookback", "21"]


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


def waits(capfd) -> str:
    """The id of a run that was asked for and waits."""
    assert run(["optimize", *SMALL]) == 3
    [(name, state)] = listed(capfd).items()
    assert state == "waiting"
    return name


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


def test_an_approved_run_continues_to_its_result(capfd):
    name = waits(capfd)
    assert run(["approve", name, "--reason", "a small one"]) == 0
    out, err = capfd.readouterr()
    assert "Launch approved by local: a small one" in err
    assert out.splitlines()[-1].startswith("result digest: ")
    assert listed(capfd) == {name: "completed"}
    assert run(["approve", name]) == 0
    assert "It was decided before" in capfd.readouterr().err
    assert run(["reject", name, "--reason", "too late"]) == 2
    assert "was approved by local on" in capfd.readouterr().err
    assert run(["trace", name]) == 0
    trace = capfd.readouterr().out
    assert "A person is asked: the job would take 10 evaluations (above 5)" in trace
    assert "Launch approved by local: a small one" in trace


def test_an_edited_run_is_executed_as_edited(capfd):
    name = waits(capfd)
    assert run(["approve", name, "--trials", "12", "--paths", "128", "--json"]) == 0
    out, err = capfd.readouterr()
    result = json.loads(out)["result"]
    assert result["counts"]["trials"] <= 12
    assert result["manifest"]["request"]["trials"] == 12
    assert [s["paths"] for s in result["manifest"]["request"]["scenarios"]] == [128]
    assert "Launch edited by local, 12 trials, 128 paths" in err


def test_a_rejected_run_is_not_executed(capfd):
    name = waits(capfd)
    assert run(["reject", name, "--reason", "too dear"]) == 0
    assert "nothing of it was computed" in capfd.readouterr().err
    assert listed(capfd) == {name: "rejected"}
    assert run(["optimize", "--resume", name]) == 2
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
def test_an_invalid_decision_leaves_the_run_waiting(capfd, arguments, parts):
    name = waits(capfd)
    assert run(arguments) == 2
    err = capfd.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert all(part in err for part in parts), err
    assert listed(capfd) == {name: "waiting"}


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


def test_an_opened_holdout_marks_every_later_output(capfd, monkeypatch):
    monkeypatch.setenv("APPROVE_EVALUATIONS", "none")
    assert run(["approve", "last", "--holdout"]) == 2
    assert run(["optimize", *SMALL]) == 0
    locked = capfd.readouterr().out
    assert "was opened on" not in locked
    assert run(["approve", "last", "--holdout", "--trials", "20"]) == 2
    assert run(["approve", "last", "--holdout", "--reason", "the committee asked"]) == 0
    out, err = capfd.readouterr()
    assert "Holdout approved by local: the committee asked" in err
    assert re.search(r"^The holdout \(.*\) was opened on .* by local", out)
    assert re.search(r"Sharpe ratio of the winner on the holdout: .?[0-9.]+$", out, re.MULTILINE)
    assert run(["show", "last"]) == 0
    summary = capfd.readouterr().out
    assert "was opened on" in " ".join(summary.split())
    assert summary.splitlines()[-1] == locked.splitlines()[-1]
    assert run(["export", "last", "--format", "html"]) == 0
    assert "was opened on" in capfd.readouterr().out
    assert run(["approve", "last", "--holdout", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["holdout"]["by"] == "local"
    assert run(["reject", "last", "--holdout", "--reason", "too late"]) == 2


def test_a_rejected_holdout_stays_locked(capfd, monkeypatch):
    monkeypatch.setenv("APPROVE_EVALUATIONS", "none")
    assert run(["optimize", *SMALL]) == 0
    assert run(["reject", "last", "--holdout", "--reason", "keep it"]) == 0
    assert run(["approve", "last", "--holdout"]) == 2
    assert "was rejected by local on" in capfd.readouterr().err
    assert run(["show", "last"]) == 0
    assert "was opened on" not in capfd.readouterr().out
