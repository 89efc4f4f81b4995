"""The same conversation through ChatBedrockConverse: the same answers, the double's own count of tokens, a cassette."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from api.cli.main import run
from desk.governance.usage import total
from desk.runs.events.conversation import RunLaunched, TurnFinished
from desk.runs.repository import load_events
from graphs.conversations.turn_execution import begin_conversation, turn_of
from graphs.dependencies import Dependencies
from graphs.runs.usage import usage_of
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.clients import MODEL
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import at_first, embedded, faulty
from tests.doubles.bedrock.recordings import CHAT, first_of
from tests.doubles.bedrock.replies import THROTTLED, THROTTLED_MIDWAY, Broken, say
from tests.graphs.bedrock_runs import OPTIONS, point_at, wired
from tests.graphs.conversations.conversation_process import TALK, send_message
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.reported_usage import cost_of, reported_tokens, tokens_of

pytestmark = pytest.mark.anyio

OUTCOMES = ["answered", "answered", "answered", "answered", "answered", "declined"]


async def conversed(dependencies: Dependencies, texts: Sequence[str] = CHAT) -> list[dict[str, Any]]:
    """The results of the turns."""
    await begin_conversation(dependencies, OWNER, conversation_id=TALK)
    for text in texts:
        await send_message(dependencies, text)
    turns = [await turn_of(dependencies.store, OWNER, TALK, number) for number in range(1, len(texts) + 1)]
    return [turn.model_dump(exclude={"at"}) for turn in turns]


@pytest.fixture(scope="module")
def planner_turns(tmp_path_factory) -> list[dict[str, Any]]:
    """The embedded planner's answers without HTTP."""

    async def talk() -> list[dict[str, Any]]:
        async with open_dependencies(tmp_path_factory.mktemp("embedded")) as dependencies:
            return await conversed(dependencies)

    return asyncio.run(talk())


def of_run(received: Sequence[Received], name: str) -> list[Received]:
    return [each for each in received if each.body["requestMetadata"]["run"] == name]


MIDWAY = Broken(say("It seems that"), 2, THROTTLED_MIDWAY)


@pytest.mark.parametrize(
    ("streaming", "fault"), [(True, MIDWAY), pytest.param(False, THROTTLED, marks=pytest.mark.soak)]
)
async def test_the_same_is_answered_and_counted_over_the_wire(streaming, fault, home, planner_turns, monkeypatch):
    driver = faulty(embedded(), at_first(1, fault, when=first_of("assistant")))
    options = OPTIONS.model_copy(update={"streaming": streaming})
    with Double(driver) as double:
        point_at(monkeypatch, double.url)
        async with wired(home, options) as dependencies:
            assert await conversed(dependencies) == planner_turns
            assert [turn["outcome"] for turn in planner_turns] == OUTCOMES
            logs = [await load_events(dependencies.store, OWNER, turn["id"]) for turn in planner_turns]
            launched = [event.launched for log in logs for event in log if isinstance(event, RunLaunched)]
            for turn, log in zip(planner_turns, logs, strict=True):
                [usage] = [event.usage for event in log if isinstance(event, TurnFinished)]
                calls = of_run(double.received, turn["id"])
                assert tokens_of(usage) == reported_tokens(calls)
                assert usage.dollars == pytest.approx(cost_of(calls), rel=1e-12)
                assert (usage.answers + usage.retries, usage.retries) == (len(calls), 1)
            runs = [usage_of(await load_events(dependencies.store, OWNER, name)) for name in launched]
            whole = total([*runs, *(usage_of(log) for log in logs)])
            assert tokens_of(whole) == reported_tokens(double.received)
            assert {each.operation for each in double.received} == {"ConverseStream" if streaming else "Converse"}


def test_a_conversation_is_recorded_and_replayed_without_network(home, tmp_path, monkeypatch, capfd):
    tape = tmp_path / "talk.yaml"
    texts = ["list my runs", "tell me a joke"]
    with Double(embedded()) as double:
        point_at(monkeypatch, double.url)
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        monkeypatch.setenv("MODEL", f"bedrock_converse:{MODEL}")
        assert run(["record", "-o", str(tape), "--", "chat", "--say", texts[0], "--say", texts[1]]) == 0
        assert f"Recorded {len(double.received)} calls" in capfd.readouterr().out
        assert run(["record", "--again", str(tape)]) == 0
        calls = len(double.received) // 2
    capfd.readouterr()
    assert run(["replay", str(tape)]) == 0
    out = capfd.readouterr().out
    assert f"{calls} of {calls} recorded calls played" in out
    assert "The trace is the same as recorded" in out


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["chat"], "chat --say TEXT"),
        (["chat", "--conversation", "last", "--say", "more"], "chat --say TEXT"),
        (["chat", "--say", ""], "1 to 4000 characters"),
    ],
)
def test_an_impossible_recording_reports_the_reason(arguments, allowed, home, tmp_path, monkeypatch, capfd):
    point_at(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("MODEL", f"bedrock_converse:{MODEL}")
    assert run(["record", "-o", str(tmp_path / "talk.yaml"), "--", *arguments]) == 2
    assert allowed in capfd.readouterr().err
    assert not (tmp_path / "talk.yaml").exists()


@pytest.mark.cassette("chat")
async def test_the_bundled_conversation_matches_the_embedded_planner(home, cassette, planner_turns):
    async with open_dependencies(home, cassette.models) as dependencies:
        recording = cassette.run
        await begin_conversation(dependencies, OWNER, conversation_id=recording.run)
        for number, text in enumerate(recording.messages):
            await send_message(dependencies, text, recording.run)
            answer = await turn_of(dependencies.store, OWNER, recording.run, number + 1)
            assert [claim.model_dump() for claim in answer.claims] == [
                dict(each) for each in planner_turns[number]["claims"]
            ]
