"""What a function on Lambda is invoked with, and what is done then; `handler` is for the official Python client."""

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote_plus

import structlog
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from structlog.contextvars import bound_contextvars

from api.lambda_ import http_events as lambda_http
from api.lambda_.http_events import Event
from api.lambda_.websockets import is_socket, socket
from api.operations.audit import audited_command
from api.settings import FORMS, read_settings
from desk.base.errors import InvalidInput, UserError
from desk.governance.principals import Principal
from desk.market.datasets.schemas import DatasetName, Terms
from graphs.jobs import job_queue
from graphs.runs.leases import LEASE_SECONDS
from store.errors import Invalid, Missing
from store.keys import SYSTEM, check_owner
from store.queue import Delivery

if TYPE_CHECKING:
    from fastapi import FastAPI

    from api.http.dependencies import Service
    from api.operations.metrics import Metrics
    from graphs.dependencies import Dependencies

GIVE_BACK = 30.0
"""Seconds before the end at which a job is given back: another invocation goes on with it."""
LAST_PUSHES = 10.0
"""Seconds for which an invocation waits until what it appended is sent to sockets."""
LARGEST_FILE = 100_000_000
IMPORT = re.compile(r"imports/([^/]+)/([^/]+)\.(csv|xlsx|parquet|json)")


class Attributes(BaseModel):
    count: int = Field(validation_alias="ApproximateReceiveCount", ge=1)


class Message(BaseModel):
    """A record of SQS."""

    id: str = Field(validation_alias="messageId")
    receipt: str = Field(validation_alias="receiptHandle")
    body: str
    attributes: Attributes

    def delivery(self) -> Delivery:
        return Delivery(self.id, _document(self.body), self.attributes.count, self.receipt)


class Bucket(BaseModel):
    name: str


class Object(BaseModel):
    key: str
    size: int = 0


class Place(BaseModel):
    bucket: Bucket
    object: Object


class Notification(BaseModel):
    """A record of S3."""

    event: str = Field(validation_alias="eventName")
    place: Place = Field(validation_alias="s3")


class Context(Protocol):
    """What the official client hands over beside the event."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


async def answered(app: "FastAPI", event: Any, until: float) -> Any:
    """What the invocation is answered with; `until` is on the clock of the event loop."""
    if lambda_http.is_http(event):
        return await lambda_http.buffered(app, event, until)
    for source in SOURCES:
        if isinstance(event, dict) and source.sent(event):
            return await source.carry_out(app.state.service, event, until)
    allowed = ", ".join(["a request of API Gateway or of a function URL", *(source.name for source in SOURCES)])
    raise InvalidInput("event", None, reason=f"{_seen(event)} is not known", allowed=allowed)


async def settle(begun: "Function", until: float) -> None:
    """Lambda freezes the process between invocations, so what was begun ends first, or is left to whoever is next."""
    answering, sockets = begun.app.state.service.answering, begun.app.state.service.dependencies.sockets
    try:
        async with asyncio.timeout_at(until):
            await answering.idle()
    except TimeoutError:
        await answering.aclose()
    if sockets is not None:
        with suppress(TimeoutError):  # what is left goes with the next push, or when its reader asks
            async with asyncio.timeout_at(min(until, asyncio.get_running_loop().time() + LAST_PUSHES)):
                await sockets.idle()
    if begun.metrics is not None:
        begun.metrics.flush()


async def work(service: "Service", event: Event, until: float) -> Event:
    """Execute jobs of the queue; those named in the answer come again, and the queue holds them no longer."""
    from graphs.jobs.worker import Worker

    worker, queue = Worker(service.dependencies), job_queue.queue_of(service.dependencies)
    stopping = asyncio.get_running_loop().call_at(until - GIVE_BACK, worker.stop)
    again: list[str] = []
    try:
        for message in TypeAdapter(list[Message]).validate_python(event["Records"]):
            delivery = message.delivery()
            if not await queue.adopt(delivery, lease=LEASE_SECONDS) or not await worker.deliver(delivery):
                again.append(message.id)
    finally:
        stopping.cancel()
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in again]}


async def sweep(dependencies: "Dependencies") -> Event:
    """Send what a process that died left unsent, look at what is computed elsewhere, and delete what has expired."""
    from graphs.jobs.remote import poll_computations

    sent, expired = await job_queue.sweep(dependencies), await dependencies.store.records.sweep()
    return {
        "sent": sent,
        "expired": expired,
        "going_on": await poll_computations(dependencies),
    }  # last: what it asks may not answer


async def cleanup(dependencies: "Dependencies") -> Event:
    """What `python -m api cleanup` does."""
    from graphs.runs.cleanup import clean_up

    report = await clean_up(dependencies, dependencies.now())
    counts = {name: len(getattr(report, name)) for name in ("archived", "kept", "checkpoints")}
    return counts | report.model_dump(include={"bytes", "derived", "trajectories", "shards", "expired"})


TASKS: dict[str, "Callable[[Dependencies], Awaitable[Event]]"] = {"sweep": sweep, "cleanup": cleanup}


async def task(service: "Service", event: Event, until: float) -> Event:
    name = event.get("task") or event.get("detail-type")
    if name not in TASKS:
        raise InvalidInput("task", str(name)[:80], allowed=", ".join(TASKS))
    async with asyncio.timeout_at(until):
        return {"task": name, **await TASKS[name](service.dependencies)}


class Computed(BaseModel):
    """What SageMaker says of a processing job."""

    name: str = Field(validation_alias="ProcessingJobName")


async def computed(service: "Service", event: Event, until: float) -> Event:
    """Go on with the run of a processing job; those that are not ours are left."""
    from graphs.jobs.remote import handle_notice

    try:
        name = Computed.model_validate(event.get("detail")).name
    except ValidationError as error:
        allowed = "the ProcessingJobName that SageMaker sends"
        raise InvalidInput("detail", None, reason="names no processing job", allowed=allowed) from error
    async with asyncio.timeout_at(until):
        outcome = await handle_notice(service.dependencies, name)
    _logger().info("computation_noticed", name=name[:100], outcome=outcome)
    return {"processing_job": name, "outcome": outcome}


async def arrive(service: "Service", event: Event, until: float) -> Event:
    """Import files that were put into the bucket; one that cannot be is told in the log, and not tried again."""
    imported: list[Event] = []
    refused: list[Event] = []
    async with asyncio.timeout_at(until):
        for notification in TypeAdapter(list[Notification]).validate_python(event["Records"]):
            key = unquote_plus(notification.place.object.key)
            try:
                report = await _import(service, notification, key)
            except (UserError, Missing) as error:
                _logger().warning("import_refused", key=key[:300], reason=str(error))
                refused.append({"key": key, "reason": str(error)})
            else:
                _logger().info("imported", key=key, report=report)
                imported.append({"key": key, "report": report})
    return {"imported": imported, "refused": refused}


async def _import(service: "Service", notification: Notification, key: str) -> Event:
    from desk.market.datasets.ingestion import import_file

    bucket, size = notification.place.bucket.name, notification.place.object.size
    own = service.settings.store.partition(",s3:")[2]
    if bucket != own:
        raise InvalidInput("bucket", bucket, allowed=own or "none, since STRATIGOS_STORE names no bucket")
    if not notification.event.startswith("ObjectCreated:"):
        raise InvalidInput("eventName", notification.event, allowed="ObjectCreated:*")
    owner, dataset = _named(key)
    if size > LARGEST_FILE:
        raise InvalidInput("object.size", size, allowed=f"files of up to {LARGEST_FILE // 1_000_000} MB")
    store = service.dependencies.store
    content = await store.blobs.get(key)
    acting = Principal(owner=owner, roles=(), via=f"s3:{bucket}")
    async with audited_command(store, acting, "imports.put", f"datasets/{dataset}"):
        report = await import_file(store, owner, dataset, content, Terms(), commit=True, now=service.dependencies.now())
    return report.model_dump(mode="json")


def _named(key: str) -> tuple[str, str]:
    """The owner and the data set of a key such as imports/alice/prices.csv."""
    allowed = "imports/OWNER/DATASET.csv, .xlsx, .parquet or .json, the data set of a-z, 0-9, _ and -"
    found = IMPORT.fullmatch(key)
    if found is None:
        raise InvalidInput("key", key[:300], allowed=allowed)
    owner, dataset = found[1], found[2]
    try:
        check_owner(owner)
        TypeAdapter(DatasetName).validate_python(dataset)
    except (Invalid, ValueError) as error:
        raise InvalidInput("key", key[:300], allowed=allowed) from error
    if owner.startswith(SYSTEM[0]):
        raise InvalidInput("key", key[:300], reason=f"{owner!r} is no user", allowed=allowed)
    return owner, dataset


class Source(NamedTuple):
    name: str
    sent: Callable[[Event], bool]
    carry_out: "Callable[[Service, Event, float], Awaitable[Event]]"


SOURCES = (
    Source("a batch of SQS", lambda event: _records_of(event) == {"aws:sqs"}, work),
    Source("a notification of S3", lambda event: _records_of(event) == {"aws:s3"}, arrive),
    Source("an event of a WebSocket API", is_socket, socket),
    Source("an event of a processing job of SageMaker", lambda event: event.get("source") == "aws.sagemaker", computed),
    Source("an event of the source stratigos", lambda event: event.get("source") == "stratigos", task),
    Source("a schedule's {task: NAME}", lambda event: isinstance(event.get("task"), str), task),
)


class Function(NamedTuple):
    app: "FastAPI"
    metrics: "Metrics | None" = None


@contextmanager
def function() -> Generator[Function]:
    """The application of the environment's settings, with the log and the metrics of the process."""
    from api.app import create_app, create_dependencies
    from api.models import model_maker
    from api.operations.process import process

    settings = read_settings()
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for variable in ("STRATIGOS_STORE", "STRATIGOS_CHECKPOINTS", "STRATIGOS_QUEUE"):
            if not os.environ.get(variable):
                reason = "is not set, and what a function keeps in its own files is lost with it"
                raise InvalidInput(variable, "", reason=reason, allowed=FORMS[variable].partition(", or nothing")[0])
    models = model_maker(settings)
    with process(settings, "lambda") as metrics:
        dependencies = create_dependencies(settings, models, queued=True, metrics=metrics)
        yield Function(create_app(settings, dependencies, metrics), metrics)


def handler(event: Event, context: Context) -> Any:
    """The door of the official client: whole answers only, given once nothing is left to do."""
    runner, begun, _ = _begun()
    return runner.run(_handled(begun, event, context))


async def _handled(begun: Function, event: Event, context: Context) -> Any:
    left = context.get_remaining_time_in_millis() / 1000 - lambda_http.MARGIN
    until = asyncio.get_running_loop().time() + left
    with bound_contextvars(invocation=context.aws_request_id):
        told = await answered(begun.app, event, until)
        await settle(begun, until)
    return told


@cache
def _begun() -> tuple[asyncio.Runner, Function, AsyncExitStack]:
    """Once in a process, and open until it dies."""
    runner, stack = asyncio.Runner(), AsyncExitStack()
    begun = stack.enter_context(function())
    runner.run(stack.enter_async_context(begun.app.router.lifespan_context(begun.app)))
    return runner, begun, stack


def _records_of(event: Event) -> set[str]:
    records = event.get("Records")
    if not isinstance(records, list):
        return set()
    return {str(record.get("eventSource")) if isinstance(record, dict) else "" for record in records}


def _document(text: str) -> Event:
    """A body that is no object names no job, which the worker says of it."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"text": text[:1000]}


def _seen(event: Any) -> str:
    """The shape of an event; its values may be anybody's secrets."""
    if not isinstance(event, dict):
        return f"a JSON value of the type {type(event).__name__}"
    names = ", ".join(sorted(str(name)[:40] for name in event)[:12]) or "nothing"
    sources = sorted(_records_of(event)) or [str(event.get(name))[:80] for name in ("source",) if name in event]
    return f"an event with {names}" + (f" from {', '.join(sources)[:200]}" if sources else "")


def _logger() -> Any:
    return structlog.get_logger()
