"""The assistant for clients of the AG-UI 1.0 protocol."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any

import structlog
from ag_ui.core import RunAgentInput
from fastapi import APIRouter, Depends
from fastapi.exceptions import RequestValidationError
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import ValidationError
from starlette.responses import StreamingResponse

from api.http.body_limits import limited_route
from api.http.dependencies import STREAM_SLOT, AppState, AppStateDep, PrincipalDep, StreamAccessDep
from api.http.errors.problems import error_responses
from api.http.sse import LastEventId, event_stream_content, sse_response, with_heartbeats
from desk.base.errors import InvalidInput, NotFound
from desk.governance.approvals import Ruling
from desk.governance.principals import Principal
from graphs.conversations import agui_runs
from graphs.conversations.agui import as_json
from graphs.conversations.agui_runs import AgentRun
from graphs.conversations.repository import check_conversation_id
from store.errors import Unavailable

router = APIRouter(tags=["agent"], route_class=limited_route(2_000_000))

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events of AG-UI with `id:` (the number in the run); a comment after 15 seconds of silence",
        "content": event_stream_content(),
    },
}


@dataclass(frozen=True)
class RunStream:
    """An AG-UI run, its input, and the number after which its events are sent."""

    run: AgentRun
    input: RunAgentInput
    after: int


async def run_stream(
    body: RunAgentInput, after: LastEventId, principal: PrincipalDep, service: AppStateDep
) -> RunStream:
    """The run with the id of the input, an existing or a new one; all errors are raised here, before the stream."""
    dependencies, answering, owner = service.dependencies, service.answering, principal.owner
    thread, run = body.thread_id, body.run_id
    check_conversation_id("body.threadId", thread)
    agent_run = await agui_runs.find_run(dependencies, answering, owner, thread, run)
    text = _last_message(body)
    if agent_run is not None:
        await agui_runs.check_same_input(dependencies.store, owner, agent_run, text, _rulings(body))
    elif body.resume:
        agent_run = await agui_runs.resume_run(dependencies, answering, principal, thread, run, _rulings(body))
    elif text is None:
        raise InvalidInput("body.messages", "", reason="there is no message of the user", allowed="at least one")
    else:
        agent_run = await agui_runs.begin_run(dependencies, answering, owner, thread, run, text)
    return RunStream(agent_run, body, after)


@router.post(
    "/agent",
    summary="Ask the assistant by the AG-UI 1.0 protocol",
    response_class=StreamingResponse,
    dependencies=[STREAM_SLOT],
    responses={**error_responses(400, 404, 409, 413), **_STREAM},
)
async def run_agent(
    stream: Annotated[RunStream, Depends(run_stream)],
    principal: PrincipalDep,
    service: AppStateDep,
    access: StreamAccessDep,
) -> EventSourceResponse:
    """Asks the user's last message in the thread, and streams the events of the answer.

    The answer does not depend on the connection. The same input again (the same `runId`) does not ask again: it
    streams the same events from the first, or from the one after `Last-Event-ID`, whose numbers are in `id:`; 409 for
    another message with that `runId`. When a
    person has to decide, the run ends with the outcome `interrupt`; `resume` in a new run answers it, with
    `{"verdict": "approved"}`, `{"verdict": "edited", "trials": 50}` or `{"verdict": "rejected", "reason": "..."}`.
    """
    return sse_response(access.while_valid(with_heartbeats(_frames(stream, principal, service))))


async def _frames(stream: RunStream, principal: Principal, service: AppState) -> AsyncGenerator[bytes]:
    number = 0
    try:
        async with aclosing(
            agui_runs.run_events(service.dependencies, service.following, principal, stream.run, stream.input.messages)
        ) as events:
            async for event in events:
                number += 1
                if number > stream.after:
                    yield format_sse_event(data_str=as_json(event), id=str(number))
    except (Unavailable, NotFound) as error:  # the status is sent; a thread may be deleted during the stream
        logger: Any = structlog.get_logger()
        logger.warning("stream_cut", run=stream.run.turn.id, reason=str(error))


def _last_message(body: RunAgentInput) -> str | None:
    """The text of the user's last message, if there is one."""
    for message in reversed(body.messages):
        if message.role == "user":
            if isinstance(message.content, str):
                return message.content
            return "\n".join(part.text for part in message.content if part.type == "text")
    return None


def _rulings(body: RunAgentInput) -> list[tuple[str, Ruling]]:
    rulings: list[tuple[str, Ruling]] = []
    for index, entry in enumerate(body.resume or ()):
        if entry.status == "cancelled":
            ruling = Ruling(verdict="rejected", reason="cancelled by the client")
        else:
            try:
                ruling = Ruling.model_validate(entry.payload)
            except ValidationError as error:
                errors = [
                    {**each, "loc": ("body", "resume", index, "payload", *each["loc"])}
                    for each in error.errors(include_url=False)
                ]
                raise RequestValidationError(errors) from error
        rulings.append((entry.interrupt_id, ruling))
    return rulings
