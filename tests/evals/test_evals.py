"""The evaluations notice what they are for: a planted regression of a prompt, and each habit of a bad model."""

import json
from typing import get_args

import pytest

from agents.models.factory import NamedModel
from agents.models.prices import FREE
from tests.evals.cases import KINDS, Case, Kind, Part, load_cases
from tests.evals.evaluate import PAGE, ROWS, Row, current_prompt, evaluate, page, scripted_rows
from tests.evals.scripted_models import RULES, SCRIPTED, scripted_model

A_FEW = 3
"""Cases of each kind and agent that the tests ask."""


def few() -> dict[Part, list[Case]]:
    chosen: dict[tuple[str, str], list[Case]] = {}
    for case in load_cases("development"):
        chosen.setdefault((case.kind, case.agent), []).append(case)
    return {"development": [case for cases in chosen.values() for case in cases[:A_FEW]], "held_out": []}


def passed(row: Row, kind: Kind) -> int:
    return row.scores[kind]["development"].passed


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    return {row.model: row for row in scripted_rows(few(), current_prompt)}


def test_there_are_enough_cases_and_half_are_held_out() -> None:
    parts = {part: load_cases(part) for part in get_args(Part)}
    cases = [case for listed in parts.values() for case in listed]
    assert len(cases) >= 120
    assert len({case.id for case in cases}) == len(cases)
    assert abs(len(parts["development"]) - len(parts["held_out"])) <= len(KINDS)
    texts = [{(case.agent, case.text, str(case.given)) for case in listed if case.text} for listed in parts.values()]
    assert set(KINDS) == {case.kind for case in parts["held_out"]}
    assert sum(map(len, texts)) > 80


def test_a_better_model_has_a_better_row(rows: dict[str, Row]) -> None:
    obedient, careless, hostile = (rows[name] for name in SCRIPTED)
    for kind in KINDS:
        assert passed(obedient, kind) >= passed(careless, kind) >= passed(hostile, kind)
        assert passed(obedient, kind) > passed(hostile, kind)


@pytest.mark.parametrize(
    ("rule", "kind"),
    list(zip(RULES, ["injection", "citation", "refusal", "understanding"], strict=True)),
    ids=lambda value: getattr(value, "name", value),
)
def test_a_prompt_that_loses_a_rule_changes_the_rows(rule, kind: Kind, rows: dict[str, Row]) -> None:
    def regressed(agent: str) -> str:
        return current_prompt(agent).replace(rule.words, "")

    assert regressed("assistant") != current_prompt("assistant"), "the rule is in the prompts"
    name = "scripted, obedient"
    row = evaluate(NamedModel(name, scripted_model(name), price=FREE), few(), regressed)
    assert passed(row, kind) < passed(rows[name], kind)


def test_the_page_shows_the_stored_rows() -> None:
    stored = [Row.model_validate(row) for row in json.loads(ROWS.read_text(encoding="utf-8"))]
    assert PAGE.read_text(encoding="utf-8") == page(stored)
    assert {"embedded planner (rule-based)", *SCRIPTED} <= {row.model for row in stored}
