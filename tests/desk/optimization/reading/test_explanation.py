import pytest

from desk.figures.figures import Figure, RenderedClaim, format_figure
from desk.optimization.reading.explanation import explain_result
from desk.optimization.request import Limit, Limits
from desk.optimization.result import Explanation
from quant.overfitting.verdict import traffic_light

FIGURE = "benefit_bps"


def _with_claim(result, text: str, template: str):
    claim = RenderedClaim(section="winner", text=text, figures=(FIGURE,), template=template)
    return result.model_copy(update={"explanation": Explanation(claims=(claim,), author="a")})


def _benefit(result) -> Figure:
    return next(figure for figure in result.figures if figure.id == FIGURE)


def test_each_number_of_a_text_leads_to_its_figure(judgement):
    shown = format_figure(_benefit(judgement.result))
    result = _with_claim(judgement.result, f"The benefit is {shown}.", f"The benefit is {{{{{FIGURE}}}}}.")
    explanation = explain_result(result, job="r1")
    [section] = explanation.sections
    assert section.heading == "What won"
    [[before, number, after]] = section.claims
    assert (before.text, number.text, after.text) == ("The benefit is ", shown, ".")
    assert (before.figure, number.figure, after.figure) == (None, FIGURE, None)
    source = next(figure for figure in explanation.figures if figure.id == FIGURE)
    assert source.value == result.benefit.basis_points.value
    assert source.field == _benefit(result).source.removeprefix("result.")
    assert source.computation == "The winner against the constant weight of the same volatility"


def test_every_figure_names_what_gave_it(judgement):
    unnamed = [figure.field for figure in explain_result(judgement.result, job="r1").figures if not figure.computation]
    assert unnamed == []


def test_a_text_that_differs_from_its_figures_has_no_link(judgement):
    result = _with_claim(judgement.result, "The benefit is huge.", f"The benefit is {{{{{FIGURE}}}}}.")
    [[piece]] = explain_result(result, job="r1").sections[0].claims
    assert (piece.text, piece.figure) == ("The benefit is huge.", None)


def test_the_evidence_gives_the_colour(judgement):
    result = judgement.result
    explanation = explain_result(result, job="r1", watermark="It was opened.")
    assert explanation.colour == traffic_light({item.statistic: item.value for item in explanation.evidence})
    luck = next(item for item in explanation.evidence if item.statistic == "winner_p")
    assert (luck.requirement, luck.amber_requirement) == ("below 5%", "below 15%")
    is_green = all(item.passed for item in explanation.evidence if item.decides)
    assert is_green == (explanation.colour == "green")
    assert (explanation.hindsight is not None) == (explanation.colour == "red")
    assert "It was opened." in explanation.warnings
    ids = {figure.id for figure in result.figures}
    assert {item.statistic for item in explanation.evidence if item.value is not None} <= ids


@pytest.mark.parametrize(("bound", "broken"), [(0.001, True), (50.0, False)])
def test_a_current_rule_that_breaks_a_limit_of_the_mandate_is_told_beside_the_advice(judgement, bound, broken):
    result = judgement.result
    request = result.manifest.request.model_copy(update={"limits": Limits(turnover=Limit(bound=bound))})
    asked = result.model_copy(update={"manifest": result.manifest.model_copy(update={"request": request})})
    warning = "Your current rule itself breaks the turnover limit that you asked for."
    assert (warning in explain_result(asked, job="r1").warnings) == broken
