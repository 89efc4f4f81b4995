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
def result(judged):
    return judged.result


def without(result, function):
    """The same result with no finalist of `function`."""
    return result.model_copy(
        update={"finalists": tuple(f for f in result.finalists if f.config.weight_function != function)}
    )


def of(result):
    """Weight functions that did not win but have a finalist."""
    return sorted({f.config.weight_function for f in result.finalists} - {result.winner.config.weight_function})


def test_the_winner_won(result, searched) -> None:
    found = explain_alternative(result, searched.trials, result.winner.config.weight_function)
    assert (found.standing, found.config) == ("won", result.winner.config)
    assert_well_formed(found.figures, TOOL)


def test_each_function_is_explained_and_counted(result, searched) -> None:
    for function in get_args(WeightFunction):
        found = explain_alternative(result, searched.trials, function)
        own = [t for t in searched.trials if t.config.weight_function == function]
        assert found.tried == len(own) == value(found.figures, "alternative_tried")
        assert_well_formed(found.figures, TOOL)
        assert (found.config is None) == (not own)


def test_a_finalist_is_behind_by_its_paired_distance(result, searched) -> None:
    functions = of(result)
    assert functions, "a finalist of another function than the winner's"
    for function in functions:
        found = explain_alternative(result, searched.trials, function)
        best = max((f for f in result.finalists if f.config.weight_function == function), key=lambda f: f.objective)
        assert found.fresh_paths
        assert found.config == best.config
        assert found.standing == ("indistinguishable" if best.indistinguishable else "behind")
        assert found.behind
        assert found.behind.value == pytest.approx(1e4 * best.behind_best.value)
        assert best.behind_best.error is not None
        assert found.distinguishable == (best.behind_best.value > 2 * best.behind_best.error)


def test_another_trial_is_behind_in_sample(result, searched) -> None:
    functions = {t.config.weight_function for t in searched.trials} - {result.winner.config.weight_function}
    scores = objectives(result.manifest.request, searched.trials)
    for function in functions:
        found = explain_alternative(without(result, function), searched.trials, function)
        mine = [k for k, t in enumerate(searched.trials) if t.config.weight_function == function]
        place = max(mine, key=lambda k: scores[k])
        assert (found.standing, found.fresh_paths) == ("behind", False)
        assert found.config == searched.trials[place].config
        assert found.behind
        assert found.behind.value == pytest.approx(1e4 * (scores.max() - scores[place]), abs=1e-6)
        assert found.distinguishable in {True, None}, "its error is too large to call two alike"


def test_the_error_in_sample_moves_with_the_errors_of_the_scenarios(result, searched) -> None:
    """Twice the errors of every utility is twice the error of the distance."""

    def noisier(trial):
        def doubled(evaluation):
            utility = evaluation.metrics.utility
            metrics = evaluation.metrics.model_copy(
                update={"utility": utility.model_copy(update={"error": 2.0 * utility.error})}
            )
            return evaluation.model_copy(update={"metrics": metrics})

        return trial.model_copy(update={"evaluations": tuple(map(doubled, trial.evaluations))})

    function = next(
        t.config.weight_function
        for t in searched.trials
        if t.config.weight_function != result.winner.config.weight_function
    )
    errors: list[float] = []
    for trials in (searched.trials, [noisier(t) for t in searched.trials]):
        behind = explain_alternative(without(result, function), trials, function).behind
        assert behind
        assert behind.error is not None
        errors.append(behind.error)
    assert errors[1] == pytest.approx(2.0 * errors[0])
    assert errors[0] > 0.0


def test_what_was_never_asked_for_or_never_proposed_is_said(result, searched) -> None:
    assert explain_alternative(result, searched.trials, "feedback").standing == "not_searched"
    function = searched.trials[0].config.weight_function
    others = [t for t in searched.trials if t.config.weight_function != function]
    assert explain_alternative(without(result, function), others, function).standing == "not_tried"


def test_one_that_was_dropped_early_is_said(result, searched) -> None:
    function = next(
        t.config.weight_function
        for t in searched.trials
        if t.config.weight_function != result.winner.config.weight_function
    )
    trials = [
        t.model_copy(update={"screened": True}) if t.config.weight_function == function else t for t in searched.trials
    ]
    found = explain_alternative(without(result, function), trials, function)
    assert found.standing == "screened"
    assert found.screened == found.tried > 0
    assert found.behind is None


def test_one_that_breaks_a_limit_says_which(result, searched) -> None:
    by_turnover = {t.digest: max(e.metrics.turnover.value for e in (*t.evaluations, t.train)) for t in searched.trials}
    busiest = max(searched.trials, key=lambda t: by_turnover[t.digest])
    function = busiest.config.weight_function
    least = min(by_turnover[t.digest] for t in searched.trials if t.config.weight_function == function)
    limits = Limits(turnover=Limit(bound=least / 2))
    request = result.manifest.request.model_copy(update={"limits": limits})
    limited = result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    found = explain_alternative(without(limited, function), searched.trials, function)
    assert (found.standing, found.breaches) == ("infeasible", ("turnover",))
    assert value(found.figures, "alternative_breaches") == "the turnover limit"


def test_a_sharpe_ratio_is_no_basis_point(result, searched) -> None:
    request = result.manifest.request.model_copy(update={"goal": "sharpe"})
    other = result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    functions = {t.config.weight_function for t in searched.trials} - {result.winner.config.weight_function}
    scores = objectives(request, searched.trials)
    for function in functions:
        found = explain_alternative(without(other, function), searched.trials, function)
        mine = [scores[k] for k, t in enumerate(searched.trials) if t.config.weight_function == function]
        assert found.unit == "ratio"
        assert found.behind
        assert found.behind.value == pytest.approx(np.max(scores) - max(mine), abs=1e-12)
