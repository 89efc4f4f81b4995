"""The error envelope, its codes, and the exceptions that produce it."""

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from api.http.response_headers import CHALLENGE_HEADER, RETRY_AFTER_HEADER

Code: TypeAlias = Literal[
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "GONE",
    "PRECONDITION_FAILED",
    "PAYLOAD_TOO_LARGE",
    "URI_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "VALIDATION_ERROR",
    "OPTIMIZATION_ERROR",
    "TOO_MANY_REQUESTS",
    "REQUEST_HEADER_FIELDS_TOO_LARGE",
    "INTERNAL_SERVER_ERROR",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
]

CODES: dict[int, Code] = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    410: "GONE",
    412: "PRECONDITION_FAILED",
    413: "PAYLOAD_TOO_LARGE",
    414: "URI_TOO_LONG",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "VALIDATION_ERROR",
    429: "TOO_MANY_REQUESTS",
    431: "REQUEST_HEADER_FIELDS_TOO_LARGE",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
    504: "GATEWAY_TIMEOUT",
}


class Detail(BaseModel):
    field: str = Field(
        description="Path of the value, such as body.assets.AAPL; without `body.` if it does not fit the stored data",
        examples=["body.name"],
    )
    message: str = Field(examples=["it is missing"])
    """What is wrong with the value."""
    allowed: str | None = Field(default=None, examples=["text of 1 to 120 characters"])
    """What is accepted instead."""


class Error(BaseModel):
    code: Code
    """Class of the error; each belongs to one HTTP status."""
    message: str
    details: list[Detail] = []
    """One entry per wrong field; empty for other errors."""


class ErrorEnvelope(BaseModel):
    """Every error of the service has this form."""

    error: Error
    """The error."""


class Problem(Exception):
    """An error response that a route raises; errors of the layers below are mapped by the handlers."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: Code | None = None,
        details: list[Detail] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = Error(code=code or CODES[status], message=message, details=details or [])
        self.headers = headers


class Unauthorized(Problem):
    """Status 401. The message does not say which part of the credentials is wrong."""

    def __init__(self, *, expired: bool = False) -> None:
        reason = "your credentials have expired" if expired else "there are no valid credentials"
        allowed = "expected a valid API key or access token as `Authorization: Bearer`, or a key as `X-API-Key`"
        super().__init__(401, f"{reason}; {allowed}", headers={"WWW-Authenticate": "Bearer"})


_DESCRIPTIONS = {
    400: "The body is not valid JSON, or not what its content type declares",
    401: "The credentials are missing, invalid or expired; never when authentication is off",
    403: "Your roles or the scopes of your key do not permit it, or the request comes from a page of another site",
    404: "You have no such object",
    408: "The body did not arrive in time",
    409: "The state of the object does not allow it",
    410: "The object has expired, or is archived",
    412: "The object has changed since the version in If-Match",
    413: "The body is too large",
    414: "The URL is longer than 8,000 bytes",
    415: "The content type is not the one of the body, such as application/json",
    422: "A field is missing or invalid; `details` names it and says what is allowed",
    429: "Too many requests; try again after Retry-After seconds",
    431: "There are more than 100 headers, or more than 16,000 bytes of them",
    500: "Internal error",
    503: "The storage is unavailable; nothing was written partially; try again after Retry-After seconds",
}


ENVELOPE_RESPONSE: dict[int | str, dict[str, Any]] = {500: {"model": ErrorEnvelope, "description": _DESCRIPTIONS[500]}}
"""Adds the schema to the OpenAPI document once; a model per error and route would slow down the start."""
_HEADERS = {401: CHALLENGE_HEADER, 429: RETRY_AFTER_HEADER, 503: RETRY_AFTER_HEADER}
_ENVELOPE_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route in the OpenAPI document: these statuses, and those that every route can return."""
    of_bodies = (408, 415) if 413 in statuses else ()
    return {
        status: {
            "content": _ENVELOPE_CONTENT,
            "description": _DESCRIPTIONS[status],
            **({"headers": _HEADERS[status]} if status in _HEADERS else {}),
        }
        for status in sorted({*statuses, *of_bodies, 400, 401, 403, 414, 422, 429, 431, 500, 503})
    }


def error_response(status: int, error: Error, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(ErrorEnvelope(error=error).model_dump(mode="json"), status, headers)
