"""Builds an agent from its declaration: prompt, tools, answer type, limits and the middleware of its model calls."""

from dataclasses import dataclass
from functools import cache
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
from agents.declaration import Declaration
from agents.models.factory import ModelChain
from agents.models.middleware import ModelCallMiddleware
from agents.models.tracing import turn_tracing_off
from desk.governance.scope import Scope

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


def build(agent: Declaration, models: ModelChain) -> Agent:
    """The agent with its system prompt.

    It writes no checkpoints: a model's text is in memory until the call ends.
    """
    turn_tracing_off()
    # the model sees the text of a `ToolException` and can correct its call; every other exception ends the run
    tools = [tool.model_copy(update={"handle_tool_error": True}) for tool in agent.tools()]
    prompt = system_prompt(agent)
    loop = create_agent(
        models.models[0].chat,
        tools,
        system_prompt=prompt,
        middleware=[ModelCallMiddleware(agent, models)],
        response_format=_answer_format(agent.answer),
        context_schema=Scope,
        checkpointer=False,
        name=agent.name,
    )
    limits: dict[str, Any] = {"recursion_limit": STEPS_PER_CALL * agent.max_model_calls, "configurable": NO_CHECKPOINTS}
    return Agent(loop.with_config(**limits), {tool.name: tool for tool in tools}, models.models[0].name, prompt)


def system_prompt(agent: Declaration) -> str:
    """`prompts/<name>.md` followed by the rules for all agents."""
    rules = prompts.load("rules", max_tool_calls=agent.max_tool_calls, answer=agent.answer.__name__)
    return f"{prompts.load(agent.name, **agent.prompt_values)}\n{rules}"


@cache
def _answer_format(answer: type[Any]) -> ToolStrategy[Any]:
    """The answer as a tool; its schema is made once."""
    correctable = (StructuredOutputValidationError, MultipleStructuredOutputsError)
    return ToolStrategy(answer, handle_errors=correctable, tool_message_content="Answer received.")
