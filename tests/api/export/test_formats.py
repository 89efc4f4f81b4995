import csv
import io
import json

import numpy as np
import pytest
from openpyxl import load_workbook

from api.export.formats import as_csv, as_document, as_figures, as_json, as_weights, provenance
from api.export.workbook import as_workbook
from desk.optimization.reading.history import History
from desk.optimization.result import OptimizationResult
from quant.strategies.config import StrategyConfig
from tests.sample_attribution import NAMES, with_assets

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1")


def named(result: OptimizationResult, name: str) -> OptimizationResult:
    request = result.manifest.request.model_copy(update={"name": name})
    manifest = result.manifest.model_copy(update={"request": request})
    return result.model_copy(update={"manifest": manifest})


def sheets(content: bytes) -> dict[str, list[tuple]]:
    book = load_workbook(io.BytesIO(content))
    return {sheet.title: [tuple(cell.value for cell in row) for row in sheet.iter_rows()] for sheet in book}


@pytest.fixture
def of(result):
    return provenance("r1", result)


def test_json_is_the_result_itself(result):
    assert OptimizationResult.model_validate_json(as_json(result)).digest() == result.digest()


def test_csv_has_a_row_per_trial_with_parameters_and_provenance(result, of):
    rows = list(csv.DictReader(io.StringIO(as_csv(result, [result.winner], of))))
    assert [int(row["number"]) for row in rows] == [trial.number for trial in result.trials]
    chosen = [row for row in rows if row["chosen"] == "True"]
    assert [row["estimator"] for row in chosen] == ["ewma_max"]
    assert float(chosen[0]["objective"]) == result.trials[71].objective
    assert {(row["job"], row["as_of"], row["data_version"], row["result_digest"]) for row in rows} == {
        ("r1", result.manifest.last_day, result.manifest.data_digest, result.digest())
    }


def test_every_figure_has_a_row(result, of):
    rows = list(csv.DictReader(io.StringIO(as_figures(result, of))))
    assert [row["figure"] for row in rows] == [figure.id for figure in result.figures]
    assert {row["job"] for row in rows} == {"r1"}


@pytest.mark.parametrize("start", FORMULAS)
def test_a_spreadsheet_runs_no_formula(result, of, start):
    changed = named(result, start)
    text = as_csv(changed, [], of)
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            assert not cell.startswith(("=", "@", "\t", "\r"))
    assert "'" + start in text
    book = load_workbook(io.BytesIO(as_workbook(changed, [], of)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in cells if cell.data_type == "f"]
    assert start.replace("\r", "\n") in [cell.value for cell in cells]


def test_a_workbook_holds_the_result_and_the_trials(result, of):
    tables = sheets(as_workbook(result, [result.winner], of))
    summary = dict(tables["Result"])
    assert (summary["job"], summary["as_of"]) == ("r1", result.manifest.last_day)
    assert summary["verdict"] == result.verdict.colour
    assert summary["winner: estimator"] == "ewma_max"
    header, *trials = tables["Trials"]
    assert [row[header.index("objective")] for row in trials] == pytest.approx(
        [trial.objective for trial in result.trials],
        rel=1e-15,  # a cell holds 16 digits
    )
    assert {*StrategyConfig.model_fields} < set(header)
    assert len(tables["Figures"]) == len(result.figures) + 1
    assert dict(tables["Request"])["mandate.target_volatility"] == result.manifest.request.mandate.target_volatility


def test_control_characters_do_not_break_a_workbook(result, of):
    tables = sheets(as_workbook(named(result, "a\x00b\x1fc"), [], of))
    assert dict(tables["Result"])["name"] == "a�b�c"


def test_the_same_result_gives_the_same_bytes(result, of, monkeypatch):
    first = as_workbook(result, [result.winner], of)
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)
    assert as_workbook(result, [result.winner], of) == first
    assert as_document(result, [result.winner], of) == as_document(result, [result.winner], of)


def test_weights_on_each_day_and_contributions_are_exported(result, of, history):
    several = with_assets(result)
    weights = np.stack([np.full(history.shape[1], weight) for weight in (0.25, 0.2, 0.1)])
    drawn = History(*history, asset_weights=weights)
    table = list(csv.DictReader(io.StringIO(as_weights(several, of, drawn))))
    assert len(table) == history.shape[1]
    assert [float(table[7][f"asset: {name}"]) for name in NAMES] == [0.25, 0.2, 0.1]
    assert float(table[7]["strategy"]) == history[3, 7]
    tables = sheets(as_workbook(several, [], of, drawn))
    assert tables["Weights"][0] == ("date", "strategy", "constant_weight", *(f"asset: {name}" for name in NAMES))
    assert len(tables["Weights"]) == len(table) + 1
    header, *shares, borrowing, total = tables["Assets"]
    gains = [row[header.index("excess_return")] for row in (*shares, borrowing)]
    assert sum(gains) == pytest.approx(total[header.index("excess_return")])
    document = json.loads(as_document(several, [], of, drawn))
    assert document["weights"]["date"][0] == table[0]["date"]
    assert set(document["weights"]["asset: XOM"]) == {0.1}
    assert "Weights" not in sheets(as_workbook(result, [], of, History(*history)))
