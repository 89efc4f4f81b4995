import pytest

from desk.optimization.answers import Decision
from desk.optimization.reading.comparison import compare
from desk.optimization.request import Limit, Limits
from quant.numeric.measured import Measured
from quant.strategies.mandate import Mandate
from tests.doubles.price_source import assert_well_formed, value


@pytest.fixture(scope="module")
def result(judgement):
    return judgement.result


def with_request(result, **changes):
    """The result as if of a changed request."""
    request = result.manifest.request.model_copy(update=changes)
    return result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})


def test_a_result_compared_with_itself_does_not_differ(result) -> None:
    actual = compare(result, result)
    assert actual.identical
    assert actual.changes == ()
    assert actual.same_data
    assert actual.same_seed
    assert actual.same_code
    assert actual.same_decisions
    assert actual.same_winner == (result.winner is not None)
    assert_well_formed(actual.figures, "compare_results")
    assert [f.value for f in actual.figures if f.id.endswith("_change")] == [0.0] * sum(
        f.id.endswith("_change") for f in actual.figures
    )


@pytest.mark.parametrize(
    ("changes", "field", "first", "second"),
    [
        ({"mandate": Mandate(transaction_cost_bps=10.0)}, "mandate.transaction_cost_bps", "5", "10"),
        ({"mandate": Mandate(target_volatility=0.125)}, "mandate.target_volatility", "10%", "12.5%"),
        ({"seed": 4}, "seed", "5", "4"),
        ({"goal": "worst_case"}, "goal", "robust_utility", "worst_case"),
        ({"limits": Limits(turnover=Limit(bound=0.5))}, "limits.turnover.bound", "none", "50%"),
        ({"universe": "stocks"}, "universe", "sp500", "stocks"),
    ],
)
def test_every_difference_of_the_requests_is_named(result, changes, field, first, second) -> None:
    actual = compare(result, with_request(result, **changes))
    assert not actual.identical
    output = {c.field: c for c in actual.changes}
    assert field in output
    assert (output[field].first, output[field].second) == (first, second)
    assert {c.field.partition(".")[0] for c in actual.changes} == {field.partition(".")[0]}
    assert value(actual.figures, "compare_changes") == len(actual.changes)
    assert actual.same_seed == (field != "seed")


def test_scenarios_are_compared_by_name(result) -> None:
    base, bear = result.manifest.request.scenarios
    shifted = with_request(result, scenarios=(bear, base.model_copy(update={"mu": 0.04})))
    (change,) = compare(result, shifted).changes
    assert (change.field, change.first, change.second) == ("scenarios.base_case.mu", "8%", "4%")
    assert change.words == "expected return of base case of scenarios"
    fewer = compare(result, with_request(result, scenarios=(base,))).changes
    assert {c.field.split(".")[1] for c in fewer} == {"bear_market"}
    assert {c.second for c in fewer} == {"none"}


def test_the_place_of_a_price_file_is_no_difference(result) -> None:
    first, second = (with_request(result, prices_file=place) for place in ("/a/b.csv", "/secret/c.csv"))
    actual = compare(first, second)
    assert actual.identical
    assert "secret" not in actual.model_dump_json()


@pytest.mark.parametrize(
    ("changed", "flag"), [({"data_digest": "other"}, "same_data"), ({"code_version": "other"}, "same_code")]
)
def test_other_data_and_other_code_are_reported(result, changed, flag) -> None:
    other = result.model_copy(update={"manifest": result.manifest.model_copy(update=changed)})
    actual = compare(result, other)
    flags = {name: getattr(actual, name) for name in ("same_data", "same_code", "same_seed", "same_decisions")}
    assert [name for name, same in flags.items() if not same] == [flag]


def test_other_decisions_of_agents_are_reported_but_not_other_claims(result) -> None:
    def with_decision(answer):
        decision = Decision(agent="optimizer", ordinal=0, author="x", answer=answer)
        manifest = result.manifest.model_copy(update={"decisions": (decision,)})
        return result.model_copy(update={"manifest": manifest})

    assert not compare(result, with_decision({"a": 1})).same_decisions
    assert compare(result, with_decision({"claims": ["a"]})).same_decisions
    assert compare(with_decision({"a": 1, "claims": ["a"]}), with_decision({"a": 1, "claims": []})).same_decisions


def test_changes_of_key_figures_are_the_second_minus_the_first_with_their_error(result) -> None:
    assert result.benefit is not None
    better = result.model_copy(
        update={
            "benefit": result.benefit.model_copy(update={"basis_points": Measured(value=70.0, error=4.0)}),
            "luck": result.luck.model_copy(update={"overfitting": result.luck.overfitting / 2}),
        }
    )
    worse = result.model_copy(
        update={"benefit": result.benefit.model_copy(update={"basis_points": Measured(value=20.0, error=3.0)})}
    )
    figures = {f.id: f for f in compare(worse, better).figures}
    assert figures["compare_benefit_change"].value == pytest.approx(50.0)
    assert figures["compare_benefit_change"].error == pytest.approx(5.0)
    halved = figures["compare_overfitting_change"]
    assert (halved.value, halved.unit) == (pytest.approx(-50.0 * result.luck.overfitting), "points")


def test_a_result_without_a_winner_can_be_compared(result) -> None:
    nothing = result.model_copy(update={"winner": None, "benefit": None, "luck": None, "finalists": ()})
    actual = compare(result, nothing)
    assert not actual.same_winner
    assert_well_formed(actual.figures, "compare_results")
    assert "compare_benefit_change" not in {f.id for f in actual.figures}
