"""The configuration of stages, and the settings that their processes get from it."""

from dataclasses import replace

import pytest

from agents.table import AGENTS
from api.settings import read_model_options, read_settings
from infra.config import Throttle, stage_config
from infra.environment import Places, environment

ARN = "arn:aws:bedrock:us-east-1:111111111111:application-inference-profile/abcdef123456"
PLACES = Places(
    tables="stratigos-prod",
    checkpoints="stratigos-prod-checkpoints",
    documents="stratigos-prod-documents-111111111111",
    queue="https://sqs.us-east-1.amazonaws.com/111111111111/stratigos-prod-jobs",
    dead="https://sqs.us-east-1.amazonaws.com/111111111111/stratigos-prod-dead-jobs",
    sockets="https://abcdefghij.execute-api.us-east-1.amazonaws.com/live",
    issuer="https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abcdefghi",
    client="1example23456789",
    jobs="stratigos-prod-jobs-111111111111",
    job_role="arn:aws:iam::111111111111:role/stratigos-prod-processing",
    image="111111111111.dkr.ecr.us-east-1.amazonaws.com/stratigos-prod-images:0a1b2c3",
    models=dict.fromkeys(AGENTS, ARN),
    guardrail=("abcdef123456", "1"),
    data_key="arn:aws:kms:us-east-1:111111111111:key/11111111-1111-1111-1111-111111111111",
)


@pytest.mark.parametrize("name", ["Prod", "x", "pr-42", "averyverylongname", "4pr"])
def test_a_stage_needs_a_short_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="allowed are 2 to 12 of a-z and 0-9"):
        stage_config(name)


def test_tasks_on_fargate_need_a_way_to_public_addresses() -> None:
    with pytest.raises(ValueError, match="tasks on Fargate need at least one"):
        replace(stage_config("prod"), nat_gateways=0)


@pytest.mark.parametrize("zones", [0, 4])
def test_endpoints_are_in_some_of_the_zones(zones: int) -> None:
    with pytest.raises(ValueError, match=f"endpoint_zones {zones}: allowed are 1 to 3"):
        replace(stage_config("prod"), endpoint_zones=zones)


def test_a_region_without_the_firewall_of_cloudfront_is_refused() -> None:
    with pytest.raises(ValueError, match="'eu-west-1': only us-east-1"):
        replace(stage_config("dev"), region="eu-west-1")


@pytest.mark.parametrize("stage", ["dev", "staging", "prod", "pr42"])
def test_the_program_accepts_the_settings_of_a_stage(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = stage_config(stage)
    places = PLACES if config.models else replace(PLACES, models={}, guardrail=None)
    for name, value in environment(config, places).items():
        monkeypatch.setenv(name, value)
    settings, options = read_settings(), read_model_options()
    assert settings.store == f"dynamodb:{PLACES.tables},s3:{PLACES.documents}"
    assert settings.deployment == f"stratigos-{stage}"
    assert (settings.compute == "sagemaker") == config.processing_jobs
    assert options.model == (f"bedrock_converse:{ARN}" if config.models else "embedded")
    assert set(options.agents) == (set(AGENTS) if config.models else set())


def test_the_throttle_admits_what_the_application_admits() -> None:
    config = replace(stage_config("prod"), users=150)
    settings = read_settings()
    assert config.throttle.rate == settings.requests_per_second * config.users
    assert config.throttle.burst == 3 * config.throttle.rate


def test_the_throttle_is_within_that_of_an_account() -> None:
    assert stage_config("prod").throttle == Throttle(rate=2_000, burst=5_000)
    assert replace(stage_config("prod"), users=5_000).throttle == Throttle(rate=10_000, burst=5_000)
