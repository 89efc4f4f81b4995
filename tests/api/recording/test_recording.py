"""`record` and `replay` as a developer uses them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml

from api.cli.main import run
from tests.cassette_playback import CASSETTES
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded, faulty
from tests.doubles.bedrock.recordings import ARN, by_agent
from tests.doubles.bedrock.replies import EXPIRED

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"  # of AWS's own documentation
ASKED = "optimize --from 2015-01-05 --trials 10 --paths 100 --years 1 --scenarios base_case".split()


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    with Double(embedded()) as double:
        for name, value in {
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": double.url,
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "eu-central-1",
            "MODEL": f"bedrock_converse:{ARN}",
        }.items():
            monkeypatch.setenv(name, value)
        yield double


def test_a_run_is_recorded_once_and_replayed_without_network_and_keys(double, tmp_path, capfd, monkeypatch):
    tape = tmp_path / "mine.yaml"
    assert run(["record", "--output", str(tape), "--", *ASKED]) == 0
    calls = len(double.received)
    assert f"Recorded {calls} calls" in capfd.readouterr().out
    content = tape.read_text()
    for hidden in (SECRET, "AKIAIOSFODNN7EXAMPLE", "123456789012", "Authorization", double.url):
        assert hidden not in content
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "MODEL"):
        monkeypatch.delenv(name)
    assert run(["replay", str(tape)]) == 0
    out = capfd.readouterr().out
    assert f"{calls} of {calls} recorded calls played" in out
    assert "Attempts to reach the network: 0" in out
    assert "The trace is the same" in out
    assert len(double.received) == calls


def test_the_cassette_says_what_produced_it(double, tmp_path):
    double.driver = faulty(embedded(), by_agent(optimizer=EXPIRED))  # which ends the run before its search
    tape = tmp_path / "mine.yaml"
    assert run(["record", "--output", str(tape), "--", *ASKED, "--seed", "7"]) == 0
    label = yaml.safe_load(tape.read_text())["metadata"]
    assert label["made_by"].endswith("--scenarios base_case --seed 7")
    assert label["endpoint"] == "loopback"
    assert label["runs"][0]["request"]["seed"] == 7
    assert run(["record", "--again", str(tape)]) == 0
    again = yaml.safe_load(tape.read_text())["metadata"]
    assert again["made_by"] == f"python -m api record --again {tape}"
    assert again["runs"] == label["runs"]


def test_what_a_library_reports_does_not_stand_between_our_lines(double, capfd, monkeypatch):
    monkeypatch.setenv("MODEL", "bedrock:us.anthropic.claude-sonnet-4-5-20250929-v1:0")  # another API of Bedrock
    assert run(ASKED) == 2
    err = capfd.readouterr().err
    assert "MODEL: 'bedrock:" in err
    assert "Traceback" not in err


def test_a_run_that_fails_is_recorded_and_replayed_as_a_failure(double, tmp_path, capfd):
    tape = tmp_path / "expired.yaml"
    double.driver = faulty(embedded(), by_agent(optimizer=EXPIRED))
    assert run(["record", "-o", str(tape), "--", *ASKED]) == 0
    assert "A run failed (credentials)" in capfd.readouterr().out
    assert run(["replay", str(tape)]) == 0


def test_a_trace_that_differs_is_shown_and_is_exit_code_1(tmp_path, capfd):
    tape = tmp_path / "other.yaml"
    content = yaml.safe_load((CASSETTES / "expired.yaml").read_text())
    [claim, *_] = [event for event in content["metadata"]["runs"][0]["trace"] if event["event"] == "claim_released"]
    claim["author"] = "Somebody else"
    tape.write_text(yaml.safe_dump(content))
    assert run(["replay", str(tape)]) == 1
    out = capfd.readouterr().out
    assert "DIFFERENT" in out
    assert '-{"author": "Somebody else"' in out


def test_a_call_that_was_not_recorded_is_shown_beside_the_nearest_one(tmp_path, capfd):
    tape = tmp_path / "other.yaml"
    content = yaml.safe_load((CASSETTES / "expired.yaml").read_text())
    for interaction in content["interactions"]:
        body = json.loads(interaction["request"]["body"])
        for part in body["system"]:
            if "text" in part:
                part["text"] = part["text"].replace("You steer a search", "You narrate a search")
        interaction["request"]["body"] = json.dumps(body)
    tape.write_text(yaml.safe_dump(content))
    assert run(["replay", str(tape)]) == 1
    output = capfd.readouterr().out
    assert "You narrate" in output
    assert "You steer" in output
    assert '-{"' not in output  # neither what the run would have done next
    assert "not made" not in output


def test_a_recording_that_could_not_be_kept_is_not_made(double, tmp_path, capfd):
    file, folder = tmp_path / "file", tmp_path / "folder.yaml"
    file.touch()
    folder.mkdir()
    for place, reason in ((file / "mine.yaml", "cannot be written"), (folder, "is a folder")):
        assert run(["record", "-o", str(place), "--", *ASKED]) == 2
        err = capfd.readouterr().err
        assert err.startswith(f"cassette: '{place}' {reason}")
        assert "; expected a file" in err
    assert not double.received
    assert sorted(tmp_path.iterdir()) == [file, folder]


@pytest.mark.soak
def test_prices_that_are_gone_are_named_with_their_place(double, tmp_path, capfd):
    tape, prices = tmp_path / "mine.yaml", tmp_path / "prices.csv"
    days = [f"{day:%Y-%m-%d},{100 + n % 7}" for n, day in enumerate(pd.bdate_range("2005-01-03", periods=3500))]
    prices.write_text("\n".join(["date,MINE", *days]))
    assert run(["record", "-o", str(tape), "--", *ASKED, "--prices", str(prices), "--calendar", "none"]) == 0
    assert run(["replay", str(tape)]) == 0
    prices.unlink()
    capfd.readouterr()
    assert run(["replay", str(tape)]) == 2
    err = capfd.readouterr().err
    assert err.startswith(f"cassette: '{tape}' was recorded with the prices of '{prices}', which does not exist")


def test_this_machine_is_no_endpoint_that_is_kept(double, tmp_path, monkeypatch):
    double.driver = faulty(embedded(), by_agent(optimizer=EXPIRED))
    tape = tmp_path / "mine.yaml"
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url.replace("127.0.0.1", "localhost"))
    assert run(["record", "-o", str(tape), "--", *ASKED]) == 0
    assert "localhost" not in tape.read_text()
    assert yaml.safe_load(tape.read_text())["metadata"]["endpoint"] == "loopback"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "it is empty"),
        (b"- 1", "it holds no interactions"),
        (b"a: 1", "interactions: Field required"),
        (b"a: 'open", "line 1"),
        (b"a: !!python/object/apply:os.getcwd []", "line 1"),
        (b"\xff\xfe\x00\xd8", "it is not text"),
    ],
)
def test_a_file_that_is_no_cassette_is_refused_in_one_line(content, text, tmp_path, capfd):
    tape = tmp_path / "other.yaml"
    tape.write_bytes(content)
    assert run(["replay", str(tape)]) == 2
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"cassette: '{tape}' cannot be read: ")
    assert text in line
    assert line.endswith("expected a cassette of vcrpy (YAML, or YAML in gzip)")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["record", "--", "runs"], "calls no model"),
        (["record", "-o", "mine.json", "--", *ASKED], ".yaml.gz"),
        (["record", "--", *ASKED, "--trials", "many"], "--trials"),
        (["record", "--", *ASKED, "--json"], "--json"),
        (["record", "--", *ASKED], "MODEL"),
        (["record", "--again", "nowhere.yaml"], "nowhere.yaml"),
        (["replay", "nowhere.yaml"], "nowhere.yaml"),
        (["replay", "README.md"], "cassette"),
    ],
)
def test_what_can_be_mended_is_named(arguments, text, capfd, monkeypatch):
    monkeypatch.delenv("MODEL", raising=False)
    assert run(arguments) == 2
    err = capfd.readouterr().err
    assert text in err
    assert "Traceback" not in err
    assert not Path("cassette.yaml").exists()


def test_calls_without_their_runs_are_no_recording(tmp_path, capfd):
    tape = tmp_path / "calls.yaml"
    content = yaml.safe_load((CASSETTES / "expired.yaml").read_text())
    del content["metadata"]
    tape.write_text(yaml.safe_dump(content))
    assert run(["replay", str(tape)]) == 2
    assert "contains calls but not the runs" in capfd.readouterr().err


def test_scripted_faults_are_left_to_the_double(capfd):
    before = (CASSETTES / "throttled.yaml").read_bytes()
    assert run(["record", "--again", str(CASSETTES / "throttled.yaml")]) == 0
    assert "make cassettes" in capfd.readouterr().err
    assert (CASSETTES / "throttled.yaml").read_bytes() == before
