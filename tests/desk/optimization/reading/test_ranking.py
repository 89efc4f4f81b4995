import pytest

from desk.optimization.reading.ranking import TOOL, build_ranking
from desk.optimization.result import Finalist
from tests.doubles.price_source import assert_well_formed, value


@pytest.fixture(scope="module")
def result(judgement):
    return judgement.result


def test_finalists_are_ordered_by_their_objectives(result) -> None:
    actual = build_ranking(result)
    objectives = [r.finalist.objective for r in actual.ranked if r.finalist.feasible]
    assert objectives == sorted(objectives, reverse=True)
    assert {r.finalist.digest for r in actual.ranked} == {f.digest for f in result.finalists}
    assert [r.finalist.digest for r in actual.ranked if r.winner] == [result.winner.digest]
    assert_well_formed(actual.figures, TOOL)


def test_trials_within_noise_of_the_winner_are_counted(result) -> None:
    actual = build_ranking(result)
    near = sum(f.indistinguishable for f in result.finalists)
    assert actual.within_noise == value(actual.figures, "rank_within_noise") == near >= 1
    assert value(actual.figures, "rank_trials") == result.counts.trials
    assert value(actual.figures, "rank_finalists") == len(result.finalists)


def test_distances_are_in_basis_points_with_their_error(result) -> None:
    actual = build_ranking(result)
    figures = {f.id: f for f in actual.figures}
    for row in actual.ranked:
        figure = figures[f"rank_{row.place}_behind"]
        assert figure.value == pytest.approx(1e4 * row.finalist.behind_best.value)
        assert row.finalist.behind_best.error is not None
        assert figure.error == pytest.approx(1e4 * row.finalist.behind_best.error)
        assert figure.unit == "bps"


def test_a_sharpe_ratio_is_no_basis_point(result) -> None:
    request = result.manifest.request.model_copy(update={"goal": "sharpe"})
    actual = build_ranking(
        result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    )
    first = next(f for f in actual.figures if f.id == "rank_1_objective")
    assert (first.value, first.unit) == (actual.ranked[0].finalist.objective, "ratio")


def test_a_trial_that_breaks_a_limit_comes_last_with_its_limit(result) -> None:
    best: Finalist = build_ranking(result).ranked[0].finalist
    invalid = best.model_copy(update={"feasible": False, "breaches": ("turnover",), "indistinguishable": False})
    others = tuple(f for f in result.finalists if f.digest != best.digest)
    actual = build_ranking(result.model_copy(update={"finalists": (invalid, *others)}))
    assert actual.ranked[-1].finalist == invalid
    place = len(actual.ranked)
    assert value(actual.figures, f"rank_{place}_breaches") == "the turnover limit"
    assert f"rank_{place}_behind" not in {f.id for f in actual.figures}


def test_a_result_without_finalists_has_an_empty_ranking(result) -> None:
    actual = build_ranking(result.model_copy(update={"finalists": (), "winner": None}))
    assert (actual.ranked, actual.within_noise) == ((), 0)
    assert value(actual.figures, "rank_finalists") == 0
