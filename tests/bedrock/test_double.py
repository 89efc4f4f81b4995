"""The double as the real boto3 and ChatBedrockConverse see it."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError, ReadTimeoutError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from urllib3.exceptions import ProtocolError

from tests.bedrock import replies
from tests.bedrock.clients import MODEL, chat, connect
from tests.bedrock.double import Double
from tests.bedrock.drivers import Driver, at_first, dead, faulty, scripted
from tests.bedrock.rendering import LATENCY_MS
from tests.bedrock.replies import Blocked, Broken, Call, Fail, Raise, Reply, Reset, Say, Slow, Usage, call, say

MESSAGES = [{"role": "user", "content": [{"text": "Go."}]}]
TOOLS = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}
GUARDRAIL = {"guardrailIdentifier": "abc123", "guardrailVersion": "1", "trace": "enabled"}
ARGUMENTS = {"where": "drawdown of the größte Verlust", "weights": [0.1, 2, None], "deep": {"a": '"\\'}}
WHOLE = Say(("Reading the market.",), (Call("look", ARGUMENTS), Call("look")), reasoning="Two looks are needed.")


@tool
def look(where: str) -> str:
    """Look at a figure."""
    return f"seen {where}"


def ask(client: Any, **more: Any) -> dict[str, Any]:
    return client.converse(**{"modelId": MODEL, "messages": MESSAGES, "toolConfig": TOOLS, **more})


def stream(client: Any, **more: Any) -> list[dict[str, Any]]:
    response = client.converse_stream(**{"modelId": MODEL, "messages": MESSAGES, "toolConfig": TOOLS, **more})
    with closing(response["stream"]) as events:
        return list(events)


def names(events: list[dict[str, Any]]) -> list[str]:
    return [next(iter(event)) for event in events]


def raw(double: Double, operation: str, body: dict[str, Any] | None = None) -> tuple[bytes, bytes]:
    """Headers and body as they were on the wire."""
    connection = HTTPConnection(double.url.removeprefix("http://"), timeout=10)
    sent = json.dumps(body or {"messages": MESSAGES})
    connection.request("POST", f"/model/{MODEL}/{operation}", sent, {"Authorization": "Bearer key"})
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


FAILURES = [v for v in vars(replies).values() if isinstance(v, Fail)]


@pytest.mark.parametrize("operation", [ask, stream])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda f: f"{f.code}-{f.message[:18]}")
def test_an_error_over_http(failure: Fail, operation) -> None:
    with Double(scripted(failure)) as double:
        client = connect(double.url)
        with pytest.raises(ClientError) as raised:
            operation(client)
    error = raised.value.response
    assert error["Error"] == {"Code": failure.code, "Message": failure.message}
    assert error["ResponseMetadata"]["HTTPStatusCode"] == failure.status
    modelled = getattr(client.exceptions, failure.code, None)
    assert modelled is None or isinstance(raised.value, modelled)
    assert double.received[0].answered


@pytest.mark.parametrize("fault", [v for v in vars(replies).values() if isinstance(v, Raise)], ids=lambda f: f.name)
def test_an_exception_in_the_middle_of_a_stream(fault: Raise) -> None:
    with Double(lambda _: Broken(WHOLE, after=3, by=fault)) as double:
        client = connect(double.url)
        seen = []
        events = client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
        with closing(events), pytest.raises(EventStreamError) as raised:
            seen.extend(event for event in events)
        assert len(seen) == 3
        assert raised.value.response["Error"] == {"Code": fault.name, "Message": fault.message}
        with pytest.raises(ClientError, match=fault.as_failure().code):
            ask(client)


def test_a_stream_that_breaks_off() -> None:
    with Double(scripted(*(Broken(WHOLE, after=4, by=by) for by in ("cut", "reset", "end")))) as double:
        client = connect(double.url)
        with pytest.raises(ProtocolError, match="IncompleteRead"):
            stream(client)
        with pytest.raises(ProtocolError, match="ConnectionResetError"):
            stream(client)
        assert len(stream(client)) == 4
    assert [r.answered for r in double.received] == [False, False, True]


def test_boto3_takes_half_a_body_for_an_empty_answer() -> None:
    """So must whoever reads it not: ChatBedrockConverse raises."""
    with Double(lambda _: Broken(WHOLE, after=0, by="cut")) as double:
        client = connect(double.url)
        assert "output" not in ask(client)
        with pytest.raises(ValueError, match="No 'output' key"):
            chat(client).invoke("Go.")


def test_a_reset_before_any_byte() -> None:
    with Double(scripted(Reset(), Reset())) as double:
        client = connect(double.url)
        for operation in (ask, stream):
            with pytest.raises(ConnectionClosedError):
                operation(client)
    assert [r.answered for r in double.received] == [False, False]


def test_a_model_that_is_silent_or_slow() -> None:
    with Double(scripted(Slow(WHOLE, before=30), Slow(say("Fine."), between=0.02))) as double:
        with pytest.raises(ReadTimeoutError):
            ask(connect(double.url, read_timeout=0.1))
        began = time.monotonic()
        events = stream(connect(double.url))
        assert time.monotonic() - began >= 0.02 * len(events)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 0.5


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_guardrail_intervenes_and_tells_why_when_asked(side) -> None:
    with Double(lambda _: Blocked("Not here.", side)) as double:
        client = connect(double.url)
        told = ask(client, guardrailConfig=GUARDRAIL)
        silent = ask(client, guardrailConfig={**GUARDRAIL, "trace": "disabled"})
        streamed = stream(client, guardrailConfig={**GUARDRAIL, "streamProcessingMode": "sync"})
    assert told["output"]["message"]["content"] == [{"text": "Not here."}]
    assert told["stopReason"] == streamed[-2]["messageStop"]["stopReason"] == "guardrail_intervened"
    [topic] = topics(told["trace"]["guardrail"], side)
    assert topic["action"] == "BLOCKED"
    assert streamed[-1]["metadata"]["trace"] == told["trace"]
    assert "trace" not in silent


def topics(trace: dict[str, Any], side: str) -> list[dict[str, Any]]:
    found = trace["inputAssessment"] if side == "input" else trace["outputAssessments"]
    assessment = found["abc123"] if side == "input" else found["abc123"][0]
    return assessment["topicPolicy"]["topics"]


def asked_in_vain(driver: Driver, times: int = 1) -> None:
    with Double(driver) as double:
        client = connect(double.url)
        for _ in range(times - 1):
            ask(client)
        with pytest.raises(ConnectionClosedError):
            ask(client)


def test_an_error_of_the_driver_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="names no guardrailConfig"):
        asked_in_vain(lambda _: Blocked())
    with pytest.raises(LookupError, match="call 2 came, and the script has 1 replies"):
        asked_in_vain(scripted(WHOLE), times=2)


def test_malformed_and_truncated_arguments() -> None:
    fragments = ('{"where": "mar', 'ket", ]')
    truncated = Say(calls=(Call("look", raw=fragments[:1]),), stop="max_tokens")
    broken = Say(calls=(Call("look", raw=fragments),))
    with Double(scripted(broken, truncated, broken, broken)) as double:
        client = connect(double.url)
        inputs = [
            e["contentBlockDelta"]["delta"]["toolUse"]["input"] for e in stream(client) if "contentBlockDelta" in e
        ]
        assert "".join(inputs) == "".join(fragments)
        assert stream(client)[-2]["messageStop"]["stopReason"] == "max_tokens"
        with pytest.raises(client.exceptions.ModelErrorException, match="invalid sequence as part of ToolUse"):
            ask(client)
        message = streamed(chat(client).bind_tools([look]), "Go.")
    assert message.tool_calls == []
    assert [c["args"] for c in message.invalid_tool_calls] == ["".join(fragments)]


def test_empty_content() -> None:
    with Double(lambda _: Say()) as double:
        client = connect(double.url)
        assert ask(client)["output"]["message"]["content"] == []
        assert names(stream(client)) == ["messageStart", "messageStop", "metadata"]
        assert chat(client).invoke("Go.").text == streamed(chat(client), "Go.").text == ""


def test_sixteen_calls_at_once_each_get_their_own_answer() -> None:
    barrier = threading.Barrier(16)
    answer = lambda r: say(f"You said {r.body['messages'][0]['content'][0]['text']}")  # noqa: E731
    with Double(answer, gate=lambda _: barrier.wait(10)) as double, ThreadPoolExecutor(16) as pool:
        client = connect(double.url)
        texts = [f"word {n}" for n in range(16)]
        said = pool.map(lambda text: "".join(texts_of(client, text)), texts)
        assert list(said) == [f"You said {text}" for text in texts]
    assert sorted(r.number for r in double.received) == list(range(1, 17))
    assert all(r.answered for r in double.received)
    assert double.in_flight == 0


def texts_of(client: Any, text: str) -> list[str]:
    events = stream(client, messages=[{"role": "user", "content": [{"text": text}]}])
    return [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e]


def test_calls_that_are_held_do_not_hold_up_its_end() -> None:
    arrived, release = threading.Event(), threading.Event()

    def gate(_: object) -> None:
        arrived.set()
        release.wait(10)

    with ThreadPoolExecutor(1) as pool:
        with Double(lambda _: WHOLE, gate=gate) as double:
            held = pool.submit(ask, connect(double.url))
            assert arrived.wait(5)
            assert double.in_flight == 1
            began = time.monotonic()
        assert time.monotonic() - began < 0.5
        assert isinstance(held.exception(5), ConnectionClosedError)
        release.set()
    assert not double.received[0].answered


def test_faults_by_number_by_model_and_by_attempt() -> None:
    driver = faulty(
        lambda _: say("Fine."),
        {1: replies.INTERNAL},
        dead("anthropic.claude-dead", replies.UNAVAILABLE),
        at_first(2, replies.THROTTLED, when=lambda r: r.operation == "ConverseStream"),
    )
    with Double(driver) as double:
        client = connect(double.url)
        with pytest.raises(client.exceptions.InternalServerException):
            ask(client)
        with pytest.raises(client.exceptions.ServiceUnavailableException):
            ask(client, modelId="anthropic.claude-dead")
        assert ask(client)["stopReason"] == "end_turn"
        for text in ("a", "b"):
            for _ in range(2):
                with pytest.raises(client.exceptions.ThrottlingException):
                    texts_of(client, text)
            assert "".join(texts_of(client, text)) == "Fine."


def test_boto3_retries_what_it_may_retry() -> None:
    with Double(scripted(replies.THROTTLED, say("Fine."))) as double:
        response = ask(connect(double.url, attempts=2))
    assert response["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(double.received) == 2


def streamed(model: Any, *messages: Any) -> AIMessage:
    first, *rest = model.stream(list(messages))
    for chunk in rest:
        first += chunk
    return first


def cached_tokens(message: AIMessage) -> dict[str, Any]:
    assert message.usage_metadata is not None
    return dict(message.usage_metadata.get("input_token_details", {}))


@pytest.mark.parametrize("streaming", [False, True])
def test_the_chat_model_hears_texts_tool_calls_and_usage(streaming: bool) -> None:
    usage = Usage(input=10, output=7, cache_read=300, cache_write=40)
    said = Say(("Looking.",), (Call("look", {"where": "top"}),), usage=usage)
    with Double(lambda _: said) as double:
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
        heard: list[Any] = [SystemMessage("Be brief."), HumanMessage("Look.")]
        heard.append(first := cached.invoke(heard))
        heard.append(ToolMessage("seen top", tool_call_id=first.tool_calls[0]["id"]))
        second = streamed(cached, *heard)
    body = double.received[1].body
    assert [sorted(b) for b in body["system"]] == [["text"], ["cachePoint"]]
    assert {"guardrailConfig", "requestMetadata", "inferenceConfig", "toolConfig"} <= set(body)
    begun, went_on = cached_tokens(first), cached_tokens(second)
    assert begun["cache_read"] == 0
    assert went_on["cache_read"] == begun["cache_creation"] > 0
    assert went_on["cache_creation"] > 0


def test_what_is_slow_stays_what_it_is() -> None:
    slow: list[Reply] = [Slow(replies.THROTTLED, before=0.01), Slow(Broken(WHOLE, 2, "end"), between=0.001)]
    with Double(scripted(*slow)) as double:
        client = connect(double.url)
        with pytest.raises(client.exceptions.ThrottlingException):
            ask(client)
        assert len(stream(client)) == 2
