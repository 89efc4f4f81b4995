"""What routes are given: who asks, and what serves them."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from api.http.errors.handlers import Problem
from api.http.errors.validation import fields_of
from api.http.identity.authentication import Identity
from api.http.identity.revocation import AGAIN, Standing
from api.http.identity.tickets import redeemed
from api.http.rate_limits import Limits
from api.http.request_context import bind_owner
from api.operations.readiness import Watches
from api.settings import Settings
from desk.base.errors import InvalidInput
from desk.governance.audit_log import AuditLog
from desk.governance.principals import Principal
from desk.governance.roles import PERMISSIONS, Permission

if TYPE_CHECKING:
    from graphs.conversations.background_turns import Answering
    from graphs.dependencies import Dependencies
    from graphs.streaming.followers import Following


@dataclass(frozen=True)
class Served:
    """What the application holds while it runs."""

    settings: Settings
    identity: Identity
    limits: Limits | None
    """None for the local user."""
    dependencies: "Dependencies"
    answering: "Answering"
    following: "Following"
    watches: Watches
    audit: AuditLog
    ask_again: float = AGAIN
    """Seconds after which it is asked again who reads a stream."""


async def served(connection: HTTPConnection) -> Served:  # a plain function would cost a hop to a thread
    return connection.app.state.served


Serving = Annotated[Served, Depends(served)]


async def principal(connection: HTTPConnection, serving: Serving) -> AsyncGenerator[Principal]:
    """Who asks, while it asks."""
    asking = await let_in(connection)
    with nullcontext() if serving.limits is None else serving.limits.working(asking.owner):
        bind_owner(connection, asking.owner)
        serving.answering.attend(asking.owner)
        yield asking


async def let_in(connection: HTTPConnection) -> Principal:
    """Who asks, and does not ask too often: found out once for a request, before any of its body is read."""
    state = connection.state
    if not hasattr(state, "asking"):
        serving = await served(connection)
        who = partial(signed_in, connection, serving)
        state.asking = await (who() if serving.limits is None else serving.limits.let_in(connection, who))
    return state.asking


@asynccontextmanager
async def reading(connection: HTTPConnection) -> AsyncGenerator[None]:
    """While a body is read, of which a user may send so many at once."""
    asking, limits = await let_in(connection), (await served(connection)).limits
    with nullcontext() if limits is None else limits.reading(asking.owner):
        yield


async def signed_in(connection: HTTPConnection, serving: Served) -> Principal:
    """Whoever got the ticket that a stream's URL shows, or else whoever a key or a token names."""
    return await redeemed(serving.dependencies.store, connection) or await serving.identity.principal(connection)


Asking = Annotated[Principal, Depends(principal)]


async def _standing(connection: HTTPConnection, serving: Serving, asking: Asking) -> Standing:
    return Standing(connection, asking, serving.identity, serving.dependencies.store, serving.ask_again)


Reading = Annotated[Standing, Depends(_standing)]


async def _streaming(serving: Serving, asking: Asking) -> AsyncGenerator[None]:
    with nullcontext() if serving.limits is None else serving.limits.streaming(asking.owner):
        yield


async def _calculating(serving: Serving, asking: Asking) -> AsyncGenerator[None]:
    async with nullcontext() if serving.limits is None else serving.limits.calculating(asking.owner):
        yield


STREAMING = Depends(_streaming)
"""Of routes that answer as long as somebody listens: a user may hold so many open."""
CALCULATING = Depends(_calculating, scope="function")
"""Of areas that hold threads: two requests of a user are worked on at once, and its others wait."""


def needs(reading: Permission, writing: Permission) -> Any:
    """Whoever only looks needs one permission, and whoever changes something the other."""

    async def permitted(connection: HTTPConnection, asking: Asking) -> None:
        looks = connection.scope.get("method", "GET") in ("GET", "HEAD")
        permission = reading if looks else writing
        if not asking.may(permission):
            roles = ", ".join(role for role, granted in PERMISSIONS.items() if permission in granted)
            raise Problem(403, f"{permission} is not among what your roles permit; expected {roles}")

    return Depends(permitted)


async def only_known_parameters(connection: HTTPConnection) -> None:
    """A misspelled parameter would be left out without a word."""
    if connection.scope["type"] != "http" or not connection.query_params:
        return
    parameters = fields_of(connection)["properties"].get("query", {"properties": {}})["properties"]
    for name, times in Counter(name for name, _ in connection.query_params.multi_items()).items():
        if name not in parameters:
            allowed = ", ".join(parameters) or "no parameter"
            raise InvalidInput(f"query.{name[:80]}", "", reason="there is no such parameter", allowed=allowed)
        if times > 1 and parameters[name].get("type") != "array":
            raise InvalidInput(f"query.{name}", "", reason=f"it is given {times} times", allowed="once")
