"""The settings of the models: from the environment to the start of a run, or to a message that says what to mend."""

import os
import re
from pathlib import Path

import pytest

from agents.models.factory import make_models
from agents.models.options import ModelOptions
from api.cli.main import run
from api.settings import MODEL_VARIABLES, read_model_options
from desk.base.errors import InvalidInput
from tests.doubles.bedrock import replies
from tests.doubles.bedrock.clients import CREDENTIALS
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import at_first, embedded, faulty
from tests.graphs.bedrock_runs import ONE, OTHER, OTHER_MODEL, point_at

SECRET = CREDENTIALS["aws_secret_access_key"]
CLAUDE = "bedrock_converse:anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "bedrock_converse:arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of AWS and an endpoint where nobody listens; no setting of a model."""
    point_at(monkeypatch, "http://127.0.0.1:9")
    for variable in MODEL_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> ModelOptions:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read_model_options()


def test_without_settings_the_embedded_planner_drives_the_agents(monkeypatch) -> None:
    assert read(monkeypatch) == ModelOptions()
    assert read(monkeypatch, MODEL=" ", MODEL_ATTEMPTS="") == ModelOptions()


RIGHT: dict[str, tuple[str, object]] = {
    "MODEL": (ONE, ONE),
    "MODEL_RISK_MANAGER": (OTHER, OTHER),
    "MODEL_MARKET_ANALYST": (OTHER, OTHER),
    "MODEL_OPTIMIZER": (OTHER, OTHER),
    "MODEL_EXPLAINER": (" embedded ", "embedded"),
    "MODEL_ASSISTANT": (OTHER, OTHER),
    "MODEL_FALLBACKS": (f"{OTHER}, embedded,", (OTHER, "embedded")),
    "MODEL_ATTEMPTS": ("20", 20),
    "MODEL_TIME_LIMIT": ("0.5", 0.5),
    "MODEL_MAX_TOKENS": ("256", 256),
    "MODEL_TEMPERATURE": ("0", 0.0),
    "MODEL_STREAMING": ("false", False),
    "MODEL_PROMPT_CACHE": ("1h", "1h"),
    "MODEL_TAGS": ("team=allocation, desk=multi-asset", {"team": "allocation", "desk": "multi-asset"}),
    "MODEL_THREADS": ("512", 512),
    "BEDROCK_BASE_MODEL": ("anthropic.claude-x", "anthropic.claude-x"),
    "BEDROCK_GUARDRAIL_ID": ("abc123", "abc123"),
    "BEDROCK_GUARDRAIL_VERSION": ("DRAFT", "DRAFT"),
    "BEDROCK_SERVICE_TIER": ("flex", "flex"),
    "AWS_REGION": ("eu-west-1", "eu-west-1"),
}
COMPANION = {"BEDROCK_GUARDRAIL_ID": "BEDROCK_GUARDRAIL_VERSION", "BEDROCK_GUARDRAIL_VERSION": "BEDROCK_GUARDRAIL_ID"}


@pytest.mark.parametrize("variable", MODEL_VARIABLES)
def test_a_value_arrives_in_the_options(variable: str, monkeypatch) -> None:
    given, arrived = RIGHT[variable]
    companion = {COMPANION[variable]: "1"} if variable in COMPANION else {}
    value: object = read(monkeypatch, **{variable: given}, **companion)
    for name in MODEL_VARIABLES[variable]:
        value = value[name] if isinstance(value, dict) else getattr(value, name)
    assert value == arrived


NAMES = "inference-profile ARN>, or a name"
WRONG: list[tuple[str, str, str]] = [
    ("MODEL", "two words", NAMES),
    ("MODEL_RISK_MANAGER", "-x", NAMES),
    ("MODEL_MARKET_ANALYST", "a b", NAMES),
    ("MODEL_OPTIMIZER", "a;b", NAMES),
    ("MODEL_EXPLAINER", "!", NAMES),
    ("MODEL_ASSISTANT", "a/b c", NAMES),
    ("MODEL_FALLBACKS", "embedded,a b", "separated by commas"),
    ("MODEL_ATTEMPTS", "0", "a whole number, 1 to 20"),
    ("MODEL_ATTEMPTS", "21", "a whole number, 1 to 20"),
    ("MODEL_ATTEMPTS", "many", "a whole number, 1 to 20"),
    ("MODEL_TIME_LIMIT", "0", "above 0, at most 3600"),
    ("MODEL_TIME_LIMIT", "nan", "above 0, at most 3600"),
    ("MODEL_TIME_LIMIT", "3601", "above 0, at most 3600"),
    ("MODEL_MAX_TOKENS", "255", "256"),
    ("MODEL_TEMPERATURE", "1.1", "0 to 1"),
    ("MODEL_STREAMING", "perhaps", "true or false"),
    ("MODEL_PROMPT_CACHE", "2h", "one of off, 5m, 1h"),
    ("MODEL_TAGS", "team", "pairs such as team=allocation"),
    ("MODEL_TAGS", "team=a|b", "up to 12 pairs"),
    ("MODEL_TAGS", ",".join(f"k{n}=v" for n in range(13)), "up to 12 pairs"),
    ("MODEL_THREADS", "1", "2"),
    ("BEDROCK_SERVICE_TIER", "fast", "one of priority, default, flex, reserved"),
]


@pytest.mark.parametrize(("variable", "value", "allowed"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_variable(variable, value, allowed, monkeypatch) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(monkeypatch, **{variable: value})
    message = str(raised.value)
    assert message.startswith(f"{variable}: ")
    assert value[:40] in message, "a long value is shortened"
    assert allowed in message.partition("; expected ")[2]


@pytest.mark.parametrize("given", COMPANION)
def test_a_guardrail_needs_its_id_and_its_version(given: str, monkeypatch) -> None:
    with pytest.raises(InvalidInput, match=f"^{COMPANION[given]}: is not set; expected ") as raised:
        read(monkeypatch, **{given: "1"})
    assert raised.value.field == COMPANION[given]


@pytest.mark.parametrize(
    ("environment", "field", "parts"),
    [
        ({"MODEL": "no_such_provider:x"}, "MODEL", ["no_such_provider:x", "embedded", "bedrock_converse:"]),
        ({"MODEL": "nothing-known"}, "MODEL", ["nothing-known", "init_chat_model"]),
        ({"MODEL_EXPLAINER": "no_such_provider:x"}, "MODEL_EXPLAINER", ["no_such_provider:x"]),
        ({"MODEL": ONE, "MODEL_FALLBACKS": "no_such_provider:x"}, "MODEL_FALLBACKS", ["no_such_provider:x"]),
        ({"MODEL": "bedrock_converse:"}, "MODEL", ["bedrock_converse:", "inference-profile ARN"]),
        ({"MODEL": "bedrock_converse:claude"}, "MODEL", ["claude", "such as anthropic."]),
        ({"MODEL": PROFILE}, "BEDROCK_BASE_MODEL", [PROFILE.partition(":")[2], "the id of its foundation model"]),
        (
            {"MODEL_OPTIMIZER": "bedrock_converse:amazon.titan-text-express-v1"},
            "MODEL_OPTIMIZER",
            ["amazon.titan-text-express-v1", "uses tools"],
        ),
        ({"MODEL": CLAUDE, "AWS_REGION": ""}, "AWS_REGION", ["no region", "us-east-1"]),
        ({"MODEL": CLAUDE, "AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID", ["no AWS credentials", "AWS_PROFILE"]),
        ({"MODEL": CLAUDE, "AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY", ["AWS_ACCESS_KEY_ID"]),
        ({"MODEL": CLAUDE, "AWS_PROFILE": "nobodys"}, "AWS_PROFILE", ["nobodys", "~/.aws/config"]),
        (
            {"MODEL": CLAUDE, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "not a url"},
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            ["not a url", "https://"],
        ),
        (
            {"MODEL": CLAUDE, "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "ftp://127.0.0.1"},
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
            ["ftp://127.0.0.1", "https://"],
        ),
        (
            {"MODEL": "bedrock_converse:anthropic.claude-x", "BUDGET_AGENT_DOLLARS": "1"},
            "BUDGET_AGENT_DOLLARS",
            ["anthropic.claude-x", "budgets of tokens", "MODEL_PRICES"],
        ),
        (
            {"MODEL_FALLBACKS": "bedrock_converse:anthropic.claude-x", "BUDGET_RUN_DOLLARS": "1"},
            "BUDGET_RUN_DOLLARS",
            [],
        ),
        ({"MODEL_PRICES": "no/such.toml"}, "MODEL_PRICES", ["no/such.toml", "agents/models/prices.toml"]),
        ({"MODEL": "bedrock_converse:arn:aws:s3:::a-bucket"}, "MODEL", ["arn:aws:s3:::a-bucket", "inference profile"]),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_unusable_setting_stops_the_start(environment, field, parts, home: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    assert run(["optimize", "--trials", "10"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(f"{field}: ")
    assert output.err.count("\n") == 1
    for part in parts:
        assert part in output.err
    assert SECRET not in output.err
    assert not home.exists(), "nothing is begun"


def test_credentials_are_neither_read_nor_printed(monkeypatch) -> None:
    options = read(monkeypatch, MODEL=ONE, MODEL_FALLBACKS=OTHER, AWS_REGION="us-east-1")
    models = make_models(options)
    for secret in CREDENTIALS.values():
        assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
        for text in (repr(options), options.model_dump_json(), repr(models), models.name):
            assert secret not in text


SMALL = ["--trials", "10", "--paths", "100", "--years", "1", "--scenarios", "base_case"]


@pytest.mark.soak
def test_expired_credentials_end_a_command_that_continues_after_renewal(home: Path, monkeypatch, capsys) -> None:
    for name, value in {"MODEL": ONE, "MODEL_FALLBACKS": OTHER, "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    with Double(lambda _: replies.EXPIRED) as double:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
        assert run(["optimize", *SMALL]) == 2
        assert len(double.received) <= 4, "each of two agents asks each model once"
    output = capsys.readouterr()
    last = output.err.splitlines()[-1]
    assert (
        last == f"MODEL: {OTHER!r} did not accept the credentials; expected credentials that are valid and not expired"
    )
    assert "The run ended: model failed (credentials)" in output.err
    assert "Traceback" not in output.err + output.out
    assert replies.EXPIRED.message not in output.err + output.out
    match = re.search(r"Run (\w+), agents driven by", output.err)
    assert match

    with Double(faulty(embedded(), at_first(1, replies.THROTTLED))) as double:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", double.url)
        monkeypatch.setenv("MODEL", OTHER)
        monkeypatch.delenv("MODEL_FALLBACKS")
        assert run(["optimize", "--resume", match[1]]) == 0
        assert {received.model for received in double.received} == {OTHER_MODEL}
    output = capsys.readouterr()
    assert re.search(r"^result digest: [0-9a-f]{64}$", output.out, re.MULTILINE)
    written = [file for file in home.rglob("*") if file.is_file()]
    assert not [file for file in written for secret in CREDENTIALS.values() if secret.encode() in file.read_bytes()]
