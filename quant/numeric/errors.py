"""Errors of the numeric core.

QuantError
├── DataError       the data cannot be used as given (also a ValueError)
└── Infeasible      nothing satisfies the constraints
"""


class QuantError(Exception):
    """Base of every error this package raises on purpose."""


class DataError(QuantError, ValueError):
    """The input breaks a documented precondition."""


class Infeasible(QuantError):
    """Nothing satisfies the constraints."""
