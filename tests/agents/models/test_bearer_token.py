"""The bearer token of Bedrock by reference; responses come from a hook of the client, since a token needs TLS."""

from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from agents.models.factory import make_models
from tests.graphs.bedrock_runs import OPTIONS, point_at

DENIED = b'{"message": "the token has expired"}'


class Rotated:
    """A secret whose value is another one after each change."""

    def __init__(self) -> None:
        self.value, self.readings = "first", 0

    def read(self) -> str:
        self.readings += 1
        return self.value

    renew = read


class Body:
    """The raw body of a response."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> list[bytes]:
        return [self._content]


class Bedrock:
    """Accepts one token, and lists those that it received."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.received: list[str] = []

    def attach(self, client: BaseClient) -> None:
        self.client: Any = client
        client.meta.events.register("before-send.bedrock-runtime", self._answer)

    def _answer(self, request: AWSRequest, **_: object) -> AWSResponse:
        token = request.headers["Authorization"]
        token = token.decode() if isinstance(token, bytes) else token
        self.received.append(token.removeprefix("Bearer "))
        allowed = self.received[-1] == self.token
        headers = {} if allowed else {"x-amzn-ErrorType": "AccessDeniedException"}
        return AWSResponse(request.url, 200 if allowed else 403, headers, Body(b"{}" if allowed else DENIED))

    def call(self) -> None:
        self.client.converse(modelId="m", messages=[])


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Rotated:
    point_at(monkeypatch, "http://127.0.0.1:9")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "secretsmanager:bedrock")
    return Rotated()


def test_a_refused_token_is_read_again_and_the_request_sent_once_more(secret: Rotated) -> None:
    bedrock = Bedrock("first")
    make_models(OPTIONS, bedrock.attach, token=secret)
    bedrock.call()
    assert (bedrock.received, secret.readings) == (["first"], 1)
    secret.value = bedrock.token = "second"
    bedrock.call()
    bedrock.call()
    assert (bedrock.received[1:], secret.readings) == (["first", "second", "second"], 2)


def test_a_request_that_is_refused_for_another_reason_is_not_repeated(secret: Rotated) -> None:
    bedrock = Bedrock("never")
    make_models(OPTIONS, bedrock.attach, token=secret)
    for _ in range(2):
        with pytest.raises(ClientError):
            bedrock.call()
    assert (bedrock.received, secret.readings) == (["first", "first"], 2)  # read once again within a minute
