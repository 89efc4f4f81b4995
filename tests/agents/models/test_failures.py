"""Reasons of model failures, from errors as the libraries raise them."""

import pickle
import socket
from typing import Any

import botocore.session
import httpx
import pytest
import urllib3.exceptions as urllib3
from botocore import exceptions as boto
from botocore.eventstream import ChecksumMismatch, InvalidHeadersLength
from langchain_aws.chat_models.bedrock_converse import BedrockContextOverflowError
from langchain_core import exceptions as langchain
from langchain_core.exceptions import OutputParserException

from agents.models.failures import TRANSIENT, ModelFailure, reason_of, retry_after
from agents.recording.player import CassetteMiss
from tests.conftest import NetworkBlocked
from tests.doubles.bedrock.replies import STATUS

URL = "https://bedrock-runtime.us-east-1.amazonaws.com"
OPERATION = "ConverseStream"


def client_error(code: str, status: int, message: str = "No.", **headers: str) -> boto.ClientError:
    metadata: dict[str, Any] = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return boto.ClientError({"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}, OPERATION)  # pyright: ignore[reportArgumentType]


def event_error(code: str, message: str = "No.") -> boto.EventStreamError:
    return boto.EventStreamError({"Error": {"Code": code, "Message": message}}, OPERATION)


def of_another_provider(status: int) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("No.", request=httpx.Request("POST", URL), response=httpx.Response(status))


REASONS = {
    "AccessDeniedException": "access_denied",
    "ExpiredTokenException": "credentials",
    "IncompleteSignatureException": "credentials",
    "InternalServerException": "unavailable",
    "InvalidSignatureException": "credentials",
    "MissingAuthenticationTokenException": "credentials",
    "ModelErrorException": "unavailable",
    "ModelNotReadyException": "unavailable",
    "ModelStreamErrorException": "unavailable",
    "ModelTimeoutException": "unavailable",
    "ResourceNotFoundException": "unknown_model",
    "SerializationException": "request_refused",
    "ServiceQuotaExceededException": "throttled",
    "ServiceUnavailableException": "unavailable",
    "ThrottlingException": "throttled",
    "UnknownOperationException": "unknown_model",
    "UnrecognizedClientException": "credentials",
    "ValidationException": "request_refused",
}


@pytest.mark.parametrize("code", STATUS)
def test_every_error_that_the_double_can_give_has_its_reason(code: str) -> None:
    assert reason_of(client_error(code, STATUS[code])) == REASONS[code]


def test_bedrocks_own_list_of_errors_is_covered() -> None:
    service: Any = botocore.session.Session().get_service_model("bedrock-runtime")
    shapes = [shape.name for shape in service.operation_model(OPERATION).error_shapes]
    assert len(shapes) > 5
    for name in shapes:
        assert reason_of(event_error(name[0].lower() + name[1:])) == REASONS[name]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("ThrottledException", 429), "throttled"),
        (client_error("TooManyRequestsException", 429), "throttled"),
        (client_error("429", 429), "throttled"),
        (client_error("Unheard", 429), "throttled"),
        (client_error("Unheard", 503), "unavailable"),
        (client_error("500", 500), "unavailable"),
        (client_error("Unheard", 401), "credentials"),
        (client_error("403", 403), "access_denied"),
        (client_error("Unheard", 408), "unavailable"),
        (client_error("Unheard", 418), "request_refused"),
        (client_error("InvalidClientTokenId", 403), "credentials"),
        (client_error("ValidationException", 400, "The provided model identifier is invalid."), "unknown_model"),
        (event_error("throttlingException"), "throttled"),
        (event_error("unheardException"), "unavailable"),
        (BedrockContextOverflowError(client_error("ValidationException", 400).response, OPERATION), "too_long"),
        (boto.EndpointConnectionError(endpoint_url=URL), "unreachable"),
        (boto.ConnectTimeoutError(endpoint_url=URL), "unreachable"),
        (boto.ProxyConnectionError(proxy_url=URL), "unreachable"),
        (boto.SSLError(endpoint_url=URL, error="certificate"), "unreachable"),
        (boto.ReadTimeoutError(endpoint_url=URL), "time_limit"),
        (boto.ConnectionClosedError(endpoint_url=URL), "connection_lost"),
        (boto.ResponseStreamingError(error="broken"), "connection_lost"),
        (boto.IncompleteReadError(actual_bytes=1, expected_bytes=2), "connection_lost"),
        (boto.NoCredentialsError(), "credentials"),
        (boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), "credentials"),
        (boto.CredentialRetrievalError(provider="sso", error_msg="expired"), "credentials"),
        (boto.TokenRetrievalError(provider="sso", error_msg="expired"), "credentials"),
        (boto.UnauthorizedSSOTokenError(), "credentials"),
        (boto.NoAuthTokenError(), "credentials"),
        (boto.LoginRefreshRequired(), "credentials"),
        (boto.MetadataRetrievalError(error_msg="no role"), "credentials"),
        (boto.ParamValidationError(report="toolConfig"), "request_refused"),
        (ChecksumMismatch(1, 2), "connection_lost"),
        (InvalidHeadersLength(1 << 30), "connection_lost"),
        (urllib3.ProtocolError("Connection broken"), "connection_lost"),
        (urllib3.IncompleteRead(1, 2), "connection_lost"),
        (urllib3.ReadTimeoutError(None, URL, "Read timed out."), "time_limit"),  # pyright: ignore[reportArgumentType]
        (ConnectionResetError(104, "reset"), "connection_lost"),
        (ConnectionError("Incomplete Bedrock response stream: missing messageStop event."), "connection_lost"),
        (boto.HTTPClientError(error=ConnectionResetError(104, "reset")), "connection_lost"),
        (of_another_provider(429), "throttled"),
        (of_another_provider(401), "credentials"),
        (of_another_provider(400), "request_refused"),
        (of_another_provider(529), "unavailable"),
        (httpx.ConnectError("refused"), "unreachable"),
        (httpx.RemoteProtocolError("closed"), "connection_lost"),
        (langchain.ModelRateLimitError("slow down"), "throttled"),
        (langchain.ModelAuthenticationError("key"), "credentials"),
        (langchain.ModelPermissionDeniedError("no"), "access_denied"),
        (langchain.ModelNotFoundError("what"), "unknown_model"),
        (langchain.ModelInvalidRequestError("bad"), "request_refused"),
        (langchain.ModelAPIError("down"), "unavailable"),
        (langchain.ModelConnectionError("gone"), "connection_lost"),
        (langchain.ModelTimeoutError("late"), "unavailable"),
        (langchain.ContextOverflowError("long"), "too_long"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_an_error_of_a_library_has_its_reason(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


@pytest.mark.parametrize(
    "error",
    [
        KeyError("output"),
        ValueError("a bug of ours"),
        LookupError("a bug in a tool"),
        OutputParserException("no such thing"),
        CassetteMiss("The cassette has no answer"),
        NetworkBlocked("socket.connect in a test"),
        boto.HTTPClientError(error=CassetteMiss("The cassette has no answer")),
        boto.HTTPClientError(error=NetworkBlocked("socket.connect in a test")),
        boto.HTTPClientError(error="text"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_is_no_model_failure_has_no_reason(error: Exception) -> None:
    assert reason_of(error) is None


def test_a_name_that_is_not_found_means_that_the_endpoint_cannot_be_reached() -> None:
    unresolved = boto.EndpointConnectionError(endpoint_url=URL, error=socket.gaierror(-2, "Name not known"))
    assert reason_of(unresolved) == "unreachable"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3.0), ("0", 0.0), ("", 0.0), ("-3", 0.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0), ("²", 0.0)],
)
def test_the_seconds_that_the_provider_asks_to_wait(header: str, seconds: float) -> None:
    assert retry_after(client_error("ThrottlingException", 429, **{"retry-after": header})) == seconds


def test_an_error_without_headers_asks_for_no_wait() -> None:
    assert retry_after(event_error("throttlingException")) == 0.0
    assert retry_after(ConnectionError()) == 0.0


@pytest.mark.parametrize("reason", sorted({*REASONS.values(), *TRANSIENT, "time_limit", "too_long"}))
def test_a_failure_names_the_setting_and_what_is_allowed_and_survives_pickling(reason: Any) -> None:
    failure = ModelFailure("bedrock_converse:x.y", reason)
    assert str(failure).startswith("MODEL: 'bedrock_converse:x.y' ")
    assert "; expected " in str(failure)
    copied = pickle.loads(pickle.dumps(failure))
    assert (copied.model, copied.reason, str(copied), copied.code) == (
        "bedrock_converse:x.y",
        reason,
        str(failure),
        "model_failed",
    )
