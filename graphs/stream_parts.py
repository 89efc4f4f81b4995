"""Converts LangGraph's stream parts (version 2) to the types of this project; only this module knows their shape."""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from langchain_core.messages import AIMessage, BaseMessage, ToolCall, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.errors import GraphRecursionError
from langgraph.types import StreamPart
from pydantic import BaseModel

from agents.models.stream_events import ModelCall, ModelFallback, ModelRetry, Notice, ToolStart
from desk.runs.events import BaseEvent, TraceEvent
from quant.numeric.frozen import Frozen

INTERRUPT = "__interrupt__"
COMPUTING = "computing"
"""Stands in an interrupt that no person ends, with the job that is waited for."""


@dataclass(frozen=True)
class ToolResult:
    """A tool call that succeeded: what was asked, as the tool understood it, and what came back."""

    tool: str
    arguments: dict[str, Any]
    result: Frozen


@dataclass(frozen=True)
class ToolRefused:
    """A tool call that named no tool, broke its arguments or exceeded a limit."""


@dataclass(frozen=True)
class AgentAnswered:
    answer: Frozen


ModelEvent: TypeAlias = ModelCall | ModelRetry | ModelFallback | ToolStart | Notice
Step: TypeAlias = ToolResult | ToolRefused | AgentAnswered | ModelEvent


@dataclass(frozen=True)
class GraphStopped:
    """The execution ended, and the graph did not."""

    waits_for: Literal["person", "computation"]


async def trace_events(parts: AsyncIterator[StreamPart[Any, Any]]) -> AsyncIterator[TraceEvent | GraphStopped]:
    """What the nodes of a run said, as they said it."""
    async for part in parts:
        if part["type"] == "custom" and isinstance(part["data"], BaseEvent):
            yield cast("TraceEvent", part["data"])
        elif part["type"] == "updates" and INTERRUPT in part["data"]:
            computing = any(COMPUTING in interrupt.value for interrupt in part["data"][INTERRUPT])
            yield GraphStopped("computation" if computing else "person")


async def agent_steps(
    parts: AsyncIterator[StreamPart[Any, Any]], tools: Mapping[str, BaseTool]
) -> AsyncIterator[Sequence[Step]]:
    """What an agent and its models did, in the order of its questions, whatever the order of the tools' returns.

    What comes at once belongs together: the tool calls of one message come when the last of them has returned.
    """
    order = _CallOrder(tools)
    try:
        async for part in parts:
            if part["type"] == "custom" and isinstance(part["data"], ModelEvent):
                yield [part["data"]]
            elif part["type"] == "updates":
                for update in _updates(part["data"]):
                    if new_steps := list(order.add(update)):
                        yield new_steps
    except GraphRecursionError:  # the limit is an answer of its own: none
        return


class _CallOrder:
    """Puts tool results into the order of the calls of the message that asked for them."""

    def __init__(self, tools: Mapping[str, BaseTool]) -> None:
        self._tools = tools
        self._calls: list[ToolCall] = []
        self._returned: dict[str, ToolMessage] = {}

    def add(self, update: dict[str, Any]) -> Iterator[ToolResult | ToolRefused | AgentAnswered]:
        for message in _messages(update):
            if isinstance(message, AIMessage):
                self._calls, self._returned = list(message.tool_calls), {}
            elif isinstance(message, ToolMessage):
                self._returned[message.tool_call_id] = message
        if self._calls and all((call["id"] or "") in self._returned for call in self._calls):
            calls, self._calls = self._calls, []
            for call in calls:
                step = _step(call, self._returned[call["id"] or ""], self._tools)
                if step is not None:
                    yield step
        if isinstance(answer := update.get("structured_response"), Frozen):
            yield AgentAnswered(answer)


def digest(result: Frozen) -> str:
    return hashlib.sha256(result.model_dump_json().encode()).hexdigest()


def _updates(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for node in data.values():
        for update in node if isinstance(node, list) else [node]:
            if isinstance(update, dict):
                yield update


def _messages(update: dict[str, Any]) -> Sequence[BaseMessage]:
    messages = update.get("messages", ())
    return messages if isinstance(messages, list) else ()


def _step(call: ToolCall, message: ToolMessage, tools: Mapping[str, BaseTool]) -> ToolResult | ToolRefused | None:
    tool = tools.get(call["name"])
    if tool is None or not isinstance(message.artifact, Frozen):
        return None if message.status == "success" else ToolRefused()
    schema = cast("type[BaseModel]", tool.tool_call_schema)
    arguments = schema.model_validate(call["args"]).model_dump(mode="json", exclude_none=True)
    return ToolResult(tool.name, arguments, message.artifact)
