import pytest
from pydantic import ValidationError

from desk.optimization.answers import SearchPlan
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.plans import (
    narrow_space,
    off_grid_values,
    plan_budget,
    plan_violations,
    rank_trials,
    remaining_trials,
)
from quant.numeric.measured import Measured
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.family import FAMILY
from quant.strategies.metrics import Metrics
from quant.strategies.trial import Trial

REQUEST = OptimizationRequest()


def trial(number: int, utility: float, *, screened: bool = False, **values) -> Trial:
    config = StrategyConfig(**{"weight_function": "inverse_vol", "lookback_days": 63} | values)
    metrics = Metrics(**{name: Measured(value=utility) for name in Metrics.model_fields})
    evaluations = tuple(
        Evaluation(config=config.digest(), scenario=s.name, paths=100, days=252, metrics=metrics)
        for s in REQUEST.scenarios
    )
    return Trial(
        number=number,
        round=0,
        origin="sobol",
        config=config,
        digest=config.digest(),
        screened=screened,
        evaluations=() if screened else evaluations,
        train=Evaluation(config=config.digest(), scenario="history", paths=1, days=252, metrics=metrics),
        series="0" * 64,
    )


@pytest.mark.parametrize(("share", "remaining", "trials"), [("all", 100, 100), ("two_thirds", 100, 67), ("half", 1, 1)])
def test_the_budget_is_a_share_of_what_is_left_and_never_nothing(share, remaining, trials) -> None:
    assert plan_budget(SearchPlan(action="search", share=share), remaining) == trials


def test_nothing_is_left_beyond_the_request() -> None:
    assert remaining_trials(REQUEST, 40) == 60
    assert remaining_trials(REQUEST, 140) == 0


def test_trials_are_ranked_on_all_paths_and_ties_by_proposal() -> None:
    trials = [trial(0, 0.01), trial(1, 0.03), trial(2, 0.03, lookback_days=21), trial(3, 0.9, screened=True)]
    assert [t.number for t in rank_trials(REQUEST, trials)] == [1, 2, 0]


def test_around_the_best_keeps_the_neighbouring_values_of_the_grid() -> None:
    space = narrow_space(SearchPlan(action="search", focus="around_best"), REQUEST, [trial(0, 0.01)])
    assert space.weight_functions == ("inverse_vol",)
    assert space.estimators == ("rolling",)
    assert space.lookback_days == (42, 63, 84)
    assert space.rebalancing == ("weekly", "monthly", "quarterly")
    assert space.no_trade_band == (0.0, 0.02)
    assert space.decay == REQUEST.space.decay  # no trial says anything about it


def test_weight_functions_narrow_the_space_in_its_own_order() -> None:
    plan = SearchPlan(action="search", weight_functions=("sigmoid", "inverse_vol"))
    assert narrow_space(plan, REQUEST, []).weight_functions == ("inverse_vol", "sigmoid")
    assert plan_violations(SearchPlan(action="search", weight_functions=("bold",)), REQUEST.space, 0)


def test_only_values_of_the_space_may_be_candidates() -> None:
    inside = StrategyConfig(weight_function="inverse_vol", lookback_days=63)
    assert off_grid_values(inside, REQUEST.space) == []
    assert off_grid_values(inside.model_copy(update={"lookback_days": 64}), REQUEST.space)
    assert off_grid_values(inside.model_copy(update={"inner": "equal_weight"}), REQUEST.space)
    assert off_grid_values(StrategyConfig(weight_function="constant", constant_weight=0.5), REQUEST.space)
    assert off_grid_values(StrategyConfig(weight_function="cppi", floor=0.9, multiplier=3.0), REQUEST.space) == []


def test_a_plan_may_name_every_weight_function() -> None:
    assert SearchPlan(action="search", weight_functions=tuple(FAMILY)).weight_functions == tuple(FAMILY)
    with pytest.raises(ValidationError, match=f"at most {len(FAMILY)} items"):
        SearchPlan(action="search", weight_functions=(*FAMILY, "inverse_vol"))
