"""The regime at the end of the training window: how high volatility is, where the trend points, how deep it fell."""

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain.tools import ToolRuntime, tool

from quant.strategy import Frozen
from tools.context import Context
from tools.figures import Figure, Unit
from tools.risk import volatility

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tools.market import Market

Band: TypeAlias = Literal["low", "middle", "high"]
Direction: TypeAlias = Literal["rising", "flat", "falling"]

CORRECTION = 0.10
"""A fall from the peak beyond which the market counts as being in a drawdown."""


class RegimeReport(Frozen):
    """What the training window shows; the bands and directions are comparisons made by code."""

    volatility_band: Band
    """Of the latest volatility among all before it: lowest fifth, middle, highest fifth."""
    trend: Direction
    in_drawdown: bool
    figures: tuple[Figure, ...]


def regime_report(market: "Market") -> RegimeReport:
    return regime_of(market.asset[market.train], "market", "read_market", "training window")


def regime_of(asset: "NDArray[np.float64]", prefix: str, source: str, where: str) -> RegimeReport:
    """The regime after the last of daily returns; `where` ends the name of each figure."""
    from quant.regime import TRENDS, VOLATILITY_BANDS, market_state, trend_state, volatility_state

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


@tool(response_format="content_and_artifact")
async def read_market(runtime: ToolRuntime[Context, Any]) -> tuple[str, RegimeReport]:
    """Regime at the end of a window: volatility band, trend, drawdown, with their figures."""
    import asyncio

    report = await asyncio.to_thread(regime_report, await runtime.context.market.get())
    return report.model_dump_json(), report
