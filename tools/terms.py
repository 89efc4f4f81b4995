"""Assistant tool: the definition of a term."""

from typing import Any

from langchain.tools import ToolRuntime, tool

from desk.conversation.answers import Refusal
from desk.conversation.context import ChatContext, compute_once
from desk.conversation.definitions import Definition, define
from desk.conversation.model_view import shown_to_model
from desk.conversation.wishes import Name


@tool(parse_docstring=True, response_format="content_and_artifact")
async def define_term(term: Name, runtime: ToolRuntime[ChatContext, Any]) -> tuple[str, Definition | Refusal]:
    """What a term of the desk means: a metric, a test, a weight function or a word of a report; computes nothing.

    Use it for "what is a CPPI?" or "what does drawdown mean?", not for the value of a measure in a result.

    Args:
        term: The term as the person wrote it, without an article: `expected shortfall`, `PBO`.
    """
    context = runtime.context

    async def compute() -> tuple[Definition, dict[str, Any]]:
        return define(term), {}

    result = await compute_once(context, "define_term", {"term": term}, Definition, compute)
    return shown_to_model("define_term", result, context.message), result
