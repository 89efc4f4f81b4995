"""Errors that the person who asked can mend.

UserError
├── InvalidInput    a value is not what it must be; names the field, the value and what is allowed
├── NotFound        the owner has no such object
├── Gone            the owner had it; the message says whether it can be brought back
├── Forbidden       whoever asks may not do it; the message says who may
└── Conflicting     the state in which an object is does not allow it

Everything else that is raised is a fault. The command line answers a `UserError` with exit code 2,
HTTP with 422, 404, 410, 403 and 409.
"""


class UserError(Exception):
    """The request cannot be served as it is; the message says how to mend it."""

    code: str = "user_error"


class NotFound(UserError):
    """The owner has no such object."""

    code = "not_found"


class Gone(UserError):
    """The owner had such an object, and it is not here any more."""

    code = "gone"


class Forbidden(UserError):
    """Whoever asks may not do it; somebody else may."""

    code = "forbidden"


class Conflicting(UserError):
    """The state in which an object is does not allow it."""

    code = "conflicting"


class InvalidInput(UserError):
    """`field` holds `value`, which is not among what is `allowed`."""

    def __init__(
        self,
        field: str,
        value: object,
        *,
        allowed: str,
        reason: str | None = None,
        code: str = "invalid_input",
    ) -> None:
        """`reason` says what is wrong with the value; without it, that it is not allowed."""
        self.field = field
        self.value = value
        self.allowed = allowed
        self.code = code
        super().__init__(f"{field}: {reason or f'{value!r} is not allowed'}; allowed: {allowed}")

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (self.field, self.value, self.allowed, self.code, str(self))


def _restore(field: str, value: object, allowed: str, code: str, message: str) -> InvalidInput:
    """Pickle calls an exception with its message alone, which is not how this one is made."""
    error = InvalidInput(field, value, allowed=allowed, code=code)
    error.args = (message,)
    return error
