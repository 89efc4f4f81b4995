"""API keys: stored as a hash, and shown once, when they are created."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from api.http.errors.problems import Unauthorized
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput, NotFound
from desk.governance.principals import Principal, User
from desk.governance.roles import PERMISSIONS, Permission, Role
from quant.numeric.frozen import Frozen
from store.keys import SYSTEM, Key
from store.records import iterate_records

if TYPE_CHECKING:
    from store.store import Store

KIND = "api-key"
PREFIX = "stratigos_"
FORMAT = re.compile(PREFIX + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
DEFAULT_DAYS, MAX_DAYS = 90, 366
CACHE_SECONDS = 10.0
"""Seconds for which a process trusts a verified key without reading it again; a revocation takes as long to apply."""
MAX_CACHED = 1024


class KeyTerms(Frozen):
    """What a key grants, and to whom."""

    id: str = Field(default_factory=lambda: secrets.token_hex(6))
    owner: User
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    scopes: tuple[Permission, ...] | None = None
    """The permissions of its roles that the key grants; None for all of them."""
    note: Annotated[str, Field(max_length=200)] = ""


class ApiKey(KeyTerms):
    """A key as it is stored."""

    created: datetime
    expires: datetime
    revoked: datetime | None = None
    digest: str
    """SHA-256 of the key. It needs no slow hash, because 256 random bits cannot be guessed."""

    @property
    def principal(self) -> Principal:
        return Principal(owner=self.owner, roles=self.roles, scopes=self.scopes, via=f"key:{self.id}")

    def is_valid(self, now: datetime) -> bool:
        return self.revoked is None and self.expires > now


_DUMMY_DIGEST = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""Compared with a key whose id is unknown, so that the comparison takes the same time."""


async def create(store: "Store", terms: KeyTerms, *, days: int, now: datetime) -> tuple[ApiKey, str]:
    """Store a new key; return it with its secret, which is not stored."""
    if not 1 <= days <= MAX_DAYS:
        raise InvalidInput("--expires-days", days, allowed=f"1 to {MAX_DAYS}")
    granted = frozenset[Permission]().union(*(PERMISSIONS[role] for role in terms.roles))
    for scope in terms.scopes or ():
        if scope not in granted:
            reason = f"the roles {', '.join(terms.roles)} do not grant {scope}"
            raise InvalidInput("--scope", scope, reason=reason, allowed=", ".join(sorted(granted)))
    secret = f"{PREFIX}{terms.id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(**terms.model_dump(), created=now, expires=now + timedelta(days=days), digest=_digest(secret))
    await store.records.put(_record_key(key.id), key.model_dump(mode="json"), expected=0)
    return key, secret


async def list_keys(store: "Store") -> list[ApiKey]:
    """All keys, the newest first, expired and revoked ones included."""
    records = iterate_records(store.records, SYSTEM, KIND, newest_first=True)
    return [ApiKey.model_validate(record.document) async for record in records]


async def has_valid_key(store: "Store", *, now: datetime) -> bool:
    """Whether any key is neither revoked nor expired."""
    return any(key.is_valid(now) for key in await list_keys(store))


async def is_valid(store: "Store", key_id: str, *, now: datetime) -> bool:
    record = await store.records.get(_record_key(key_id))
    return record is not None and ApiKey.model_validate(record.document).is_valid(now)


async def revoke(store: "Store", key_id: str, *, now: datetime) -> ApiKey:
    """Revoke a key; a key that was revoked before keeps its time."""
    record = await store.records.get(_record_key(key_id)) if re.fullmatch("[0-9a-f]{12}", key_id) else None
    if record is None:
        raise NotFound(f"there is no key {key_id[:40]!r}; expected an id that `keys list` shows")
    key = ApiKey.model_validate(record.document)
    if key.revoked is None:
        key = key.model_copy(update={"revoked": now})
        await store.records.put(_record_key(key_id), key.model_dump(mode="json"), expected=record.version)
    return key


class ApiKeys:
    """Authenticates requests by API key, with a cache of verified keys."""

    def __init__(
        self, store: "Store", *, now: Callable[[], datetime] = utc_now, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self._cache: dict[str, tuple[float, ApiKey]] = {}
        """By digest: when the entry expires, and the key."""

    async def authenticate(self, secret: str) -> Principal:
        match = FORMAT.fullmatch(secret)
        if match is None:
            raise Unauthorized
        digest = _digest(secret)
        until, key = self._cache.get(digest, (0.0, None))
        if key is None or until <= self._clock():
            key = await self._verify(match[1], digest)
        if key.expires <= self._now():
            raise Unauthorized(expired=True)
        return key.principal

    async def _verify(self, key_id: str, digest: str) -> ApiKey:
        record = await self._store.records.get(_record_key(key_id))
        key = None if record is None else ApiKey.model_validate(record.document)
        matches = compare_digest(digest, _DUMMY_DIGEST if key is None else key.digest)
        if key is None or not matches or key.revoked is not None:
            self._cache.pop(digest, None)
            raise Unauthorized
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[digest] = (self._clock() + CACHE_SECONDS, key)
        return key


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record_key(key_id: str) -> Key:
    return Key(SYSTEM, KIND, key_id)
