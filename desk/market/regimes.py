"""Market regimes of a return series: volatility band, trend, and drawdown from the peak.

The numeric core is imported inside functions, so that `RegimeReport` is light to import.
"""

import math
from typing import TYPE_CHECKING, Literal, TypeAlias

from desk.figures.figures import Figure, Unit
from quant.numeric.frozen import Frozen
from quant.numeric.units import DAYS

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats


Band: TypeAlias = Literal["low", "middle", "high"]
Direction: TypeAlias = Literal["rising", "flat", "falling"]

CORRECTION = 0.10
"""Drawdown from the peak above which the market counts as being in a drawdown."""


class RegimeReport(Frozen):
    """Regime of the training window; code computes the band and the direction."""

    volatility_band: Band
    """Rank of the latest volatility in the past: lowest fifth, middle, highest fifth."""
    trend: Direction
    in_drawdown: bool
    figures: tuple[Figure, ...]


def regime_of(asset: "Floats", prefix: str, source: str, where: str) -> RegimeReport:
    """The regime at the end of daily returns; `where` is appended to the name of each figure."""
    from quant.worlds.regimes import TRENDS, VOLATILITY_BANDS, market_state, trend_state, volatility_state

    level, trend = volatility_state(asset), trend_state(asset)
    fall = float(market_state(asset).drawdown[-1])
    rows: tuple[tuple[str, str, float, Unit], ...] = (
        (
            "volatility_percentile",
            "calmer share of the past days",
            float(level.percentile[-1]),
            "probability",
        ),
        (
            "current_volatility",
            "latest yearly volatility, of the last weeks",
            float(level.volatility[-1]),
            "percent",
        ),
        (
            "long_run_volatility",
            "long-run yearly volatility",
            volatility(asset),
            "percent",
        ),
        (
            "trend_distance",
            "distance of the price from its mean of the past year, either way",
            abs(float(trend.distance[-1])),
            "percent",
        ),
        ("current_drawdown", "fall from the peak", fall, "percent"),
    )
    return RegimeReport(
        volatility_band=VOLATILITY_BANDS[int(level.state[-1]) + 1],
        trend=TRENDS[int(trend.state[-1]) + 1],
        in_drawdown=fall > CORRECTION,
        figures=tuple(
            Figure(
                id=f"{prefix}_{name}",
                quantity=f"{quantity}, {where}",
                value=value,
                unit=unit,
                source=f"{source}.{name}",
            )
            for name, quantity, value, unit in rows
        ),
    )


def volatility(returns: "Floats") -> float:
    """Annualized volatility of daily returns."""
    from quant.numeric.moments import moments

    own = moments(returns)
    return math.sqrt(own.second * own.count / (own.count - 1) * DAYS)
