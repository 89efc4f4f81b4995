"""Events of runs and turns as server-sent events and by long polling, resumable after any number."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from api.http.dependencies import STREAM_SLOT, AppState, AppStateDep, PrincipalDep, StreamAccessDep
from api.http.errors.problems import error_responses
from api.http.sse import After, LastEventId, event_stream_content, run_frames, sse_response
from desk.runs.events.live import LiveEvent
from graphs.streaming.followers import check_after

router = APIRouter(tags=["events"])

MAX_WAIT = 20.0

RunId = Annotated[str, Path(description="A run, or a turn of a thread", examples=["3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d"])]


class EventPage(BaseModel):
    events: list[LiveEvent]
    """Events after the requested number, in order."""
    last: int = Field(description="Value of `after` for the next request")
    ended: bool = Field(description="No event will follow `last`")


async def ticket(
    ticket: Annotated[
        str | None,
        Query(max_length=200, description="From POST /api/tickets, for clients that cannot send a key or a token"),
    ] = None,
) -> str | None:
    """Documents the parameter; `api.http.identity.tickets.redeem_from_url` reads it."""
    return ticket


TICKET = Depends(ticket)

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events with `id:` (the number), `event:` (the kind) and `data:` (a LiveEvent as JSON), "
        "a comment after 15 seconds of silence, and `event: end` as the last one",
        "content": event_stream_content("LiveEvent"),
    },
    204: {"description": "The run has ended and you have all of its events: do not reconnect"},
}


@router.get(
    "/runs/{run}/events",
    summary="Follow the events of a run (server-sent events)",
    response_class=StreamingResponse,
    dependencies=[TICKET, STREAM_SLOT],
    responses={**error_responses(404, 410), **_STREAM},
)
async def stream_events(
    run: RunId, after: LastEventId, principal: PrincipalDep, service: AppStateDep, access: StreamAccessDep
) -> Response:
    """Every event of the run after the number that you have, then each new one.

    The stream ends with `event: end` when the run has ended; close an `EventSource` then. One that reconnects gets
    204, after which it stops.
    """
    if await _has_all(service, principal.owner, run, after):
        return Response(status_code=204)
    return sse_response(access.while_valid(run_frames(service, principal.owner, run, after)))


@router.get(
    "/runs/{run}/events/poll",
    summary="The events of a run so far, or the next ones (long poll)",
    responses=error_responses(404, 410),
    dependencies=[TICKET],
)
async def poll_events(
    run: RunId,
    principal: PrincipalDep,
    service: AppStateDep,
    after: After = 0,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT, allow_inf_nan=False, description="Seconds to wait for an event")
    ] = 0.0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of events")] = 1000,
) -> EventPage:
    """Waits at most `wait` seconds for an event after `after`, and returns an empty page if there is none."""
    async with service.following.of(principal.owner, run) as log:
        check_after(log, after, "query.after")
        await log.more(after, wait)
        page = log.after(after, limit)
        last = page[-1].sequence if page else after
        events = [LiveEvent.model_validate_json(event.text) for event in page]
        return EventPage(events=events, last=last, ended=log.ended and last == log.last)


async def _has_all(service: AppState, owner: str, run: str, after: int) -> bool:
    """Also raises the errors that cannot be reported once the stream has started."""
    async with service.following.of(owner, run) as log:
        check_after(log, after, "after")
        return log.ended and after == log.last
