"""Single-use tickets in URLs, because EventSource and WebSocket of browsers cannot send an Authorization header."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field
from starlette.requests import HTTPConnection

from api.http.errors.problems import Unauthorized
from desk.governance.principals import Principal
from store.errors import Conflict
from store.keys import SYSTEM, Key

if TYPE_CHECKING:
    from store.store import Store

KIND = "ticket"
VALID_SECONDS = 30
SOCKETS = "/api/sockets"
"""Stands for the WebSocket API of API Gateway, whose connections have no path."""
TICKET_PATHS = re.compile(rf"(/api/runs/[^/]+/events|{SOCKETS})(/poll|/ws)?")
"""The paths that accept a ticket instead of a key or token: a stream of events, its polls and its socket."""


class Ticket(BaseModel):
    ticket: Annotated[str, Field(description="Value of the query parameter `ticket`; valid for one request")]
    expires: Annotated[datetime, Field(description=f"{VALID_SECONDS} seconds after it was issued")]


async def issue(store: "Store", principal: Principal, path: str, *, now: datetime) -> Ticket:
    """Issue a ticket for one path with the rights of the principal."""
    ticket = secrets.token_urlsafe(32)
    expires = now + timedelta(seconds=VALID_SECONDS)
    document: dict[str, Any] = {"path": path, "principal": principal.model_dump(mode="json")}
    await store.records.put(_record_key(ticket), document, expected=0, expires=expires)
    return Ticket(ticket=ticket, expires=expires)


async def redeem_from_url(store: "Store", connection: HTTPConnection) -> Principal | None:
    """The user of the ticket in the URL; None without a ticket, or where the path accepts none."""
    match, tickets = TICKET_PATHS.fullmatch(connection.scope["path"]), tickets_in_url(connection)
    if match is None or not tickets:
        return None
    principal = await redeem(store, tickets[0], match[1]) if len(tickets) == 1 else None
    if principal is None:
        raise Unauthorized
    return principal


def tickets_in_url(connection: HTTPConnection) -> list[str]:
    """The tickets in the URL, where the path accepts one."""
    return connection.query_params.getlist("ticket") if TICKET_PATHS.fullmatch(connection.scope["path"]) else []


async def redeem(store: "Store", ticket: str, path: str) -> Principal | None:
    """Delete the ticket and return its user; of two concurrent calls one returns None."""
    record = await store.records.get(_record_key(ticket))
    if record is None or record.document["path"] != path:
        return None
    try:
        await store.records.delete(record.key, expected=record.version)
    except Conflict:
        return None
    return Principal.model_validate(record.document["principal"])


def _record_key(ticket: str) -> Key:
    return Key(SYSTEM, KIND, hashlib.sha256(ticket.encode()).hexdigest())
