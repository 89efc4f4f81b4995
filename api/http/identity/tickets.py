"""Tickets: browsers' EventSource and WebSocket send no header of ours, so their URL carries what is good once."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from api.http.errors.handlers import Unauthorized
from desk.governance.principals import Principal
from store.errors import Conflict
from store.keys import SYSTEM, Key

if TYPE_CHECKING:
    from store.store import Store

KIND = "ticket"
SECONDS = 30
SOCKETS = "/api/sockets"
"""Stands for the WebSocket API of API Gateway, whose sockets have no path."""
EVENTS = re.compile(rf"(/api/runs/[^/]+/events|{SOCKETS})(/poll|/ws)?")
"""Where a ticket may stand in place of a key or a token: a stream of events, its polls and its socket."""


class Ticket(BaseModel):
    ticket: Annotated[str, Field(description="Goes into the URL as `ticket`, once")]
    expires: Annotated[datetime, Field(description=f"{SECONDS} seconds after it was made")]


async def issue(store: "Store", principal: Principal, path: str, *, now: datetime) -> Ticket:
    made = secrets.token_urlsafe(32)
    expires = now + timedelta(seconds=SECONDS)
    document: dict[str, Any] = {"path": path, "principal": principal.model_dump(mode="json")}
    await store.records.put(_place(made), document, expected=0, expires=expires)
    return Ticket(ticket=made, expires=expires)


async def redeemed(store: "Store", connection: HTTPConnection) -> Principal | None:
    """Who got the ticket that the URL shows; None where none is shown, or none may be."""
    place, tickets = EVENTS.fullmatch(connection.scope["path"]), shown(connection)
    if place is None or not tickets:
        return None
    principal = await redeem(store, tickets[0], place[1]) if len(tickets) == 1 else None
    if principal is None:
        raise Unauthorized
    return principal


def shown(connection: HTTPConnection) -> list[str]:
    """The tickets of a URL that may hold one."""
    return connection.query_params.getlist("ticket") if EVENTS.fullmatch(connection.scope["path"]) else []


async def redeem(store: "Store", ticket: str, path: str) -> Principal | None:
    """Of two that show a ticket at once the store lets one delete it."""
    record = await store.records.get(_place(ticket))
    if record is None or record.document["path"] != path:
        return None
    try:
        await store.records.delete(record.key, expected=record.version)
    except Conflict:
        return None
    return Principal.model_validate(record.document["principal"])


def _place(ticket: str) -> Key:
    return Key(SYSTEM, KIND, hashlib.sha256(ticket.encode()).hexdigest())
