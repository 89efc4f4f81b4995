import json
from collections import Counter
from dataclasses import asdict

from quant.strategies.goal import DEFAULT_GOAL
from tests.calibration.calibrate import ROOT, code_files, load_rows
from tests.calibration.measurements import KINDS, ROWS, is_repeated, measurement_of, measurements, sample_of


def test_the_digest_covers_the_code_that_decides_the_rates_and_no_other() -> None:
    files = {path.relative_to(ROOT).as_posix() for path in code_files()}
    decide = {
        "tests/calibration/families.py",
        "tests/calibration/coverage.py",
        "desk/optimization/search/search.py",
        "desk/optimization/judgement/judge.py",
        "quant/overfitting/winner_luck.py",
        "quant/strategies/kernel.py",
        "quant/worlds/paths.py",
    }
    assert decide <= files
    assert not {path for path in files if path.startswith(("api/", "graphs/", "tests/calibration/test_"))}
    assert not files & {"tests/calibration/page.py", "tests/calibration/calibrate.py"}


def test_a_share_of_a_calibration_measures_that_share_of_each_family_one_after_the_other() -> None:
    every, some = measurements(1.0), measurements(0.1)
    assert len(set(every)) == len(every)
    assert set(some) <= set(every)
    assert {each.kind for each in some} == set(KINDS)
    counts = Counter(each.family for each in some if (each.kind, each.goal) == ("history", DEFAULT_GOAL))
    assert (counts["premium"], counts["trend_4"], counts["trend_2"]) == (20, 20, 10)
    assert [each.seed for each in some] == sorted(each.seed for each in some)
    assert {each.kind for each in measurements(1.0, ["edge"])} == {"edge"}


def test_the_code_judges_as_the_code_behind_the_published_rates() -> None:
    """`make soak` repeats all of the sample."""
    sample = sample_of(load_rows(ROWS))
    (without_edge,) = (row for row in sample if (row["family"], row["goal"]) == ("garch", DEFAULT_GOAL))
    assert is_repeated(without_edge)
    assert not is_repeated({**without_edge, "winner_p": without_edge["winner_p"] + 0.01})


def test_rows_are_read_up_to_an_interruption_and_name_their_measurement(tmp_path) -> None:
    first, second = measurements(0.01)[:2]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps({**asdict(each), "best_t": 4.0}) + "\n" for each in (first, second))[:-9])
    assert [measurement_of(row) for row in load_rows(file)] == [first]
