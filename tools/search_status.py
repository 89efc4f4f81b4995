"""Optimizer tool: the state of its search."""

from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.optimization.briefing.search_status import SearchStatus, search_report
from desk.optimization.repositories.trial_repository import load_trials
from desk.runs.context import Context
from desk.runs.decisions import count_decisions


@tool(response_format="content_and_artifact")
async def search_status(runtime: ToolRuntime[Context, Any]) -> tuple[str, SearchStatus]:
    """What was tried, the best trial of each weight function, the trials left, and the values that a plan may use."""
    context = runtime.context
    trials = await load_trials(context.store, context.owner, context.run)
    plans = await count_decisions(context.store, context.owner, context.run, "optimizer")
    status = search_report(context.request, trials, plans=plans)
    return status.model_dump_json(), status
