"""A search for benefit: its winner has skill at the target volatility, and every test reruns that choice."""

from dataclasses import replace

import numpy as np
import pytest

from desk.optimization.evaluation import World, objectives
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.finalists import Choice, choose_winner
from desk.optimization.request import VOLATILITY_TOLERANCE, Limit, Limits
from desk.optimization.search.search import is_selectable
from desk.scenarios.schemas import HISTORY
from quant.strategies.config import SearchSpace
from quant.strategies.mandate import Mandate
from tests.calibration.families import Family, trend
from tests.calibration.histories import build_world

TARGET = Mandate().target_volatility
NO_BOUND = Limits(volatility_error=Limit(bound=0.99))


def benefit(evaluation) -> float:
    return evaluation.metrics.benefit.value


@pytest.fixture(scope="module")
def finished(prices, make_request, execute_search):
    request = make_request(goal="benefit", trials=20, seed=3)
    return execute_search(World(build_market(prices, request), request))


@pytest.fixture(scope="module")
def result(finished, judge_search):
    return judge_search(finished).result


def test_the_winner_keeps_to_the_target_volatility_and_the_result_says_so(finished, result) -> None:
    assert result.winner is not None
    assert abs(result.winner.train.metrics.volatility.value - TARGET) <= VOLATILITY_TOLERANCE * TARGET
    (check,) = result.limits
    assert (check.limit, check.scenario, check.passed) == ("volatility_error", HISTORY, True)
    assert check.allowed == pytest.approx(0.3 * TARGET)
    outside = [t for t in finished.trials if abs(t.train.metrics.volatility.value - TARGET) > 0.3 * TARGET]
    assert outside
    assert check.binds
    assert all(is_selectable(finished.world.request, t) == (t not in outside) for t in finished.trials)
    assert "benefit" in {figure.id.removeprefix("winner_") for figure in result.figures}


def test_the_finalists_are_scored_by_their_benefits_on_fresh_paths(finished, result) -> None:
    choice = choose_winner(finished.world, finished.trials)
    assert isinstance(choice, Choice)
    request = finished.world.request
    p = np.array([s.probability for s in request.scenarios])
    weights = np.append(2 / 3 * p / p.sum(), 1 / 3)
    names = [*(s.name for s in request.scenarios), HISTORY]
    table = np.array([[benefit(choice.table.evaluations[name][k]) for name in names] for k in range(8)])
    best = np.array([max(map(benefit, choice.table.evaluations[name])) for name in names])
    objective = table @ weights - 0.25 * (best - table).max(axis=1)
    by_config = dict(zip(choice.table.configs, objective, strict=False))
    for finalist in result.finalists:
        assert finalist.objective == pytest.approx(by_config[finalist.config], abs=1e-12)
        assert finalist.behind_best.error is not None
        if finalist.behind_best.value > 0.0:
            assert 0.0 < finalist.behind_best.error < 0.05


def test_a_pair_is_compared_on_the_same_paths(finished, result) -> None:
    """The error of a distance is far below what independent paths would give."""
    choice = choose_winner(finished.world, finished.trials)
    assert isinstance(choice, Choice)
    name = finished.world.request.scenarios[0].name
    for rows, evaluation in zip(choice.table.paths[name], choice.table.evaluations[name], strict=True):
        assert rows.shape == (2, 100)
        assert rows[-1].mean() == pytest.approx(benefit(evaluation), abs=1e-12)
        assert evaluation.metrics.benefit is not None
        assert rows[-1].std(ddof=1) / 10 <= (evaluation.metrics.benefit.error or 0.0)


def test_every_test_of_the_choice_reruns_the_benefit(finished, result, judge_search) -> None:
    """The same trials judged as a search for utility have other tests of the rule, and the same of the series."""
    luck = result.luck
    assert luck is not None
    assert luck.winner_p is not None
    utility = replace(
        finished.world, request=finished.world.request.model_copy(update={"goal": "robust_utility", "limits": NO_BOUND})
    )
    other = judge_search(finished, world=utility).result.luck
    assert other is not None
    assert (other.trials, other.spa_p, other.effective_trials) == (luck.trials, luck.spa_p, luck.effective_trials)
    assert (other.overfitting, other.logits) != (luck.overfitting, luck.logits)
    assert result.out_of_sample.cross_validation is not None
    assert result.out_of_sample.walk_forward is not None


def test_without_a_trial_near_the_target_the_verdict_names_the_limit(
    prices, make_request, execute_search, judge_search
):
    request = make_request(
        goal="benefit", limits=Limits(volatility_error=Limit(bound=1e-6, scenarios=(HISTORY,))), trials=10
    )
    judged = judge_search(execute_search(World(build_market(prices, request), request))).result
    assert judged.verdict.colour == "infeasible"
    assert judged.verdict.binding_limit == "volatility_error"
    assert "volatility error binds" in judged.verdict.headline
    assert "of 10 trials" in judged.verdict.reason


@pytest.mark.parametrize(("goal", "function"), [("benefit", "trend_overlay"), ("robust_utility", "cppi")])
def test_a_planted_trend_is_found_instead_of_exposure(make_request, execute_search, goal, function) -> None:
    """With a large premium the utility prefers a nearly fully invested insurance; the benefit prefers skill."""
    family = Family("rising", "rising", lambda *arguments: trend(0.4)(*arguments) + 0.20 / 252, histories=1)
    space = SearchSpace(weight_functions=("cppi", "trend_overlay"))
    scenarios = tuple(scenario.model_copy(update={"paths": 500}) for scenario in make_request().scenarios)
    request = make_request(goal=goal, space=space, limits=NO_BOUND, trials=16, scenarios=scenarios)
    finished = execute_search(build_world(family, 2, request))
    best = finished.trials[int(np.argmax(objectives(request, finished.trials)))]
    assert best.config.weight_function == function
