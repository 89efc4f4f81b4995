"""The policies of processes are what their recorded calls need."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.checks.rules.edges import CALLED, GATEWAYS, WITHOUT_ENDPOINT
from infra.permissions import PERMISSIONS, WITHOUT_CALLS, actions_of
from tests.doubles.aws import Aws
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.doubles.lambda_.management_api import management_api
from tests.doubles.sagemaker.fleet import Fleet
from tests.infra.process_journeys import Account, record, record_without_computations

RECORDED = Path(__file__).parent / "recorded_calls.json"


def triples(calls: Mapping[str, Mapping[Any, Collection[str]]]) -> set[tuple[str, str, str]]:
    """Process, resource and action of each call."""
    return {
        (process, resource, action)
        for process, resources in calls.items()
        for resource, actions in resources.items()
        for action in actions
    }


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.anyio
async def test_the_recorded_calls_are_those_of_the_program(
    behind: Aws, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Double(embedded()) as bedrock, management_api() as gateway:
        recorded = await record(Account(behind, fleet, bedrock, gateway, monkeypatch), fleet, gateway)
    assert recorded == json.loads(RECORDED.read_text()), json.dumps(recorded, indent=2)


@pytest.mark.anyio
async def test_no_process_calls_what_it_may_not(behind: Aws, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    with Double(embedded()) as bedrock, management_api() as gateway:
        account = Account(behind, fleet, bedrock, gateway, monkeypatch)
        recorded = await record_without_computations(account, gateway)
    calls = triples(recorded)
    needed = {("http", "queue", "sqs:SendMessage"), ("tasks", "checkpoints", "dynamodb:Query")}
    assert needed <= calls
    assert calls - triples({process: actions_of(process) for process in PERMISSIONS}) == set()


def test_each_process_may_do_what_it_was_recorded_to_do() -> None:
    recorded = json.loads(RECORDED.read_text())
    permitted = {
        process: {resource: sorted(actions) for resource, actions in sorted(resources.items())}
        for process, resources in PERMISSIONS.items()
    }
    assert permitted == recorded


def test_each_called_service_has_an_endpoint_or_a_reason_for_none() -> None:
    recorded = json.loads(RECORDED.read_text())
    actions = {each for resources in recorded.values() for listed in resources.values() for each in listed}
    services = {each.partition(":")[0] for each in actions}
    assert services == GATEWAYS | CALLED.keys() | WITHOUT_ENDPOINT.keys()


def test_each_permission_without_a_call_has_a_reason() -> None:
    for process, exemptions in WITHOUT_CALLS.items():
        for each in exemptions:
            assert len(each.reason.split()) > 4, each
            assert not set(each.actions) & set(PERMISSIONS[process].get(each.resource, ())), each
