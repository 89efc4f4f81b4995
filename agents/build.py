"""How every agent of this project is put together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ModelCallLimitMiddleware,
    ToolCallLimitMiddleware,
    ToolCallRequest,
    wrap_tool_call,
)
from langchain.agents.structured_output import (
    MultipleStructuredOutputsError,
    StructuredOutputValidationError,
    ToolStrategy,
)
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command

import prompts
from agents.calling import Calling
from agents.model import ModelChain
from quant.strategy import Frozen
from tools.context import Context
from tools.optimization import AgentName

STEPS_A_CALL = 8
"""Graph steps that a model call may take, limits and tools included."""

NOTHING_TO_WAIT_FOR = {"__pregel_durability": "async"}
"""A loop without checkpoints that inherits its caller's durability `sync` waits for a checkpoint that nobody writes."""


@dataclass(frozen=True)
class Agent:
    """A compiled loop of model and tools, and the tools by name."""

    loop: CompiledStateGraph[Any, Any, Any, Any]
    tools: dict[str, BaseTool]


@wrap_tool_call
async def report_tool_errors(
    request: ToolCallRequest,
    call: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
) -> ToolMessage | Command[Any]:
    """Tell the model what it can mend; every other exception ends the run."""
    try:
        return await call(request)
    except ToolException as error:
        return ToolMessage(str(error), tool_call_id=request.tool_call["id"], status="error")


def build(
    name: AgentName,
    models: ModelChain,
    tools: Sequence[BaseTool],
    answer: type[Frozen],
    *,
    max_tool_calls: int,
    max_model_calls: int,
    **values: object,
) -> Agent:
    """An agent whose system prompt is `prompts/<name>.md` and the rules, and which answers with an `answer`.

    It keeps no checkpoints: what a model wrote lives in memory and ends with the call.
    """
    middleware: list[AgentMiddleware[Any, Any, Any]] = [
        Calling(name, models, answer),
        report_tool_errors,
        ToolCallLimitMiddleware(run_limit=max_tool_calls),
        ModelCallLimitMiddleware(run_limit=max_model_calls),
    ]
    rules = prompts.load("rules", max_tool_calls=max_tool_calls, answer=answer.__name__)
    mendable = (StructuredOutputValidationError, MultipleStructuredOutputsError)
    loop = create_agent(
        models.models[0].chat,
        tools,
        system_prompt=f"{prompts.load(name, **values)}\n{rules}",
        middleware=middleware,
        response_format=ToolStrategy(answer, handle_errors=mendable, tool_message_content="Answer received."),
        context_schema=Context,
        checkpointer=False,
        name=name,
    )
    limited = loop.with_config(recursion_limit=STEPS_A_CALL * max_model_calls, configurable=NOTHING_TO_WAIT_FOR)
    return Agent(limited, {tool.name: tool for tool in tools})
