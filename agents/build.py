"""How every agent of this project is put together."""

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
from agents.models.calls import Calling
from agents.models.factory import ModelChain
from desk.governance.scope import Scope
from desk.governance.usage import AgentName
from desk.runs.context import Context
from quant.numeric.frozen import Frozen

STEPS_A_CALL = 8
"""Graph steps that a model call may take, tools included."""

NOTHING_TO_WAIT_FOR = {"__pregel_durability": "async"}
"""A loop without checkpoints that inherits its caller's durability `sync` waits for a checkpoint that nobody writes."""


@dataclass(frozen=True)
class Agent:
    """A compiled loop of model and tools, the tools by name, the first model of its chain, and what they are told."""

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
    """An agent whose system prompt is `prompts/<name>.md` and the rules, and which answers with an `answer`.

    It keeps no checkpoints: what a model wrote lives in memory and ends with the call.
    """
    # a `ToolException` says what the model can mend and goes back to it; every other exception ends the run
    mending = [tool.model_copy(update={"handle_tool_error": True}) for tool in tools]
    calling = Calling(name, models, answer, max_tool_calls=max_tool_calls, max_model_calls=max_model_calls)
    rules = prompts.load("rules", max_tool_calls=max_tool_calls, answer=answer.__name__)
    prompt = f"{prompts.load(name, **values)}\n{rules}"
    mendable = (StructuredOutputValidationError, MultipleStructuredOutputsError)
    loop = create_agent(
        models.models[0].chat,
        mending,
        system_prompt=prompt,
        middleware=[calling],
        response_format=ToolStrategy(answer, handle_errors=mendable, tool_message_content="Answer received."),
        context_schema=context,
        checkpointer=False,
        name=name,
    )
    limited = loop.with_config(recursion_limit=STEPS_A_CALL * max_model_calls, configurable=NOTHING_TO_WAIT_FOR)
    return Agent(limited, {tool.name: tool for tool in mending}, models.models[0].name, prompt)
