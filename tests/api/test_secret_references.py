"""Settings that refer to secrets of AWS, on a double of Secrets Manager and Systems Manager."""

import json
from collections.abc import Iterator

import pytest

from api.client.client import Client
from api.client.transport import Refused
from api.secret_references import referenced_secret, renew
from api.settings import read_settings
from desk.base.errors import InvalidInput
from tests.doubles.aws import Aws, moto, point_at
from tests.doubles.http_servers import scripted

KEY = "k" * 40


@pytest.fixture(scope="module")
def account() -> Iterator[Aws]:
    with moto() as aws:
        secrets, parameters = aws.client("secretsmanager"), aws.client("ssm")
        secrets.create_secret(Name="stratigos/audit", SecretString=KEY)
        secrets.create_secret(Name="fields", SecretString=json.dumps({"audit": KEY, "number": 7}))
        secrets.create_secret(Name="short", SecretString="t00-short")
        secrets.create_secret(Name="binary", SecretBinary=b"\x00")
        parameters.put_parameter(Name="/stratigos/audit", Value=KEY, Type="SecureString")
        yield aws


@pytest.fixture(autouse=True)
def endpoint(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(monkeypatch, account.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", account.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", account.url)


def read(monkeypatch: pytest.MonkeyPatch, reference: str) -> str:
    monkeypatch.setenv("STRATIGOS_AUDIT_KEY", reference)
    return read_settings().audit_key


@pytest.mark.parametrize(
    "reference", ["secretsmanager:stratigos/audit", "secretsmanager:fields#audit", "ssm:/stratigos/audit", KEY]
)
def test_a_reference_is_replaced_by_its_secret(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    assert read(monkeypatch, reference) == KEY
    assert KEY not in repr(read_settings())


def test_an_arn_is_the_name_of_a_secret(monkeypatch: pytest.MonkeyPatch, account: Aws) -> None:
    arn = account.client("secretsmanager").describe_secret(SecretId="stratigos/audit")["ARN"]
    assert read(monkeypatch, f"secretsmanager:{arn}") == KEY


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("secretsmanager:absent", "cannot be read (no resource has this name: ResourceNotFoundException)"),
        ("ssm:/absent", "cannot be read (AWS returned ParameterNotFound)"),
        ("secretsmanager:fields#absent", "holds no JSON object with the key 'absent'"),
        ("secretsmanager:fields#number", "holds no text under the key 'number'"),
        ("secretsmanager:stratigos/audit#x", "holds no JSON object with the key 'x'"),
        ("secretsmanager:binary", "is binary"),
        ("secretsmanager:", "expected secretsmanager:NAME"),
        ("ssm:path", "expected secretsmanager:NAME"),
        ("secretsmanager:short", "its value"),
    ],
)
def test_a_reference_that_cannot_be_resolved_names_the_setting(
    monkeypatch: pytest.MonkeyPatch, reference: str, why: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(monkeypatch, reference)
    assert str(refused.value).startswith("STRATIGOS_AUDIT_KEY: ")
    assert why in str(refused.value)
    assert "t00-short" not in str(refused.value)


def test_a_secret_is_read_once_and_again_when_renewed(monkeypatch: pytest.MonkeyPatch, account: Aws) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="turning", SecretString="a" * 40)
    assert read(monkeypatch, "secretsmanager:turning") == "a" * 40
    secrets.put_secret_value(SecretId="turning", SecretString="b" * 40)
    assert read_settings().audit_key == "a" * 40
    assert renew("STRATIGOS_AUDIT_KEY") == "b" * 40
    assert read_settings().audit_key == "b" * 40
    monkeypatch.setenv("STRATIGOS_AUDIT_KEY", KEY)
    assert renew("STRATIGOS_AUDIT_KEY") is None


def test_a_key_that_the_server_refuses_is_renewed_once(monkeypatch: pytest.MonkeyPatch, account: Aws) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="desk-key", SecretString="first")
    monkeypatch.setenv("STRATIGOS_KEY", "secretsmanager:desk-key")
    settings = read_settings()
    assert settings.key == "first"
    secrets.put_secret_value(SecretId="desk-key", SecretString="second")
    refused, empty = (401, {}, {"error": {"code": "UNAUTHORIZED", "message": "no"}}), (200, {}, b"")
    with (
        scripted(refused, empty, empty, refused) as (url, script),
        Client(url, key=settings.key, renew_key=settings.renew_key) as client,
    ):
        client.delete_draft("one")
        client.delete_draft("two")
        with pytest.raises(Refused, match="STRATIGOS_KEY"):
            client.delete_draft("three")
    sent = [headers["Authorization"] for _, _, headers in script.requests]
    assert sent == ["Bearer first", "Bearer second", "Bearer second", "Bearer second"]


def test_the_bearer_token_of_bedrock_may_be_a_reference(monkeypatch: pytest.MonkeyPatch, account: Aws) -> None:
    secrets = account.client("secretsmanager")
    secrets.create_secret(Name="bedrock", SecretString="first")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "secretsmanager:bedrock")
    token = referenced_secret("AWS_BEARER_TOKEN_BEDROCK")
    assert token
    assert token.read() == "first"
    secrets.put_secret_value(SecretId="bedrock", SecretString="second")
    assert (token.read(), token.renew(), token.read()) == ("first", "second", "second")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "a-token")
    assert referenced_secret("AWS_BEARER_TOKEN_BEDROCK") is None
