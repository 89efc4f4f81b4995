"""Failures of model calls, classified by reason; the texts contain nothing of the provider's own message."""

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from desk.base.errors import UserError

Reason: TypeAlias = Literal[
    "throttled",
    "unavailable",
    "unreachable",
    "connection_lost",
    "time_limit",
    "credentials",
    "access_denied",
    "unknown_model",
    "too_long",
    "request_refused",
]

TRANSIENT: frozenset[Reason] = frozenset({"throttled", "unavailable", "unreachable", "connection_lost"})
"""Reasons for which a retry may succeed."""

_TEXTS: dict[Reason, tuple[str, str]] = {
    "throttled": ("was throttled again and again", "the same later, a higher quota, or MODEL_FALLBACKS"),
    "unavailable": ("was not available", "the same later, or MODEL_FALLBACKS"),
    "unreachable": ("could not be reached", "a region or an endpoint that answers (AWS_REGION, AWS_ENDPOINT_URL)"),
    "connection_lost": ("broke the connection again and again", "the same later, or MODEL_FALLBACKS"),
    "time_limit": ("did not answer in time", "a longer MODEL_TIME_LIMIT, a faster model, or MODEL_FALLBACKS"),
    "credentials": ("did not accept the credentials", "credentials that are valid and not expired"),
    "access_denied": ("may not be used with these credentials", "a model that the account has access to"),
    "unknown_model": ("is not known to the provider", "a model id or inference-profile ARN of this region"),
    "too_long": ("has no room for the conversation", "a model with a larger context"),
    "request_refused": (
        "refused the request as malformed",
        "a model with tools, and settings that it supports",
    ),
}

_CODES: dict[str, Reason] = {
    "throttling": "throttled",
    "throttled": "throttled",
    "toomanyrequests": "throttled",
    "toomanyrequestsexception": "throttled",
    "servicequotaexceeded": "throttled",
    "modelnotready": "unavailable",
    "modeltimeout": "unavailable",
    "modelerror": "unavailable",
    "modelstreamerror": "unavailable",
    "serviceunavailable": "unavailable",
    "internalserver": "unavailable",
    "internalfailure": "unavailable",
    "expiredtoken": "credentials",
    "unrecognizedclient": "credentials",
    "invalidsignature": "credentials",
    "invalidclienttokenid": "credentials",
    "incompletesignature": "credentials",
    "missingauthenticationtoken": "credentials",
    "accessdenied": "access_denied",
    "resourcenotfound": "unknown_model",
    "validation": "request_refused",
}
"""AWS error codes in lower case, without the suffix `Exception`."""

_CLASSES: dict[str, Reason] = {
    "EndpointConnectionError": "unreachable",
    "ConnectTimeoutError": "unreachable",
    "ProxyConnectionError": "unreachable",
    "SSLError": "unreachable",
    "ReadTimeoutError": "time_limit",
    "ConnectionClosedError": "connection_lost",
    "ResponseStreamingError": "connection_lost",
    "IncompleteReadError": "connection_lost",
    "EventStreamError": "unavailable",
    "ChecksumMismatch": "connection_lost",
    "InvalidHeadersLength": "connection_lost",
    "InvalidPayloadLength": "connection_lost",
    "ProtocolError": "connection_lost",
    "IncompleteRead": "connection_lost",
    "NoCredentialsError": "credentials",
    "PartialCredentialsError": "credentials",
    "CredentialRetrievalError": "credentials",
    "TokenRetrievalError": "credentials",
    "NoAuthTokenError": "credentials",
    "SSOError": "credentials",
    "LoginError": "credentials",
    "MetadataRetrievalError": "credentials",
    "ParamValidationError": "request_refused",
    "ContextOverflowError": "too_long",
    "ModelRateLimitError": "throttled",
    "ModelAPIError": "unavailable",
    "ModelConnectionError": "connection_lost",
    "ModelTimeoutError": "unavailable",
    "ModelAuthenticationError": "credentials",
    "ModelPermissionDeniedError": "access_denied",
    "ModelNotFoundError": "unknown_model",
    "ModelInvalidRequestError": "request_refused",
    "ConnectError": "unreachable",
    "TransportError": "connection_lost",
    "APIConnectionError": "connection_lost",
    "ConnectionError": "connection_lost",
    "TimeoutError": "connection_lost",
}
"""Error classes of botocore, urllib3, httpx, SDKs, LangChain and Python by name, so that none has to be imported."""

_STATUSES: dict[int, Reason] = {
    401: "credentials",
    403: "access_denied",
    404: "unknown_model",
    408: "unavailable",
    429: "throttled",
}


class ModelFailure(UserError):
    """`model` gave no answer, for `reason`; the provider's own message is only in the log of the cause."""

    code = "model_failed"

    def __init__(self, model: str, reason: Reason) -> None:
        self.model = model
        self.reason: Reason = reason
        problem, remedy = _TEXTS[reason]
        super().__init__(f"MODEL: {model!r} {problem}; expected {remedy}")

    def __reduce__(self) -> tuple[Any, ...]:
        return ModelFailure, (self.model, self.reason)


def reason_of(error: Exception) -> Reason | None:
    """Why a model call failed; None if the error does not come from a model call."""
    if (response := getattr(error, "response", None)) and isinstance(response, dict):
        return _of_aws(error, response)
    if type(error).__name__ == "HTTPClientError":  # botocore's wrapper of any error while sending
        cause = getattr(error, "kwargs", {}).get("error")
        return reason_of(cause) if isinstance(cause, Exception) else None
    for name in _names(error):
        if name in _CLASSES:
            return _CLASSES[name]
    status = getattr(error, "status_code", None) or getattr(response, "status_code", None)
    return _of_status(status) if isinstance(status, int) else None


def retry_after(error: Exception) -> float:
    """The seconds of the provider's `Retry-After` header, 0 without one."""
    response = getattr(error, "response", None)
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}) if isinstance(response, dict) else {}
    value = str(headers.get("retry-after", ""))
    return float(value) if value.isdecimal() else 0.0


def _of_aws(error: Exception, response: dict[str, Any]) -> Reason:
    if "ContextOverflowError" in _names(error):
        return "too_long"
    details = response.get("Error", {})
    code = str(details.get("Code", "")).lower().removesuffix("exception")
    if code == "validation" and "model identifier" in str(details.get("Message", "")):
        return "unknown_model"
    if code in _CODES:
        return _CODES[code]
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode") or (int(code) if code.isdecimal() else 0)
    return _of_status(status) if status else "unavailable"  # an error event within a stream has no status


def _of_status(status: int) -> Reason:
    if status >= 500:
        return "unavailable"
    return _STATUSES.get(status, "request_refused")


def _names(error: Exception) -> Iterator[str]:
    return (kind.__name__ for kind in type(error).__mro__)
