"""Volatility from ranges and implied indices, and GARCH models."""

from typing import TYPE_CHECKING

from quant.numeric.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from quant.volatility.estimators import implied_volatility, range_volatility
    from quant.volatility.garch import (
        Garch,
        fit_garch,
        forecast,
        garch_log_likelihood,
        garch_variances,
        garch_volatility,
        next_variance,
    )
else:
    __getattr__ = lazy_exports(__name__)

__all__ = [
    "Garch",
    "fit_garch",
    "forecast",
    "garch_log_likelihood",
    "garch_variances",
    "garch_volatility",
    "implied_volatility",
    "next_variance",
    "range_volatility",
]
