"""Sign-in with an authorization code of a Cognito pool and PKCE (RFC 6749, section 4.1, and RFC 7636)."""

import base64
import hashlib
import re
import secrets
from hmac import compare_digest
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog
from pydantic import BaseModel, ValidationError

from api.http.errors.problems import Problem, Unauthorized
from api.http.identity.pool_requests import fetch
from api.http.identity.secure_urls import is_secure_url

if TYPE_CHECKING:
    from api.http.identity.tokens import Tokens
    from desk.governance.principals import Principal

MAX_BYTES = 64 * 1024
SCOPES = "openid"
VERIFIER = re.compile(r"[A-Za-z0-9_-]{43}")
RETRY_SECONDS = 30


class _Discovery(BaseModel):
    """The fields of OpenID Connect Discovery 1.0, section 3, that are used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str


class _Grant(BaseModel):
    access_token: str


class AuthorizationCodes:
    """The authorization endpoint and the exchange of codes of one pool, for one app client without a secret."""

    def __init__(self, issuer: str, client: str, tokens: "Tokens") -> None:
        self._issuer = issuer
        self._client = client
        self._tokens = tokens
        self._discovery: _Discovery | None = None

    async def authorization_url(self, verifier: str, redirect_uri: str) -> str:
        """The page of the pool where a user signs in; it returns to `redirect_uri` with a code and a state."""
        query = {
            "response_type": "code",
            "client_id": self._client,
            "redirect_uri": redirect_uri,
            "scope": SCOPES,
            "state": _state(verifier),
            "code_challenge": _digest(verifier),
            "code_challenge_method": "S256",
        }
        return f"{(await self._discover()).authorization_endpoint}?{urlencode(query)}"

    async def exchange(self, code: str, state: str, verifier: str, redirect_uri: str) -> "Principal":
        """The user whom the pool signed in; raises `Unauthorized` for a code or state that is not this browser's."""
        if not VERIFIER.fullmatch(verifier) or not compare_digest(state.encode(), _state(verifier).encode()):
            raise Unauthorized
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client,
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        endpoint = (await self._discover()).token_endpoint
        status, content = await self._request(endpoint, form)
        if 400 <= status < 500:
            raise Unauthorized
        if status != 200:
            raise _unreachable(endpoint, f"it returned {status}")
        try:
            grant = _Grant.model_validate_json(content)
        except ValidationError as error:
            raise _unreachable(endpoint, "its answer has no access token") from error
        return await self._tokens.authenticate(grant.access_token)

    async def _discover(self) -> _Discovery:
        if self._discovery is None:
            url = f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            status, content = await self._request(url)
            if status != 200:
                raise _unreachable(url, f"it returned {status}")
            try:
                discovery = _Discovery.model_validate_json(content)
            except ValidationError as error:
                raise _unreachable(url, "it is no discovery document") from error
            endpoints = (discovery.authorization_endpoint, discovery.token_endpoint)
            if discovery.issuer != self._issuer or not all(map(is_secure_url, endpoints)):
                raise _unreachable(url, "its issuer is another one, or an endpoint is not https")
            self._discovery = discovery
        return self._discovery

    async def _request(self, url: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        import httpx

        try:
            return await fetch(url, MAX_BYTES, form=form)
        except (httpx.HTTPError, TimeoutError, ValueError) as error:
            raise _unreachable(url, f"{type(error).__name__}: {error}"[:300]) from error


def new_verifier() -> str:
    """A code verifier, which the browser holds in a cookie that its pages cannot read."""
    return secrets.token_urlsafe(32)


def _state(verifier: str) -> str:
    """Binds the answer of the pool to the browser that holds the verifier."""
    return _digest(f"state {verifier}")


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _unreachable(url: str, reason: str) -> Problem:
    logger: Any = structlog.get_logger()
    logger.warning("pool_unreachable", url=url, reason=reason)
    message = "the identity provider cannot be used for sign-in now; try again later"
    return Problem(503, message, headers={"Retry-After": str(RETRY_SECONDS)})
