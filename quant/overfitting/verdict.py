"""Colour of the verdict on a search's winner, and its thresholds (`GREEN_DEFLATED_SHARPE` and others)."""

import math
from typing import Literal, TypeAlias

from quant.numeric.arguments import checked_arguments
from quant.numeric.errors import DataError

Light: TypeAlias = Literal["green", "amber", "red"]

GREEN_DEFLATED_SHARPE = 0.95
"""Least deflated Sharpe ratio of the active return for green."""
GREEN_OVERFITTING = 0.2
"""Probability of overfitting that excludes green."""
GREEN_SPA_P = 0.05
"""P-value of superior predictive ability that excludes green."""
RED_DEFLATED_SHARPE = 0.5
"""Deflated Sharpe ratio of the active return below which the verdict is red."""
RED_OVERFITTING = 0.5
"""Probability of overfitting from which on the verdict is red."""


@checked_arguments
def traffic_light(*, active_dsr: float, pbo: float | None, spa_p: float, validate_advantage: float) -> Light:
    """Colour of the verdict.

    Green: deflated Sharpe ratio of the active return >= .95, and probability of overfitting < .2,
    and p-value < .05, and a positive advantage on the validation history. Red: active deflated
    Sharpe ratio < .5 or probability of overfitting >= .5; it reads "no configuration is
    distinguishable from the benchmark". Amber otherwise.

    Parameters
    ----------
    active_dsr : float
        Deflated Sharpe ratio of winner minus volatility-matched constant weight.
    pbo : float or None
        Probability of backtest overfitting; None where it has no meaning (one trial), which rules
        green out and nothing else.
    spa_p : float
        Consistent p-value of superior predictive ability.
    validate_advantage : float
        Utility over the benchmark on the validation history.

    Returns
    -------
    Light

    Raises
    ------
    DataError
        If an argument is not finite, or a probability lies outside [0, 1].

    Examples
    --------
    >>> traffic_light(active_dsr=0.97, pbo=0.1, spa_p=0.01, validate_advantage=0.002)
    'green'
    >>> traffic_light(active_dsr=0.97, pbo=0.1, spa_p=0.20, validate_advantage=0.002)
    'amber'
    """
    for name, value in (("active_dsr", active_dsr), ("pbo", pbo), ("spa_p", spa_p)):
        if value is not None and not 0.0 <= value <= 1.0:
            raise DataError(f"`{name}` must lie in [0, 1]; got {value!r}")
    if not math.isfinite(validate_advantage):
        raise DataError(f"`validate_advantage` must be finite; got {validate_advantage!r}")
    if active_dsr < RED_DEFLATED_SHARPE or (pbo is not None and pbo >= RED_OVERFITTING):
        return "red"
    significant = (
        active_dsr >= GREEN_DEFLATED_SHARPE and pbo is not None and pbo < GREEN_OVERFITTING and spa_p < GREEN_SPA_P
    )
    return "green" if significant and validate_advantage > 0.0 else "amber"
