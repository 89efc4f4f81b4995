"""Scenarios in one place: their type, the built-in ones, calibration, the paths they simulate and their diagnostics."""

from typing import TYPE_CHECKING

from quant import worlds
from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.worlds import *
else:
    __getattr__ = lazy_exports(__name__)

__all__: list[str] = []
__all__ += worlds.__all__
