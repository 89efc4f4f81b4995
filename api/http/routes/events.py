"""Live events of runs and of chat turns, through three doors: the same events, numbered, from any number on."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Path, Query, Response, WebSocket
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocketDisconnect

from api.http.dependencies import STREAM_SLOT, PrincipalDep, Service, ServiceDep, StreamAccessDep
from api.http.errors.problems import error_responses
from api.http.identity.revocation import StreamAccess
from desk.base.errors import InvalidInput, NotFound
from desk.runs.progress import LiveEvent
from graphs.streaming.followers import check_after
from store.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from graphs.streaming.followers import Followed, Told

router = APIRouter(tags=["events"])

HEARTBEAT = 15.0
LONGEST_WAIT = 20.0
AT_ONCE = 100
"""Events in one chunk of a stream."""
STUCK = 30.0
"""Seconds after which a socket whose reader takes nothing is closed."""
LARGEST = 10**15 - 1

ENDED, GOING_AWAY, NOT_ALLOWED, TRY_AGAIN, UNKNOWN, WRONG = 1000, 1001, 1008, 1013, 4404, 4422
"""Close codes of the WebSocket."""

RunId = Annotated[str, Path(description="A run, or a turn of a thread", examples=["3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d"])]
After = Annotated[int, Query(ge=0, le=LARGEST, description="The number of the last event that you have")]


class Polled(BaseModel):
    events: list[LiveEvent]
    last: int = Field(description="Ask with it as `after` for what comes next")
    ended: bool = Field(description="Nothing will come after `last`")


def last_event_id(
    after: After = 0,
    last_event_id: Annotated[
        str | None,
        Header(description="The number of the last event that you have; it stands above `after`", examples=["12"]),
    ] = None,
) -> int:
    if last_event_id is None:
        return after
    if not re.fullmatch("[0-9]{1,15}", last_event_id):
        raise InvalidInput("header.last-event-id", last_event_id[:40], allowed="the `id:` of an event, 0 or above")
    return int(last_event_id)


LastEvent = Annotated[int, Depends(last_event_id)]


async def ticket(
    ticket: Annotated[
        str | None,
        Query(max_length=200, description="Of POST /api/tickets, for clients that cannot send a key or a token"),
    ] = None,
) -> str | None:
    """Who asks is known from it before the route is entered: see `api.http.identity.tickets.redeemed`."""
    return ticket


Ticketed = Depends(ticket)


def event_stream(data: str | None = None) -> dict[str, Any]:
    """What each event of a stream holds; `data` names the schema of what it carries as JSON, before `event: end`."""
    carried: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
    if data is not None:
        end = {"type": "object", "required": ["last"], "properties": {"last": {"type": "integer", "minimum": 0}}}
        carried["contentSchema"] = {"anyOf": [{"$ref": f"#/components/schemas/{data}"}, end]}
    fields = {"data": carried, "event": {"type": "string"}, "id": {"type": "string"}}
    return {"text/event-stream": {"schema": {"type": "object", "properties": fields}}}


_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events with `id:` (the number), `event:` (the kind) and `data:` (a LiveEvent as JSON), "
        "a comment after 15 seconds of silence, and one `event: end` after which nothing comes",
        "content": event_stream("LiveEvent"),
    },
    204: {"description": "You have all events of a run that has ended: do not connect again"},
}


@router.get(
    "/runs/{run}/events",
    summary="The events of a run as they happen (server-sent events)",
    response_class=StreamingResponse,
    dependencies=[Ticketed, STREAM_SLOT],
    responses={**error_responses(404, 410), **_STREAM},
)
async def stream(
    run: RunId, after: LastEvent, principal: PrincipalDep, service: ServiceDep, access: StreamAccessDep
) -> Response:
    """Every event of the run beyond the number that you have, then each new one.

    The stream ends with `event: end` when the run has ended; an `EventSource` should then be closed, and one that
    connects again all the same is answered with 204, after which it stays away.
    """
    if await _has_all(service, principal.owner, run, after):
        return Response(status_code=204)
    return streamed(access.while_valid(frames_of(service, principal.owner, run, after)))


@router.get(
    "/runs/{run}/events/poll",
    summary="The events of a run so far, or the next ones (long poll)",
    responses=error_responses(404, 410),
    dependencies=[Ticketed],
)
async def poll(
    run: RunId,
    principal: PrincipalDep,
    service: ServiceDep,
    after: After = 0,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds to wait for an event")
    ] = 0.0,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many events")] = 1000,
) -> Polled:
    async with service.following.of(principal.owner, run) as log:
        check_after(log, after, "query.after")
        await log.more(after, wait)
        told = log.after(after, limit)
        last = told[-1].sequence if told else after
        events = [LiveEvent.model_validate_json(each.text) for each in told]
        return Polled(events=events, last=last, ended=log.ended and last == log.last)


@router.websocket("/runs/{run}/events/ws", dependencies=[STREAM_SLOT])
async def socket(
    websocket: WebSocket,
    run: str,
    principal: PrincipalDep,
    service: ServiceDep,
    access: StreamAccessDep,
    after: str = "0",
) -> None:
    """One LiveEvent as JSON in each message, and `{"heartbeat": n}` after 15 seconds of silence; it hears nothing."""
    if not _may_read(websocket, service.settings.cors_origins.split(",")):
        await websocket.close(NOT_ALLOWED)
        return
    await websocket.accept()
    try:
        number = last_event_id(last_event_id=after)
        async with service.following.of(principal.owner, run) as log:
            code, reason = await _served(websocket, log, number, access)
    except NotFound as error:
        code, reason = UNKNOWN, str(error)
    except (InvalidInput, Invalid) as error:
        code, reason = WRONG, str(error)
    except Unavailable:
        code, reason = TRY_AGAIN, "the storage cannot answer now"
    except WebSocketDisconnect:
        return
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):  # who is gone, or takes nothing, is not told
        async with asyncio.timeout(1.0):
            await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))


def streamed(chunks: AsyncGenerator[bytes]) -> EventSourceResponse:
    return EventSourceResponse(chunks, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def frames(
    log: "Followed", after: int, *, heartbeat: float = HEARTBEAT, until: str | None = None
) -> AsyncGenerator[bytes]:
    """The bytes of the stream; it ends with the log, or where that stands still after an event of the kind `until`."""
    while True:
        if not await log.more(after, heartbeat):
            yield KEEPALIVE_COMMENT
        elif told := log.after(after, AT_ONCE):
            yield b"".join(map(_frame, told))
            after = told[-1].sequence
            if told[-1].kind == until and after == log.last:
                break
        else:
            break
    yield format_sse_event(event="end", data_str=f'{{"last": {after}}}')


async def beating(chunks: AsyncGenerator[bytes], *, heartbeat: float = HEARTBEAT) -> AsyncGenerator[bytes]:
    """`chunks`, and a heartbeat wherever they are silent."""
    async with aclosing(chunks):
        coming = asyncio.ensure_future(anext(chunks, None))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=heartbeat)
                if not done:
                    yield KEEPALIVE_COMMENT
                elif (chunk := coming.result()) is None:
                    return
                else:
                    yield chunk
                    coming = asyncio.ensure_future(anext(chunks, None))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _frame(told: "Told") -> bytes:
    return format_sse_event(id=str(told.sequence), event=told.kind, data_str=told.text)


async def _has_all(service: Service, owner: str, run: str, after: int) -> bool:
    """Raises what cannot be said any more once the stream has begun."""
    async with service.following.of(owner, run) as log:
        check_after(log, after, "after")
        return log.ended and after == log.last


async def frames_of(
    service: Service, owner: str, run: str, after: int, *, until: str | None = None
) -> AsyncGenerator[bytes]:
    try:
        async with service.following.of(owner, run) as log:
            async for frame in frames(log, after, until=until):
                yield frame
    except (Unavailable, NotFound) as fault:  # the status is out, and a thread may be deleted at any time
        logger: Any = structlog.get_logger()
        logger.warning("stream_cut", run=run, reason=str(fault))


def _may_read(websocket: WebSocket, sites: list[str]) -> bool:
    """A page of a site that is not allowed cannot read what a browser is let to; other clients send no origin."""
    origin = websocket.headers.get("origin")
    return origin is None or origin in sites or origin.partition("://")[2] == websocket.headers.get("host")


async def _served(websocket: WebSocket, log: "Followed", after: int, access: StreamAccess) -> tuple[int, str]:
    """The code to close with, and why."""
    check_after(log, after, "after")
    doing = [asyncio.create_task(_send(websocket, log, after, access)), asyncio.create_task(_hear(websocket))]
    try:
        done, _ = await asyncio.wait(doing, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
    return done.pop().result()


async def _send(websocket: WebSocket, log: "Followed", after: int, access: StreamAccess) -> tuple[int, str]:
    try:
        while True:
            fresh = await log.more(after, HEARTBEAT)
            told = log.after(after, AT_ONCE)
            if fresh and not told:
                return ENDED, "the run has ended"
            if not await access.is_valid():
                return NOT_ALLOWED, "it is not known any more who asks"
            async with asyncio.timeout(STUCK):
                for text in [each.text for each in told] or [f'{{"heartbeat": {after}}}']:
                    await websocket.send_text(text)
            after = told[-1].sequence if told else after
    except TimeoutError:
        return NOT_ALLOWED, "nothing is read"


async def _hear(websocket: WebSocket) -> tuple[int, str]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", ENDED))
    return NOT_ALLOWED, "nothing is heard here"
