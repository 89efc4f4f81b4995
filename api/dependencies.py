"""What routes are given: who asks, and what serves them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.identity import Identity
from api.problems import Problem
from api.readiness import Watches
from api.refusals import fields_of
from api.requests import known
from api.settings import Settings
from api.tickets import redeemed
from tools.context import Principal
from tools.errors import InvalidInput
from tools.roles import PERMISSIONS, Permission

if TYPE_CHECKING:
    from graphs.answering import Answering
    from graphs.desk import Desk
    from graphs.following import Following


@dataclass(frozen=True)
class Served:
    """What the application holds while it runs."""

    settings: Settings
    identity: Identity
    desk: "Desk"
    answering: "Answering"
    following: "Following"
    watches: Watches


async def served(connection: HTTPConnection) -> Served:  # a plain function would cost a hop to a thread
    return connection.app.state.served


Serving = Annotated[Served, Depends(served)]


async def principal(connection: HTTPConnection, serving: Serving) -> Principal:
    """Whoever got the ticket that a stream's URL shows, or else whoever signs in."""
    asking = await redeemed(serving.desk.store, connection) or await serving.identity.principal(connection)
    known(connection, asking.owner)
    return asking


Asking = Annotated[Principal, Depends(principal)]


def needs(reading: Permission, writing: Permission) -> Any:
    """Whoever only looks needs one permission, and whoever changes something the other."""

    async def permitted(connection: HTTPConnection, asking: Asking) -> None:
        looks = connection.scope.get("method", "GET") in ("GET", "HEAD")
        permission = reading if looks else writing
        if not asking.may(permission):
            roles = ", ".join(role for role, granted in PERMISSIONS.items() if permission in granted)
            raise Problem(403, f"{permission} is not among what your roles permit; allowed: {roles}")

    return Depends(permitted)


async def only_known_parameters(connection: HTTPConnection) -> None:
    """A misspelled parameter would be left out without a word."""
    if connection.scope["type"] != "http" or not connection.query_params:
        return
    known = fields_of(connection)["properties"].get("query", {"properties": {}})["properties"]
    for name in connection.query_params:
        if name not in known:
            allowed = ", ".join(known) or "no parameter"
            raise InvalidInput(f"query.{name[:80]}", "", reason="there is no such parameter", allowed=allowed)
