"""Everything about one return series: `tearsheet` and the statistics that are also useful alone."""

from typing import TYPE_CHECKING

from quant import performance
from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.performance import *
else:
    __getattr__ = lazy_exports(__name__)

__all__: list[str] = []
__all__ += performance.__all__
