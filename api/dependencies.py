"""What routes are given: who asks, and what serves them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.settings import Settings
from tools.context import Principal

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
