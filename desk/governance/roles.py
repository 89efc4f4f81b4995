"""Roles and their permissions."""

from typing import Literal, TypeAlias

Role: TypeAlias = Literal["analyst", "portfolio-manager", "compliance-officer", "administrator"]
Permission: TypeAlias = Literal[
    "research:read",
    "research:write",
    "launch:approve",
    "market-data:read",
    "proprietary-data:read",
    "proprietary-data:write",
    "compliance:write",
    "user:write",
    "admin:read",
    "admin:write",
]

_ANALYST: frozenset[Permission] = frozenset(
    {"research:read", "research:write", "market-data:read", "proprietary-data:read"}
)
_MANAGER: frozenset[Permission] = frozenset({"launch:approve", "proprietary-data:write"})
_ADMINISTRATOR: frozenset[Permission] = frozenset({"compliance:write", "user:write", "admin:read", "admin:write"})

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    "analyst": _ANALYST,
    "portfolio-manager": _ANALYST | _MANAGER,
    "compliance-officer": frozenset(
        {"research:read", "market-data:read", "proprietary-data:read", "compliance:write", "admin:read"}
    ),
    "administrator": _ANALYST | _MANAGER | _ADMINISTRATOR,
}
"""Permissions on one's own objects, unless a rule requires a second person."""

ROLES: tuple[Role, ...] = tuple(PERMISSIONS)
