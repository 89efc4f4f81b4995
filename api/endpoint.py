"""A real-time endpoint of SageMaker: `/ping` and `/invocations`, as its hosting asks them of a container.

Nobody signs in: whoever may invoke an endpoint is IAM's to say, and nobody else reaches the container.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
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
from api.http.server import LARGEST_HEAD, Announced, listening, run
from api.operations.log import libraries_told, log_to
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

HOST, PORT = "0.0.0.0", 8080  # noqa: S104 - where SageMaker asks
MEGABYTES = 6
LARGEST = MEGABYTES * 1024 * 1024
"""Bytes of a body."""
MOST = 10
"""Requests of one body."""
PATIENCE = 55.0
"""Seconds until an invocation is answered, one way or the other; SageMaker waits for 60."""
GRACE = 25
"""Seconds that invocations have to end; SageMaker kills a container 30 after it has told it to end."""
JSON = "application/json"
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
"""The one header that SageMaker hands back to whoever has invoked."""

Model = TypeVar("Model", bound=BaseModel)


class Several(Frozen):
    """A body of more than one request; what they are is judged one by one."""

    requests: tuple[Any, ...]

    @field_validator("requests")
    @classmethod
    def _are_few(cls, requests: tuple[Any, ...]) -> tuple[Any, ...]:
        if not 1 <= len(requests) <= MOST:
            msg = f"{len(requests)} requests cannot be answered at once; expected 1 to {MOST}"
            raise ValueError(msg)
        return requests


@dataclass(frozen=True)
class Endpoint:
    """What the application holds while it runs."""

    artifact: Artifact | None
    patience: float
    turns: asyncio.Semaphore
    warming: asyncio.Task[None]
    prices: PriceSource

    def require_ready(self) -> None:
        if not self.warming.done():
            raise Problem(503, "the kernels are being loaded; try again in a second", headers={"Retry-After": "1"})
        self.warming.result()

    async def answers(self, asked: list[EndpointRequest], *, several: bool) -> list[EndpointResponse]:
        """One after the other, when it is their turn."""
        try:
            async with asyncio.timeout(self.patience), self.turns:
                return [await self._answer(one, f"requests.{k}" if several else "") for k, one in enumerate(asked)]
        except TimeoutError as error:
            message = f"it did not end in {self.patience:g} seconds; ask for less at once, or when less is asked"
            raise Problem(503, message, headers={"Retry-After": "5"}) from error

    async def _answer(self, asked: EndpointRequest, place: str) -> EndpointResponse:
        try:
            return await respond(self.prices, self.artifact, asked)
        except UserError as error:
            if not place:
                raise
            details = [one.model_copy(update={"field": f"{place}.{one.field}"}) for one in details_of(error)]
            message = f"{place}{'.' if details else ': '}{error}"
            raise Problem(status_of(error), message, details=details) from error


def create_endpoint(
    settings: Settings, prices: PriceSource, artifact: Artifact | None, *, patience: float = PATIENCE
) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        warming = asyncio.create_task(warm(prices, artifact))
        app.state.endpoint = Endpoint(
            artifact, patience, asyncio.Semaphore(MAX_CONCURRENT_CALCULATIONS), warming, prices
        )
        yield
        warming.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    add_error_handlers(app)
    add_middleware(app, settings, None)
    app.include_router(router)
    return app


async def warm(prices: PriceSource, artifact: Artifact | None) -> None:
    """A first answer takes seconds, and nobody shall wait for it."""
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


@router.get("/execution-parameters")
async def execution_parameters() -> dict[str, int | str]:
    """What a batch transform is told: one record at a time, since several in one payload are no JSON."""
    return {
        "MaxConcurrentTransforms": MAX_CONCURRENT_CALCULATIONS,
        "BatchStrategy": "SINGLE_RECORD",
        "MaxPayloadInMB": MEGABYTES,
    }


@router.post("/invocations")
async def invocations(request: Request) -> Response:
    endpoint: Endpoint = request.app.state.endpoint
    endpoint.require_ready()
    _agree(request)
    asked, several = _asked(await request.body())
    answers = await endpoint.answers(asked, several=several)
    told = EndpointResponses(answers=tuple(answers)) if several else answers[0]
    return Response(told.model_dump_json(), media_type=JSON, headers={ATTRIBUTES: request_id(request)})


def _agree(request: Request) -> None:
    """On what is sent and what is answered."""
    sent = _kind(request.headers.get("content-type", JSON))
    if sent != JSON:
        raise Problem(415, f"the content type is {sent[:80]!r}; expected {JSON}")
    accepted = request.headers.get("accept", "*/*")
    if not {_kind(each) for each in accepted.split(",")} & {"", "*/*", "application/*", JSON}:
        raise Problem(406, f"the answer is accepted as {accepted[:80]!r}; expected {JSON}")


def _kind(text: str) -> str:
    return text.partition(";")[0].strip().lower()


def _asked(content: bytes) -> tuple[list[EndpointRequest], bool]:
    """The requests of a body, and whether it is one of several."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Problem(400, f"body: it is no JSON: {reason}; expected an object of JSON") from error
    if not isinstance(body, dict) or "requests" not in body:
        return [_request(body, ("body",))], False
    several = _valid(Several, body, ("body",))
    return [_request(one, ("body", "requests", k)) for k, one in enumerate(several.requests)], True


def _request(value: Any, place: tuple[str | int, ...]) -> EndpointRequest:
    predicted = isinstance(value, dict) and "predicted" in value
    return _valid(PredictionInput if predicted else EvaluationRequest, value, place)


def _valid(model: type[Model], value: Any, place: tuple[str | int, ...]) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        schema: Mapping[str, Any] = model.model_json_schema()
        found = [{**one, "loc": (*place, *one["loc"])} for one in error.errors(include_url=False)]
        node = schema if len(place) == 1 else {"properties": {"requests": {"items": schema}}}
        raise validation_problem(found, {"$defs": schema.get("$defs", {}), "properties": {"body": node}}) from error


def serve_endpoint(settings: Settings, host: str | None, port: int | None) -> int:
    """Until it is told to end."""
    if settings.auth:
        reason = "an endpoint asks nobody who they are: IAM stands before it"
        raise InvalidInput("STRATIGOS_AUTH", settings.auth, reason=reason, allowed="nothing, with STRATIGOS_SERVES")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the first process of a container would not hear it
    with (
        listening(*_place(settings, host, port)) as sockets,
        log_to(Path(os.devnull), settings.log_level, place="stdout"),
        libraries_told("stdout"),
    ):
        server = Announced(
            create_endpoint(settings, BundledPrices(), load_artifact(settings.container_root / "model")),
            log_level=settings.log_level,
            log_config=None,
            timeout_graceful_shutdown=GRACE,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=LARGEST_HEAD,
        )
        return run(server, sockets)


def _place(settings: Settings, host: str | None, port: int | None) -> tuple[str, int]:
    """Where it listens: what SageMaker says stands above what was set for the service."""
    given = settings.model_fields_set
    usual = settings.port if "port" in given else PORT
    chosen = settings.bind_to_port or usual if port is None else port
    return host or (settings.host if "host" in given else HOST), chosen


def _logger() -> Any:
    return structlog.get_logger()
