"""Market analyst tool: the scenarios of the request."""

from typing import Any, Literal

from langchain.tools import ToolRuntime, tool

from desk.optimization.briefing.scenario_list import ScenarioList, scenario_list
from desk.runs.context import Context


@tool(parse_docstring=True, response_format="content_and_artifact")
async def list_scenarios(
    which: Literal["all", "weighted"], runtime: ToolRuntime[Context, Any]
) -> tuple[str, ScenarioList]:
    """The scenarios of the request, each compared with the training history.

    Args:
        which: All of them, or only those with a probability.
    """
    market = await runtime.context.market.get()
    request_scenarios = market.resolve_worlds(runtime.context.request).scenarios
    scenarios = request_scenarios if which == "all" else tuple(s for s in request_scenarios if s.probability > 0.0)
    cards = scenario_list(market, scenarios)
    return cards.model_dump_json(), cards
