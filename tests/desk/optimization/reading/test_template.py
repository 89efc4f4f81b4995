import itertools
import re
from pathlib import Path

import pytest

import desk.optimization.reading.template
from desk.figures.guard.claims import MAX_CLAIMS, check
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims, template_claims
from quant.overfitting.verdict import ADVICE, VERDICT
from tests.sample_result import sample_result

REFERRED = sorted(
    {
        "ledger_trials",
        *re.findall(r"\{\{+([a-z][a-z0-9_]*)\}+\}", Path(desk.optimization.reading.template.__file__).read_text()),
    }
)
SAMPLE = sample_result()
BINDING = sample_result(
    verdict=SAMPLE.verdict.model_copy(update={"binding_limit": "max_drawdown", "feasible_with": "a drawdown of 30%"}),
    manifest=SAMPLE.manifest.model_copy(
        update={"request": SAMPLE.manifest.request.model_copy(update={"safe": "BOND"})}
    ),
)
FIGURES = tuple(figure for figure in result_figures(BINDING) if figure.id in REFERRED)
ADVICES = [
    None,
    *(advice.format(tries="{{ledger_trials}}") for advice in ADVICE.values()),
    *(rule.red[1] for rule in VERDICT if rule.red),
]
SOMETIMES = [True, False, None]


def test_every_figure_that_a_sentence_may_refer_to_is_there() -> None:
    assert {figure.id for figure in FIGURES} == set(REFERRED)


@pytest.mark.parametrize("colour", ["green", "amber", "red", "infeasible"])
@pytest.mark.parametrize("benefit", ["positive", "unclear", "negative", None])
def test_every_sentence_passes_the_check_that_agents_must_pass(colour, benefit) -> None:
    for a, b, c in itertools.product(SOMETIMES, repeat=3):
        claims = findings_claims(
            Findings(
                colour=colour,
                advice=ADVICES[(len(SOMETIMES) * SOMETIMES.index(a) + SOMETIMES.index(b)) % len(ADVICES)],
                benefit=benefit,
                shallower=a,
                depends_on_premium=b,
                loses_in_a_scenario=bool(a),
                survives_parameter_error=b,
                survives_double_costs=c,
                validated=a,
                several_indistinguishable=bool(b),
                on_a_plateau=c,
                figures=FIGURES,
            )
        )
        assert [check(claim, FIGURES) for claim in claims] == [[]] * len(claims)
        assert len(claims) <= MAX_CLAIMS
        assert {"winner", "data", "counter_argument"} <= {claim.section for claim in claims}


@pytest.mark.parametrize("light", ADVICE)
def test_the_explanation_begins_with_what_to_do(light) -> None:
    result = sample_result()
    assert result.luck is not None
    statistics = {"green": 0.01, "amber": 0.1, "red": 0.5}
    luck = result.luck.model_copy(update={"winner_p": statistics[light]})
    [first, *_] = template_claims(sample_result(luck=luck))
    assert first.text == ADVICE[light].format(tries="{{ledger_trials}}")


def test_a_result_of_an_earlier_version_begins_with_what_won() -> None:
    result = sample_result()
    assert result.luck is not None
    older = result.luck.model_copy(update={"winner_p": None, "single_step_p": None, "loss": None, "validate_t": None})
    [first, *_] = template_claims(sample_result(luck=older, verdict=result.verdict.model_copy(update={"advice": ""})))
    assert first.text.startswith("Of the {{trials}} configurations that were tried the best is")
