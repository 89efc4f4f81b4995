"""The public keys of a pool: fetched when needed, kept while they hold, never fetched because somebody makes up ids."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import structlog
from pydantic import BaseModel, Field

from api.http.errors.handlers import Problem

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

FRESH = 3600.0
KEPT = 24 * FRESH
"""Seconds for which keys hold while the pool cannot be asked."""
PAUSE = 30.0
"""Seconds between two fetches, whoever asks for whatever."""
PATIENCE = 5.0
LARGEST = 64 * 1024


class _Jwk(BaseModel):
    kty: str
    use: str = "sig"
    alg: str = "RS256"
    kid: Annotated[str, Field(max_length=200)] = ""
    n: Annotated[str, Field(max_length=1400)] = ""
    e: Annotated[str, Field(max_length=10)] = ""

    @property
    def signs(self) -> bool:
        """2048 bits are 342 digits."""
        return (self.kty, self.use, self.alg) == ("RSA", "sig", "RS256") and self.kid != "" and len(self.n) >= 342


class _Jwks(BaseModel):
    keys: Annotated[list[_Jwk], Field(max_length=20)]


class PoolKeys:
    def __init__(self, issuer: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{issuer.rstrip('/')}/.well-known/jwks.json"
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._keys: dict[str, RSAKey] = {}
        self._fetched = self._tried = -float("inf")

    async def find(self, kid: str) -> "RSAKey | None":
        """None for a key that the pool does not have; 503 where the pool has not been reached for too long."""
        known = kid in self._keys and self._hold()
        if self._is_due(kid) and not (known and self._fetching.locked()):  # whoever is known waits for nobody
            async with self._fetching:
                if self._is_due(kid):
                    await self._fetch()
        if not self._hold():
            message = "the pool that people sign in with cannot be asked now; try again later"
            raise Problem(503, message, headers={"Retry-After": str(round(PAUSE))})
        return self._keys.get(kid)

    def _hold(self) -> bool:
        return self._clock() - self._fetched < KEPT

    def _is_due(self, kid: str) -> bool:
        now = self._clock()
        if now - self._tried < PAUSE:
            return False
        return kid not in self._keys or now - self._fetched >= FRESH

    async def _fetch(self) -> None:
        import httpx
        from joserfc.errors import JoseError

        try:
            self._keys = _usable(await _read(self._url))
            self._fetched = self._clock()
        except (httpx.HTTPError, TimeoutError, JoseError, ValueError) as error:
            logger: Any = structlog.get_logger()
            logger.warning("pool_unreachable", url=self._url, reason=f"{type(error).__name__}: {error}"[:300])
        self._tried = self._clock()


async def _read(url: str) -> bytes:
    import httpx

    content = bytearray()
    async with (
        asyncio.timeout(PATIENCE),
        httpx.AsyncClient(timeout=PATIENCE, headers={"Accept-Encoding": "identity"}) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != 200:
            raise ValueError(f"it answers {response.status_code}")
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > LARGEST:
                raise ValueError(f"its keys are larger than {LARGEST} bytes")
    return bytes(content)


def _usable(content: bytes) -> "dict[str, RSAKey]":
    from joserfc.jwk import RSAKey

    found = [key for key in _Jwks.model_validate_json(content).keys if key.signs]
    if not found:
        raise ValueError("it has no RSA key of 2048 bits that signs")
    return {key.kid: RSAKey.import_key({"kty": "RSA", "n": key.n, "e": key.e}) for key in found}
