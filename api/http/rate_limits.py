"""How much one user and one address may ask of this process, where people sign in.

Each process counts by itself. Many of them, as on Lambda, are limited as a whole by the usage plan of API Gateway and
by WAF in front of them.
"""

import asyncio
import hashlib
import math
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, TypeAlias

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors.handlers import Problem, answer
from api.http.request_context import client_address
from api.settings import Settings

if TYPE_CHECKING:
    from desk.governance.principals import Principal

Who: TypeAlias = "Callable[[], Awaitable[Principal]]"
"""Finds out who asks; a `Problem` with 401 where nobody that is known does."""

BURST = 3.0
"""Seconds' worth of a user's requests that may come at once."""
WINDOW = 300.0
"""Seconds in which an address may ask as often as the settings say; so many may come at once, then as they refill."""
FAILURES, MINUTE = 20, 60.0
"""Sign-ins of an address that may fail in a minute; who shows nothing has not tried, and who is in stays in."""
AT_ONCE = 32
"""Requests of a user that are worked on at once, besides its streams."""
CALCULATIONS = 2
"""Of a user, at once; its others wait, since threads are few and another user's shall be free."""
MOST = 50_000
"""Names that are counted; beyond it, those that have been quiet longest start anew."""


class Rate:
    """A bucket of tokens for each name: it holds `at_once` and refills by `per_second`."""

    def __init__(
        self, per_second: float, at_once: float, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        self._interval = 1.0 / per_second
        self._ahead = self._interval * (max(at_once, 1.0) - 1.0)
        self._clock = clock
        self._most = most
        self._full: OrderedDict[str, float] = OrderedDict()
        """When each bucket will be full again."""

    def wait(self, name: str) -> int:
        """Whole seconds until there is a token; 0 if there is one."""
        now = self._clock()
        return max(0, math.ceil(self._full.get(name, now) - self._ahead - now - 1e-6))

    def count(self, name: str) -> None:
        """Take a token, be there one or not: what is owed is waited for."""
        now = self._clock()
        self._full[name] = max(now, self._full.pop(name, now)) + self._interval
        if len(self._full) > self._most:
            self._full.popitem(last=False)

    def take(self, name: str) -> int:
        """Take a token if there is one; otherwise whole seconds until there is."""
        wait = self.wait(name)
        if wait == 0:
            self.count(name)
        return wait


class Places:
    """So many of a name at once."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, name: str) -> Generator[None]:
        if self._taken[name] >= self._most:
            raise too_many(1, f"{self._what} at once", str(self._most))
        self._taken[name] += 1
        try:
            yield
        finally:
            self._taken[name] -= 1
            if not self._taken[name]:
                del self._taken[name]


class Turns:
    """So many of a name at once, while its others wait for their turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._gates: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def one(self, name: str) -> AsyncGenerator[None]:
        gate, here = self._gates.get(name) or (asyncio.Semaphore(self._most), 0)
        self._gates[name] = gate, here + 1
        try:
            async with gate:
                yield
        finally:
            gate, here = self._gates.pop(name)
            if here > 1:
                self._gates[name] = gate, here - 1


class Limits:
    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        per_second, per_address = settings.requests_per_second, settings.requests_per_address
        self._users = Rate(per_second, BURST * per_second, clock)
        self._addresses = Rate(per_address / WINDOW, per_address, clock)
        self._failures = Rate(FAILURES / MINUTE, FAILURES, clock)
        self._good: OrderedDict[str, None] = OrderedDict()
        """Digests of what somebody was let in with last: guesses of others at the same address keep nobody out."""
        self._requests = Places(AT_ONCE + settings.streams_per_user, "requests of a user")
        self._streams = Places(settings.streams_per_user, "streams of a user")
        self._bodies = Places(AT_ONCE, "bodies of a user")
        self._calculations = Turns(CALCULATIONS)

    def arrive(self, host: str) -> None:
        if wait := self._addresses.take(network(host)):
            raise too_many(wait, "requests of an address", f"{self._settings.requests_per_address} in five minutes")

    @asynccontextmanager
    async def admitted(self, connection: HTTPConnection, who: "Who") -> "AsyncGenerator[Principal]":
        """Who asks, while it asks."""
        asking = await self.let_in(connection, who)
        with self.working(asking.owner):
            yield asking

    async def let_in(self, connection: HTTPConnection, who: "Who") -> "Principal":
        """Who asks, and has asked once more by now."""
        asking = await self._signed_in(connection, who)
        if wait := self._users.take(asking.owner):
            raise too_many(wait, "requests of a user", f"{self._settings.requests_per_second:g} a second")
        return asking

    @contextmanager
    def working(self, owner: str) -> Generator[None]:
        with self._requests.one(owner):
            yield

    async def _signed_in(self, connection: HTTPConnection, who: "Who") -> "Principal":
        host, shown = network(client_address(connection)), _shown(connection)
        if shown and shown not in self._good and (wait := self._failures.wait(host)):
            raise too_many(wait, "failed sign-ins of an address", f"{FAILURES} a minute")
        try:
            asking = await who()
        except Problem as refused:
            if shown and refused.status == 401:
                self._good.pop(shown, None)
                self._failures.count(host)
            raise
        if shown:
            self._good[shown] = None
            self._good.move_to_end(shown)
            if len(self._good) > MOST:
                self._good.popitem(last=False)
        return asking

    @contextmanager
    def reading(self, owner: str) -> Generator[None]:
        with self._bodies.one(owner):
            yield

    @contextmanager
    def streaming(self, owner: str) -> Generator[None]:
        with self._streams.one(owner):
            yield

    @asynccontextmanager
    async def calculating(self, owner: str) -> AsyncGenerator[None]:
        async with self._calculations.one(owner):
            yield


class ByAddress:
    """ASGI middleware: an address that asks too often is refused before anything is looked at."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            try:
                self._limits.arrive(client_address(HTTPConnection(scope)))
            except Problem as refused:
                await answer(refused.status, refused.error, refused.headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def too_many(wait: int, what: str, allowed: str) -> Problem:
    message = f"too many {what}; expected {allowed}; try again in {wait} seconds"
    return Problem(429, message, headers={"Retry-After": str(wait)})


def network(host: str) -> str:
    """Who has one address of IPv6 has the 2^64 beside it."""
    try:
        known = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(known, IPv6Address):
        return str(known.ipv4_mapped or IPv6Address(int(known) >> 64 << 64))
    return host


def _shown(connection: HTTPConnection) -> str:
    """The digest of what somebody signs in with; empty where there is nothing."""
    headers, tickets = connection.headers, connection.query_params.getlist("ticket")
    shown = [headers.getlist("authorization"), headers.getlist("x-api-key"), tickets]
    return hashlib.sha256(repr(shown).encode()).hexdigest() if any(shown) else ""
