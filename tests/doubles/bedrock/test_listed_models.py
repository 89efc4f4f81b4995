"""Every model id that langchain-aws lists is created and calls a tool of the double, or is refused with its reason."""

import json
from pathlib import Path

import pytest

from agents.models.bedrock import base_model
from tests.doubles.bedrock.listed_models import HEADING, LISTED, Outcome, outcomes_of, rows, serve
from tests.doubles.bedrock.models import features_of
from tests.graphs.bedrock_runs import point_at

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome]:
    with pytest.MonkeyPatch.context() as patch, serve() as double:
        point_at(patch, double.url)
        return outcomes_of(LISTED, double)


def test_every_listed_id_calls_a_tool_or_cannot_use_tools(outcomes: dict[str, Outcome]) -> None:
    assert len(outcomes) == len(LISTED) >= 199
    for id_, result in outcomes.items():
        features = features_of(id_)
        assert features is not None, id_
        if features.tools:
            forced = "any" in features.choices
            assert result.choice == ("any" if forced else "auto" if result.choice == "auto" else "none"), id_
            assert result.streamed == features.streamed_tools, id_
        else:
            assert "cannot call tools, which agents need" in result.refusal, id_


def test_the_ids_of_a_model_have_one_outcome_and_the_page_shows_it(outcomes: dict[str, Outcome]) -> None:
    by_base: dict[str, set[str]] = {}
    for id_, result in outcomes.items():
        shown = json.dumps([result.choice, result.streamed, bool(result.refusal)])
        by_base.setdefault(base_model(id_, None, "MODEL"), set()).add(shown)
    assert all(len(shown) == 1 for shown in by_base.values())
    lines = list(rows(outcomes))
    assert len(lines) == len(by_base)
    assert PAGE.read_text() == "\n".join([HEADING, *lines, ""]), "make models"
