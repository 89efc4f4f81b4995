"""A real-time endpoint of SageMaker: `/ping` and `/invocations`, the contract of its hosting.

The endpoint has no sign-in: IAM decides who may invoke it, and the container has no other clients.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel, ValidationError, field_validator

from api.http.body_limits import limited_route
from api.http.errors.handlers import add_error_handlers, details_of, status_of, validation_problem
from api.http.errors.problems import Problem
from api.http.middleware.stack import add_middleware
from api.http.rate_limits import MAX_CONCURRENT_CALCULATIONS
from api.http.request_context import request_id
from api.http.server import LARGEST_HEAD, LoggedServer, listening_sockets, run
from api.operations.log import capture_library_logs, log_to
from api.ping_thread import answer_pings
from api.settings import Settings
from desk.base.errors import InvalidInput, UserError
from desk.compute.endpoint import (
    Artifact,
    EndpointRequest,
    EndpointResponse,
    EndpointResponses,
    PredictionInput,
    load_artifact,
    respond,
)
from desk.market.bundled import BundledPrices
from desk.market.prices import PriceSource
from desk.strategies.evaluation_schemas import EvaluationRequest
from desk.strategies.templates import templates
from quant.numeric.frozen import Frozen

HOST, PORT = "0.0.0.0", 8080  # noqa: S104 - required by SageMaker
MEGABYTES = 6
LARGEST = MEGABYTES * 1024 * 1024
"""Bytes of a body."""
MOST = 10
"""Requests of one body."""
TIME_LIMIT = 55.0
"""Seconds of an invocation; SageMaker waits for 60."""
GRACE = 25
"""Seconds for open invocations at shutdown; SageMaker kills a container 30 seconds after SIGTERM."""
JSON = "application/json"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
"""The only header that SageMaker returns to the caller."""

Model = TypeVar("Model", bound=BaseModel)


class Batch(Frozen):
    """A body of several requests, each of which is validated alone."""

    requests: tuple[Any, ...]

    @field_validator("requests")
    @classmethod
    def _check_count(cls, requests: tuple[Any, ...]) -> tuple[Any, ...]:
        if not 1 <= len(requests) <= MOST:
            msg = f"the body has {len(requests)} requests; expected 1 to {MOST}"
            raise ValueError(msg)
        return requests


@dataclass(frozen=True)
class Endpoint:
    """State of the running application."""

    artifact: Artifact | None
    time_limit: float
    turns: asyncio.Semaphore
    warming: asyncio.Task[None]
    prices: PriceSource

    def require_ready(self) -> None:
        if not self.warming.done():
            raise Problem(503, "the kernels are loading; try again in a second", headers={"Retry-After": "1"})
        self.warming.result()

    async def answers(self, requests: list[EndpointRequest], *, batch: bool) -> list[EndpointResponse]:
        """The answers, computed one after the other."""
        try:
            async with asyncio.timeout(self.time_limit), self.turns:
                return [await self._answer(one, f"requests.{k}" if batch else "") for k, one in enumerate(requests)]
        except TimeoutError as error:
            message = f"it took more than {self.time_limit:g} seconds; send fewer requests at once, or try later"
            raise Problem(503, message, headers={"Retry-After": "5"}) from error

    async def _answer(self, request: EndpointRequest, place: str) -> EndpointResponse:
        try:
            return await respond(self.prices, self.artifact, request)
        except UserError as error:
            if not place:
                raise
            details = [one.model_copy(update={"field": f"{place}.{one.field}"}) for one in details_of(error)]
            message = f"{place}{'.' if details else ': '}{error}"
            raise Problem(status_of(error), message, details=details) from error


def create_endpoint(
    settings: Settings, prices: PriceSource, artifact: Artifact | None, *, time_limit: float = TIME_LIMIT
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        warming = asyncio.create_task(warm(prices, artifact))
        app.state.endpoint = Endpoint(
            artifact, time_limit, asyncio.Semaphore(MAX_CONCURRENT_CALCULATIONS), warming, prices
        )
        yield
        warming.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    add_error_handlers(app)
    add_middleware(app, settings, None)
    app.include_router(router)
    return app


async def warm(prices: PriceSource, artifact: Artifact | None) -> None:
    """Compute first answers, which load the kernels, before the endpoint is ready."""
    await asyncio.to_thread(import_module, "desk.strategies.evaluation_details")
    rule = templates()[0].rule
    for universe in await prices.universes():
        await respond(prices, artifact, EvaluationRequest(config=rule.config, universe=universe))
    if artifact is not None:
        await asyncio.to_thread(artifact.predict, artifact.surrogate.configs[0])
    _logger().info("ready", artifact=None if artifact is None else artifact.sha256)


def _no_slot(_: Request) -> nullcontext[None]:
    return nullcontext()


router = APIRouter(route_class=limited_route(LARGEST, slot=_no_slot))


@router.get("/ping")
async def ping(request: Request) -> Response:
    request.app.state.endpoint.require_ready()
    return Response()


def ping_status(app: FastAPI) -> HTTPStatus:
    """The status of `/ping`, which any thread may read."""
    endpoint: Endpoint | None = getattr(app.state, "endpoint", None)
    if endpoint is None or not endpoint.warming.done():
        return HTTPStatus.SERVICE_UNAVAILABLE
    failed = endpoint.warming.cancelled() or endpoint.warming.exception() is not None
    return HTTPStatus.INTERNAL_SERVER_ERROR if failed else HTTPStatus.OK


@router.get("/execution-parameters")
async def execution_parameters() -> dict[str, int | str]:
    """The limits of a batch transform: one record per payload, since several would not be JSON."""
    return {
        "MaxConcurrentTransforms": MAX_CONCURRENT_CALCULATIONS,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": MEGABYTES,
    }


@router.post("/invocations")
async def invocations(request: Request) -> Response:
    endpoint: Endpoint = request.app.state.endpoint
    endpoint.require_ready()
    _check_content_types(request)
    requests, batch = _parse(await request.body())
    answers = await endpoint.answers(requests, batch=batch)
    response = EndpointResponses(answers=tuple(answers)) if batch else answers[0]
    return Response(response.model_dump_json(), media_type=JSON, headers={ATTRIBUTES: request_id(request)})


def _check_content_types(request: Request) -> None:
    content_type = _media_type(request.headers.get("content-type", JSON))
    if content_type != JSON:
        raise Problem(415, f"the content type is {content_type[:80]!r}; expected {JSON}")
    accepted = request.headers.get("accept", "*/*")
    if not {_media_type(each) for each in accepted.split(",")} & {"", "*/*", "application/*", JSON}:
        raise Problem(406, f"the Accept header is {accepted[:80]!r}; expected {JSON}")


def _media_type(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _parse(content: bytes) -> tuple[list[EndpointRequest], bool]:
    """The requests of a body, and whether it is a batch."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(400, f"body: it is not JSON: {reason}; expected a JSON object") from error
    if not isinstance(body, dict) or "requests" not in body:
        return [_request(body, ("body",))], False
    batch = _validate(Batch, body, ("body",))
    return [_request(one, ("body", "requests", k)) for k, one in enumerate(batch.requests)], True


def _request(value: Any, place: tuple[str | int, ...]) -> EndpointRequest:
    is_prediction = isinstance(value, dict) and "predicted" in value
    return _validate(PredictionInput if is_prediction else EvaluationRequest, value, place)


def _validate(model: type[Model], value: Any, place: tuple[str | int, ...]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        schema: Mapping[str, Any] = model.model_json_schema()
        errors = [{**one, "loc": (*place, *one["loc"])} for one in error.errors(include_url=False)]
        node = schema if len(place) == 1 else {"properties": {"requests": {"items": schema}}}
        raise validation_problem(errors, {"$defs": schema.get("$defs", {}), "properties": {"body": node}}) from error


def serve_endpoint(settings: Settings, host: str | None, port: int | None) -> int:
    """Serve until a signal ends the process; returns the exit code."""
    if settings.auth:
        reason = "an endpoint has no sign-in of its own: IAM controls the access"
        raise InvalidInput("STRATIGOS_AUTH", settings.auth, reason=reason, allowed="nothing, with STRATIGOS_SERVES")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ignored by default in the first process of a container
    with (
        listening_sockets(*_place(settings, host, port)) as sockets,
        log_to(Path(os.devnull), settings.log_level, place="stdout"),
        capture_library_logs("stdout"),
    ):
        app = create_endpoint(settings, BundledPrices(), load_artifact(settings.container_root / "model"))
        server = LoggedServer(
            app,
            log_level=settings.log_level,
            log_config=None,
            timeout_graceful_shutdown=GRACE,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            headers=[("Connection", "close")],  # a ping on an open connection would wait for the event loop
        )
        with answer_pings(sockets, lambda: ping_status(app)) as handed:
            return run(server, handed)


def _place(settings: Settings, host: str | None, port: int | None) -> tuple[str, int]:
    """Host and port; the port of SageMaker takes precedence over that of the service."""
    configured = settings.model_fields_set
    default = settings.port if "port" in configured else PORT
    return (
        host or (settings.host if "host" in configured else HOST),
        settings.bind_to_port or default if port is None else port,
    )


def _logger() -> Any:
    return structlog.get_logger()
