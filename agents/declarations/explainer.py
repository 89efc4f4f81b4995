"""The explainer explains a judged result in claims whose numbers are references to figures."""

from collections.abc import Sequence

from agents.declaration import Declaration, ToolCall, ToolOutput
from desk.figures.guard.claims import Draft
from desk.figures.tool_content import read_claims


def _tools():
    from tools.figures import list_figures

    return [list_figures]


def _rule(_: str, outputs: Sequence[ToolOutput]) -> Draft | list[ToolCall]:
    if not outputs:
        return [("list_figures", {})]
    return Draft(claims=tuple(read_claims([each.content for each in outputs if not each.failed][-1])))


AGENT = Declaration(
    name="explainer",
    task="the claims",
    works_in="optimization",
    start_share=0.92,
    tools=_tools,
    answer=Draft,
    max_tool_calls=4,
    max_model_calls=5,
    absence="the explanation comes from a template",
    interruption="explainer had answered: the explanation comes from a template",
    rule=_rule,
)
