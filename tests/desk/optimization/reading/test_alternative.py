from typing import get_args

import numpy as np
import pytest

from desk.optimization.evaluation import objectives
from desk.optimization.reading.alternative import explain_alternative
from desk.optimization.request import Limit, Limits
from quant.strategies.family import WeightFunction
from tests.doubles.price_source import assert_well_formed, value

TOOL = "explain_alternative"


@pytest.fixture(scope="module")
def result(judgement):
    return judgement.result


def without(result, function):
    """The same result with no finalist of `function`."""
    return result.model_copy(
        update={"finalists": tuple(f for f in result.finalists if f.config.weight_function != function)}
    )


def of(result):
    """Weight functions that did not win but have a finalist."""
    return sorted({f.config.weight_function for f in result.finalists} - {result.winner.config.weight_function})


def test_the_winner_is_reported_as_won(result, finished_search) -> None:
    actual = explain_alternative(result, finished_search.trials, result.winner.config.weight_function)
    assert (actual.standing, actual.config) == ("won", result.winner.config)
    assert_well_formed(actual.figures, TOOL)


def test_each_function_is_explained_and_counted(result, finished_search) -> None:
    for function in get_args(WeightFunction):
        actual = explain_alternative(result, finished_search.trials, function)
        own = [t for t in finished_search.trials if t.config.weight_function == function]
        assert actual.tried == len(own) == value(actual.figures, "alternative_tried")
        assert_well_formed(actual.figures, TOOL)
        assert (actual.config is None) == (not own)


def test_a_finalist_is_behind_by_its_paired_distance(result, finished_search) -> None:
    functions = of(result)
    assert functions, "a finalist of another function than the winner's"
    for function in functions:
        actual = explain_alternative(result, finished_search.trials, function)
        best = max((f for f in result.finalists if f.config.weight_function == function), key=lambda f: f.objective)
        assert actual.fresh_paths
        assert actual.config == best.config
        assert actual.standing == ("indistinguishable" if best.indistinguishable else "behind")
        assert actual.behind
        assert actual.behind.value == pytest.approx(1e4 * best.behind_best.value)
        assert best.behind_best.error is not None
        assert actual.distinguishable == (best.behind_best.value > 2 * best.behind_best.error)


def test_another_trial_is_behind_in_sample(result, finished_search) -> None:
    functions = {t.config.weight_function for t in finished_search.trials} - {result.winner.config.weight_function}
    scores = objectives(result.manifest.request, finished_search.trials)
    for function in functions:
        actual = explain_alternative(without(result, function), finished_search.trials, function)
        mine = [k for k, t in enumerate(finished_search.trials) if t.config.weight_function == function]
        place = max(mine, key=lambda k: scores[k])
        assert (actual.standing, actual.fresh_paths) == ("behind", False)
        assert actual.config == finished_search.trials[place].config
        assert actual.behind
        assert actual.behind.value == pytest.approx(1e4 * (scores.max() - scores[place]), abs=1e-6)
        assert actual.distinguishable in {True, None}, "its error is too large to call two alike"


def test_the_error_in_sample_moves_with_the_errors_of_the_scenarios(result, finished_search) -> None:
    """Doubled errors of all utilities double the error of the distance."""

    def noisier(trial):
        def with_double_errors(evaluation):
            utility = evaluation.metrics.utility
            metrics = evaluation.metrics.model_copy(
                update={"utility": utility.model_copy(update={"error": 2.0 * utility.error})}
            )
            return evaluation.model_copy(update={"metrics": metrics})

        return trial.model_copy(update={"evaluations": tuple(map(with_double_errors, trial.evaluations))})

    function = next(
        t.config.weight_function
        for t in finished_search.trials
        if t.config.weight_function != result.winner.config.weight_function
    )
    errors: list[float] = []
    for trials in (finished_search.trials, [noisier(t) for t in finished_search.trials]):
        behind = explain_alternative(without(result, function), trials, function).behind
        assert behind
        assert behind.error is not None
        errors.append(behind.error)
    assert errors[1] == pytest.approx(2.0 * errors[0])
    assert errors[0] > 0.0


def test_an_unrequested_or_untried_strategy_has_its_reason(result, finished_search) -> None:
    assert explain_alternative(result, finished_search.trials, "feedback").standing == "not_searched"
    function = finished_search.trials[0].config.weight_function
    others = [t for t in finished_search.trials if t.config.weight_function != function]
    assert explain_alternative(without(result, function), others, function).standing == "not_tried"


def test_a_screened_trial_has_its_reason(result, finished_search) -> None:
    function = next(
        t.config.weight_function
        for t in finished_search.trials
        if t.config.weight_function != result.winner.config.weight_function
    )
    trials = [
        t.model_copy(update={"screened": True}) if t.config.weight_function == function else t
        for t in finished_search.trials
    ]
    actual = explain_alternative(without(result, function), trials, function)
    assert actual.standing == "screened"
    assert actual.screened == actual.tried > 0
    assert actual.behind is None


def test_a_trial_that_breaks_a_limit_names_it(result, finished_search) -> None:
    by_turnover = {
        t.digest: max(e.metrics.turnover.value for e in (*t.evaluations, t.train)) for t in finished_search.trials
    }
    busiest = max(finished_search.trials, key=lambda t: by_turnover[t.digest])
    function = busiest.config.weight_function
    least = min(by_turnover[t.digest] for t in finished_search.trials if t.config.weight_function == function)
    limits = Limits(turnover=Limit(bound=least / 2))
    request = result.manifest.request.model_copy(update={"limits": limits})
    limited = result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    actual = explain_alternative(without(limited, function), finished_search.trials, function)
    assert (actual.standing, actual.breaches) == ("infeasible", ("turnover",))
    assert value(actual.figures, "alternative_breaches") == "the turnover limit"


def test_a_sharpe_ratio_is_no_basis_point(result, finished_search) -> None:
    request = result.manifest.request.model_copy(update={"goal": "sharpe"})
    other = result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    functions = {t.config.weight_function for t in finished_search.trials} - {result.winner.config.weight_function}
    scores = objectives(request, finished_search.trials)
    for function in functions:
        actual = explain_alternative(without(other, function), finished_search.trials, function)
        mine = [scores[k] for k, t in enumerate(finished_search.trials) if t.config.weight_function == function]
        assert actual.unit == "ratio"
        assert actual.behind
        assert actual.behind.value == pytest.approx(np.max(scores) - max(mine), abs=1e-12)
