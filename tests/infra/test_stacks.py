"""The stages synthesise without findings, and each planted fault is named."""

import re

import pytest

from infra.checks.assembly import Stage
from infra.checks.finding import findings, name_of
from infra.checks.rules.naming import physical_name
from infra.checks.run import RULES, SNAPSHOT_STAGES
from infra.checks.snapshot import differences
from infra.costs import PRICES, idle_costs, monthly, total
from tests.infra.planted_edge_faults import EDGE_FAULTS
from tests.infra.planted_faults import FAULTS
from tests.infra.stages import CONFIGS, EPHEMERAL, EQUIPPED, ROOT, synthesise
from tests.infra.template_edits import Fault

FEWEST_FAULTS = 30
ALL_FAULTS = (*FAULTS, *EDGE_FAULTS)


def physical_names(stage: Stage) -> set[tuple[str, str]]:
    return {
        (resource.type, str(physical_name(resource)))
        for resource in stage.resources
        if physical_name(resource) is not None
    }


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stage]:
    return synthesise(tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize("name", [*SNAPSHOT_STAGES, EQUIPPED.name])
def test_no_rule_finds_anything(stages: dict[str, Stage], name: str) -> None:
    assert list(map(str, findings(RULES, stages[name]))) == []


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_the_templates_are_those_of_the_snapshots(stages: dict[str, Stage], name: str) -> None:
    assert differences(stages[name]) == ""


@pytest.mark.parametrize("fault", ALL_FAULTS, ids=[each.name.replace(" ", "-") for each in ALL_FAULTS])
def test_a_planted_fault_is_named(stages: dict[str, Stage], fault: Fault) -> None:
    rules = [rule for rule in RULES if name_of(rule) == fault.rule]
    found = findings(rules, stages[fault.stage].changed(fault.plant))
    assert {each.rule for each in found} == {fault.rule}
    assert any(fault.message in each.message for each in found), list(map(str, found))


def test_two_ephemeral_stages_share_no_name(stages: dict[str, Stage]) -> None:
    one, other = (physical_names(stages[name]) for name in EPHEMERAL)
    assert len(one) > 50
    assert one & other == set()


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_leaves_are_the_stacks_that_no_other_needs(stages: dict[str, Stage], name: str) -> None:
    needed = frozenset[str]().union(*stages[name].needs.values())
    assert stages[name].templates.keys() - needed == set(CONFIGS[name].leaves)


@pytest.mark.parametrize("name", SNAPSHOT_STAGES)
def test_the_page_states_what_an_idle_stage_costs(stages: dict[str, Stage], name: str) -> None:
    page = " ".join((ROOT / "docs/deployment.md").read_text().split())
    sentence = re.search(r"An idle stage costs (\d+) dollars a month as `dev` and (\d+) as `prod`", page)
    assert sentence is not None
    assert int(sentence[1 + SNAPSHOT_STAGES.index(name)]) == round(total(stages[name]))


def test_the_page_compares_lambda_and_fargate_by_the_prices(stages: dict[str, Stage]) -> None:
    prod = {line.what: line.dollars for line in idle_costs(stages["prod"])}
    tasks = prod["processor of a task"] + prod["GB of a task"] + prod["load balancer"]
    function = next(each for each in stages["dev"].of_type("AWS::Lambda::Function") if each.name == "http-function")
    stream_hour = 3600 * function.get("MemorySize") / 1024 * monthly("GB-second of a function")
    expected = {
        "Lambda, 1,000 users": 1000 * 8 * 22 * stream_hour,
        "Fargate, 1,000 users": tasks,
        "the same with its network": tasks + prod["NAT gateway"] + prod["endpoint in a zone"],
        "Lambda, 3 users of an hour a day": 3 * 22 * stream_hour,
    }
    page = (ROOT / "docs/deployment.md").read_text()
    for row, dollars in expected.items():
        match = re.search(rf"^\| {row} \|.*\| ([\d,]+) \|$", page, re.MULTILINE)
        assert match is not None
        assert int(match[1].replace(",", "")) == round(dollars), row


def test_each_price_names_a_publication_and_its_year() -> None:
    for what, price in PRICES.items():
        assert re.search(r"\b202\d\b", price.source), what


def test_every_rule_names_a_planted_fault() -> None:
    assert len(ALL_FAULTS) >= FEWEST_FAULTS
    assert {name_of(rule) for rule in RULES} == {each.rule for each in ALL_FAULTS}


def test_a_snapshot_shows_the_changed_line(stages: dict[str, Stage]) -> None:
    fault = next(each for each in ALL_FAULTS if each.name == "visibility below six times the timeout")
    lines = differences(stages["dev"].changed(fault.plant)).splitlines()
    assert "-  VisibilityTimeout = 5400" in lines
    assert "+  VisibilityTimeout = 900" in lines
