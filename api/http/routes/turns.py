"""The runs of a thread: messages with streamed answers, decisions of a person, and feedback."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import Field

from api.http.body_limits import limited_route
from api.http.dependencies import STREAM_SLOT, AppStateDep, PrincipalDep, StreamAccessDep
from api.http.errors.problems import error_responses
from api.http.pagination import After, Limit, Page
from api.http.response_headers import location_header
from api.http.routes.threads import ThreadId
from api.http.sse import event_stream_content, run_frames, sse_response
from desk.conversation.feedback import feedback_page
from desk.conversation.interrupts import Interrupt
from desk.conversation.schemas import MAX_MESSAGE_LENGTH, Feedback, Opinion, Turn
from desk.governance.approvals import Ruling
from graphs.conversations.repository import turn_of, turn_page
from quant.numeric.frozen import Frozen

router = APIRouter(tags=["threads"], route_class=limited_route(100_000))

Number = Annotated[int, Path(ge=1, le=999_999, description="The number of a run in its thread, from 1")]
RunId = Annotated[
    str,
    Path(
        max_length=200, description="The run that waits for a decision", examples=["3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d"]
    ),
]
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=255, description="Repeated requests with the same key and message return the same run"),
]


class NewMessage(Frozen):
    message: str = Field(
        description=f"1 to {MAX_MESSAGE_LENGTH} characters", examples=["does the 12-month rule still hold?"]
    )


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events of the run, as `GET /api/runs/{run}/events` sends them, from the first on. "
        "Resume there after a lost connection, and after `turn_paused`, which ends this stream because a person has to "
        "decide",
        "content": event_stream_content("LiveEvent"),
        "headers": location_header("run"),
    },
    202: {
        "model": Turn,
        "description": "With `stream=false`: the run, which is answered in the background",
        "headers": location_header("run"),
    },
}


@router.post(
    "/threads/{thread}/runs",
    summary="Send a message and follow the answer (server-sent events)",
    response_class=StreamingResponse,
    response_model=None,
    dependencies=[STREAM_SLOT],
    responses={**error_responses(400, 404, 409, 413), **_ANSWERS},
)
async def create_thread_run(
    thread: ThreadId,
    body: NewMessage,
    principal: PrincipalDep,
    service: AppStateDep,
    access: StreamAccessDep,
    *,
    idempotency_key: IdempotencyKey = None,
    stream: Annotated[bool, Query(description="false: return 202 with the run at once")] = True,
) -> Response:
    """The answer is completed even if the client disconnects.

    Each answer builds on the ones before it: a second message returns 409 until the first is answered.
    """
    turn = await service.answering.ask(principal.owner, thread, body.message, key=idempotency_key)
    headers = {"Location": f"/api/threads/{thread}/runs/{turn.number}"}
    if not stream:
        return JSONResponse(turn.model_dump(mode="json"), 202, headers)
    response = sse_response(access.while_valid(run_frames(service, principal.owner, turn.id, 0, until="turn_paused")))
    response.headers.update(headers)
    return response


@router.get("/threads/{thread}/runs", summary="The runs of a thread, from the first", responses=error_responses(404))
async def list_thread_runs(
    thread: ThreadId, principal: PrincipalDep, service: AppStateDep, limit: Limit = 100, after: After = None
) -> Page[Turn]:
    """A run is a message with its answer, in the order of the thread."""
    items, cursor = await turn_page(service.dependencies.store, principal.owner, thread, after=after, limit=limit)
    return Page(items=items, next=cursor)


@router.get("/threads/{thread}/runs/{number}", summary="A message and its answer", responses=error_responses(404))
async def get_thread_run(thread: ThreadId, number: Number, principal: PrincipalDep, service: AppStateDep) -> Turn:
    """Also resumes a run whose process stopped before the answer was complete."""
    return await service.answering.ensure(principal.owner, thread, number)


@router.post(
    "/threads/{thread}/runs/{number}/resume",
    status_code=202,
    summary="Resume an unfinished run of a terminal",
    responses=error_responses(404),
)
async def resume_thread_run(thread: ThreadId, number: Number, principal: PrincipalDep, service: AppStateDep) -> Turn:
    """Runs that were started over HTTP resume automatically; an answered run does not change."""
    return await service.answering.ensure(principal.owner, thread, number, adopted=True)


@router.get(
    "/threads/{thread}/interrupts",
    summary="The pending decisions of a thread",
    responses=error_responses(404),
)
async def list_interrupts(thread: ThreadId, principal: PrincipalDep, service: AppStateDep) -> Page[Interrupt]:
    """Approvals that the last answer of the thread waits for."""
    from graphs.conversations import interrupts

    return Page(items=await interrupts.interrupts(service.dependencies, principal, thread), next=None)


@router.post(
    "/threads/{thread}/interrupts/{run}",
    status_code=202,
    summary="Approve, edit or reject; then the thread continues",
    responses=error_responses(400, 404, 409, 410, 413),
)
async def decide_interrupt(
    thread: ThreadId, run: RunId, body: Ruling, principal: PrincipalDep, service: AppStateDep
) -> Turn:
    """The first decision is final: repeating it changes nothing, a different one returns 409.

    403 when the interrupt requires a second person.
    """
    from graphs.conversations import interrupts

    return await interrupts.decide(service.dependencies, service.answering, principal, thread, run, body)


@router.post(
    "/threads/{thread}/runs/{number}/feedback",
    status_code=201,
    summary="Give feedback on an answer",
    responses=error_responses(400, 404, 413),
)
async def create_feedback(
    thread: ThreadId, number: Number, body: Opinion, principal: PrincipalDep, service: AppStateDep
) -> Feedback:
    """Ratings are kept as they are; a second one does not replace the first."""
    from desk.conversation import feedback

    store = service.dependencies.store
    turn = await turn_of(store, principal.owner, thread, number)
    return await feedback.store_feedback(
        store, principal.owner, turn.id, body, by=principal.owner, at=service.dependencies.now()
    )


@router.get(
    "/threads/{thread}/runs/{number}/feedback",
    summary="The feedback on an answer, newest first",
    responses=error_responses(404),
)
async def list_feedback(
    thread: ThreadId,
    number: Number,
    principal: PrincipalDep,
    service: AppStateDep,
    limit: Limit = 100,
    after: After = None,
) -> Page[Feedback]:
    """All ratings of the answer are kept."""
    store = service.dependencies.store
    turn = await turn_of(store, principal.owner, thread, number)
    items, cursor = await feedback_page(store, principal.owner, turn.id, after=after, limit=limit)
    return Page(items=items, next=cursor)
