"""What routes are given: who asks, and what serves them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.refusals import fields_of
from api.settings import Settings
from tools.context import Principal
from tools.errors import InvalidInput

if TYPE_CHECKING:
    from graphs.answering import Answering
    from graphs.desk import Desk
    from graphs.following import Following


@dataclass(frozen=True)
class Served:
    """What the application holds while it runs."""

    settings: Settings
    desk: "Desk"
    answering: "Answering"
    following: "Following"


async def served(connection: HTTPConnection) -> Served:  # a plain function would cost a hop to a thread
    return connection.app.state.served


Serving = Annotated[Served, Depends(served)]


async def principal(serving: Serving) -> Principal:
    """Who asks: on loopback the one local user."""
    return Principal(owner=serving.settings.owner)


Asking = Annotated[Principal, Depends(principal)]


async def only_known_parameters(connection: HTTPConnection) -> None:
    """A misspelled parameter would be left out without a word."""
    if connection.scope["type"] != "http" or not connection.query_params:
        return
    known = fields_of(connection)["properties"].get("query", {"properties": {}})["properties"]
    for name in connection.query_params:
        if name not in known:
            allowed = ", ".join(known) or "no parameter"
            raise InvalidInput(f"query.{name[:80]}", "", reason="there is no such parameter", allowed=allowed)
