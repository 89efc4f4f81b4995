"""Ends open streams whose credentials were revoked or have expired."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from api.http.errors.problems import Problem
from api.http.identity import api_keys, tickets
from api.http.identity.authentication import Identity
from desk.base.clock import utc_now
from desk.governance.principals import Principal
from store.errors import Unavailable

if TYPE_CHECKING:
    from store.store import Store

RECHECK_SECONDS = 10.0
"""Seconds for which a check of the credentials is valid."""


class StreamAccess:
    """The right of a user to keep reading a stream."""

    def __init__(
        self,
        connection: HTTPConnection,
        principal: Principal,
        identity: Identity,
        store: "Store",
        *,
        recheck_seconds: float = RECHECK_SECONDS,
    ) -> None:
        self._connection = connection
        self._principal = principal
        self._identity = identity
        self._store = store
        self._recheck_seconds = recheck_seconds
        self._checked_at = time.monotonic()

    async def is_valid(self) -> bool:
        """False also when the check fails: the client reconnects, and is then told the reason."""
        if time.monotonic() - self._checked_at < self._recheck_seconds:
            return True
        try:
            valid = await self._check()
        except (Problem, Unavailable):
            return False
        self._checked_at = time.monotonic()
        return valid

    async def while_valid(self, chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """The chunks, until the credentials are no longer valid."""
        async with aclosing(chunks):
            async for chunk in chunks:
                if not await self.is_valid():
                    return
                yield chunk

    async def _check(self) -> bool:
        if not tickets.tickets_in_url(self._connection):
            return await self._identity.authenticate(self._connection) == self._principal
        kind, _, key_id = self._principal.via.partition(":")  # a ticket is used up: check its key
        return kind != "key" or await api_keys.is_valid(self._store, key_id, now=utc_now())
