"""Classifies errors of boto3 calls: failed condition, invalid request, transient, without a response."""

from typing import Any

from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectionError,  # noqa: A004  (botocore's own; it is no builtin one)
    EndpointConnectionError,
    HTTPClientError,
    ParamValidationError,
)

THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
}
THROTTLED_IN_TRANSACTION = {"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"}
INVALID_REQUEST = {"ValidationException", "SerializationException"}


def check_length(operation_model: Any, response_dict: dict[str, Any], **_: object) -> None:
    """Reject truncated bodies: botocore parses them as empty responses, so a record would seem to be absent."""
    headers, body = response_dict["headers"], response_dict["body"]
    if operation_model.http["method"] == "HEAD" or not isinstance(body, bytes) or "content-encoding" in headers:
        return
    if len(body) != int(headers.get("content-length", len(body))):
        raise ConnectionClosedError(endpoint_url="AWS")


_MISSING = {
    "NoRegionError": "AWS_REGION names no region",
    "NoCredentialsError": "neither AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, nor AWS_PROFILE, nor a role gives "
    "credentials",
    "PartialCredentialsError": "AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is set without the other",
    "ProfileNotFound": "AWS_PROFILE names no profile of ~/.aws/config",
}
"""Configuration errors that botocore raises before any request, by class name."""


def reason(error: Exception) -> str:
    """A short text for an error message; AWS's own message is left out because it may contain keys and accounts."""
    if isinstance(error, ClientError):
        code = _code(error)
        if code.startswith("ExpiredToken"):
            return f"the credentials have expired: {code}"
        if code == "ResourceNotFoundException":
            return f"no resource has this name: {code}"
        return f"AWS returned {code}"
    if isinstance(error, EndpointConnectionError):
        return "it cannot be reached"
    name = type(error).__name__
    return f"{_MISSING[name]}: {name}" if name in _MISSING else name


def is_condition_failure(error: ClientError | BotoCoreError) -> bool:
    """Whether DynamoDB refused the write because a condition did not hold."""
    if not isinstance(error, ClientError):
        return False
    return _code(error) == "ConditionalCheckFailedException" or ("ConditionalCheckFailed" in _cancellations(error))


def is_invalid_request(error: ClientError | BotoCoreError) -> bool:
    """Whether the request itself is malformed, so that neither a retry nor other storage helps."""
    if not isinstance(error, ClientError):
        return isinstance(error, ParamValidationError)
    return _code(error) in INVALID_REQUEST or "ValidationError" in _cancellations(error)


def is_transient(error: ClientError | BotoCoreError) -> bool:
    """Whether a retry may succeed."""
    if not isinstance(error, ClientError):
        return isinstance(error, (ConnectionError, HTTPClientError))
    return _code(error) in THROTTLED or bool(THROTTLED_IN_TRANSACTION & _cancellations(error)) or _status(error) >= 500


def is_unanswered(error: ClientError | BotoCoreError) -> bool:
    """Whether the service may have executed the request although no usable response arrived."""
    if isinstance(error, ClientError):
        return _status(error) >= 500
    return isinstance(error, HTTPClientError)


def _status(error: ClientError) -> int:
    return _response(error)["ResponseMetadata"]["HTTPStatusCode"]


def _cancellations(error: ClientError) -> set[str]:
    return {cause.get("Code", "None") for cause in _response(error).get("CancellationReasons", ())}


def _code(error: ClientError) -> str:
    return _response(error)["Error"]["Code"]


def _response(error: Any) -> dict[str, Any]:
    return error.response
