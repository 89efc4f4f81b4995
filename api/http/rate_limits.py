"""Rate and concurrency limits per user and per client address, enforced when authentication is on.

Each process counts its own requests. Several processes, as on Lambda, are limited together by the usage plan of API
Gateway and by WAF.
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

from api.http.errors.problems import Problem, error_response
from api.http.request_context import client_address
from api.settings import Settings

if TYPE_CHECKING:
    from desk.governance.principals import Principal

Authenticate: TypeAlias = "Callable[[], Awaitable[Principal]]"
"""Returns the authenticated user, or raises a `Problem` with status 401."""

BURST_SECONDS = 3.0
"""A user's bucket holds the requests of this many seconds."""
ADDRESS_WINDOW = 300.0
"""Seconds in which an address may send `requests_per_address` requests; also the time in which its bucket refills."""
MAX_FAILURES, FAILURE_WINDOW = 20, 60.0
"""Failed sign-ins of an address per window of seconds. Requests without credentials do not count, and credentials that
were accepted before are not affected."""
MAX_CONCURRENT_REQUESTS = 32
"""Concurrent requests of a user, besides its streams."""
MAX_CONCURRENT_CALCULATIONS = 2
"""Concurrent calculations of a user; its other calculations wait, so that threads remain free for other users."""
MAX_BUCKETS = 50_000
"""Buckets that are stored; beyond this number the least recently used ones are dropped."""


class TokenBuckets:
    """A token bucket per name, which holds `capacity` tokens and refills by `per_second`."""

    def __init__(
        self,
        per_second: float,
        capacity: float,
        clock: Callable[[], float] = time.monotonic,
        max_buckets: int = MAX_BUCKETS,
    ) -> None:
        self._interval = 1.0 / per_second
        self._capacity_seconds = self._interval * (max(capacity, 1.0) - 1.0)
        self._clock = clock
        self._max_buckets = max_buckets
        self._full_at: OrderedDict[str, float] = OrderedDict()
        """When each bucket will be full again."""

    def wait(self, name: str) -> int:
        """Whole seconds until there is a token; 0 if there is one."""
        now = self._clock()
        return max(0, math.ceil(self._full_at.get(name, now) - self._capacity_seconds - now - 1e-6))

    def count(self, name: str) -> None:
        """Take a token even from an empty bucket, which then takes longer to refill."""
        now = self._clock()
        self._full_at[name] = max(now, self._full_at.pop(name, now)) + self._interval
        if len(self._full_at) > self._max_buckets:
            self._full_at.popitem(last=False)

    def take(self, name: str) -> int:
        """Take a token and return 0, or return whole seconds until there is one."""
        wait = self.wait(name)
        if wait == 0:
            self.count(name)
        return wait


class ConcurrencyLimit:
    """At most `limit` holders per name; further ones are rejected with 429."""

    def __init__(self, limit: int, subject: str) -> None:
        self._limit = limit
        self._subject = subject
        self._holders: Counter[str] = Counter()

    @contextmanager
    def slot(self, name: str) -> Generator[None]:
        if self._holders[name] >= self._limit:
            raise too_many_requests(1, f"{self._subject} at once", str(self._limit))
        self._holders[name] += 1
        try:
            yield
        finally:
            self._holders[name] -= 1
            if not self._holders[name]:
                del self._holders[name]


class ConcurrencyQueue:
    """At most `limit` holders per name; further ones wait."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._semaphores: dict[str, tuple[asyncio.Semaphore, int]] = {}
        """The semaphore of each name, and how many hold it or wait for it."""

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncGenerator[None]:
        semaphore, users = self._semaphores.get(name) or (asyncio.Semaphore(self._limit), 0)
        self._semaphores[name] = semaphore, users + 1
        try:
            async with semaphore:
                yield
        finally:
            semaphore, users = self._semaphores.pop(name)
            if users > 1:
                self._semaphores[name] = semaphore, users - 1


class RateLimits:
    """All limits of a process, as the settings define them."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        per_second, per_address = settings.requests_per_second, settings.requests_per_address
        self._users = TokenBuckets(per_second, BURST_SECONDS * per_second, clock)
        self._addresses = TokenBuckets(per_address / ADDRESS_WINDOW, per_address, clock)
        self._failures = TokenBuckets(MAX_FAILURES / FAILURE_WINDOW, MAX_FAILURES, clock)
        self._accepted: OrderedDict[str, None] = OrderedDict()
        """Digests of accepted credentials, which failed sign-ins from the same address do not lock out."""
        self._requests = ConcurrencyLimit(MAX_CONCURRENT_REQUESTS + settings.streams_per_user, "requests of a user")
        self._streams = ConcurrencyLimit(settings.streams_per_user, "streams of a user")
        self._bodies = ConcurrencyLimit(MAX_CONCURRENT_REQUESTS, "bodies of a user")
        self._calculations = ConcurrencyQueue(MAX_CONCURRENT_CALCULATIONS)

    def check_address(self, host: str) -> None:
        """Count a request of the address; raise a `Problem` with status 429 when it sent too many."""
        if wait := self._addresses.take(network(host)):
            allowed = f"{self._settings.requests_per_address} in five minutes"
            raise too_many_requests(wait, "requests of an address", allowed)

    @asynccontextmanager
    async def request(self, connection: HTTPConnection, authenticate: "Authenticate") -> "AsyncGenerator[Principal]":
        """Authenticate, and hold a request slot of the user inside the block."""
        principal = await self.admit(connection, authenticate)
        with self.request_slot(principal.owner):
            yield principal

    async def admit(
        self, connection: HTTPConnection, authenticate: "Authenticate", credentials: str | None = None
    ) -> "Principal":
        """Authenticate, and count the request against the user's rate; `credentials` are those of the headers."""
        digest = _credentials_digest(connection) if credentials is None else _digest(credentials)
        principal = await self._authenticate(network(client_address(connection)), digest, authenticate)
        if wait := self._users.take(principal.owner):
            raise too_many_requests(wait, "requests of a user", f"{self._settings.requests_per_second:g} a second")
        return principal

    @contextmanager
    def request_slot(self, owner: str) -> Generator[None]:
        with self._requests.slot(owner):
            yield

    async def _authenticate(self, host: str, credentials: str, authenticate: "Authenticate") -> "Principal":
        if credentials and credentials not in self._accepted and (wait := self._failures.wait(host)):
            raise too_many_requests(wait, "failed sign-ins of an address", f"{MAX_FAILURES} a minute")
        try:
            principal = await authenticate()
        except Problem as problem:
            if credentials and problem.status == 401:
                self._accepted.pop(credentials, None)
                self._failures.count(host)
            raise
        if credentials:
            self._accepted[credentials] = None
            self._accepted.move_to_end(credentials)
            if len(self._accepted) > MAX_BUCKETS:
                self._accepted.popitem(last=False)
        return principal

    @contextmanager
    def body_slot(self, owner: str) -> Generator[None]:
        with self._bodies.slot(owner):
            yield

    @contextmanager
    def stream_slot(self, owner: str) -> Generator[None]:
        with self._streams.slot(owner):
            yield

    @asynccontextmanager
    async def calculation_slot(self, owner: str) -> AsyncGenerator[None]:
        async with self._calculations.slot(owner):
            yield


class AddressRateLimit:
    """ASGI middleware: rejects an address that sends too many requests before anything else is done."""

    def __init__(self, app: ASGIApp, limits: RateLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            try:
                self._limits.check_address(client_address(HTTPConnection(scope)))
            except Problem as problem:
                await error_response(problem.status, problem.error, problem.headers)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def too_many_requests(wait: int, subject: str, allowed: str) -> Problem:
    message = f"too many {subject}; expected {allowed}; try again in {wait} seconds"
    return Problem(429, message, headers={"Retry-After": str(wait)})


def network(host: str) -> str:
    """The address, or the /64 network of an IPv6 address: one client usually controls all of it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return host


def _credentials_digest(connection: HTTPConnection) -> str:
    """The digest of the request's credentials; empty without any, and for a session, which cannot be guessed."""
    headers, tickets = connection.headers, connection.query_params.getlist("ticket")
    credentials = [headers.getlist("authorization"), headers.getlist("x-api-key"), tickets]
    return _digest(repr(credentials)) if any(credentials) else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
