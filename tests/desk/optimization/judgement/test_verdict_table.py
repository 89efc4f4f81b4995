"""The colour, the reasons, the report, the terminal and the documentation follow from the table of the verdict."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.cli.output.summary import rows
from api.export.report.page import render
from desk.optimization.result import Luck
from quant.numeric.errors import DataError
from quant.overfitting.verdict import VERDICT, VerdictRule, reasons_against_green, traffic_light
from tests.sample_result import sample_result

ROOT = Path(__file__).parents[4]
STRICTER = tuple(
    replace(rule, thresholds={colour: threshold / 2 for colour, threshold in rule.thresholds.items()})
    for rule in VERDICT
)
PASSED = {"active_deflated_sharpe": 0.99, "overfitting": 0.15, "spa_p": 0.04, "validate_advantage_bps": 12.0}


def plain(text: str) -> str:
    return " ".join(text.split())


def test_another_table_gives_another_colour_and_other_reasons() -> None:
    assert traffic_light(PASSED) == "green"
    assert reasons_against_green(PASSED) == ()
    assert traffic_light(PASSED, STRICTER) == "amber"
    assert reasons_against_green(PASSED, STRICTER) == (
        "the probability of overfitting is 15%, not below 10%",
        "the test of superior ability has a p-value of 0.040, not below 0.025",
    )


def test_another_statistic_is_one_more_rule() -> None:
    loss = VerdictRule(
        statistic="loss",
        label="Probability of loss",
        comparison="below",
        thresholds={"green": 0.5, "amber": 0.5},
        unit="percent",
        digits=0,
        reason=lambda value, threshold: f"the probability of loss is {value:.0%}, not below {threshold:.0%}",
    )
    rules = (*VERDICT, loss)
    assert traffic_light({**PASSED, "loss": 0.49}, rules) == "green"
    assert traffic_light({**PASSED, "loss": 0.5}, rules) == "red"
    assert reasons_against_green({**PASSED, "loss": 0.6}, rules) == ("the probability of loss is 60%, not below 50%",)
    with pytest.raises(DataError, match="`statistics` lacks `loss`"):
        traffic_light(PASSED, rules)


def test_a_statistic_without_meaning_is_a_reason() -> None:
    single = {**PASSED, "overfitting": None}
    assert traffic_light(single) == "amber"
    assert reasons_against_green(single) == ("Probability of overfitting: it cannot be computed",)


def test_every_rule_judges_a_field_of_the_result() -> None:
    for rule in VERDICT:
        assert {rule.statistic, *(rule.interval or ())} <= {*Luck.model_fields}
        assert "green" in rule.thresholds


def test_the_report_and_the_terminal_say_what_green_requires() -> None:
    result = sample_result()
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
    demo = {"active_deflated_sharpe": 0.04, "overfitting": 0.79, "spa_p": 0.075, "validate_advantage_bps": -94.0}
    reason = "; ".join(reasons_against_green(demo))
    assert f"{reason[:1].upper()}{reason[1:]}." in plain((ROOT / "README.md").read_text())
