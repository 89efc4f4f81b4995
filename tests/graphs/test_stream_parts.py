"""The steps of one message of a model have one order, whatever the order in which its tools start and return."""

from collections.abc import AsyncIterator, Sequence
from itertools import permutations
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import tool

from agents.models.stream_events import ToolStart
from graphs.stream_parts import ToolRefused, ToolResult, agent_steps
from quant.numeric.frozen import Frozen

pytestmark = pytest.mark.anyio

NAMES = ("a", "b", "c")


class Seen(Frozen):
    name: str


@tool
def look(name: str) -> str:
    """Look at a figure."""
    return name


def message() -> Any:
    calls = [{"name": "look", "args": {"name": name}, "id": name} for name in NAMES]
    return {"type": "updates", "data": {"model": {"messages": [AIMessage("", tool_calls=calls)]}}}


def start(name: str) -> Any:
    return {"type": "custom", "data": ToolStart(call=name, tool="look", arguments={"name": name})}


def result(name: str) -> Any:
    return {"type": "updates", "data": {"tools": {"messages": [returned(name)]}}}


def returned(name: str) -> ToolMessage:
    return ToolMessage(name, tool_call_id=name, name="look", artifact=Seen(name=name))


def refusal(name: str) -> Any:
    refused = ToolMessage("no", tool_call_id=name, name="look", status="error")
    return {"type": "updates", "data": {"tools": {"messages": [refused]}}}


async def steps(parts: Sequence[Any]) -> list[str]:
    async def stream() -> AsyncIterator[Any]:
        for part in [message(), *parts]:
            yield part

    names: list[str] = []
    async for together in agent_steps(stream(), {"look": look}):
        for step in together:
            match step:
                case ToolStart():
                    names.append(f"start {step.call}")
                case ToolResult():
                    names.append(f"result {step.arguments['name']}")
                case ToolRefused():
                    names.append("refused")
    return names


ORDERS = [[*starts, *results] for starts in permutations(map(start, NAMES)) for results in permutations(NAMES)]


async def test_starts_and_results_come_in_the_order_of_the_calls() -> None:
    expected = [*(f"start {name}" for name in NAMES), *(f"result {name}" for name in NAMES)]
    for order in ORDERS:
        assert await steps([result(part) if isinstance(part, str) else part for part in order]) == expected


async def test_a_call_that_returns_before_others_start_changes_nothing() -> None:
    mixed = [start("b"), result("b"), start("a"), result("a"), start("c"), result("c")]
    assert await steps(mixed) == ["start a", "start b", "start c", "result a", "result b", "result c"]


async def test_a_refused_call_holds_no_other_back() -> None:
    assert await steps([start("c"), refusal("a"), start("b"), result("b"), result("c")]) == [
        "start b",
        "start c",
        "refused",
        "result b",
        "result c",
    ]
