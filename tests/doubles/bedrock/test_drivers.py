"""The embedded planner and any other chat model behind the double."""

import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from agents.embedded_planner import PLANNER, EmbeddedPlanner
from agents.table import OPTIMIZATION_AGENTS
from desk.optimization.request import OptimizationRequest
from desk.runs.events.agents import DecisionMade
from desk.runs.repository import load_final_result
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.doubles.bedrock.clients import MODEL, chat, connect
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import INTRODUCTION, by_model, embedded
from tests.doubles.bedrock.serve import driver_of, parsed
from tests.graphs.dependencies import FIRST_DAY, OWNER, open_dependencies

LOOK: dict[str, Any] = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
DRAFT: dict[str, Any] = {"toolSpec": {"name": "Draft", "inputSchema": {"json": {"type": "object"}}}}


class Listener(BaseChatModel):
    """A chat model that records its conversations."""

    conversations: list[Any]
    bound: list[Any]

    @property
    def _llm_type(self) -> str:
        return "listener"

    def bind_tools(self, tools: Any, *, tool_choice: str | None = None, **kwargs: Any) -> Any:
        self.bound.extend([*tools, tool_choice])
        return self

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.conversations.extend(messages)
        call = {"name": "look", "args": '{"a', "id": "1", "error": None}
        message = AIMessage("Heard.", invalid_tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])


@pytest.fixture
def planner_server() -> Generator[tuple[Double, Any]]:
    with Double(embedded()) as double:
        yield double, connect(double.url)


def test_a_model_hears_the_conversation_of_the_request() -> None:
    listener = Listener(conversations=[], bound=[])
    uses = [
        {"toolUse": {"toolUseId": "a", "name": "look", "input": {"n": 1}}},
        {"toolUse": {"toolUseId": "b", "name": "see", "input": {}}},
    ]
    results = [
        {"toolResult": {"toolUseId": "b", "content": [{"json": {"x": 1}}]}},
        {"toolResult": {"toolUseId": "a", "content": [{"text": "no"}, {"text": "more"}], "status": "error"}},
    ]
    messages = [
        {"role": "user", "content": [{"guardContent": {"text": {"text": "Go."}}}, {"cachePoint": {"type": "default"}}]},
        {"role": "assistant", "content": [{"text": "Well."}, *uses]},
        {"role": "user", "content": [*results, {"text": "And?"}]},
    ]
    tools = {"tools": [LOOK, {"cachePoint": {"type": "default"}}], "toolChoice": {"any": {}}}
    with Double(by_model(listener)) as double:
        client = connect(double.url)
        response = client.converse_stream(modelId=MODEL, system=[{"text": "Be."}], messages=messages, toolConfig=tools)
        with closing(response["stream"]) as events:
            parts = [e["contentBlockDelta"]["delta"] for e in events if "contentBlockDelta" in e]
    kinds = [SystemMessage, HumanMessage, AIMessage, ToolMessage, ToolMessage, HumanMessage]
    assert [type(m) for m in listener.conversations] == kinds
    assert [m.text for m in listener.conversations] == ["Be.", "Go.", "Well.", '{"x":1}', "no\nmore", "And?"]
    request, first, second = listener.conversations[2:5]
    assert [(c["id"], c["name"], c["args"]) for c in request.tool_calls] == [("a", "look", {"n": 1}), ("b", "see", {})]
    assert (first.tool_call_id, first.name, first.status) == ("b", "see", "success")
    assert (second.tool_call_id, second.name, second.status) == ("a", "look", "error")
    assert [listener.bound[0]["function"]["name"], listener.bound[1]] == ["look", "any"]
    assert "".join(part.get("text", "") for part in parts) == "Heard."
    assert "".join(part.get("toolUse", {}).get("input", "") for part in parts) == '{"a'


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("role", [agent.answer.__name__ for agent in OPTIMIZATION_AGENTS.values()])
def test_the_planner_asks_the_same_over_the_wire(role: str, streaming: bool, planner_server) -> None:
    spec = {"type": "function", "function": {"name": role, "description": role, "parameters": {"type": "object"}}}
    model = chat(planner_server[1]).bind_tools([spec])
    chunks = list(model.stream("Go.")) if streaming else [model.invoke("Go.")]
    calls = sum(chunks[1:], chunks[0]).tool_calls
    direct = EmbeddedPlanner(answers_with=role).invoke("Go.")
    assert [(c["name"], c["args"]) for c in calls] == [(c["name"], c["args"]) for c in direct.tool_calls]


@pytest.mark.parametrize("tools", [None, {"tools": [LOOK]}])
def test_the_planner_describes_itself_to_unknown_prompts(tools, planner_server) -> None:
    more = {"toolConfig": tools} if tools else {}
    messages = [{"role": "user", "content": [{"text": "Hello."}]}]
    response = planner_server[1].converse(modelId=MODEL, messages=messages, **more)
    assert response["output"]["message"]["content"] == [{"text": INTRODUCTION}]
    assert "no language model" in INTRODUCTION


@pytest.mark.parametrize("tool", [DRAFT, {"type": "function", "function": {"name": "Draft"}}, {"name": "Draft"}])
def test_the_planner_takes_tools_in_every_form(tool) -> None:
    assert EmbeddedPlanner().bind_tools([LOOK, tool]).answers_with == "Draft"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match=r"tools: \['look'\] hold no answer of an agent; expected one of"):
        EmbeddedPlanner().bind_tools([LOOK])


async def run(home: Path, model: BaseChatModel) -> tuple[list[Any], Any]:
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
    async with open_dependencies(home, model) as dependencies:
        name = await create_run(
            dependencies, OWNER, OptimizationRequest(trials=10, scenarios=scenarios, seed=3, first_day=FIRST_DAY)
        )
        events = [event async for event in execute(dependencies, OWNER, name)]
        return events, await load_final_result(dependencies.store, OWNER, name)


@pytest.mark.anyio
async def test_all_four_agents_decide_over_the_wire_as_the_planner_does_without(home: Path, planner_server) -> None:
    double, client = planner_server
    _, plain = await run(home / "plain", EmbeddedPlanner())
    events, wired = await run(home / "wired", chat(client, name=PLANNER))
    decisions = [event.decision for event in events if isinstance(event, DecisionMade)]
    assert {d.agent for d in decisions} == {"risk_manager", "market_analyst", "optimizer", "explainer"}
    assert wired.digest() == plain.digest()
    assert len(double.received) == 2 * len(decisions)
    assert all(received.answered for received in double.received)


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.doubles.bedrock.serve", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.soak
def test_the_command_prints_a_working_boto3_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    with start("--port", "0", "--throttle", "1") as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
        settings = [pair.split("=", 1) for line in lines if line.startswith("export ") for pair in line.split()[1:]]
        for name, value in settings:
            monkeypatch.setenv(name, value)
        model = dict(settings)["MODEL"].removeprefix("bedrock_converse:")
        client = boto3.Session().client("bedrock-runtime", config=Config(retries={"total_max_attempts": 1}))
        messages = [{"role": "user", "content": [{"text": "Hello."}]}]
        with pytest.raises(client.exceptions.ThrottlingException):
            client.converse(modelId=model, messages=messages)
        answer = client.converse(modelId=model, messages=messages)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert answer["output"]["message"]["content"] == [{"text": INTRODUCTION}]
    assert rest.splitlines() == [
        f"1 Converse {model}: ThrottlingException",
        f"2 Converse {model}: answered",
        "Ended after 2 calls.",
    ]
    assert (process.returncode, errors) == (0, "")


def test_an_occupied_port_is_reported() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = str(listener.getsockname()[1])
        with start("--port", port) as process:
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert errors == f"--port: {port} cannot be served: Address already in use; expected a free one, or 0 for any\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--port", "99999"), "'99999' is not allowed; expected a whole number, 0 to 65535"),
        (("--throttle", "-1"), "'-1' is not allowed"),
        (("--port", "0", "--driver", "nonsense"), "--driver: 'nonsense'"),
    ],
)
def test_unsupported_arguments_are_named(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        driver_of(parsed(list(arguments)))
    assert ended.value.code not in (None, 0)
    assert message in f"{capsys.readouterr().err}{ended.value.code}"
