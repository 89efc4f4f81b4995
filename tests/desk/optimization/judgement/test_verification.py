"""The check of a stored result detects every replaced number."""

from collections.abc import Callable

import pytest

from desk.figures.guard.claims import check
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.judgement.verification import find_discrepancies
from desk.optimization.reading.findings import build_findings, explainable_figures
from desk.optimization.reading.in_words.next_step import describe_next_step
from desk.optimization.reading.template import template_claims
from desk.optimization.reading.topic_sentences import topic_sentences
from desk.optimization.reading.topics import Topic, topic_claims
from desk.optimization.result import OptimizationResult, Verdict
from tests.desk.figures.guard.deceptions import all_found, changed, perturbed, with_claims
from tests.desk.optimization.planner_claims import market_claims, risk_claims
from tests.sample_result import limit_checks, sample_result

NOTHING = (
    "premium parameter_error probabilities costs facts years crises scenarios benchmarks finalists trials caveats"
).split()
TOPICS: tuple[Topic, ...] = (
    *("summary", "why", "costs", "premium", "parameter_error", "probabilities", "limits", "luck", "benchmarks"),
    *("years", "next_trade", "computed"),
)
NO_WINNER = dict.fromkeys(
    ("benefit", "winner", "depends_on_premium", "next_step", "luck", "out_of_sample", "explanation")
)


def of_colour(colour: str) -> OptimizationResult:
    verdict = Verdict(colour=colour, headline="h", reason="r")  # pyright: ignore[reportArgumentType]
    return whole(sample_result(verdict=verdict))


def infeasible() -> OptimizationResult:
    verdict = Verdict(colour="infeasible", headline="h", reason="r", binding_limit="max_drawdown")
    nothing = dict.fromkeys(NOTHING, ())
    return whole(
        sample_result(
            verdict=verdict,
            **NO_WINNER,
            importance={},
            parameter_effects=None,
            limits=limit_checks(passed=False),
            **nothing,
        )
    )


def whole(result: OptimizationResult) -> OptimizationResult:
    """The result with its own figures and the template's explanation, as a run without a model stores it."""
    counts = result.model_copy(update={"figures": result_figures(result), "explanation": None})
    return with_claims(counts, template_claims(counts))


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.soak)])
def test_every_other_figure_in_the_place_of_one_is_found(every: int) -> None:
    result = of_colour("amber")
    assert all_found(template_claims(result), explainable_figures(result), every) > 2_000 // every


def test_answers_to_each_topic_are_released() -> None:
    result = of_colour("amber")
    for topic in TOPICS:
        details = [outcome.scenario for outcome in result.scenarios] if topic == "scenario" else [None]
        for detail in details:
            figures = (*result.figures, *topic_sentences(result, topic, detail), *describe_next_step(result))
            claims = topic_claims(build_findings(result).model_copy(update={"figures": figures}), topic, detail)
            assert claims, topic
            assert [problem for claim in claims for problem in check(claim, figures)] == []


def test_every_other_figure_is_found_where_nothing_is_feasible() -> None:
    result = infeasible()
    assert all_found(template_claims(result), explainable_figures(result)) > 50


def test_every_other_figure_in_the_claims_before_a_search_is_found(world) -> None:
    assert all_found(*risk_claims(world)) > 30
    for claims, figures in market_claims(world):
        assert all_found(claims, figures) > 20


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("make", [lambda: of_colour("green"), infeasible], ids=["green", "infeasible"])
def test_a_result_is_as_computed_until_something_is_changed(make: Callable[[], OptimizationResult], every: int) -> None:
    result = make()
    assert find_discrepancies(result) == []
    assert find_discrepancies(OptimizationResult.model_validate_json(result.model_dump_json())) == []
    lies = [*perturbed(result), *changed(result)]
    assert len(lies) > 100
    assert [lie for lie in lies[::every] if not find_discrepancies(lie)] == []


def test_a_figure_that_is_used_twice_has_one_meaning() -> None:
    result = of_colour("amber")
    ids = [figure.id for figure in result.figures]
    assert len(ids) == len(set(ids))


def test_figures_of_a_changed_result_are_detected() -> None:
    result = of_colour("amber")
    assert result.luck is not None
    luck = result.luck.model_copy(update={"overfitting": 0.01})
    assert find_discrepancies(result.model_copy(update={"luck": luck})) == [
        "changed_figure: overfitting is not what the result gives"
    ]
