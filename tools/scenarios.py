"""The scenarios of a request as the market analyst sees them."""

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
    given = runtime.context.request.scenarios
    chosen = given if which == "all" else tuple(s for s in given if s.probability > 0.0)
    cards = scenario_list(await runtime.context.market.get(), chosen)
    return cards.model_dump_json(), cards
