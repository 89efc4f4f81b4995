"""The regime at the end of the training window: how high volatility is, where the trend points, how deep it fell."""

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain.tools import ToolRuntime, tool

from quant.strategy import Frozen
from tools.context import Context
from tools.figures import Figure, Unit
from tools.risk import YEAR, volatility

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tools.market import Market

Band: TypeAlias = Literal["low", "middle", "high"]
Direction: TypeAlias = Literal["rising", "flat", "falling"]

RECENT = 21
"""Sessions of the current volatility."""
FLAT = 0.02
"""Distance of the price from its yearly mean below which there is no trend."""
CORRECTION = 0.10
"""A fall from the peak beyond which the market counts as being in a drawdown."""


class RegimeReport(Frozen):
    """What the training window shows; the bands and directions are comparisons made by code."""

    volatility_band: Band
    """Of the latest month's volatility among all months: lowest third, middle, highest third."""
    trend: Direction
    in_drawdown: bool
    figures: tuple[Figure, ...]


def regime_report(market: "Market") -> RegimeReport:
    import numpy as np

    from quant.growth import drawdowns

    asset = market.asset[market.train]
    wealth = np.cumprod(1.0 + asset)
    recent = _rolling_volatility(asset)
    percentile = float(np.count_nonzero(recent <= recent[-1]) / recent.size)
    distance = float(wealth[-1]) * min(YEAR, asset.size) / math.fsum(wealth[-YEAR:]) - 1.0
    fall = float(drawdowns(asset)[-1])
    rows: tuple[tuple[str, str, float, Unit], ...] = (
        (
            "volatility_percentile",
            "share of past months that were calmer than the latest",
            percentile,
            "probability",
        ),
        (
            "current_volatility",
            "yearly volatility over the latest month",
            float(recent[-1]),
            "percent",
        ),
        (
            "long_run_volatility",
            "yearly volatility over the whole window",
            volatility(asset),
            "percent",
        ),
        (
            "trend_distance",
            "distance of the price from its mean of the past year, either way",
            abs(distance),
            "percent",
        ),
        ("current_drawdown", "fall from the peak", fall, "percent"),
    )
    return RegimeReport(
        volatility_band="low" if percentile < 1 / 3 else "high" if percentile > 2 / 3 else "middle",
        trend="flat" if abs(distance) < FLAT else "rising" if distance > 0.0 else "falling",
        in_drawdown=fall > CORRECTION,
        figures=tuple(
            Figure(
                id=f"market_{name}",
                quantity=f"{quantity}, at the end of the training window",
                value=value,
                unit=unit,
                source=f"read_market.{name}",
            )
            for name, quantity, value, unit in rows
        ),
    )


def _rolling_volatility(returns: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Annual volatility of every window of `RECENT` sessions; the latest is last."""
    import numpy as np

    sums = np.concatenate([[0.0], np.cumsum(returns)])
    squares = np.concatenate([[0.0], np.cumsum(returns * returns)])
    mean = (sums[RECENT:] - sums[:-RECENT]) / RECENT
    square = (squares[RECENT:] - squares[:-RECENT]) / RECENT
    return np.sqrt(np.maximum(square - mean * mean, 0.0) * (RECENT / (RECENT - 1) * YEAR))


@tool(response_format="content_and_artifact")
async def read_market(runtime: ToolRuntime[Context, Any]) -> tuple[str, RegimeReport]:
    """Regime at the end of a window: volatility band, trend, drawdown, with their figures."""
    import asyncio

    report = await asyncio.to_thread(regime_report, await runtime.context.market.get())
    return report.model_dump_json(), report
