"""Checkpoints in DynamoDB and S3 over HTTP: parity with SQLite, kills at any write, complete deletion."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any, get_args, get_type_hints

import pytest
from langgraph.graph import END, START, StateGraph
from pydantic import BaseModel

import graphs.assistant
import graphs.optimization
from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_dependencies
from api.settings import read_settings
from desk.base.errors import InvalidInput
from desk.runs.repository import load_run
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.checkpoints.serializer import CHECKPOINT_TYPES
from graphs.checkpoints.table import DynamoTable
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.doubles.aws import REGION
from tests.graphs.checkpoints.interrupted_graph import (
    THREAD,
    State,
    first,
    graph_with_interrupt,
    lose_process_after,
    run_to_end,
)
from tests.graphs.dependencies import OWNER
from tests.graphs.runs.runs_with_approval import decision, open_with_approval

BUCKET = "large-checkpoints"
SECRET = "the model believes 73421"

pytestmark = pytest.mark.anyio


def last(state: State) -> dict[str, Any]:
    return {"done": ["second"], "also": state["done"]}


async def streamed(graph: Any, initial_input: Any) -> None:
    async for _ in graph.astream(initial_input, THREAD, stream_mode=["custom"], durability="sync"):
        pass


async def ran(dependencies: Dependencies, name: str) -> str | None:
    """The digest of the result, if there is one."""
    async for _ in execute(dependencies, OWNER, name):
        pass
    return (await load_run(dependencies.store, OWNER, name)).result_digest


@pytest.mark.soak
async def test_a_run_resumed_elsewhere_has_the_same_result_as_with_sqlite(tmp_path, opened, small, aws, place):
    async with opened(tmp_path / "file") as dependencies:
        expected = await ran(dependencies, await create_run(dependencies, OWNER, small()))
    async with open_with_approval(tmp_path / "table", checkpoints=place) as dependencies:
        name = await create_run(dependencies, OWNER, small())
        assert await ran(dependencies, name) is None
        await decide_approval(dependencies, OWNER, name, decision())
    async with open_with_approval(tmp_path / "table", checkpoints=DynamoTable(place.name)) as dependencies:
        assert await ran(dependencies, name) == expected is not None
    assert not list((tmp_path / "table").glob("checkpoints*"))
    assert len(aws.items(place.name)) > 20


async def test_a_state_too_large_for_an_item_is_stored_in_the_bucket_until_its_thread_is_deleted(aws, place):
    place = DynamoTable(place.name, aws.bucket(BUCKET))
    async with open_checkpoints(place) as checkpointer:
        graph = graph_with_interrupt(checkpointer)
        final_state = await run_to_end(graph, THREAD, "large")
        assert final_state == {"done": ["first", "yes"], "also": ["first", "yes"], "text": "x" * 500_000}
        assert len(aws.objects(BUCKET)) == 4  # two checkpoints, and the writes that led to each
        assert len([step async for step in graph.aget_state_history(THREAD)]) == 4
        await checkpointer.adelete_thread("another")
        assert len(aws.objects(BUCKET)) == 4
        await checkpointer.adelete_thread("thread")
        assert (await graph.aget_state(THREAD)).created_at is None
    assert aws.objects(BUCKET) == []
    assert aws.items(place.name) == []


async def test_without_a_bucket_a_state_too_large_for_an_item_is_a_fault(place):
    async with open_checkpoints(place) as checkpointer:
        with pytest.raises(place.saver.client.exceptions.ClientError, match=r"400|size"):
            await run_to_end(graph_with_interrupt(checkpointer), THREAD, "large")


@pytest.mark.parametrize("writes", [1, 5, 6, 14])
async def test_a_process_killed_between_its_writes_loses_and_doubles_nothing(writes, place):
    assert await lose_process_after(place, writes)


async def test_reads_are_consistent(place):
    reads: dict[str, list[dict[str, Any]]] = {}

    def told(model: Any, params: Any, **_: object) -> None:
        reads.setdefault(model.name, []).append(json.loads(params["body"]))

    async with open_checkpoints(place) as checkpointer:
        place.saver.client.meta.events.register("before-call.dynamodb", told)
        graph = graph_with_interrupt(checkpointer)
        await run_to_end(graph, THREAD)
        before = (await anext(graph.aget_state_history(THREAD))).config
        assert (await graph.aget_state(before)).values["done"] == ["first", "yes"]
        await checkpointer.adelete_thread("thread")
    assert {"Query", "GetItem", "BatchGetItem"} <= reads.keys()
    assert all(each["ConsistentRead"] for name in ("Query", "GetItem") for each in reads[name])
    assert all(keys["ConsistentRead"] for each in reads["BatchGetItem"] for keys in each["RequestItems"].values())
    assert "Scan" not in reads


@pytest.mark.parametrize("fails", ["node", "edge"])
async def test_only_the_class_of_an_error_is_stored(fails, aws, place):
    def fault(state: State) -> Any:
        raise LookupError(SECRET)

    graph = StateGraph(State)
    graph.add_node("first", first if fails == "edge" else fault)
    graph.add_edge(START, "first")
    graph.add_conditional_edges("first", fault if fails == "edge" else lambda _: END)
    async with open_checkpoints(place) as checkpointer:
        with pytest.raises(LookupError):
            await graph.compile(checkpointer=checkpointer).ainvoke(
                {"done": [], "also": [], "text": ""}, THREAD, durability="sync"
            )
        checkpoint = await checkpointer.aget_tuple(THREAD)
    assert checkpoint is not None
    assert ("__error__", "LookupError") in [(channel, value) for _, channel, value in checkpoint.pending_writes or ()]
    items = aws.items(place.name)
    assert any(b"LookupError" in item.get("payload", {}).get("B", b"") for item in items)
    assert not [item for item in items if SECRET in str(item)]


@pytest.mark.parametrize("state", [graphs.optimization.State, graphs.assistant.State])
def test_every_type_of_a_state_is_deserialized_from_a_checkpoint(state):
    def words(hint: Any) -> Iterator[Any]:
        yield from (word for part in get_args(hint) for word in words(part))
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            yield hint

    state_types = {word for hint in get_type_hints(state).values() for word in words(hint)}
    assert state_types
    assert state_types <= set(CHECKPOINT_TYPES)


async def start(*, models: bool = True) -> Any:
    async with AsyncExitStack() as stack:
        dependencies = await stack.enter_async_context(
            create_dependencies(read_settings(), single_model(EmbeddedPlanner()) if models else None)
        )
        return dependencies.checkpoints


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("dynamodb:nowhere", "the table 'nowhere' AWS answers ResourceNotFoundException; expected a table of yours"),
        ("dynamodb:other-keys", "the table 'other-keys' has other keys: PK; expected a table of yours"),
        ("dynamodb:checkpoints,s3:nowhere", "the bucket 'nowhere' AWS answers 404; expected a table of yours"),
        ("dynamodb:x", "'dynamodb:x' is not allowed; expected dynamodb:TABLE, dynamodb:TABLE,s3:BUCKET"),
        ("dynamodb:checkpoints,s3:", "is not allowed; expected dynamodb:TABLE"),
        ("s3:checkpoints", "is not allowed; expected dynamodb:TABLE"),
    ],
)
async def test_an_unusable_checkpoint_location_fails_at_startup(setting, told, aws, place, monkeypatch):
    aws.table("other-keys", {"PK": "HASH"})
    monkeypatch.setenv("STRATIGOS_CHECKPOINTS", setting)
    with pytest.raises(InvalidInput) as error:
        await start()
    assert str(error.value).startswith("STRATIGOS_CHECKPOINTS: ")
    assert told in str(error.value)


async def test_the_setting_selects_the_location(aws, place, home, monkeypatch):
    assert await start() == home / "checkpoints.sqlite"
    monkeypatch.setenv("STRATIGOS_CHECKPOINTS", f"dynamodb:{place.name},s3:{aws.bucket('chosen')}")
    assert await start() == DynamoTable(place.name, "chosen")
    monkeypatch.setenv("STRATIGOS_CHECKPOINTS", "dynamodb:nowhere")
    assert await start(models=False) == DynamoTable("nowhere")  # reading alone needs no table


async def test_unusable_aws_settings_fail_at_startup(place, monkeypatch):
    monkeypatch.setenv("STRATIGOS_CHECKPOINTS", f"dynamodb:{place.name}")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert await start() == place
    monkeypatch.delenv("AWS_REGION")
    with pytest.raises(InvalidInput, match=r"STRATIGOS_CHECKPOINTS: the table 'checkpoints' .*region"):
        await start()


@pytest.mark.parametrize("kind", ["file", "table"])
@pytest.mark.parametrize("end", ["it is cut off", "it fails"])
async def test_a_node_is_repeated_if_it_ends_before_its_branch_is_stored(tmp_path, request, kind, end):
    choosing, let = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    times = 0

    def branch(_: State) -> str:
        nonlocal times
        times += 1
        if times == 1:
            loop.call_soon_threadsafe(choosing.set)
            let.wait(20.0)
            if end == "it fails":
                raise OSError("of the test")
        return "second"

    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", last)
    graph.add_edge(START, "first")
    graph.add_conditional_edges("first", branch, ["second"])
    where = tmp_path / "checkpoints.sqlite" if kind == "file" else request.getfixturevalue("place")
    async with open_checkpoints(where) as checkpointer:
        initial_state = {"done": [], "also": [], "text": "small"}
        running = asyncio.create_task(streamed(graph.compile(checkpointer), initial_state))
        await choosing.wait()
        if end == "it is cut off":
            running.cancel()
        else:
            let.set()
        with pytest.raises((asyncio.CancelledError, OSError)):
            await running
        let.set()
    async with open_checkpoints(where) as checkpointer:
        assert (await run_to_end(graph.compile(checkpointer), THREAD))["done"] == ["first", "second"]
