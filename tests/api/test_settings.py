"""What stands in the environment is taken, or refused by its name."""

import os

import pytest

from api.settings import MODEL_VARIABLES, read_model_options, read_settings
from desk.base.errors import InvalidInput
from desk.governance.approvals import Thresholds
from desk.governance.budgets import UNLIMITED, Budgets

KEY = "AKIAIOSFODNN7EXAMPLE"  # of AWS's own documentation


def read_all():
    read_settings()
    read_model_options()


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    for variable in MODEL_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("MODEL", "bedrock_converse: us.x", "embedded, bedrock_converse:<model id"),
        ("MODEL", "x" * 5000, "embedded, bedrock_converse:<model id"),
        ("MODEL_EXPLAINER", "two words", "embedded, bedrock_converse:<model id"),
        ("MODEL_FALLBACKS", "fine, not fine", "separated by commas"),
        ("MODEL_ATTEMPTS", "0", "a whole number, 1 to 20"),
        ("MODEL_ATTEMPTS", "2.5", "a whole number, 1 to 20"),
        ("MODEL_TIME_LIMIT", "nan", "above 0, at most 3600"),
        ("MODEL_MAX_TOKENS", "many", "a whole number, 256 to 200000"),
        ("MODEL_TEMPERATURE", "2", "0 to 1"),
        ("MODEL_STREAMING", "maybe", "true or false"),
        ("MODEL_PROMPT_CACHE", "10m", "one of off, 5m, 1h"),
        ("MODEL_TAGS", "team", "pairs such as"),
        ("MODEL_TAGS", "team=", "pairs such as"),
        ("MODEL_TAGS", "team=é", "pairs such as"),
        ("MODEL_TAGS", "a=1,a=2", "pairs such as"),
        ("MODEL_TAGS", "agent=mine", "other names"),
        ("MODEL_TAGS", ",".join(f"k{n}=v" for n in range(20)), "up to 12 pairs"),
        ("MODEL_THREADS", "1", "a whole number, 2 to 512"),
        ("BEDROCK_GUARDRAIL_ID", "gr4stratigos", "its companion"),
        ("BEDROCK_SERVICE_TIER", "fast", "one of priority, default, flex, reserved"),
        ("AWS_REGION", "nowhere land", "us-east-1"),
        ("BUDGET_RUN_TOKENS", "1.5", "a whole number, 0 to 1,000,000,000,000"),
        ("BUDGET_RUN_DOLLARS", "nan", "0 to 1,000,000,000"),
        ("BUDGET_AGENT_TOKENS", "-1", "a whole number, 0 to"),
        ("BUDGET_AGENT_DOLLARS", "$5", "0 to 1,000,000,000"),
        ("BUDGET_USER_TOKENS", "many", "a whole number, 0 to"),
        ("BUDGET_USER_DOLLARS", "inf", "0 to 1,000,000,000"),
        ("BUDGET_WARN_AT", "80", "above 0, at most 1"),
        ("STRATIGOS_OWNER", "two words", "letters, digits"),
        ("STRATIGOS_STORE", "dynamodb:stratigos", "dynamodb:PREFIX,s3:BUCKET"),
        ("STRATIGOS_STORE", "s3:documents", "dynamodb:PREFIX,s3:BUCKET"),
        ("STRATIGOS_STORE", "dynamodb:stratigos,s3:Capitals", "dynamodb:PREFIX,s3:BUCKET"),
        ("STRATIGOS_LOG_LEVEL", "loud", "one of debug, info, warning, error"),
        ("STRATIGOS_LOG_PROMPTS", "maybe", "true or false"),
        ("STRATIGOS_TELEMETRY", "on", "one of off, console, otlp"),
        ("TRUSTED_PROXIES", "10.0.0.0/99", "networks such as 10.0.0.0/8"),
        ("TRUSTED_PROXIES", "10.0.0.1,10.0.0.1/8", "networks such as 10.0.0.0/8"),
        ("TRUSTED_PROXIES", "cafe", "networks such as 10.0.0.0/8"),
        ("NUMBA_NUM_THREADS", "x", "a whole number, 1 to 1024"),
        ("APPROVE_EVALUATIONS", "-1", "a whole number of at least 0, or none"),
        ("APPROVE_DOLLARS", "inf", "a number of at least 0, or none"),
        ("APPROVE_INSTANCES", "few", "a whole number of at least 0, or none"),
    ],
)
def test_an_invalid_setting_is_rejected_with_its_name_and_what_is_accepted(variable, value, allowed, monkeypatch):
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput) as refused:
        read_all()
    error = str(refused.value)
    named = "BEDROCK_GUARDRAIL_VERSION" if variable == "BEDROCK_GUARDRAIL_ID" else variable
    assert error.startswith(f"{named}: ")
    assert allowed in error.partition("; expected ")[2]
    assert "should" not in error  # pydantic's own words
    assert len(error) < 300


@pytest.mark.parametrize(("variable", "value"), [("ID", "g g"), ("VERSION", "one")])
def test_a_guardrail_that_bedrock_would_reject_is_rejected_at_the_start(variable, value, monkeypatch):
    guardrail = {"ID": "gr4stratigos", "VERSION": "1"} | {variable: value}
    for name, given in guardrail.items():
        monkeypatch.setenv(f"BEDROCK_GUARDRAIL_{name}", given)
    with pytest.raises(InvalidInput, match=f"BEDROCK_GUARDRAIL_{variable}: {value!r} is not allowed"):
        read_model_options()


@pytest.mark.parametrize("hidden", [KEY, "arn:aws:iam::123456789012:role/desk"])
def test_a_key_among_the_tags_is_refused_and_not_repeated(hidden, monkeypatch):
    monkeypatch.setenv("MODEL_TAGS", f"team={hidden}")
    with pytest.raises(InvalidInput, match="MODEL_TAGS: contains what looks like a key") as refused:
        read_model_options()
    assert hidden not in str(refused.value)


def test_budgets_apply_only_when_they_are_set(monkeypatch):
    assert read_settings().budgets == UNLIMITED
    given = {"run_tokens": 1000, "run_dollars": 0.5, "agent_tokens": 200, "agent_dollars": 0.1, "user_tokens": 0}
    for name, value in {**given, "user_dollars": 5.0, "warn_at": 0.5}.items():
        monkeypatch.setenv(f"BUDGET_{name.upper()}", str(value))
    assert read_settings().budgets == Budgets(**given, user_dollars=5.0, warn_at=0.5)


def test_settings_in_use_are_read(monkeypatch):
    given = {
        "MODEL_FALLBACKS": " embedded , openai:gpt-4o,",
        "MODEL_TAGS": "team=allocation, desk=multi-asset",
        "BEDROCK_GUARDRAIL_ID": "arn:aws:bedrock:us-east-1:123456789012:guardrail/gr4stratigos",
        "BEDROCK_GUARDRAIL_VERSION": "DRAFT",
        "AWS_REGION": "us-gov-east-1",
        "MODEL_ATTEMPTS": " ",
    }
    for variable, value in given.items():
        monkeypatch.setitem(os.environ, variable, value)
    options = read_model_options()
    assert options.fallbacks == ("embedded", "openai:gpt-4o")
    assert options.tags == {"team": "allocation", "desk": "multi-asset"}
    assert options.guardrail is not None
    assert options.guardrail.version == "DRAFT"
    assert options.patience.attempts == 8


def test_a_threshold_has_a_default_and_can_be_switched_off(monkeypatch):
    assert read_settings().thresholds == Thresholds()
    monkeypatch.setenv("APPROVE_EVALUATIONS", "12")
    monkeypatch.setenv("APPROVE_DOLLARS", "None")
    assert read_settings().thresholds == Thresholds(evaluations=12, dollars=None)


def test_proxies_are_addresses_and_networks_of_both_kinds(monkeypatch):
    monkeypatch.setenv("TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8,::1,2001:db8::/32")
    assert read_settings().trusted_proxies == "127.0.0.1,10.0.0.0/8,::1,2001:db8::/32"
