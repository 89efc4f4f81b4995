"""Everything that is changed or taken away is told in the audit log: before it is done, and how it ended."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import structlog
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.dependencies import Asking, Serving
from api.http.middleware.request_log import address, request_id, template
from api.settings import read_settings
from desk.base.clock import utc_now
from desk.governance.audit_log import LONGEST, AuditLog, Entry
from desk.governance.principals import Principal
from store.errors import StoreError

if TYPE_CHECKING:
    from store.store import Store

SECONDS = 5.0
"""An answer waits no longer for its outcome to be told."""
CUT, FAILED = "cut off", "failed"


@dataclass(frozen=True)
class Told:
    """What the log says that is about to be done."""

    log: AuditLog
    entry: Entry
    number: int

    async def ended(self, outcome: str, object_: str = "") -> None:
        """A log that cannot be written now changes nothing of what was done; it is said loudly."""
        now = {"at": utc_now(), "begun": self.number, "outcome": outcome, "object": object_ or self.entry.object}
        entry = Entry(**self.entry.model_dump(exclude={"id"}) | now)
        try:
            async with asyncio.timeout(SECONDS):
                await self.log.append(entry)
        except (StoreError, TimeoutError) as error:
            logger: Any = structlog.get_logger()
            logger.critical("audit_outcome_lost", entry=self.number, outcome=outcome, reason=str(error))


async def told(connection: HTTPConnection, asking: Asking, serving: Serving) -> None:
    """Before a request that changes something, or takes a file away; one that cannot be told is not done."""
    if connection.scope["type"] != "http" or not _counts(connection.scope):
        return
    entry = Entry(
        at=utc_now(),
        owner=asking.owner,
        via=asking.via,
        roles=asking.roles,
        action=f"{connection.scope['method']} {template(connection.scope)}",
        object=_object(connection.scope["path"]),
        request=request_id(connection),
        address=address(connection),
    )
    connection.state.audit = Told(serving.audit, entry, await serving.audit.append(entry))


class Audited:
    """ASGI middleware: tells the outcome of what was told before, ahead of the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})

        async def answer(message: Message) -> None:
            before: Told | None = state.get("audit")
            if message["type"] == "http.response.start" and before is not None:
                state["audit"] = None
                created = urlsplit(Headers(raw=message.get("headers", ())).get("location", "")).path
                await before.ended(str(message["status"]), _object(unquote(created)))
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:  # who asked may be gone before there is an answer
            before = state.get("audit")
            if before is not None:
                state["audit"] = None
                await before.ended(CUT)


@asynccontextmanager
async def audited(store: "Store", principal: Principal, action: str, object_: str) -> AsyncGenerator[None]:
    """What a command does inside is told before and after it, such as `keys.create` of `keys/3f6c`."""
    entry = Entry(
        at=utc_now(),
        owner=principal.owner,
        via=principal.via,
        roles=principal.roles,
        action=action,
        object=object_[:LONGEST],
        request=uuid4().hex,
        address="",
    )
    log = AuditLog(store, read_settings().audit_key)
    before = Told(log, entry, await log.append(entry))
    outcome = FAILED
    try:
        yield
        outcome = "done"
    finally:
        await before.ended(outcome)


def _counts(scope: Scope) -> bool:
    """A route that answers with a file says so in the document."""
    if scope["method"] not in ("GET", "HEAD"):
        return True
    answers = getattr(scope.get("route"), "responses", {})
    return "Content-Disposition" in answers.get(200, {}).get("headers", {})


def _object(path: str) -> str:
    return path.removeprefix("/api").removeprefix("/")[:LONGEST]
