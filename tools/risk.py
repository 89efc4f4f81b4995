"""Risk manager tool: risk of the asset, a constant weight or the current rule on the training window."""

import asyncio
from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.optimization.briefing.mandate_risk import RiskReport, Subject, risk_report
from desk.runs.context import Context


@tool(parse_docstring=True, response_format="content_and_artifact")
async def assess_risk(subject: Subject, runtime: ToolRuntime[Context, Any]) -> tuple[str, RiskReport]:
    """Volatility, drawdown, value at risk and shortfall on the training window, compared with the limits.

    Args:
        subject: What is held.
    """
    market = await runtime.context.market.get()
    report = await asyncio.to_thread(risk_report, market, runtime.context.request, subject)
    return report.model_dump_json(), report
