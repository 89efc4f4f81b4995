"""`data import`: a file becomes a data set of this home."""

import json

import numpy as np
import pytest

from api.cli.main import run


@pytest.fixture
def legs(tmp_path):
    days = np.busday_offset("2012-01-02", np.arange(60), roll="forward")
    rows = [f"{day},{100 + n * 0.5:.2f},{50 + n * 0.1:.2f}" for n, day in enumerate(days)]

    def write(*more: str) -> str:
        path = tmp_path / "legs.csv"
        path.write_text("\n".join(["date,INDEX,BOND", *rows, *more]) + "\n", encoding="utf-8")
        return str(path)

    return write


def imported(capsys, *arguments: str) -> dict:
    assert run(["data", "import", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_file_is_stored_once_with_its_terms(legs, home, capsys) -> None:
    path, terms = legs(), ("--currency", "EUR", "--calendar", "none")
    tried = imported(capsys, path, *terms, "--dry-run")
    assert (tried["committed"], tried["usable"], tried["version"]["currency"]) == (False, True, "EUR")
    stored = imported(capsys, path, "--as", "legs", *terms)
    assert stored["committed"]
    assert stored["dataset"] == "legs"
    assert set(stored["version"]["assets"]) == {"BOND", "INDEX"}
    assert imported(capsys, path, "--as", "legs", *terms)["unchanged"]


def test_a_file_that_fails_a_gate_is_not_stored(legs, home, capsys) -> None:
    path = legs("2012-04-02,-5,51")
    assert run(["data", "import", path, "--calendar", "none"]) == 2
    assert run(["data", "import", path, "--as", "Legs"]) == 2
    assert "small letters" in capsys.readouterr().err
    assert run(["data", "import", path, "--kind", "options"]) == 2
    assert "--kind" in capsys.readouterr().err
