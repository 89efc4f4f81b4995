"""Whether whoever reads a stream may go on: keys are revoked and tokens expire while it is open."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from api.http.errors.handlers import Problem
from api.http.identity import api_keys, tickets
from api.http.identity.authentication import Identity
from desk.base.clock import utc_now
from desk.governance.principals import Principal
from store.errors import Unavailable

if TYPE_CHECKING:
    from store.store import Store

AGAIN = 10.0
"""Seconds for which it is believed that a reader is known."""


class Standing:
    """One who reads, and how it was let in."""

    def __init__(
        self, connection: HTTPConnection, asking: Principal, identity: Identity, store: "Store", ask_again: float
    ) -> None:
        self._connection = connection
        self._asking = asking
        self._identity = identity
        self._store = store
        self._ask_again = ask_again
        self._asked = time.monotonic()

    async def holds(self) -> bool:
        """Whoever cannot be made sure of comes again, and is told why it is not let in."""
        if time.monotonic() - self._asked < self._ask_again:
            return True
        try:
            known = await self._known()
        except (Problem, Unavailable):
            return False
        self._asked = time.monotonic()
        return known

    async def while_known(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """No chunk is sent to one who is not known any more."""
        async with aclosing(chunks):
            async for chunk in chunks:
                if not await self.holds():
                    return
                yield chunk

    async def _known(self) -> bool:
        if not tickets.shown(self._connection):
            return await self._identity.principal(self._connection) == self._asking
        kind, _, name = self._asking.via.partition(":")  # a ticket is good once, so its key is looked at
        return kind != "key" or await api_keys.holds(self._store, name, now=utc_now())
