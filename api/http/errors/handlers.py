"""Errors of the HTTP interface: one envelope for all of them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware

from api.http.errors.validation import Fields, fields_of, refusals
from desk.base.errors import EXPECTED, Conflicting, Forbidden, Gone, InvalidInput, NotFound, UserError
from store.errors import Conflict, Invalid, OutcomeUnknown, Unavailable

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

RETRY_AFTER = 5
"""Seconds after which a storage that could not answer is worth another try."""


class Detail(BaseModel):
    field: str = Field(description="Where the value stands, such as body.assets.AAPL", examples=["body.name"])
    message: str = Field(examples=["it is missing"])
    allowed: str | None = Field(default=None, examples=["text of 1 to 120 characters"])


class Error(BaseModel):
    code: Code
    message: str
    details: list[Detail] = []


class ErrorEnvelope(BaseModel):
    """Every error of the service has this form."""

    error: Error


class Problem(Exception):
    """An error that a route answers with; everything else is mapped from what the layers below raise."""

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
    """Nobody that is known asks; which part of what was shown is wrong is nobody's business."""

    def __init__(self, *, expired: bool = False) -> None:
        allowed = "expected an API key or access token that holds, as `Authorization: Bearer`, or a key as `X-API-Key`"
        wrong = "what you signed in with has expired" if expired else "it is not known who asks"
        super().__init__(401, f"{wrong}; {allowed}", headers={"WWW-Authenticate": "Bearer"})


_DESCRIPTIONS = {
    400: "The body is no JSON, or not what its content type says",
    401: "It is not known who asks, or what they signed in with has expired; never where one local user is served",
    403: "Your roles or the scopes of your key do not permit it, or the request comes from a page of another site",
    404: "You have no such object",
    408: "The body did not arrive in time",
    409: "The state of the object does not allow it",
    410: "The object has expired, or is archived",
    412: "The object has changed since the version that If-Match names",
    413: "The body is too large",
    414: "The address is longer than 8,000 bytes",
    415: "The content type is not one of those that are read",
    422: "A field is missing or wrong; `details` names it and says what is allowed",
    429: "You ask for more than is allowed at a time; try again after Retry-After seconds",
    431: "There are more than 100 headers, or more than 16,000 bytes of them",
    500: "A fault of the service",
    503: "The storage cannot answer now; nothing is half-written; try again after Retry-After seconds",
}


ENVELOPE: dict[int | str, dict[str, Any]] = {500: {"model": ErrorEnvelope, "description": _DESCRIPTIONS[500]}}
"""Brings the schema into the document; a model for each error of each route would take a good part of the start."""
_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}}}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides its success, for the OpenAPI document; some always may come."""
    late = (408,) if 413 in statuses else ()
    return {
        status: {"content": _CONTENT, "description": _DESCRIPTIONS[status]}
        for status in sorted({*statuses, *late, 400, 401, 403, 414, 422, 429, 431, 500, 503})
    }


def answer(status: int, error: Error, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(ErrorEnvelope(error=error).model_dump(mode="json"), status, headers)


def install(app: FastAPI) -> None:
    """Let every error leave in the envelope."""

    @app.exception_handler(Problem)
    async def problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.error, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        told = refused(error.errors(), fields_of(request))
        return answer(told.status, told.error)

    @app.exception_handler(UserError)
    async def mendable(_: Request, error: UserError) -> JSONResponse:
        status = status_of(error)
        return answer(status, Error(code=CODES[status], message=str(error), details=details_of(error)))

    @app.exception_handler(Conflict)
    async def conflict(_: Request, __: Conflict) -> JSONResponse:
        message = "somebody else changed the same object meanwhile; read it again and decide again"
        return answer(409, Error(code="CONFLICT", message=message))

    @app.exception_handler(Invalid)
    async def unstorable(_: Request, error: Invalid) -> JSONResponse:
        return answer(422, Error(code="VALIDATION_ERROR", message=str(error)))

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, error: Unavailable) -> JSONResponse:
        _logger().warning("storage_unavailable", path=request.url.path, reason=str(error))
        message = f"the storage cannot answer now, and nothing is half-written; try again in {RETRY_AFTER} seconds"
        if isinstance(error, OutcomeUnknown):
            message = (
                "the answer of the storage was lost: what you sent is written as a whole or not at all; read it first"
            )
        return answer(
            503, Error(code="SERVICE_UNAVAILABLE", message=message), headers={"Retry-After": str(RETRY_AFTER)}
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, "BAD_REQUEST")
        told = {
            404: f"there is nothing at {request.url.path}",
            405: f"{request.method} is not possible at {request.url.path}",
        }
        message = told.get(error.status_code, str(error.detail))
        return answer(error.status_code, Error(code=code, message=message), dict(error.headers or {}))

    async def fault(request: Request, error: Exception) -> JSONResponse:
        _logger().error("request_failed", path=request.url.path, method=request.method, exc_info=error)
        message = "a fault of the service; it is in its log"
        return answer(500, Error(code="INTERNAL_SERVER_ERROR", message=message))

    app.add_middleware(ServerErrorMiddleware, handler=fault)  # inside all others, so that they see its answer


def refused(found: Sequence[Any], fields: Fields) -> Problem:
    """What pydantic has found in a request."""
    status = 400 if any(one["type"] == "json_invalid" for one in found) else 422
    details = [Detail(**told) for told in refusals(found, fields)]
    message = "; ".join(f"{one.field}: {one.message}; expected {one.allowed}" for one in details[:3])
    return Problem(status, message, details=details)


def status_of(error: UserError) -> int:
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Gone):
        return 410
    if isinstance(error, Forbidden):
        return 403
    return 409 if isinstance(error, Conflicting) else 422


def details_of(error: UserError) -> list[Detail]:
    if not isinstance(error, InvalidInput):
        return []
    reason = str(error).removeprefix(f"{error.field}: ").removesuffix(f"{EXPECTED}{error.allowed}")
    return [Detail(field=error.field, message=reason, allowed=error.allowed)]


def _logger() -> Any:
    return structlog.get_logger()
