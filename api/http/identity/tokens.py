"""Access tokens of a Cognito pool."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.http.errors.problems import Unauthorized
from api.http.identity.jwks import JwksCache
from desk.base.clock import utc_now
from desk.governance.principals import Principal, User
from desk.governance.roles import ROLES, Role

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

MAX_LENGTH = 8192
FORMAT = re.compile(r"([A-Za-z0-9_-]{2,512})\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
KID = re.compile(r"[A-Za-z0-9+/=_-]{1,200}")
HEADER = frozenset({"alg", "kid", "typ"})
"""The only header fields that a token may have; one that brings its own key, or a URL of it, is rejected."""
LEEWAY = 60.0
"""Seconds by which the clocks may differ."""

Time = Annotated[float, Field(ge=0.0, le=1e11, allow_inf_nan=False)]


class Claims(BaseModel):
    """The claims of a Cognito access token that are checked."""

    model_config = ConfigDict(strict=True)

    iss: str
    sub: User
    client_id: str
    token_use: Literal["access"]
    exp: Time
    iat: Time
    nbf: Time = 0.0
    groups: Annotated[list[object], Field(alias="cognito:groups")] = []
    """Roles; other groups are ignored."""


class Tokens:
    """Authenticates requests by access token."""

    def __init__(
        self,
        issuer: str,
        clients: Sequence[str],
        *,
        keys: JwksCache | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._issuer = issuer
        self._clients = frozenset(clients)
        self._keys = keys or JwksCache(issuer)
        self._now = now

    async def authenticate(self, token: str) -> Principal:
        key = await self._keys.find(_kid(token))
        if key is None:
            raise Unauthorized
        claims = _verify(token, key)
        now = self._now().timestamp()
        if claims.iss != self._issuer or claims.client_id not in self._clients:
            raise Unauthorized
        if max(claims.iat, claims.nbf) > now + LEEWAY:
            raise Unauthorized
        if claims.exp <= now - LEEWAY:
            raise Unauthorized(expired=True)
        roles: tuple[Role, ...] = tuple(role for role in ROLES if role in claims.groups)
        return Principal(owner=claims.sub, roles=roles, via=f"token:{claims.client_id}")


def _kid(token: str) -> str:
    """The id of the signing key, from the header of the token."""
    from joserfc.errors import JoseError
    from joserfc.util import json_b64decode

    match = FORMAT.fullmatch(token) if len(token) <= MAX_LENGTH else None
    if match is None:
        raise Unauthorized
    try:
        header: Any = json_b64decode(match[1].encode())
    except (JoseError, ValueError, TypeError) as error:
        raise Unauthorized from error
    if not isinstance(header, dict) or not header.keys() <= HEADER or header.get("alg") != "RS256":
        raise Unauthorized
    kid = header.get("kid")
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise Unauthorized
    return kid


def _verify(token: str, key: "RSAKey") -> Claims:
    from joserfc import jwt
    from joserfc.errors import JoseError

    try:
        return Claims.model_validate(jwt.decode(token, key, algorithms=["RS256"]).claims)
    except (JoseError, ValidationError, ValueError) as error:
        raise Unauthorized from error
