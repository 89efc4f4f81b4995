"""Who asks: the one local user, or whoever an API key or a token names."""

from typing import TYPE_CHECKING, Protocol

from starlette.requests import HTTPConnection

from api.settings import Settings
from tools.context import Principal
from tools.roles import ROLES

if TYPE_CHECKING:
    from store.store import Store


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


def create_identity(settings: Settings, store: "Store") -> Identity:  # noqa: ARG001
    return LocalUser(settings.owner)
