"""Checks of a number against its range."""

from quant.numeric.errors import DataError


def require_within(name: str, value: float, low: float, high: float, *, open_below: bool = False) -> None:
    """Raise `DataError` unless `value` lies in [low, high]; in (low, high] with `open_below`."""
    if not (low <= value <= high) or (open_below and value == low):
        allowed = f"above {low:g}, at most {high:g}" if open_below else f"{low:g} to {high:g}"
        raise DataError(f"`{name}` is {value!r}; expected {allowed}")
