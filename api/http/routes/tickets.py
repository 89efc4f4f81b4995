"""Tickets for event streams and WebSockets of browsers."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.identity import tickets
from api.http.identity.tickets import Ticket

router = APIRouter(tags=["events"], route_class=limited_route(4_096))


class TicketRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    path: Annotated[
        str,
        Field(
            pattern=r"^/api/(runs/[^/?#%\s]{1,200}/events|sockets)$",
            description="The event stream of a run or turn, also valid for its `/poll` and `/ws`; "
            "or `/api/sockets`, for the WebSocket API of API Gateway",
            examples=["/api/runs/3f6c0e8a5f0e4a0f9a5d8c1b2e7f4a6d/events"],
        ),
    ]


@router.post(
    "/tickets",
    status_code=201,
    summary="Issue a ticket for one event stream or WebSocket",
    responses=error_responses(400, 413),
)
async def create_ticket(
    body: TicketRequest, principal: PrincipalDep, service: AppStateDep, response: Response
) -> Ticket:
    """For a browser's EventSource and WebSocket, which cannot send a key or a token: `?ticket=` in the URL, once.

    It is valid for 30 seconds and this path, with your permissions. A stream that reconnects needs another one.
    Without authentication no ticket is needed, but an invalid one is rejected.
    """
    response.headers["Cache-Control"] = "no-store"
    return await tickets.issue(service.dependencies.store, principal, body.path, now=service.dependencies.now())
