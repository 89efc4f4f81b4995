"""Who asks: the one local user, or whoever an API key or a token names."""

from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from fastapi.security import APIKeyHeader, HTTPBearer
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from api.http.errors.handlers import Unauthorized
from api.http.identity.api_keys import PREFIX, ApiKeys
from api.http.identity.loopback import LOOPBACK
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
    description="An API key, or an access token of the pool; a service of one local user asks for neither",
)
KEY = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="key", description="An API key")
"""What the OpenAPI document says of signing in."""


class Identity(Protocol):
    async def principal(self, connection: HTTPConnection) -> Principal:
        """Who asks; a `Problem` with 401 where nobody that is known does."""
        ...


class LocalUser:
    """Whoever reaches a service that listens on this machine only."""

    def __init__(self, owner: str) -> None:
        self._principal = Principal(owner=owner, roles=ROLES)

    async def principal(self, connection: HTTPConnection) -> Principal:  # noqa: ARG002
        return self._principal


class SignedIn:
    """Whoever shows a key or a token; None is a kind that is not taken."""

    def __init__(self, keys: ApiKeys | None, tokens: Tokens | None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def principal(self, connection: HTTPConnection) -> Principal:
        shown, borne = _shown(connection.headers)
        if shown.startswith(PREFIX):
            if self._keys is not None:
                return await self._keys.principal(shown)
        elif borne and self._tokens is not None:
            return await self._tokens.principal(shown)
        raise Unauthorized


def _shown(headers: Headers) -> tuple[str, bool]:
    """The key or token, and whether it was borne; of two that are shown it is not said who asks."""
    borne, keys = headers.getlist("authorization"), headers.getlist("x-api-key")
    if len(borne) + len(keys) != 1:
        raise Unauthorized
    if keys:
        return keys[0], False
    scheme, _, shown = borne[0].partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized
    return shown, True


def check(settings: Settings) -> None:
    """Refuse settings by which nobody could sign in."""
    if "cognito" not in settings.auth:
        return
    for variable, value in (("COGNITO_ISSUER", settings.cognito_issuer), ("COGNITO_CLIENTS", settings.cognito_clients)):
        if not value:
            reason = "it is not set, and STRATIGOS_AUTH takes tokens of a pool"
            raise InvalidInput(variable, value, reason=reason, allowed=FORMS[variable])
    if not _is_private(settings.cognito_issuer):
        reason = "it is no address of https, and whoever stands in between could sign in as anybody"
        raise InvalidInput("COGNITO_ISSUER", settings.cognito_issuer, reason=reason, allowed=FORMS["COGNITO_ISSUER"])


def _is_private(issuer: str) -> bool:
    """Nobody between here and there can change what is read."""
    try:
        url = urlsplit(issuer)
        named = url.port != 0 and url.hostname is not None
    except ValueError:
        return False
    return named and (url.scheme == "https" or url.hostname in LOOPBACK)


def create_identity(settings: Settings, store: "Store") -> Identity:
    if not settings.auth:
        return LocalUser(settings.owner)
    kinds = settings.auth.split(",")
    tokens = Tokens(settings.cognito_issuer, settings.cognito_clients.split(",")) if "cognito" in kinds else None
    return SignedIn(ApiKeys(store) if "keys" in kinds else None, tokens)
