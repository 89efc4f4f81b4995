"""Events of runs and turns over a WebSocket, resumable after any number."""

import asyncio
from contextlib import suppress

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.http.dependencies import STREAM_SLOT, AppStateDep, PrincipalDep, StreamAccessDep
from api.http.identity.origins import is_allowed_origin
from api.http.identity.revocation import StreamAccess
from api.http.sse import HEARTBEAT_SECONDS, MAX_EVENTS_PER_CHUNK, last_event_id
from desk.base.errors import InvalidInput, NotFound
from graphs.streaming.followers import FollowedLog, check_after
from store.errors import Invalid, Unavailable

router = APIRouter(tags=["events"])

SEND_TIMEOUT = 30.0
"""Seconds after which the connection of a client that does not read is closed."""

NORMAL, POLICY_VIOLATION, TRY_AGAIN, NOT_FOUND, INVALID = 1000, 1008, 1013, 4404, 4422
"""Close codes; those from 4000 on are of this application."""


@router.websocket("/runs/{run}/events/ws", dependencies=[STREAM_SLOT])
async def socket(
    websocket: WebSocket,
    run: str,
    principal: PrincipalDep,
    service: AppStateDep,
    access: StreamAccessDep,
    after: str = "0",
) -> None:
    """Sends one LiveEvent as JSON per message, and `{"heartbeat": n}` after 15 seconds of silence; accepts none."""
    if not is_allowed_origin(websocket, service.settings.cors_origins):  # browsers do not apply CORS to WebSockets
        await websocket.close(POLICY_VIOLATION)
        return
    await websocket.accept()
    try:
        number = last_event_id(last_event_id=after)
        async with service.following.of(principal.owner, run) as log:
            code, reason = await _serve(websocket, log, number, access)
    except NotFound as error:
        code, reason = NOT_FOUND, str(error)
    except (InvalidInput, Invalid) as error:
        code, reason = INVALID, str(error)
    except Unavailable:
        code, reason = TRY_AGAIN, "the storage is unavailable"
    except WebSocketDisconnect:
        return
    with suppress(TimeoutError, RuntimeError, WebSocketDisconnect):  # the client may be gone or not reading
        async with asyncio.timeout(1.0):
            await websocket.close(code, reason.encode()[:120].decode(errors="ignore"))


async def _serve(websocket: WebSocket, log: FollowedLog, after: int, access: StreamAccess) -> tuple[int, str]:
    """Send until the end, and return the close code and reason."""
    check_after(log, after, "after")
    tasks = [asyncio.create_task(_send(websocket, log, after, access)), asyncio.create_task(_receive(websocket))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return done.pop().result()


async def _send(websocket: WebSocket, log: FollowedLog, after: int, access: StreamAccess) -> tuple[int, str]:
    try:
        while True:
            has_news = await log.more(after, HEARTBEAT_SECONDS)
            events = log.after(after, MAX_EVENTS_PER_CHUNK)
            if has_news and not events:
                return NORMAL, "the run has ended"
            if not await access.is_valid():
                return POLICY_VIOLATION, "the credentials are no longer valid"
            async with asyncio.timeout(SEND_TIMEOUT):
                for text in [event.text for event in events] or [f'{{"heartbeat": {after}}}']:
                    await websocket.send_text(text)
            after = events[-1].sequence if events else after
    except TimeoutError:
        return POLICY_VIOLATION, "the client does not read"


async def _receive(websocket: WebSocket) -> tuple[int, str]:
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", NORMAL))
    return POLICY_VIOLATION, "this socket accepts no messages"
