"""Cassettes of the double are made again where they have changed; cassettes of a real service never are."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.recording.cassette import Cassette
from tests.doubles.bedrock.record import CASSETTES, ENVIRONMENT, UP_TO_DATE, main

NAME = "expired"
"""The shortest recording."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (*ENVIRONMENT, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.setenv(variable, ENVIRONMENT.get(variable, ""))  # restored after the test
    shutil.copy(CASSETTES / f"{NAME}.yaml", tmp_path)
    return tmp_path


def edit(folder: Path, change: Callable[[dict[str, Any]], Any], agent: str = "risk_manager") -> bytes:
    """Change the recorded requests of an agent; returns the file's bytes."""
    path = folder / f"{NAME}.yaml"
    cassette = Cassette.load(path)
    interactions = []
    for interaction in cassette.interactions:
        body = json.loads(interaction.body)
        if body["requestMetadata"]["agent"] == agent:
            change(body)
        interactions.append(replace(interaction, body=json.dumps(body).encode()))
    Cassette(interactions, cassette.metadata).save(path)
    return path.read_bytes()


def forget_last_concern(body: dict[str, Any]) -> None:
    """The request before the last concern was added to the answer type."""
    schema = body["toolConfig"]["tools"][1]["toolSpec"]["inputSchema"]["json"]
    schema["properties"]["concerns"]["items"]["enum"].pop()


def test_an_unchanged_cassette_is_not_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stored = edit(folder, forget_last_concern)
    assert main(["--check", NAME], folder) == main([NAME], folder) == 0
    assert capsys.readouterr().out.count(UP_TO_DATE) == 2
    assert (folder / f"{NAME}.yaml").read_bytes() == stored


def test_a_changed_prompt_is_reported_and_recorded_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(body: dict[str, Any]) -> None:
        body["system"][0]["text"] = body["system"][0]["text"].replace("Name every concern", "Name each concern")

    stored = edit(folder, change)
    assert main(["--check", NAME], folder) == 1
    reported = capsys.readouterr().out.splitlines()
    assert reported[1:] == [
        "  The prompt of the risk manager has changed:",
        "  - Name each concern that a comparison shows, or `none`.",
        "  + Name every concern that a comparison shows, or `none`.",
        f"not up to date: {NAME}; run make cassettes",
    ]
    assert (folder / f"{NAME}.yaml").read_bytes() == stored
    assert main([NAME], folder) == 0
    assert (folder / f"{NAME}.yaml").read_bytes() != stored
    assert main(["--check", NAME], folder) == 0


def test_a_changed_answer_is_reported(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / f"{NAME}.yaml"
    cassette = Cassette.load(path)
    [decision, *_] = [e for e in cassette.metadata["runs"][0]["trace"] if e["event"] == "decision_made"]
    decision["decision"]["answer"]["concerns"] = ["cost_limit_tight"]
    cassette.save(path)
    assert main(["--check", NAME], folder) == 1
    changes = [line[2:14] for line in capsys.readouterr().out.splitlines() if line.startswith(("  -{", "  +{"))]
    assert changes == ['-{"decision"', '+{"decision"']


def test_a_recording_of_a_real_service_is_never_made_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / f"{NAME}.yaml"
    cassette = Cassette.load(path)
    real = cassette.metadata | {"endpoint": "bedrock-runtime.us-east-1.amazonaws.com"}
    Cassette(cassette.interactions, real).save(path)
    stored = path.read_bytes()
    assert main([NAME], folder) == 0
    assert path.read_bytes() == stored
    assert capsys.readouterr().out == ""
