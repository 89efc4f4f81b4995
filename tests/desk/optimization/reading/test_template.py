import itertools
import re
from pathlib import Path

import pytest

import desk.optimization.reading.template
from desk.figures.guard.claims import MAX_CLAIMS, check
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.reading.findings import Findings
from desk.optimization.reading.template import findings_claims
from tests.sample_result import sample_result

REFERRED = sorted(
    set(re.findall(r"\{\{+([a-z][a-z0-9_]*)\}+\}", Path(desk.optimization.reading.template.__file__).read_text()))
)
BINDING = sample_result(verdict=sample_result().verdict.model_copy(update={"binding_limit": "max_drawdown"}))
FIGURES = tuple(figure for figure in result_figures(BINDING) if figure.id in REFERRED)
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


def test_a_red_verdict_begins_with_the_benchmark_unbeaten() -> None:
    [first, *_] = findings_claims(
        Findings(
            colour="red",
            benefit="positive",
            shallower=True,
            depends_on_premium=False,
            loses_in_a_scenario=False,
            survives_parameter_error=True,
            survives_double_costs=True,
            validated=True,
            several_indistinguishable=True,
            on_a_plateau=True,
            figures=FIGURES,
        )
    )
    assert first.text.startswith("No configuration is distinguishable from the benchmark.")
