"""Lambda event types and the handler for each."""

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

from api.lambda_ import http_events
from api.lambda_.http_events import Event
from api.lambda_.websockets import handle_websocket, is_websocket
from api.operations.audit import anchor_log, audited_command
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

    from api.http.dependencies import AppState
    from api.operations.metrics import Metrics
    from graphs.dependencies import Dependencies

STOP_BEFORE_END = 30.0
"""Seconds before the deadline at which a job stops and returns to the queue, to be resumed by another invocation."""
PUSH_TIMEOUT = 10.0
"""Seconds for which an invocation waits until its events are sent to WebSocket clients."""
MAX_FILE_BYTES = 100_000_000
OBJECT_CREATED = "Object Created"
"""The type of S3's events on EventBridge."""
SCHEDULED = "Scheduled Event"
"""The type of EventBridge's own events, which rules with a schedule send."""
IMPORT_KEY = re.compile(r"imports/([^/]+)/([^/]+?)\.(?:(?:csv|xlsx|parquet|json)(?:\.gz)?|zip)")


REQUIRED = {
    **dict.fromkeys(
        ("STRATIGOS_STORE", "STRATIGOS_CHECKPOINTS", "STRATIGOS_QUEUE"),
        "files of a function are lost when Lambda removes it",
    ),
    "STRATIGOS_AUTH": "everybody who reaches a function would be its one local user",
}
"""Settings without which a function does not start, with the reason."""


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


class ObjectReference(BaseModel):
    bucket: Bucket
    object: Object


class Notification(BaseModel):
    """A record of S3."""

    event: str = Field(validation_alias="eventName")
    location: ObjectReference = Field(validation_alias="s3")


class Context(Protocol):
    """The context object of the official Python client."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int: ...


async def respond(app: "FastAPI", event: Any, until: float) -> Any:
    """The response to an event of any known source; `until` is a time of the event loop's clock."""
    if http_events.is_http(event):
        return await http_events.buffered(app, event, until)
    for source in SOURCES:
        if isinstance(event, dict) and source.matches(event):
            return await source.handle(app.state.service, event, until)
    allowed = ", ".join(
        ["a request of API Gateway, a load balancer or a function URL", *(source.name for source in SOURCES)]
    )
    raise InvalidInput("event", None, reason=f"{_shape(event)} is unknown", allowed=allowed)


async def settle(function: "Function", until: float) -> None:
    """Finish background work, because Lambda freezes the process between invocations; at `until` stop it instead."""
    service = function.app.state.service
    answering, sockets = service.answering, service.dependencies.sockets
    try:
        async with asyncio.timeout_at(until):
            await answering.idle()
    except TimeoutError:
        await answering.aclose()
    if sockets is not None:
        with suppress(TimeoutError):  # the rest is sent with the next push, or when the client asks
            async with asyncio.timeout_at(min(until, asyncio.get_running_loop().time() + PUSH_TIMEOUT)):
                await sockets.idle()
    if (flush := service.dependencies.flush_telemetry) is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await asyncio.to_thread(flush)
    if function.metrics is not None:
        function.metrics.flush()


async def handle_queue_batch(service: "AppState", event: Event, until: float) -> Event:
    """Execute jobs of the queue; those in `batchItemFailures` are delivered again."""
    from graphs.jobs.worker import Worker

    worker, queue = Worker(service.dependencies), job_queue.queue_of(service.dependencies)
    stopping = asyncio.get_running_loop().call_at(until - STOP_BEFORE_END, worker.stop)
    failures: list[str] = []
    try:
        for message in TypeAdapter(list[Message]).validate_python(event["Records"]):
            delivery = message.delivery()
            if not await queue.adopt(delivery, lease=LEASE_SECONDS) or not await worker.deliver(delivery):
                failures.append(message.id)
    finally:
        stopping.cancel()
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in failures]}


async def sweep(dependencies: "Dependencies") -> Event:
    """Poll remote computations; meanwhile send jobs that a stopped process left unsent, and anchor the audit log."""
    from graphs.jobs.remote import poll_computations

    # at once, because SageMaker may not respond
    going_on, sent, _ = await asyncio.gather(
        poll_computations(dependencies),
        job_queue.sweep(dependencies),
        anchor_log(dependencies.store, dependencies.audit_key),
    )
    return {"sent": sent, "going_on": going_on}


async def cleanup(dependencies: "Dependencies") -> Event:
    """Expire overdue jobs, then the same as `python -m api cleanup`."""
    from graphs.jobs.expiry import expire_overdue_jobs
    from graphs.runs.cleanup import clean_up

    overdue = await expire_overdue_jobs(dependencies)
    report = await clean_up(dependencies, dependencies.now())
    counts = {name: len(getattr(report, name)) for name in ("archived", "kept", "checkpoints")}
    return (
        {"jobs_expired": overdue}
        | counts
        | report.model_dump(include={"bytes", "derived", "trajectories", "shards", "expired"})
    )


TASKS: dict[str, "Callable[[Dependencies], Awaitable[Event]]"] = {"sweep": sweep, "cleanup": cleanup}


async def handle_schedule(service: "AppState", event: Event, until: float) -> Event:
    """Carry out the task with which the name of a rule of EventBridge ends, such as stratigos-prod-sweep."""
    rules = [str(arn).rpartition("/")[2] for arn in event.get("resources") or ()]
    task = next((task for task in TASKS for rule in rules if rule == task or rule.endswith(f"-{task}")), None)
    if task is None:
        allowed = f"a rule whose name ends with {' or '.join(TASKS)}"
        raise InvalidInput("resources", ", ".join(rules)[:200], allowed=allowed)
    return await handle_task(service, {"task": task}, until)


async def handle_task(service: "AppState", event: Event, until: float) -> Event:
    name = event.get("task") or event.get("detail-type")
    if name not in TASKS:
        raise InvalidInput("task", str(name)[:80], allowed=", ".join(TASKS))
    async with asyncio.timeout_at(until):
        outcome = await TASKS[name](service.dependencies)
        if service.metrics is not None and name == "sweep":  # each minute, as other processes record them
            from api.operations.metrics import record_gauges

            await record_gauges(service.dependencies, service.metrics)
        return {"task": name, **outcome}


class ProcessingJobDetail(BaseModel):
    """The detail of a SageMaker event."""

    name: str = Field(validation_alias="ProcessingJobName")


async def handle_processing_job(service: "AppState", event: Event, until: float) -> Event:
    """Resume the run of a processing job; jobs of other applications are ignored."""
    from graphs.jobs.remote import handle_notice

    try:
        name = ProcessingJobDetail.model_validate(event.get("detail")).name
    except ValidationError as error:
        allowed = "the ProcessingJobName that SageMaker sends"
        raise InvalidInput("detail", None, reason="it names no processing job", allowed=allowed) from error
    async with asyncio.timeout_at(until):
        outcome = await handle_notice(service.dependencies, name)
    _logger().info("computation_noticed", name=name[:100], outcome=outcome)
    return {"processing_job": name, "outcome": outcome}


async def handle_uploads(service: "AppState", event: Event, until: float) -> Event:
    """Import the files of a notification of S3, whose keys are encoded as in a URL."""
    notifications = TypeAdapter(list[Notification]).validate_python(event["Records"])
    for each in notifications:
        each.location.object.key = unquote_plus(each.location.object.key)
    return await _import_files(service, notifications, until)


async def handle_object_event(service: "AppState", event: Event, until: float) -> Event:
    """Import the file of an event that S3 sends to EventBridge."""
    if event.get("detail-type") != OBJECT_CREATED:
        raise InvalidInput("detail-type", str(event.get("detail-type"))[:80], allowed=OBJECT_CREATED)
    notification = Notification.model_validate({"eventName": "ObjectCreated:EventBridge", "s3": event["detail"]})
    return await _import_files(service, [notification], until)


async def _import_files(service: "AppState", notifications: list[Notification], until: float) -> Event:
    """Import uploaded files; a file that is rejected is logged and not retried."""
    imported: list[Event] = []
    rejected: list[Event] = []
    async with asyncio.timeout_at(until):
        for notification in notifications:
            key = notification.location.object.key
            try:
                report = await _import(service, notification)
            except (UserError, Missing) as error:
                _logger().warning("import_refused", key=key[:300], reason=str(error))
                rejected.append({"key": key, "reason": str(error)})
            else:
                _logger().info("imported", key=key, report=report)
                imported.append({"key": key, "report": report})
    return {"imported": imported, "refused": rejected}


async def _import(service: "AppState", notification: Notification) -> Event:
    from desk.market.datasets.ingestion import import_file

    location = notification.location
    bucket, key, size = location.bucket.name, location.object.key, location.object.size
    configured = service.settings.store.partition(",s3:")[2]
    if bucket != configured:
        raise InvalidInput("bucket", bucket, allowed=configured or "none, because STRATIGOS_STORE names no bucket")
    if not notification.event.startswith("ObjectCreated:"):
        raise InvalidInput("eventName", notification.event, allowed="ObjectCreated:*")
    owner, dataset = _parse_key(key)
    if size > MAX_FILE_BYTES:
        raise InvalidInput("object.size", size, allowed=f"files of up to {MAX_FILE_BYTES // 1_000_000} MB")
    store = service.dependencies.store
    content = await store.blobs.get(key)
    principal = Principal(owner=owner, roles=(), via=f"s3:{bucket}")
    async with audited_command(store, principal, "imports.put", f"datasets/{dataset}"):
        report = await import_file(store, owner, dataset, content, Terms(), commit=True, now=service.dependencies.now())
    return report.model_dump(mode="json")


def _parse_key(key: str) -> tuple[str, str]:
    """The owner and the dataset of a key such as imports/alice/prices.csv."""
    allowed = "imports/OWNER/DATASET.csv, .xlsx, .parquet, .json (also .gz) or .zip, the data set of a-z, 0-9, _ and -"
    match = IMPORT_KEY.fullmatch(key)
    if match is None:
        raise InvalidInput("key", key[:300], allowed=allowed)
    owner, dataset = match[1], match[2]
    try:
        check_owner(owner)
        TypeAdapter(DatasetName).validate_python(dataset)
    except (Invalid, ValueError) as error:
        raise InvalidInput("key", key[:300], allowed=allowed) from error
    if owner.startswith(SYSTEM[0]):
        raise InvalidInput("key", key[:300], reason=f"{owner!r} is not a user", allowed=allowed)
    return owner, dataset


class EventSource(NamedTuple):
    name: str
    matches: Callable[[Event], bool]
    handle: "Callable[[AppState, Event, float], Awaitable[Event]]"


SOURCES = (
    EventSource("a batch of SQS", lambda event: _records_of(event) == {"aws:sqs"}, handle_queue_batch),
    EventSource("a notification of S3", lambda event: _records_of(event) == {"aws:s3"}, handle_uploads),
    EventSource("an event of S3", lambda event: event.get("source") == "aws.s3", handle_object_event),
    EventSource("an event of a WebSocket API", is_websocket, handle_websocket),
    EventSource(
        "an event of a processing job of SageMaker",
        lambda event: event.get("source") == "aws.sagemaker",
        handle_processing_job,
    ),
    EventSource(
        "a Scheduled Event of EventBridge",
        lambda event: event.get("source") == "aws.events" and event.get("detail-type") == SCHEDULED,
        handle_schedule,
    ),
    EventSource("an event of the source stratigos", lambda event: event.get("source") == "stratigos", handle_task),
    EventSource("a schedule's {task: NAME}", lambda event: isinstance(event.get("task"), str), handle_task),
)


class Function(NamedTuple):
    """The application with the metrics of its process."""

    app: "FastAPI"
    metrics: "Metrics | None" = None


@contextmanager
def open_function() -> Generator[Function]:
    """The application with the settings of the environment, and the log and metrics of the process."""
    from api.app import create_app, create_dependencies
    from api.models import model_maker
    from api.operations.process import process

    settings = read_settings()
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        for variable, because in REQUIRED.items():
            if not os.environ.get(variable):
                allowed = FORMS[variable].partition(", or nothing")[0]
                raise InvalidInput(variable, "", reason=f"is not set, and {because}", allowed=allowed)
    models = model_maker(settings)
    with process(settings, "lambda") as metrics:
        dependencies = create_dependencies(settings, models, queued=True, metrics=metrics)
        yield Function(create_app(settings, dependencies, metrics), metrics)


def handler(event: Event, context: Context) -> Any:
    """Entry point for the official Python client, which sends whole responses only."""
    runner, function, _ = _start()
    return runner.run(_handle(function, event, context))


async def _handle(function: Function, event: Event, context: Context) -> Any:
    remaining = context.get_remaining_time_in_millis() / 1000 - http_events.MARGIN
    until = asyncio.get_running_loop().time() + remaining
    with bound_contextvars(invocation=context.aws_request_id):
        response = await respond(function.app, event, until)
        await settle(function, until)
    return response


@cache
def _start() -> tuple[asyncio.Runner, Function, AsyncExitStack]:
    """Start the application once per process; it stays open until the process ends."""
    runner, stack = asyncio.Runner(), AsyncExitStack()
    function = stack.enter_context(open_function())
    runner.run(stack.enter_async_context(function.app.router.lifespan_context(function.app)))
    return runner, function, stack


def _records_of(event: Event) -> set[str]:
    records = event.get("Records")
    if not isinstance(records, list):
        return set()
    return {str(record.get("eventSource")) if isinstance(record, dict) else "" for record in records}


def _document(text: str) -> Event:
    """The body of a queue message; the worker rejects one that is not an object, because it names no job."""
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) else {"text": text[:1000]}


def _shape(event: Any) -> str:
    """The keys and sources of an event, without values, which may be secret."""
    if not isinstance(event, dict):
        return f"a JSON value of the type {type(event).__name__}"
    names = ", ".join(sorted(str(name)[:40] for name in event)[:12]) or "nothing"
    sources = sorted(_records_of(event)) or [str(event.get(name))[:80] for name in ("source",) if name in event]
    return f"an event with {names}" + (f" from {', '.join(sources)[:200]}" if sources else "")


def _logger() -> Any:
    return structlog.get_logger()
