"""Server-sent events: the frames of a run's log, heartbeats, and resumption after `Last-Event-ID`.

Frames of AG-UI are made in `api.http.routes.agent`.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import structlog
from fastapi import Depends, Header, Query
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event

from api.http.dependencies import AppState
from desk.base.errors import InvalidInput, NotFound
from desk.runs.events.table import EVENTS
from graphs.streaming.followers import FollowedLog, LogEntry
from store.errors import Unavailable

HEARTBEAT_SECONDS = 15.0
MAX_EVENTS_PER_CHUNK = 100
MAX_EVENT_NUMBER = 10**15 - 1

After = Annotated[int, Query(ge=0, le=MAX_EVENT_NUMBER, description="The number of the last event that you have")]


def last_event_id(
    after: After = 0,
    last_event_id: Annotated[
        str | None,
        Header(description="The number of the last event that you have; overrides `after`", examples=["12"]),
    ] = None,
) -> int:
    """The number after which the stream resumes."""
    if last_event_id is None:
        return after
    if not re.fullmatch("[0-9]{1,15}", last_event_id):
        raise InvalidInput("header.last-event-id", last_event_id[:40], allowed="the `id:` of an event, 0 or above")
    return int(last_event_id)


LastEventId = Annotated[int, Depends(last_event_id)]


def event_stream_content(data: str | None = None) -> dict[str, Any]:
    """The OpenAPI content of a stream whose events carry JSON.

    `data` names the schema of trace events, which `event: end` ends.
    """
    carried: dict[str, Any] = {"type": "string", "contentMediaType": "application/json"}
    if data is not None:
        end = {"type": "object", "required": ["last"], "properties": {"last": {"type": "integer", "minimum": 0}}}
        carried["contentSchema"] = {"anyOf": [{"$ref": f"#/components/schemas/{data}"}, end]}
    kind: dict[str, Any] = {"type": "string", "description": "Kind of the event, for which a page adds a listener"}
    number = {"type": "string", "description": "Number of the event, which a browser sends as Last-Event-ID"}
    if data is not None:
        kind["enum"] = [*EVENTS, "end"]
    fields = {"data": carried, "event": kind, "id": number}
    return {"text/event-stream": {"schema": {"type": "object", "properties": fields}}}


def sse_response(chunks: AsyncGenerator[bytes]) -> EventSourceResponse:
    """A response that proxies neither cache nor buffer."""
    return EventSourceResponse(chunks, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})


async def run_frames(
    service: AppState, owner: str, run: str, after: int, *, until: str | None = None
) -> AsyncGenerator[bytes]:
    """The frames of a run's log; a fault ends the stream, because its status is already sent."""
    try:
        async with service.following.of(owner, run) as log:
            async for frame in log_frames(log, after, until=until):
                yield frame
    except (Unavailable, NotFound) as error:
        logger: Any = structlog.get_logger()
        logger.warning("stream_cut", run=run, reason=str(error))


async def log_frames(
    log: FollowedLog, after: int, *, heartbeat: float = HEARTBEAT_SECONDS, until: str | None = None
) -> AsyncGenerator[bytes]:
    """Frames until the log ends, or until its newest event is of the kind `until`; then one `event: end`."""
    while True:
        if not await log.more(after, heartbeat):
            yield KEEPALIVE_COMMENT
        elif events := log.after(after, MAX_EVENTS_PER_CHUNK):
            yield b"".join(map(_frame, events))
            after = events[-1].sequence
            if events[-1].kind == until and after == log.last:
                break
        else:
            break
    yield format_sse_event(event="end", data_str=f'{{"last": {after}}}')


async def with_heartbeats(
    chunks: AsyncGenerator[bytes], *, heartbeat: float = HEARTBEAT_SECONDS
) -> AsyncGenerator[bytes]:
    """`chunks`, with a comment after each `heartbeat` seconds of silence."""
    async with aclosing(chunks):
        pending = asyncio.ensure_future(anext(chunks, None))
        try:
            while True:
                done, _ = await asyncio.wait({pending}, timeout=heartbeat)
                if not done:
                    yield KEEPALIVE_COMMENT
                elif (chunk := pending.result()) is None:
                    return
                else:
                    yield chunk
                    pending = asyncio.ensure_future(anext(chunks, None))
        finally:
            pending.cancel()
            await asyncio.gather(pending, return_exceptions=True)


def _frame(event: LogEntry) -> bytes:
    return format_sse_event(id=str(event.sequence), event=event.kind, data_str=event.text)
