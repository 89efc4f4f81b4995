"""Returns, argument checks, random numbers, elementary functions and compilation; no finance."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.numeric.arguments import check_fields, checked_arguments
    from quant.numeric.errors import DataError, Infeasible, QuantError
    from quant.numeric.frozen import Frozen, digest_of
    from quant.numeric.measured import Measured
    from quant.numeric.returns import Returns
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "DataError",
    "Frozen",
    "Infeasible",
    "Measured",
    "QuantError",
    "Returns",
    "check_fields",
    "checked_arguments",
    "digest_of",
]
