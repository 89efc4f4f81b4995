"""Market analyst tool: the market regime."""

import asyncio
from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.market.regimes import RegimeReport
from desk.optimization.briefing.training_regime import regime_report
from desk.runs.context import Context


@tool(response_format="content_and_artifact")
async def read_market(runtime: ToolRuntime[Context, Any]) -> tuple[str, RegimeReport]:
    """Regime at the end of a window: volatility band, trend, drawdown, with their figures."""
    report = await asyncio.to_thread(regime_report, await runtime.context.market.get())
    return report.model_dump_json(), report
