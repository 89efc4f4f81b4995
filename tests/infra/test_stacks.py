"""The stages synthesise without findings, and each planted fault is named."""

import pytest

from infra.checks.assembly import Stage
from infra.checks.finding import findings, name_of
from infra.checks.run import RULES, SNAPSHOT_STAGES
from infra.checks.snapshot import differences
from tests.infra.planted_faults import FAULTS, Fault
from tests.infra.stages import synthesise

FEWEST_FAULTS = 30


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return synthesise(tmp_path_factory.mktemp("stages"), *SNAPSHOT_STAGES)


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_no_rule_finds_anything(stages: dict[str, Stage], name: str) -> None:
    assert list(map(str, findings(RULES, stages[name]))) == []


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_the_templates_are_those_of_the_snapshots(stages: dict[str, Stage], name: str) -> None:
    assert differences(stages[name]) == ""


@pytest.mark.parametrize("fault", FAULTS, ids=[each.name.replace(" ", "-") for each in FAULTS])
def test_a_planted_fault_is_named(stages: dict[str, Stage], fault: Fault) -> None:
    rules = [rule for rule in RULES if name_of(rule) == fault.rule]
    assert {each.rule for each in findings(rules, stages[fault.stage].changed(fault.plant))} == {fault.rule}


def test_every_rule_names_a_planted_fault() -> None:
    assert len(FAULTS) >= FEWEST_FAULTS
    assert {name_of(rule) for rule in RULES} == {each.rule for each in FAULTS}


def test_a_snapshot_shows_the_changed_line(stages: dict[str, Stage]) -> None:
    fault = next(each for each in FAULTS if each.name == "visibility below six times the timeout")
    lines = differences(stages["dev"].changed(fault.plant)).splitlines()
    assert "-  VisibilityTimeout = 5400" in lines
    assert "+  VisibilityTimeout = 900" in lines
