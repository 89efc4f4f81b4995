"""Errors that the user can fix, with the HTTP status and exit code of each.

UserError
├── InvalidInput    a value is not accepted; names the field, the value and what is accepted
├── NotFound        the owner has no such object
├── Gone            the object existed; the message says whether it can be restored
├── Forbidden       the user lacks the permission; the message says which roles have it
└── Conflicting     the object's current state does not allow the operation

Everything else that is raised is a fault. The command line answers a `UserError` with exit code 2,
HTTP with 422, 404, 410, 403 and 409.
"""

import re

EXPECTED = "; expected "
"""Separates the reason from the accepted values in an error text."""
_EXPECTED = re.compile(r"; expected |\. Expected ")


def reason_and_allowed(message: str) -> tuple[str, str]:
    """Split an error text into the reason and the accepted values (empty if absent)."""
    reason, *rest = _EXPECTED.split(message.removeprefix("Value error, "), maxsplit=1)
    return reason, "".join(rest)


class UserError(Exception):
    """The request cannot be served as it is; the message says how to fix it."""

    code: str = "user_error"


class NotFound(UserError):
    """The owner has no such object."""

    code = "not_found"


class Gone(UserError):
    """The owner had such an object; it is deleted or archived."""

    code = "gone"


class Forbidden(UserError):
    """The user lacks the permission."""

    code = "forbidden"


class Conflicting(UserError):
    """The current state of the object does not allow the operation."""

    code = "conflicting"


class InvalidInput(UserError):
    """The value of a field is not accepted."""

    def __init__(
        self,
        field: str,
        value: object,
        *,
        allowed: str,
        reason: str | None = None,
        code: str = "invalid_input",
    ) -> None:
        """Build the message; the default reason is that the value is not allowed."""
        self.field = field
        self.value = value
        self.allowed = allowed
        self.code = code
        super().__init__(f"{field}: {reason or f'{value!r} is not allowed'}{EXPECTED}{allowed}")

    @property
    def reason(self) -> str:
        """The message without the field and the accepted values."""
        return str(self).removeprefix(f"{self.field}: ").removesuffix(f"{EXPECTED}{self.allowed}")

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.field, self.value, self.allowed, self.code, str(self))


def _restore(field: str, value: object, allowed: str, code: str, message: str) -> InvalidInput:
    """Rebuild the error when it is unpickled: pickle passes the message alone."""
    error = InvalidInput(field, value, allowed=allowed, code=code)
    error.args = (message,)
    return error
