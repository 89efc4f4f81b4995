"""API keys: made once, shown once, kept as a hash."""

import hashlib
import re
import secrets
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from api.http.errors.handlers import Unauthorized
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput, NotFound
from desk.governance.principals import Principal, User
from desk.governance.roles import PERMISSIONS, Permission, Role
from quant.numeric.frozen import Frozen
from store.keys import SYSTEM, Key

if TYPE_CHECKING:
    from store.store import Store

KIND = "api-key"
PREFIX = "stratigos_"
FORM = re.compile(PREFIX + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
USUAL_DAYS, MOST_DAYS = 90, 366
REMEMBERED = 10.0
"""Seconds for which a process takes a key that it has verified without reading it again: a revocation holds then."""
AT_MOST = 1024


class KeyTerms(Frozen):
    """What a key is made for."""

    id: str = Field(default_factory=lambda: secrets.token_hex(6))
    owner: User
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    scopes: tuple[Permission, ...] | None = None
    """What the key may do of what its roles permit; None for all of it."""
    note: Annotated[str, Field(max_length=200)] = ""


class ApiKey(KeyTerms):
    created: datetime
    expires: datetime
    revoked: datetime | None = None
    digest: str
    """SHA-256 of the key. A slow hash guards what people choose; nobody guesses 256 random bits."""

    @property
    def principal(self) -> Principal:
        return Principal(owner=self.owner, roles=self.roles, scopes=self.scopes, via=f"key:{self.id}")


UNKNOWN = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""What a key is compared with where its id is not known, so that both cost the same."""


async def create(store: "Store", terms: KeyTerms, *, days: int, now: datetime) -> tuple[ApiKey, str]:
    """A new key, and what its owner shows; that is kept nowhere."""
    if not 1 <= days <= MOST_DAYS:
        raise InvalidInput("--expires-days", days, allowed=f"1 to {MOST_DAYS}")
    granted = frozenset[Permission]().union(*(PERMISSIONS[role] for role in terms.roles))
    for scope in terms.scopes or ():
        if scope not in granted:
            reason = f"{scope} is not among what {', '.join(terms.roles)} may do"
            raise InvalidInput("--scope", scope, reason=reason, allowed=", ".join(sorted(granted)))
    shown = f"{PREFIX}{terms.id}_{secrets.token_urlsafe(32)}"
    key = ApiKey(**terms.model_dump(), created=now, expires=now + timedelta(days=days), digest=_digest(shown))
    await store.records.put(_place(key.id), key.model_dump(mode="json"), expected=0)
    return key, shown


async def listed(store: "Store") -> list[ApiKey]:
    """The newest first, those that have ended among them."""
    from store.records import iterate_records

    found = iterate_records(store.records, SYSTEM, KIND, newest_first=True)
    return [ApiKey.model_validate(record.document) async for record in found]


async def nobody_signs_in(store: "Store", *, now: datetime) -> bool:
    """Whether no key holds."""
    return not any(key.revoked is None and key.expires > now for key in await listed(store))


async def holds(store: "Store", name: str, *, now: datetime) -> bool:
    record = await store.records.get(_place(name))
    if record is None:
        return False
    key = ApiKey.model_validate(record.document)
    return key.revoked is None and key.expires > now


async def revoke(store: "Store", name: str, *, now: datetime) -> ApiKey:
    """End a key; one that has been ended before stays as it is."""
    record = await store.records.get(_place(name)) if re.fullmatch("[0-9a-f]{12}", name) else None
    if record is None:
        raise NotFound(f"there is no key {name[:40]!r}; expected an id that `keys list` shows")
    key = ApiKey.model_validate(record.document)
    if key.revoked is None:
        key = key.model_copy(update={"revoked": now})
        await store.records.put(_place(name), key.model_dump(mode="json"), expected=record.version)
    return key


class ApiKeys:
    """Verifies what requests show."""

    def __init__(
        self, store: "Store", *, now: Callable[[], datetime] = utc_now, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._now = now
        self._clock = clock
        self._verified: dict[str, tuple[float, ApiKey]] = {}
        """By the digest of what was shown: when it is forgotten."""

    async def principal(self, shown: str) -> Principal:
        form = FORM.fullmatch(shown)
        if form is None:
            raise Unauthorized
        digest = _digest(shown)
        until, key = self._verified.get(digest, (0.0, None))
        if key is None or until <= self._clock():
            key = await self._read(form[1], digest)
        if key.expires <= self._now():
            raise Unauthorized(expired=True)
        return key.principal

    async def _read(self, name: str, digest: str) -> ApiKey:
        record = await self._store.records.get(_place(name))
        key = None if record is None else ApiKey.model_validate(record.document)
        same = compare_digest(digest, UNKNOWN if key is None else key.digest)
        if key is None or not same or key.revoked is not None:
            self._verified.pop(digest, None)
            raise Unauthorized
        if len(self._verified) >= AT_MOST:
            self._verified.clear()
        self._verified[digest] = (self._clock() + REMEMBERED, key)
        return key


def _digest(shown: str) -> str:
    return hashlib.sha256(shown.encode()).hexdigest()


def _place(name: str) -> Key:
    return Key(SYSTEM, KIND, name)
