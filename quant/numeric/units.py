"""Conversions that every module shares."""

from typing import Final

DAYS: Final = 252
"""Sessions of a year."""
BASIS_POINTS: Final = 10_000.0
"""Basis points of the whole."""
