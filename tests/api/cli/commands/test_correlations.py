"""`data correlations`: the check of a matrix, and its repair by consent."""

import json

import pytest

from api.cli.main import run

IMPOSSIBLE = ",EQ,BOND,GOLD\nEQ,1,0.9,-0.9\nBOND,0.9,1,0.9\nGOLD,-0.9,0.9,1\n"
POSSIBLE = "EQ,BOND\n1,-0.3\n-0.3,1\n"


@pytest.fixture
def matrix(tmp_path):
    def write(text: str, name: str = "matrix.csv") -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_a_matrix_that_returns_can_have_is_left_alone(matrix, tmp_path, capsys) -> None:
    target = tmp_path / "repaired.csv"
    assert run(["data", "correlations", matrix(POSSIBLE), "--repair", str(target)]) == 0
    assert "returns can have these" in capsys.readouterr().out
    assert not target.exists()


def test_nothing_is_repaired_without_consent(matrix, capsys) -> None:
    path = matrix(IMPOSSIBLE)
    assert run(["data", "correlations", path]) == 2
    text = capsys.readouterr().out
    assert "Frobenius distance" in text
    assert "EQ,1.0," in text
    assert run(["data", "correlations", path, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["valid"] is False


@pytest.mark.parametrize("name", ["repaired.csv", "repaired.json"])
def test_the_matrix_that_is_written_is_the_nearest_one_and_valid(matrix, tmp_path, capsys, name) -> None:
    rows = [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]
    source, target = matrix(json.dumps({"matrix": rows}), "matrix.json"), tmp_path / name
    assert run(["data", "correlations", source, "--repair", str(target), "--json"]) == 0
    checked = json.loads(capsys.readouterr().out)
    # of this symmetric triple: every pair moves to 1/2 but for the invertibility that the repair adds
    assert checked["largest_change"] == pytest.approx(0.4, abs=1e-3)
    assert run(["data", "correlations", str(target)]) == 0
    assert run(["data", "correlations", source, "--repair", str(target)]) == 2, "an existing file stays"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (",EQ,BOND\nEQ,1,x\nBOND,0,1\n", "row of EQ: 'x' is no correlation"),
        ("EQ,BOND\n1,0\n", "2 names and 1 rows"),
        (",EQ,BOND\nEQ,1,1.4\nBOND,1.4,1\n", "1.4"),
        (",EQ,BOND\nEQ,1,0.3\nBOND,0.1,1\n", "symmetric"),
        ("[[1, 0.2], [0.2", "is not JSON"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused(matrix, capsys, text, error) -> None:
    assert run(["data", "correlations", matrix(text)]) == 2
    assert error in capsys.readouterr().err
