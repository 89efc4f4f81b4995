from dataclasses import replace

import pytest

from desk.base.errors import InvalidInput
from desk.optimization.limits import check_limits, check_minimum_exposure, total_violation
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.request import VOLATILITY_TOLERANCE, Limit, Limits
from desk.optimization.search.search import evaluations_by_scenario
from desk.scenarios.schemas import HISTORY
from quant.strategies.mandate import Mandate

FIELDS = {
    "max_drawdown": ("drawdown_breach", 1.0),
    "value_at_risk": ("value_at_risk", 1.0),
    "expected_shortfall": ("expected_shortfall", 1.0),
    "turnover": ("turnover", 1.0),
    "cost_bps": ("cost", 10_000.0),
    "leverage": ("largest_weight", 1.0),
}
MANDATE = Mandate()


def with_limits(world, mandate=None, **limits):
    changed = {"limits": Limits(**limits), "mandate": mandate or world.request.mandate}
    return replace(world, request=world.request.model_copy(update=changed))


@pytest.mark.parametrize("name", FIELDS)
def test_each_limit_looks_at_its_own_statistic(finished_search, name) -> None:
    metrics = finished_search.trials[0].evaluations[0].metrics
    field, unit = FIELDS[name]
    assert LIMITS[name].statistic(metrics, MANDATE) == getattr(metrics, field).value * unit
    shifted = metrics.model_copy(update={f: metrics.sharpe for f, _ in FIELDS.values() if f != field})
    assert LIMITS[name].statistic(shifted, MANDATE) == LIMITS[name].statistic(metrics, MANDATE)


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_the_distance_from_the_target_volatility_has_two_sides(finished_search, target) -> None:
    trial = finished_search.trials[0]
    distance = abs(trial.train.metrics.volatility.value - target)
    for bound, passed in ((0.9 * distance, False), (1.1 * distance, True)):
        limit = Limit(bound=bound, scenarios=(HISTORY,))
        world = with_limits(finished_search.world, Mandate(target_volatility=target), volatility_error=limit)
        (check,) = check_limits(world.request, evaluations_by_scenario(trial))
        assert (check.limit, check.statistic, check.passed) == ("volatility_error", distance, passed)


def test_the_goal_benefit_holds_the_volatility_on_history_to_the_target(make_request) -> None:
    request = make_request(goal="benefit", mandate=Mandate(target_volatility=0.12))
    bound = VOLATILITY_TOLERANCE * 0.12
    assert request.limits_in_force() == {"volatility_error": Limit(bound=bound, scenarios=(HISTORY,))}
    assert request.limits.defined() == {}
    own = Limits(volatility_error=Limit(bound=0.01))
    assert make_request(goal="benefit", limits=own).limits_in_force() == own.defined()
    assert make_request(limits=own).limits_in_force() == own.defined()
    assert make_request().limits_in_force() == {}


@pytest.mark.parametrize(
    ("mandate", "accepted"),
    [
        (Mandate(), True),
        (Mandate(min_weight=0.4, target_volatility=0.08), True),
        (Mandate(min_weight=1.0, target_volatility=0.05), False),
        (Mandate(max_weight=0.2, target_volatility=0.20), False),
    ],
)
def test_a_target_volatility_that_no_weight_reaches_is_refused(world, mandate, accepted) -> None:
    changes = {"goal": "benefit", "mandate": mandate, "limits": Limits()}
    changed = replace(world, request=world.request.model_copy(update=changes))
    if accepted:
        check_minimum_exposure(changed)
        return
    with pytest.raises(InvalidInput, match=f"weights from {mandate.min_weight:g} to {mandate.max_weight:g}") as refusal:
        check_minimum_exposure(changed)
    assert refusal.value.field == "mandate.target_volatility"


def test_a_limit_is_checked_only_in_its_scenarios(finished_search) -> None:
    trial = finished_search.trials[0]
    var = trial.evaluation("bear_market").metrics.value_at_risk.value
    world = with_limits(
        finished_search.world,
        value_at_risk=Limit(bound=var, scenarios=("bear_market",)),
        turnover=Limit(bound=1e-6, scenarios=("base_case", HISTORY)),
    )
    checks = check_limits(world.request, evaluations_by_scenario(trial))
    assert [(c.limit, c.scenario) for c in checks] == [
        ("value_at_risk", "bear_market"),
        ("turnover", "base_case"),
        ("turnover", HISTORY),
    ]
    assert checks[0].passed, "a statistic at its bound keeps the limit"
    assert [c.passed for c in checks[1:]] == [trial.evaluations[0].metrics.turnover.value == 0.0] * 2
    for check in checks:
        assert check.allowed == check.bound


def test_a_drawdown_limit_tolerates_a_probability(finished_search) -> None:
    trial = finished_search.trials[0]
    breach = trial.evaluation("base_case").metrics.drawdown_breach
    for tolerated in (0.05, 0.2, 0.5):
        world = with_limits(
            finished_search.world, max_drawdown=Limit(bound=0.1, tolerated=tolerated, scenarios=("base_case",))
        )
        for share in (tolerated - 0.01, tolerated, tolerated + 0.01):
            evaluation = trial.evaluation("base_case")
            metrics = evaluation.metrics.model_copy(
                update={"drawdown_breach": breach.model_copy(update={"value": share})}
            )
            (check,) = check_limits(world.request, {"base_case": evaluation.model_copy(update={"metrics": metrics})})
            assert (check.allowed, check.bound) == (tolerated, 0.1)
            assert check.passed == (share <= tolerated)
            assert (total_violation((check,)) == 0.0) == check.passed


def test_the_default_limit_on_drawdown_is_20_percent_in_the_base_case_and_on_history() -> None:
    assert (Limit(bound=0.15).tolerated, Limit(bound=0.15).scenarios) == (0.2, ("base_case", HISTORY))


def test_a_worse_breach_is_a_larger_violation(finished_search) -> None:
    actual = []
    for bound in (0.3, 0.02, 0.01):
        world = with_limits(finished_search.world, value_at_risk=Limit(bound=bound, scenarios=("bear_market",)))
        actual.append(total_violation(check_limits(world.request, evaluations_by_scenario(finished_search.trials[0]))))
    assert actual == sorted(actual)
    assert actual[0] == 0.0


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("max_drawdown", Limit(bound=0.05, scenarios=("bear_market",))),
        ("max_drawdown", Limit(bound=0.05, scenarios=(HISTORY,))),
        ("value_at_risk", Limit(bound=0.01, scenarios=("base_case",))),
        ("expected_shortfall", Limit(bound=0.01, scenarios=("bear_market",))),
    ],
)
def test_limits_that_even_the_minimum_weight_breaks_are_refused_with_their_name(world, name, limit) -> None:
    request_ = with_limits(world, Mandate(min_weight=0.8), **{name: limit})
    with pytest.raises(InvalidInput) as refusal:
        check_minimum_exposure(request_)
    assert refusal.value.field == f"limits.{name}"
    assert refusal.value.value == limit.bound
    assert "minimum weight 0.8" in refusal.value.allowed
    assert limit.scenarios[0] in refusal.value.allowed


def test_the_refusal_looks_at_the_minimum_weight_alone(world) -> None:
    for weight in (0.0, 0.1):
        request_ = with_limits(world, Mandate(min_weight=weight), max_drawdown=Limit(bound=0.10))
        check_minimum_exposure(request_)


def test_scenarios_without_a_limit_are_not_simulated(world) -> None:
    def never() -> bool:
        raise AssertionError("a path was simulated")

    check_minimum_exposure(replace(world, cancelled=never))
    on_history = with_limits(world, max_drawdown=Limit(bound=0.5, scenarios=(HISTORY,)))
    check_minimum_exposure(replace(on_history, cancelled=never))
