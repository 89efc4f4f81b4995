"""The principal of a request: owner, roles and scopes."""

from typing import Annotated, TypeAlias

from pydantic import Field

from desk.governance.roles import PERMISSIONS, Permission, Role
from quant.numeric.frozen import Frozen

User: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
"""Name of a user."""


class Principal(Frozen):
    """The acting user with roles and scopes; every key in the store starts with the owner."""

    owner: str
    roles: tuple[Role, ...] = ()
    scopes: tuple[Permission, ...] | None = None
    """Permissions that an API key keeps of those of its roles; None keeps all."""
    via: str = "local"
    """Means of authentication: `local`, `key:<API key id>` or `token:<client id>`."""

    def may(self, permission: Permission) -> bool:
        if self.scopes is not None and permission not in self.scopes:
            return False
        return any(permission in PERMISSIONS[role] for role in self.roles)
