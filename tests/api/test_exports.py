import csv
import io

from api.exports import as_csv, as_json
from tools.optimization import OptimizationResult


def test_json_is_the_result_itself(result):
    assert OptimizationResult.model_validate_json(as_json(result)).digest() == result.digest()


def test_csv_has_one_row_for_each_trial_and_its_parameters(result):
    rows = list(csv.DictReader(io.StringIO(as_csv(result, [result.winner]))))
    assert [int(row["number"]) for row in rows] == [trial.number for trial in result.trials]
    chosen = [row for row in rows if row["chosen"] == "True"]
    assert [row["estimator"] for row in chosen] == ["ewma_max"]
    assert float(chosen[0]["objective"]) == result.trials[71].objective


def test_a_spreadsheet_runs_no_formula(result):
    for start in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        request = result.manifest.request.model_copy(update={"name": start})
        manifest = result.manifest.model_copy(update={"request": request})
        text = as_csv(result.model_copy(update={"manifest": manifest}), [])
        for row in csv.reader(io.StringIO(text, newline="")):
            for cell in row:
                assert not cell.startswith(("=", "@", "\t", "\r"))
        assert "'" + start in text
