"""The stages synthesise without findings, and each planted fault is named."""

import pytest

from infra.checks.assembly import Stage
from infra.checks.finding import findings, name_of
from infra.checks.rules.watching import PHYSICAL_NAMES
from infra.checks.run import RULES, SNAPSHOT_STAGES
from infra.checks.snapshot import differences
from tests.infra.planted_edge_faults import EDGE_FAULTS
from tests.infra.planted_faults import FAULTS
from tests.infra.stages import synthesise
from tests.infra.template_edits import Fault

FEWEST_FAULTS = 30
ALL_FAULTS = (*FAULTS, *EDGE_FAULTS)
EPHEMERAL = ("pr4", "pr42")


def physical_names(stage: Stage) -> set[tuple[str, str]]:
    return {
        (resource.type, str(resource.get(*key.split("."))))
        for resource in stage.resources
        for key in PHYSICAL_NAMES.get(resource.type, ())
        if resource.get(*key.split(".")) is not None
    }


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return synthesise(tmp_path_factory.mktemp("stages"), *SNAPSHOT_STAGES, *EPHEMERAL)


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_no_rule_finds_anything(stages: dict[str, Stage], name: str) -> None:
    assert list(map(str, findings(RULES, stages[name]))) == []


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_the_templates_are_those_of_the_snapshots(stages: dict[str, Stage], name: str) -> None:
    assert differences(stages[name]) == ""


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=[each.name.replace(" ", "-") for each in ALL_FAULTS])
def test_a_planted_fault_is_named(stages: dict[str, Stage], fault: Fault) -> None:
    rules = [rule for rule in RULES if name_of(rule) == fault.rule]
    assert {each.rule for each in findings(rules, stages[fault.stage].changed(fault.plant))} == {fault.rule}


def test_two_ephemeral_stages_share_no_name(stages: dict[str, Stage]) -> None:
    one, other = (physical_names(stages[name]) for name in EPHEMERAL)
    assert len(one) > 50
    assert one & other == set()


def test_every_rule_names_a_planted_fault() -> None:
    assert len(ALL_FAULTS) >= FEWEST_FAULTS
    assert {name_of(rule) for rule in RULES} == {each.rule for each in ALL_FAULTS}


def test_a_snapshot_shows_the_changed_line(stages: dict[str, Stage]) -> None:
    fault = next(each for each in ALL_FAULTS if each.name == "visibility below six times the timeout")
    lines = differences(stages["dev"].changed(fault.plant)).splitlines()
    assert "-  VisibilityTimeout = 5400" in lines
    assert "+  VisibilityTimeout = 900" in lines
