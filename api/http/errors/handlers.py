"""Exception handlers: map every error to a status and the error envelope."""

from collections.abc import Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.routing import Match

from api.http.errors.problems import CODES, Detail, Error, Problem, error_response
from api.http.errors.validation import RequestSchema, field_errors, is_undecoded, request_schema
from desk.base.errors import Conflicting, Forbidden, Gone, InvalidInput, NotFound, UserError
from store.errors import Conflict, Invalid, InvalidCursor, OutcomeUnknown, Unavailable

RETRY_AFTER = 5
"""Seconds after which a client should retry when the storage is unavailable."""


def add_error_handlers(app: FastAPI) -> None:
    """Return every error in the envelope."""

    @app.exception_handler(Problem)
    async def render_problem(_: Request, error: Problem) -> JSONResponse:
        return error_response(error.status, error.error, error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid_request(request: Request, error: RequestValidationError) -> JSONResponse:
        problem = validation_problem(error.errors(), request_schema(request))
        return error_response(problem.status, problem.error)

    @app.exception_handler(UserError)
    async def user_error(_: Request, error: UserError) -> JSONResponse:
        status = status_of(error)
        return error_response(status, Error(code=CODES[status], message=str(error), details=details_of(error)))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        code = CODES.get(error.status_code, "BAD_REQUEST")
        messages = {
            404: f"there is no route {request.url.path}",
            405: f"{request.url.path} does not support {request.method}",
        }
        message = messages.get(error.status_code, str(error.detail))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed_methods(request))
        return error_response(error.status_code, Error(code=code, message=message), headers)

    async def internal_error(request: Request, error: Exception) -> JSONResponse:
        _logger().error("request_failed", path=request.url.path, method=request.method, exc_info=error)
        message = "internal error; the log of the service has the details"
        return error_response(500, Error(code="INTERNAL_SERVER_ERROR", message=message))

    _add_store_error_handlers(app)
    app.add_middleware(ServerErrorMiddleware, handler=internal_error)  # innermost: others see its response


def _add_store_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(Conflict)
    async def conflict(_: Request, __: Conflict) -> JSONResponse:
        message = "the object was changed by another request; read it again and retry"
        return error_response(409, Error(code="CONFLICT", message=message))

    @app.exception_handler(InvalidCursor)
    async def invalid_cursor(_: Request, error: InvalidCursor) -> JSONResponse:
        detail = Detail(field="query.after", message=error.reason, allowed="`next` of the previous page")
        message = f"{detail.field}: {detail.message}; expected {detail.allowed}"
        return error_response(422, Error(code="VALIDATION_ERROR", message=message, details=[detail]))

    @app.exception_handler(Invalid)
    async def unstorable(_: Request, error: Invalid) -> JSONResponse:
        return error_response(422, Error(code="VALIDATION_ERROR", message=str(error)))

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, error: Unavailable) -> JSONResponse:
        _logger().warning("storage_unavailable", path=request.url.path, reason=str(error))
        message = f"the storage is unavailable, nothing was written; try again in {RETRY_AFTER} seconds"
        if isinstance(error, OutcomeUnknown):
            message = "the storage did not confirm the write, which is complete or did not happen; read it to find out"
        return error_response(
            503, Error(code="SERVICE_UNAVAILABLE", message=message), headers={"Retry-After": str(RETRY_AFTER)}
        )


def validation_problem(errors: Sequence[Any], schema: RequestSchema) -> Problem:
    """The pydantic errors of a request as a `Problem`."""
    status = 422
    if any(error["type"] == "json_invalid" for error in errors):
        status = 400
    elif any(is_undecoded(error) for error in errors):
        status = 415
    details = [Detail(**error) for error in field_errors(errors, schema)]
    message = "; ".join(f"{detail.field}: {detail.message}; expected {detail.allowed}" for detail in details[:3])
    return Problem(status, message, details=details)


def _allowed_methods(request: Request) -> list[str]:
    """The methods of all routes with the path; of several routes with a path, Starlette names those of the first."""
    scope = dict(request.scope)
    methods = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches(scope | {"method": method})[0] is Match.FULL for route in request.app.routes)
    ]
    return ["GET", "HEAD", *methods[1:]] if methods[:1] == ["GET"] else methods


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
    return [Detail(field=error.field, message=error.reason, allowed=error.allowed)]


def _logger() -> Any:
    return structlog.get_logger()
