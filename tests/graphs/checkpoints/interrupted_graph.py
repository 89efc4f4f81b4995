"""A small graph with an interrupt, its checkpoints on DynamoDB, and the loss of a process between two writes."""

import operator
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt

from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.checkpoints.table import DynamoTable
from tests.doubles.aws import Aws, moto, point_at

KEYS = {"PK": "HASH", "SK": "RANGE"}
THREAD: Any = {"configurable": {"thread_id": "thread"}}


@pytest.fixture(scope="module")
def served() -> Iterator[Aws]:
    with moto() as server:
        yield server


@pytest.fixture
def aws(served: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    point_at(monkeypatch, served.url)
    yield served
    for table in served.dynamodb.list_tables()["TableNames"]:
        served.dynamodb.delete_table(TableName=table)


@pytest.fixture
def place(aws: Aws) -> DynamoTable:
    return DynamoTable(aws.table("checkpoints", KEYS))


class State(TypedDict):
    done: Annotated[list[str], operator.add]
    also: Annotated[list[str], operator.add]
    text: str


def first(state: State) -> dict[str, Any]:
    return {"done": ["first"], "also": ["first"], "text": "x" * (500_000 if state["text"] == "large" else 5)}


def second(state: State) -> dict[str, Any]:
    answer = interrupt("may it go on?")
    return {"done": [answer], "also": [answer], "text": state["text"][::-1]}


def graph_with_interrupt(checkpointer: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    graph.add_edge("second", END)
    return graph.compile(checkpointer=checkpointer)


async def run_to_end(graph: Any, config: Any, text: str = "small") -> Any:
    """Run or resume the graph from its stored state until it ends."""
    while True:
        place = await graph.aget_state(config)
        if place.created_at is not None and not place.tasks:
            return place.values
        waits = any(task.interrupts for task in place.tasks)
        first_input = None if place.created_at else {"done": [], "also": [], "text": text}
        await graph.ainvoke(Command(resume="yes") if waits else first_input, config, durability="sync")


async def lose_process_after(place: DynamoTable, writes: int) -> bool:
    """Fail after so many writes, then resume; returns whether the graph makes more writes than that."""
    remaining, client = iter(range(writes)), place.saver.client
    died = False

    def fail_after_writes(**_: object) -> None:
        nonlocal died
        if next(remaining, None) is None:
            died = True
            raise ConnectionError("dead")

    config: Any = {"configurable": {"thread_id": f"killed-{writes}"}}
    async with open_checkpoints(place) as checkpointer:
        graph = graph_with_interrupt(checkpointer)
        client.meta.events.register("before-call.dynamodb.PutItem", fail_after_writes)
        with suppress(ConnectionError):
            await run_to_end(graph, config)
        client.meta.events.unregister("before-call.dynamodb.PutItem", fail_after_writes)
        final_state = await run_to_end(graph, config)
    assert final_state == {"done": ["first", "yes"], "also": ["first", "yes"], "text": "xxxxx"}, writes
    return died
