"""A number with its standard error."""

from quant.numeric.frozen import Frozen


class Measured(Frozen):
    """A number and its standard error; None where an error has no meaning."""

    value: float
    error: float | None = None
    """Standard error; null where it has no meaning."""
