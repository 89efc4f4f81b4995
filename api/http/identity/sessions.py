"""Sessions of browsers: a random token in a cookie, stored as a hash, with protection against forged requests."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.http.errors.problems import Problem, Unauthorized
from api.http.identity import api_keys
from api.http.identity.loopback import LOOPBACK
from api.http.identity.origins import is_allowed_origin
from desk.base.clock import utc_now
from desk.governance.principals import Principal
from quant.numeric.frozen import Frozen
from store.keys import SYSTEM, Key
from store.records import iterate_records

if TYPE_CHECKING:
    from store.store import Store

KIND = "session"
COOKIE = "stratigos_session"
COOKIE_PATH = "/api"
CSRF_HEADER = "X-CSRF-Token"
FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")
CACHE_SECONDS = 10.0
"""Seconds for which a process trusts a verified session; the end of a session elsewhere takes as long to apply."""
MAX_CACHED = 1024
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Session(Frozen):
    """A session as it is stored, under the hash of its token."""

    principal: Principal
    created: datetime
    expires: datetime


class Sessions:
    """Opens, authenticates and ends sessions, with a cache of verified ones."""

    def __init__(
        self,
        store: "Store",
        lifetime: timedelta,
        cors_origins: str,
        *,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._lifetime = lifetime
        self._cors_origins = cors_origins
        self._now = now
        self._clock = clock
        self._cache: dict[str, tuple[float, Session]] = {}
        """By hash of the token: when the entry expires, and the session."""

    async def open(self, principal: Principal) -> tuple[str, Session]:
        """Store a new session of the user; return its token, which is not stored, with it."""
        token, now = secrets.token_urlsafe(32), self._now()
        session = Session(principal=principal, created=now, expires=now + self._lifetime)
        await self._store.records.put(
            _record_key(_digest(token)),
            session.model_dump(mode="json"),
            expected=0,
            labels={"about": principal.owner},
            expires=session.expires,
        )
        return token, session

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        """The user of the request's session; a request that may have been forged by another page is rejected."""
        session = await self.find(connection)
        if session is None:
            raise Unauthorized
        self._check_page(connection)
        return session.principal

    async def find(self, connection: HTTPConnection) -> Session | None:
        """The session of the request's cookie; None without one, or when it has ended."""
        token = session_token(connection)
        if token is None:
            return None
        digest = _digest(token)
        until, session = self._cache.get(digest, (0.0, None))
        if session is None or until <= self._clock():
            session = await self._verify(digest)
        return session if session is not None and session.expires > self._now() else None

    async def end(self, connection: HTTPConnection) -> None:
        """End the session of the request's cookie, if there is one."""
        if token := session_token(connection):
            await self._delete(_digest(token))

    async def end_all(self, owner: str) -> int:
        """End every session of a user and return their number."""
        records = iterate_records(self._store.records, SYSTEM, KIND, label=("about", owner))
        digests = [record.key.id async for record in records]
        for digest in digests:
            await self._delete(digest)
        return len(digests)

    def check_origin(self, connection: HTTPConnection) -> None:
        """Reject a request of a page of another site."""
        if not is_allowed_origin(connection, self._cors_origins):
            raise Problem(403, "Origin: the page is of another site; expected this service or one of CORS_ORIGINS")

    def _check_page(self, connection: HTTPConnection) -> None:
        method = connection.scope.get("method")  # a WebSocket has none
        if method in _SAFE_METHODS:
            return
        self.check_origin(connection)
        if method is None:
            return
        token, sent = session_token(connection) or "", connection.headers.get(CSRF_HEADER, "")
        if not compare_digest(csrf_token(token).encode(), sent.encode()):
            reason = "is missing" if not sent else "is not the one of this session"
            raise Problem(403, f"{CSRF_HEADER} {reason}; expected `csrf_token` of GET /api/session")

    async def _verify(self, digest: str) -> Session | None:
        self._cache.pop(digest, None)
        record = await self._store.records.get(_record_key(digest))
        if record is None:
            return None
        session = Session.model_validate(record.document)
        kind, _, key_id = session.principal.via.partition(":")
        if kind == "key" and not await api_keys.is_valid(self._store, key_id, now=self._now()):
            return None
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[digest] = (self._clock() + CACHE_SECONDS, session)
        return session

    async def _delete(self, digest: str) -> None:
        self._cache.pop(digest, None)
        await self._store.records.delete(_record_key(digest))


def session_token(connection: HTTPConnection) -> str | None:
    """The token in the request's cookie; None without a well-formed one."""
    token = connection.cookies.get(COOKIE, "")
    return token if FORMAT.fullmatch(token) else None


def csrf_token(token: str) -> str:
    """The value that changing requests of a session send in `X-CSRF-Token`; other sites cannot read it."""
    return _digest(f"csrf {token}")


def set_cookie(connection: HTTPConnection, response: Response, token: str, seconds: int) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=seconds,
        path=COOKIE_PATH,
        secure=is_secure(connection),
        httponly=True,
        samesite="strict",
    )


def delete_cookie(connection: HTTPConnection, response: Response) -> None:
    response.delete_cookie(COOKIE, path=COOKIE_PATH, secure=is_secure(connection), httponly=True, samesite="strict")


def is_secure(connection: HTTPConnection) -> bool:
    """Whether cookies are for https only: everywhere but on loopback, where browsers drop them over http."""
    try:
        host = urlsplit(f"//{connection.headers.get('host', '')}").hostname
    except ValueError:
        return True
    return connection.scope["scheme"] in ("https", "wss") or host not in LOOPBACK


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _record_key(digest: str) -> Key:
    return Key(SYSTEM, KIND, digest)
