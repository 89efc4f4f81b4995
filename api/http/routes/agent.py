"""AG-UI 1.0, for chat clients that speak it."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from ag_ui.core import RunAgentInput
from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from api.http.body_limits import limited_route
from api.http.dependencies import STREAM_SLOT, PrincipalDep, Service, ServiceDep, StreamAccessDep
from api.http.errors.problems import error_responses
from api.http.routes.events import beating, event_stream, last_event_id, streamed
from desk.base.errors import InvalidInput, NotFound
from desk.governance.approvals import Ruling
from desk.governance.principals import Principal
from graphs.conversations.agui import as_json
from graphs.conversations.agui_runs import begin, go_on, known, told
from graphs.conversations.repository import check_conversation_id
from store.errors import Unavailable

if TYPE_CHECKING:
    from graphs.conversations.agui_runs import AgentRun

router = APIRouter(tags=["agent"], route_class=limited_route(2_000_000))

LastEvent = Annotated[int, Depends(last_event_id)]

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events of AG-UI with `id:` (the number in the run); a comment after 15 seconds of silence",
        "content": event_stream(),
    },
}


@dataclass(frozen=True)
class Attached:
    """A run of AG-UI and who reads it."""

    run: "AgentRun"
    given: RunAgentInput
    after: int


async def attached(given: RunAgentInput, after: LastEvent, principal: PrincipalDep, service: ServiceDep) -> Attached:
    """The run that the input names: known already, or begun now; every refusal comes before the stream."""
    dependencies, answering, owner = service.dependencies, service.answering, principal.owner
    thread, run = given.thread_id, given.run_id
    check_conversation_id("body.threadId", thread)
    found = await known(dependencies, answering, owner, thread, run)
    if found is None and given.resume:
        found = await go_on(dependencies, answering, principal, thread, run, _answers(given))
    if found is None:
        found = await begin(dependencies, answering, owner, thread, run, _said(given))
    return Attached(found, given, after)


@router.post(
    "/agent",
    summary="Ask the assistant in the words of AG-UI 1.0",
    response_class=StreamingResponse,
    dependencies=[STREAM_SLOT],
    responses={**error_responses(400, 404, 409, 413), **_STREAM},
)
async def agent(
    attached: Annotated[Attached, Depends(attached)],
    principal: PrincipalDep,
    service: ServiceDep,
    access: StreamAccessDep,
) -> EventSourceResponse:
    """The last message of the person is asked in the thread, and what comes of it is told as it happens.

    The answer does not depend on the connection. The same input again (the same `runId`) does not ask again: it is
    told the same events from the first, or from the one after `Last-Event-ID`, whose numbers stand in `id:`. Where a
    person has to decide something, the run ends with the outcome `interrupt`; `resume` in a new run answers it, with
    `{"verdict": "approved"}`, `{"verdict": "edited", "trials": 50}` or `{"verdict": "rejected", "reason": "..."}`.
    """
    return streamed(access.while_valid(beating(_frames(attached, principal, service))))


async def _frames(attached: Attached, principal: Principal, service: Service) -> AsyncGenerator[bytes]:
    number = 0
    try:
        async with aclosing(
            told(service.dependencies, service.following, principal, attached.run, attached.given.messages)
        ) as events:
            async for event in events:
                number += 1
                if number > attached.after:
                    yield format_sse_event(data_str=as_json(event), id=str(number))
    except (Unavailable, NotFound) as fault:  # the status is out; a thread may be deleted while it is read
        logger: Any = structlog.get_logger()
        logger.warning("stream_cut", run=attached.run.turn.id, reason=str(fault))


def _said(given: RunAgentInput) -> str:
    """The last message of the person."""
    for message in reversed(given.messages):
        if message.role == "user":
            if isinstance(message.content, str):
                return message.content
            return "\n".join(part.text for part in message.content if part.type == "text")
    raise InvalidInput("body.messages", "", reason="there is no message of the user", allowed="one, to be asked")


def _answers(given: RunAgentInput) -> list[tuple[str, Ruling]]:
    found: list[tuple[str, Ruling]] = []
    for place, entry in enumerate(given.resume or ()):
        if entry.status == "cancelled":
            ruling = Ruling(verdict="rejected", reason="cancelled by the client")
        else:
            try:
                ruling = Ruling.model_validate(entry.payload)
            except ValidationError as error:
                wrong = [
                    {**one, "loc": ("body", "resume", place, "payload", *one["loc"])}
                    for one in error.errors(include_url=False)
                ]
                raise RequestValidationError(wrong) from error
        found.append((entry.interrupt_id, ruling))
    return found
