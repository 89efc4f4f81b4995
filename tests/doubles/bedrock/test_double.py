"""The double, called by the real boto3 and ChatBedrockConverse."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ConnectionClosedError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from tests.doubles.bedrock.clients import (
    GUARDRAIL,
    MESSAGES,
    MODEL,
    TOOLS,
    ask,
    chat,
    connect,
    look,
    names,
    stream,
    streamed,
    texts_of,
)
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import scripted
from tests.doubles.bedrock.rendering import LATENCY_MS
from tests.doubles.bedrock.replies import Call, Say, Usage, call, say

ARGUMENTS = {"where": "drawdown of the größte Verlust", "weights": [0.1, 2, None], "deep": {"a": '"\\'}}
WHOLE = Say(("Reading the market.",), (Call("look", ARGUMENTS), Call("look")), reasoning="Two looks are needed.")


def raw(double: Double, operation: str, body: dict[str, Any] | None = None) -> tuple[bytes, bytes]:
    """Headers and body of the response as sent."""
    connection = HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    body_text = json.dumps(body or {"messages": MESSAGES})
    connection.request("POST", f"/model/{MODEL}/{operation}", body_text, {"Authorization": "Bearer key"})
    response = connection.getresponse()
    headers, content = str(response.headers).encode(), response.read()
    connection.close()
    return headers, content


def test_boto3_reads_texts_reasoning_and_tool_calls() -> None:
    with Double(scripted(WHOLE)) as double:
        response = ask(connect(double.url))
    reasoning, text, first, second = response["output"]["message"]["content"]
    assert reasoning["reasoningContent"]["reasoningText"]["text"] == "Two looks are needed."
    assert text == {"text": "Reading the market."}
    assert (first["toolUse"]["name"], first["toolUse"]["input"]) == ("look", ARGUMENTS)
    assert second["toolUse"]["input"] == {}
    assert first["toolUse"]["toolUseId"] != second["toolUse"]["toolUseId"]
    assert response["stopReason"] == "tool_use"
    assert response["metrics"]["latencyMs"] == LATENCY_MS
    assert response["ResponseMetadata"]["RequestId"] == double.received[0].request_id


def test_boto3_reads_the_same_from_a_stream() -> None:
    with Double(lambda _: WHOLE) as double:
        client = connect(double.url)
        whole, events = ask(client), stream(client)
    order = [name for n, name in enumerate(names(events)) if n == 0 or names(events)[n - 1] != name]
    block = ["contentBlockDelta", "contentBlockStop"]
    assert order == ["messageStart", *block, *block, *["contentBlockStart", *block] * 2, "messageStop", "metadata"]
    deltas = [event["contentBlockDelta"] for event in events if "contentBlockDelta" in event]
    texts = [d["delta"]["text"] for d in deltas if "text" in d["delta"]]
    inputs = [d["delta"]["toolUse"]["input"] for d in deltas if d["contentBlockIndex"] == 2]
    assert "".join(texts) == "Reading the market."
    assert json.loads("".join(inputs)) == ARGUMENTS
    assert min(len(texts), len(inputs)) > 1
    starts = [event["contentBlockStart"]["start"]["toolUse"] for event in events if "contentBlockStart" in event]
    assert [start["name"] for start in starts] == ["look", "look"]
    assert len({start["toolUseId"] for start in starts}) == 2
    assert events[-2]["messageStop"]["stopReason"] == whole["stopReason"]
    assert events[-1]["metadata"]["usage"] == whole["usage"]


def test_frames_carry_both_checksums() -> None:
    with Double(lambda _: say("Fine.")) as double:
        content = raw(double, "converse-stream")[1]
    buffer = EventStreamBuffer()  # raises on a wrong checksum
    buffer.add_data(content)
    messages: list[Any] = list(buffer)
    assert sum(message.prelude.total_length for message in messages) == len(content)
    assert {message.headers[":message-type"] for message in messages} == {"event"}
    assert messages[0].headers[":event-type"] == "messageStart"
    assert all(json.loads(message.payload)["p"] for message in messages)


@pytest.mark.parametrize("operation", ["converse", "converse-stream"])
def test_the_same_request_gets_the_same_bytes(operation: str) -> None:
    body = {"messages": MESSAGES, "toolConfig": TOOLS}
    with Double(lambda _: WHOLE) as first:
        a, b = raw(first, operation, body), raw(first, operation, body)
    with Double(lambda _: WHOLE) as second:
        c = raw(second, operation, body)
        other = raw(second, operation, {**body, "requestMetadata": {"run": "2"}})
    assert a == b == c
    assert other[0] != a[0]


def test_sixteen_calls_at_once_each_get_their_own_answer() -> None:
    barrier = threading.Barrier(16)
    answer = lambda r: say(f"You said {r.body['messages'][0]['content'][0]['text']}")  # noqa: E731
    with Double(answer, gate=lambda _: barrier.wait(60)) as double, ThreadPoolExecutor(16) as pool:
        client = connect(double.url)
        texts = [f"word {n}" for n in range(16)]
        answers = pool.map(lambda text: "".join(texts_of(client, text)), texts)
        assert list(answers) == [f"You said {text}" for text in texts]
    assert sorted(r.number for r in double.received) == list(range(1, 17))
    assert all(r.answered for r in double.received)
    assert double.in_flight == 0


def test_held_calls_do_not_delay_the_shutdown() -> None:
    arrived, release = threading.Event(), threading.Event()

    def gate(_: object) -> None:
        arrived.set()
        release.wait(60)

    with ThreadPoolExecutor(1) as pool:
        with Double(lambda _: WHOLE, gate=gate) as double:
            pending = pool.submit(ask, connect(double.url))
            assert arrived.wait(60)
            assert double.in_flight == 1
        assert isinstance(pending.exception(60), ConnectionClosedError)
        release.set()
    assert not double.received[0].answered


def cached_tokens(message: AIMessage) -> dict[str, Any]:
    assert message.usage_metadata is not None
    return dict(message.usage_metadata.get("input_token_details", {}))


@pytest.mark.parametrize("streaming", [False, True])
def test_the_chat_model_hears_texts_tool_calls_and_usage(streaming: bool) -> None:
    usage = Usage(input=10, output=7, cache_read=300, cache_write=40)
    reply = Say(("Looking.",), (Call("look", {"where": "top"}),), usage=usage)
    with Double(lambda _: reply) as double:
        model = chat(connect(double.url)).bind_tools([look])
        message = streamed(model, "Go.") if streaming else model.invoke("Go.")
    assert message.text == "Looking."
    assert [(c["name"], c["args"]) for c in message.tool_calls] == [("look", {"where": "top"})]
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] == 350
    assert message.usage_metadata["total_tokens"] == 357
    assert cached_tokens(message) == {"cache_read": 300, "cache_creation": 40}
    assert message.response_metadata["stopReason"] == "tool_use"


def test_requests_with_tools_caching_guardrail_and_metadata_are_taken() -> None:
    with Double(scripted(call("look", where="top"), say("Done."))) as double:
        settings = {"guardrail_config": GUARDRAIL, "request_metadata": {"team": "desk"}, "max_tokens": 100}
        model = chat(connect(double.url), temperature=0, **settings).bind_tools([look], tool_choice="look")
        cached = model.bind(cache_control={"type": "ephemeral", "ttl": "1h"})
        messages: list[Any] = [SystemMessage("Be brief. " * 500), HumanMessage("Look.")]
        messages.append(first := cached.invoke(messages))
        messages.append(ToolMessage("seen top", tool_call_id=first.tool_calls[0]["id"]))
        second = streamed(cached, *messages)
    body = double.received[1].body
    assert [sorted(b) for b in body["system"]] == [["text"], ["cachePoint"]]
    assert {"guardrailConfig", "requestMetadata", "inferenceConfig", "toolConfig"} <= set(body)
    first_tokens, second_tokens = cached_tokens(first), cached_tokens(second)
    assert first_tokens["cache_read"] == 0
    assert second_tokens["cache_read"] == first_tokens["cache_creation"] > 0
    assert second_tokens["cache_creation"] > 0
