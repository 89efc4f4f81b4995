"""Caches a Cognito pool's public keys; unknown key ids cannot trigger unlimited refetches."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from pydantic import BaseModel, Field

from api.http.errors.problems import Problem
from api.http.identity.pool_requests import fetch

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

FRESH_SECONDS = 3600.0
STALE_SECONDS = 24 * FRESH_SECONDS
"""Seconds for which cached keys are used while the pool is unreachable."""
MIN_FETCH_INTERVAL = 30.0
"""Seconds between two fetches, so that unknown key ids cannot trigger unlimited ones."""
MAX_BYTES = 64 * 1024


class _Jwk(BaseModel):
    kty: str
    use: str = "sig"
    alg: str = "RS256"
    kid: Annotated[str, Field(max_length=200)] = ""
    n: Annotated[str, Field(max_length=1400)] = ""
    e: Annotated[str, Field(max_length=10)] = ""

    @property
    def is_signing_key(self) -> bool:
        """An RS256 key of at least 2048 bits, which are 342 base64 digits."""
        return (self.kty, self.use, self.alg) == ("RSA", "sig", "RS256") and self.kid != "" and len(self.n) >= 342


class _Jwks(BaseModel):
    keys: Annotated[list[_Jwk], Field(max_length=20)]


class JwksCache:
    """The signing keys of one issuer by key id."""

    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{issuer.rstrip('/')}/.well-known/jwks.json"
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._keys: dict[str, RSAKey] = {}
        self._fetched_at = self._tried_at = -float("inf")

    async def find(self, kid: str) -> "RSAKey | None":
        """The key, or None if the pool has none with this id; raises 503 when the cached keys are too old."""
        cached = kid in self._keys and self._is_usable()
        if self._is_due(kid) and not (cached and self._fetching.locked()):  # a cached key does not wait for a fetch
            async with self._fetching:
                if self._is_due(kid):
                    await self._fetch()
        if not self._is_usable():
            message = "the identity provider is unreachable, so access tokens cannot be verified; try again later"
            raise Problem(503, message, headers={"Retry-After": str(round(MIN_FETCH_INTERVAL))})
        return self._keys.get(kid)

    def _is_usable(self) -> bool:
        return self._clock() - self._fetched_at < STALE_SECONDS

    def _is_due(self, kid: str) -> bool:
        now = self._clock()
        if now - self._tried_at < MIN_FETCH_INTERVAL:
            return False
        return kid not in self._keys or now - self._fetched_at >= FRESH_SECONDS

    async def _fetch(self) -> None:
        import httpx
        from joserfc.errors import JoseError

        try:
            self._keys = _parse(*await fetch(self._url, MAX_BYTES))
            self._fetched_at = self._clock()
        except (httpx.HTTPError, TimeoutError, JoseError, ValueError) as error:
            logger: Any = structlog.get_logger()
            logger.warning("pool_unreachable", url=self._url, reason=f"{type(error).__name__}: {error}"[:300])
        self._tried_at = self._clock()


def _parse(status: int, content: bytes) -> "dict[str, RSAKey]":
    from joserfc.jwk import RSAKey

    if status != 200:
        raise ValueError(f"it returned {status}")
    keys = [key for key in _Jwks.model_validate_json(content).keys if key.is_signing_key]
    if not keys:
        raise ValueError("it has no RSA signing key of 2048 bits")
    return {key.kid: RSAKey.import_key({"kty": "RSA", "n": key.n, "e": key.e}) for key in keys}
