"""Builds an agent from its declaration: prompt, tools, answer type, limits and the middleware of its model calls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain.agents import create_agent
from langchain.agents.structured_output import (
    MultipleStructuredOutputsError,
    StructuredOutputValidationError,
    ToolStrategy,
)
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph

import prompts
from agents.models.factory import ModelChain
from agents.models.middleware import ModelCallMiddleware
from desk.governance.scope import Scope
from desk.governance.usage import AgentName
from desk.runs.context import Context
from quant.numeric.frozen import Frozen

STEPS_PER_CALL = 8
"""Graph steps of one model call, tools included."""

NO_CHECKPOINTS = {"__pregel_durability": "async"}
"""With its caller's durability `sync`, a loop without checkpoints would wait for a checkpoint that is never written."""


@dataclass(frozen=True)
class Agent:
    """A compiled loop of model and tools, the tools by name, the name of its first model, and the system prompt."""

    loop: CompiledStateGraph[Any, Any, Any, Any]
    tools: dict[str, BaseTool]
    model: str
    prompt: str


def build(
    name: AgentName,
    models: ModelChain,
    tools: Sequence[BaseTool],
    answer: type[Frozen],
    *,
    max_tool_calls: int,
    max_model_calls: int,
    context: type[Scope] = Context,
    **values: object,
) -> Agent:
    """An agent whose system prompt is `prompts/<name>.md` followed by the rules, and whose answer type is `answer`.

    `values` fill in the prompt. The agent writes no checkpoints: a model's text is in memory until the call ends.
    """
    # the model sees the text of a `ToolException` and can correct its call; every other exception ends the run
    safe_tools = [tool.model_copy(update={"handle_tool_error": True}) for tool in tools]
    middleware = ModelCallMiddleware(
        name, models, answer, max_tool_calls=max_tool_calls, max_model_calls=max_model_calls
    )
    rules = prompts.load("rules", max_tool_calls=max_tool_calls, answer=answer.__name__)
    prompt = f"{prompts.load(name, **values)}\n{rules}"
    correctable = (StructuredOutputValidationError, MultipleStructuredOutputsError)
    loop = create_agent(
        models.models[0].chat,
        safe_tools,
        system_prompt=prompt,
        middleware=[middleware],
        response_format=ToolStrategy(answer, handle_errors=correctable, tool_message_content="Answer received."),
        context_schema=context,
        checkpointer=False,
        name=name,
    )
    limited_loop = loop.with_config(recursion_limit=STEPS_PER_CALL * max_model_calls, configurable=NO_CHECKPOINTS)
    return Agent(limited_loop, {tool.name: tool for tool in safe_tools}, models.models[0].name, prompt)
