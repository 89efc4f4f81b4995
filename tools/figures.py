"""Explainer tool: the figures of a result."""

from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.optimization.reading.findings import Findings, build_findings
from desk.optimization.reading.model_view import shown_to_model
from desk.optimization.repositories.result_repository import load_result
from desk.runs.context import Context


@tool(response_format="content_and_artifact")
async def list_figures(runtime: ToolRuntime[Context, Any]) -> tuple[str, Findings]:
    """The figures that a claim may refer to by id, and the comparisons that code made with them."""
    context = runtime.context
    result = await load_result(context.store, context.owner, context.run, "judged")
    findings = build_findings(result)
    return shown_to_model(findings), findings
