"""Who acts: the principal of every request, with roles and scopes."""

from typing import Annotated, TypeAlias

from pydantic import Field

from desk.governance.roles import PERMISSIONS, Permission, Role
from quant.numeric.frozen import Frozen

User: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""The name of one who signs in."""


class Principal(Frozen):
    """Who acts, with which roles; every key in the store starts with the owner."""

    owner: str
    roles: tuple[Role, ...] = ()
    scopes: tuple[Permission, ...] | None = None
    """What an API key may do of what the roles permit; None for all of it."""
    via: str = "local"
    """How it is known who acts: `local`, `key:` with the id of an API key, or `token:` with that of a pool's client."""

    def may(self, permission: Permission) -> bool:
        if self.scopes is not None and permission not in self.scopes:
            return False
        return any(permission in PERMISSIONS[role] for role in self.roles)
