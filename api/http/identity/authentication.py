"""Authenticates requests: the local user, or the owner of an API key, access token or session."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.http.errors.problems import Unauthorized
from api.http.identity.api_keys import PREFIX, ApiKeys
from api.http.identity.authorization_codes import AuthorizationCodes
from api.http.identity.secure_urls import is_secure_url
from api.http.identity.sessions import COOKIE, Sessions
from api.http.identity.tokens import Tokens
from api.settings import FORMS, Settings
from desk.base.errors import InvalidInput
from desk.governance.principals import Principal
from desk.governance.roles import ROLES

if TYPE_CHECKING:
    from store.store import Store

BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key, or an access token of the Cognito pool; not needed when authentication is off",
)
KEY = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="key", description="An API key")
SESSION = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="The cookie that POST /api/session sets in a browser",
)
"""The security schemes of the OpenAPI document, to which `api.http.openapi` adds the CSRF token."""


class Identity(Protocol):
    async def authenticate(self, connection: HTTPConnection) -> Principal:
        """The user of the request; raises a `Problem` with status 401 without valid credentials."""
        ...


class LocalUser:
    """Every request is one user's; for a service that only this machine can reach."""

    def __init__(self, owner: str) -> None:
        self._principal = Principal(owner=owner, roles=ROLES)

    async def authenticate(self, connection: HTTPConnection) -> Principal:  # noqa: ARG002
        return self._principal


class Credentials:
    """Authenticates by API key, access token or session; None for a kind that is not accepted."""

    def __init__(self, keys: ApiKeys | None, tokens: Tokens | None, sessions: Sessions | None = None) -> None:
        self._keys = keys
        self._tokens = tokens
        self._sessions = sessions

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        if self._sessions is not None and not _has_header(connection.headers):
            return await self._sessions.authenticate(connection)
        secret, is_bearer = _credential(connection.headers)
        if secret.startswith(PREFIX):
            if self._keys is not None:
                return await self._keys.authenticate(secret)
        elif is_bearer and self._tokens is not None:
            return await self._tokens.authenticate(secret)
        raise Unauthorized


def _has_header(headers: Headers) -> bool:
    return "authorization" in headers or "x-api-key" in headers


def _credential(headers: Headers) -> tuple[str, bool]:
    """The one key or token of a request, and whether it is a bearer token; several are ambiguous and rejected."""
    bearers, keys = headers.getlist("authorization"), headers.getlist("x-api-key")
    if len(bearers) + len(keys) != 1:
        raise Unauthorized
    if keys:
        return keys[0], False
    scheme, _, secret = bearers[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    return secret, True


def check_auth_settings(settings: Settings) -> None:
    """Reject settings with which every sign-in would fail, or with which tokens could be forged."""
    if "cognito" not in settings.auth:
        return
    for variable, value in (("COGNITO_ISSUER", settings.cognito_issuer), ("COGNITO_CLIENTS", settings.cognito_clients)):
        if not value:
            reason = "it is not set, and STRATIGOS_AUTH includes cognito"
            raise InvalidInput(variable, value, reason=reason, allowed=FORMS[variable])
    if not is_secure_url(settings.cognito_issuer):
        reason = "it is not an https URL, so its keys could be replaced on the way"
        raise InvalidInput("COGNITO_ISSUER", settings.cognito_issuer, reason=reason, allowed=FORMS["COGNITO_ISSUER"])


@dataclass(frozen=True)
class SignIn:
    """Means of opening a session; None for a kind that the settings do not accept."""

    sessions: Sessions
    keys: ApiKeys | None
    codes: AuthorizationCodes | None


def create_identity(settings: Settings, store: "Store") -> tuple[Identity, SignIn | None]:
    """Authentication as the settings choose it, and sign-in; None where authentication is off."""
    if not settings.auth:
        return LocalUser(settings.owner), None
    kinds, clients = settings.auth.split(","), settings.cognito_clients.split(",")
    keys = ApiKeys(store) if "keys" in kinds else None
    tokens = Tokens(settings.cognito_issuer, clients) if "cognito" in kinds else None
    codes = AuthorizationCodes(settings.cognito_issuer, clients[0], tokens) if tokens else None
    sessions = Sessions(store, timedelta(hours=settings.session_hours), settings.cors_origins)
    return Credentials(keys, tokens, sessions), SignIn(sessions, keys, codes)
