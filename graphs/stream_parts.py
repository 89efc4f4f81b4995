"""Converts LangGraph's stream parts (version 2) to types of this project; no other module depends on their shape."""

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
from desk.runs.events.base import BaseEvent
from desk.runs.events.table import TraceEvent
from quant.numeric.frozen import Frozen

INTERRUPT = "__interrupt__"
COMPUTING = "computing"
"""Key of the job in an interrupt that waits for a computation instead of a person."""


@dataclass(frozen=True)
class ToolResult:
    """A successful tool call: its validated arguments and its result."""

    tool: str
    arguments: dict[str, Any]
    result: Frozen


@dataclass(frozen=True)
class ToolRefused:
    """A tool call with an unknown tool, invalid arguments or beyond a limit."""


@dataclass(frozen=True)
class AgentAnswered:
    answer: Frozen


ModelEvent: TypeAlias = ModelCall | ModelRetry | ModelFallback | ToolStart | Notice
Step: TypeAlias = ToolResult | ToolRefused | AgentAnswered | ModelEvent


@dataclass(frozen=True)
class GraphStopped:
    """The execution stopped before the end of the graph."""

    waits_for: Literal["person", "computation"]


async def trace_events(parts: AsyncIterator[StreamPart[Any, Any]]) -> AsyncIterator[TraceEvent | GraphStopped]:
    """The events that the nodes of a run emitted, in their order."""
    async for part in parts:
        if part["type"] == "custom" and isinstance(part["data"], BaseEvent):
            yield cast("TraceEvent", part["data"])
        elif part["type"] == "updates" and INTERRUPT in part["data"]:
            computing = any(COMPUTING in interrupt.value for interrupt in part["data"][INTERRUPT])
            yield GraphStopped("computation" if computing else "person")


async def agent_steps(
    parts: AsyncIterator[StreamPart[Any, Any]], tools: Mapping[str, BaseTool]
) -> AsyncIterator[Sequence[Step]]:
    """The steps of an agent and its models, in the order of the calls, whatever the order of starts and results.

    A call's start is yielded once all earlier calls of its message have started or were refused; the results of one
    message's tool calls are yielded together, when the last of them has returned.
    """
    order = _CallOrder(tools)
    try:
        async for part in parts:
            if part["type"] == "custom" and isinstance(part["data"], ToolStart):
                if starts := order.start(part["data"]):
                    yield starts
            elif part["type"] == "custom" and isinstance(part["data"], ModelEvent):
                yield [part["data"]]
            elif part["type"] == "updates":
                for update in _updates(part["data"]):
                    if new_steps := list(order.add(update)):
                        yield new_steps
    except GraphRecursionError:  # reaching the limit counts as no answer
        return


class _CallOrder:
    """Sorts starts and results of tools into the order of the calls in the message that requested them."""

    def __init__(self, tools: Mapping[str, BaseTool]) -> None:
        self._tools = tools
        self._calls: list[ToolCall] = []
        self._started: dict[str, ToolStart] = {}
        self._unstarted: list[str] = []
        """The calls whose start was not yielded yet, in order."""
        self._returned: dict[str, ToolMessage] = {}

    def start(self, start: ToolStart) -> list[ToolStart]:
        """The starts that may be yielded now."""
        self._started[start.call] = start
        if start.call not in self._unstarted:  # the message of the call is not known
            return [start]
        return self._startable()

    def _startable(self) -> list[ToolStart]:
        starts: list[ToolStart] = []
        while self._unstarted and (self._unstarted[0] in self._started or self._unstarted[0] in self._returned):
            if (start := self._started.get(self._unstarted.pop(0))) is not None:
                starts.append(start)
        return starts

    def add(self, update: dict[str, Any]) -> Iterator[Step]:
        for message in _messages(update):
            if isinstance(message, AIMessage):
                self._calls, self._started, self._returned = list(message.tool_calls), {}, {}
                self._unstarted = [call["id"] or "" for call in self._calls]
            elif isinstance(message, ToolMessage):
                self._returned[message.tool_call_id] = message
        yield from self._startable()
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
