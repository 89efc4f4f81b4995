"""The colour, the reasons, the report, the terminal and the documentation follow from the table of the verdict."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.cli.output.summary import rows
from api.export.report.page import render
from desk.optimization.judgement.verdict import build_verdict, verdict_statistics
from desk.optimization.result import Finalist, Luck
from quant.numeric.errors import DataError
from quant.overfitting.verdict import (
    ADVICE,
    HEADLINES,
    VERDICT,
    VerdictRule,
    headline_and_advice,
    reasons_against_green,
    traffic_light,
)
from tests.sample_result import sample_result

ROOT = Path(__file__).parents[4]
SAMPLE = sample_result()
STRICTER = tuple(
    replace(rule, thresholds={colour: threshold / 2 for colour, threshold in rule.thresholds.items()})
    for rule in VERDICT
)
PASSED = {"winner_p": 0.03, "single_step_p": 0.2, "loss": 0.3, "validate_t": 0.5, "benefit_bps": 40.0}


def plain(text: str) -> str:
    return " ".join(text.split())


def test_another_table_gives_another_colour_and_other_reasons() -> None:
    assert traffic_light(PASSED) == "green"
    assert reasons_against_green(PASSED) == ()
    assert traffic_light(PASSED, STRICTER) == "red"
    assert reasons_against_green(PASSED, STRICTER) == (
        "if nothing could be gained, luck alone would still make 3.0% of such searches look as good, "
        "and green needs below 2%",
        "what is chosen on one half of the history gains nothing on the other half in 30% of the splits, "
        "and green needs below 25%",
    )
    headline, advice = headline_and_advice(PASSED, STRICTER)
    assert (headline, advice) == VERDICT[2].red


def test_another_statistic_is_one_more_rule() -> None:
    spa = VerdictRule(
        statistic="spa_p",
        label="SPA p-value",
        comparison="below",
        thresholds={"green": 0.05},
        unit="ratio",
        digits=3,
        reason=lambda value, threshold: f"the SPA p-value is {value:.2f}, not below {threshold:.2f}",
    )
    rules = (*VERDICT, spa)
    assert traffic_light({**PASSED, "spa_p": 0.049}, rules) == "green"
    assert traffic_light({**PASSED, "spa_p": 0.05}, rules) == "amber"
    assert reasons_against_green({**PASSED, "spa_p": 0.6}, rules) == ("the SPA p-value is 0.60, not below 0.05",)
    with pytest.raises(DataError, match="`statistics` lacks `spa_p`"):
        traffic_light(PASSED, rules)


def test_where_the_choice_cannot_be_rerun_the_single_step_test_decides() -> None:
    single = {**PASSED, "winner_p": None}
    assert traffic_light(single | {"single_step_p": 0.049}) == "green"
    assert traffic_light(single | {"single_step_p": 0.199}) == "amber"
    assert traffic_light(single | {"single_step_p": 0.2}) == "red"
    assert traffic_light(PASSED | {"single_step_p": 0.9}) == "green", "the rule's own choice is judged by its own test"


def test_a_statistic_without_meaning_is_a_reason() -> None:
    single = {**PASSED, "loss": None}
    assert traffic_light(single) == "amber"
    assert reasons_against_green(single) == ("Probability of loss out of sample: it cannot be computed",)


def test_every_rule_judges_a_field_of_the_result() -> None:
    for rule in VERDICT:
        assert rule.statistic in {*Luck.model_fields, "benefit_bps"}
        assert "green" in rule.thresholds


def finalist(*, plateau_passed: bool) -> Finalist:
    return SAMPLE.finalists[0].model_copy(update={"plateau_passed": plateau_passed})


share = st.floats(0.0, 1.0) | st.floats(0.0, 0.2)
ratio = st.floats(-5.0, 5.0)


@settings(max_examples=500)
@given(
    winner_p=st.none() | share,
    single_step_p=share,
    loss=share,
    validate_t=ratio,
    advantage=st.floats(-300.0, 300.0),
    benefit_bps=st.floats(-300.0, 300.0),
    depends=st.none() | st.booleans(),
    plateau=st.booleans(),
)
def test_colour_headline_advice_and_reasons_never_contradict_each_other(
    winner_p, single_step_p, loss, validate_t, advantage, benefit_bps, depends, plateau
) -> None:
    luck = SAMPLE.luck
    assert luck is not None
    known = {
        "winner_p": winner_p,
        "single_step_p": single_step_p,
        "loss": loss,
        "validate_t": validate_t,
        "validate_advantage_bps": advantage,
    }
    chosen = finalist(plateau_passed=plateau)
    luck = luck.model_copy(update=known)
    verdict = build_verdict(luck, benefit_bps, depends=depends, finalists=[chosen], config=chosen.config)
    p, least = (single_step_p, 0.20) if winner_p is None else (winner_p, 0.15)
    lasting = loss < 0.5 and validate_t > -1.645 and benefit_bps > 0.0
    assert verdict.colour == ("green" if p < 0.05 and lasting else "amber" if p < least and lasting else "red")

    told = verdict.advice
    assert told.startswith(
        {"green": "Consider", "amber": "Do not switch", "red": "Keep your current rule"}[verdict.colour]
    )
    assert ("every test is passed" in verdict.reason.lower()) <= (verdict.colour == "green")
    if verdict.colour == "red" and p < least:  # luck does not explain it, so nothing may say that it does
        assert "luck" not in told
        assert "distinguishable" not in verdict.headline
    if verdict.colour == "red" and p >= least:
        assert (verdict.headline, told) == (HEADLINES["red"], ADVICE["red"].format(tries="340"))
    broken = [p >= 0.05, loss >= 0.5, validate_t <= -1.645, benefit_bps <= 0.0]
    assert len(reasons_against_green(verdict_statistics(luck, benefit_bps))) == sum(broken)
    behind = advantage < -0.5
    assert verdict.reason.startswith("On the validation years, which had no part") >= behind
    assert ("bps a year behind that" in verdict.reason) == behind
    assert ("plateau" in verdict.reason) != plateau
    assert ("depends on how the premium" in verdict.reason) == bool(depends)


def test_the_report_and_the_terminal_say_what_green_requires() -> None:
    result = SAMPLE
    page = plain(render(result, run="run", created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    terminal = plain(" ".join(line for _, line in rows(result)))
    for rule in VERDICT:
        for text in (page, terminal):
            assert rule.label in text
            assert f"green {rule.requirement('green')})" in text


def test_the_documentation_has_the_rules() -> None:
    page = (ROOT / "docs/report-and-verdict.md").read_text()
    for rule in VERDICT:
        assert f"| {rule.label} | {rule.requirement('green')} | {rule.requirement('amber') or '–'} |" in page
    table = page.partition("| test | green needs |")[2].partition("\n\n")[0]
    assert len(table.splitlines()) == len(VERDICT) + 2


def test_the_readme_shows_reasons_of_the_table() -> None:
    demo = {"winner_p": 0.2734, "single_step_p": 0.456, "loss": 0.32, "validate_t": -1.10, "benefit_bps": 120.0}
    [reason] = reasons_against_green(demo)
    assert f"{reason}." in plain((ROOT / "README.md").read_text())
