"""The double's faults, with the real boto3 and ChatBedrockConverse."""

import time
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EventStreamError, ReadTimeoutError
from urllib3.exceptions import ProtocolError

from tests.doubles.bedrock import replies
from tests.doubles.bedrock.clients import (
    GUARDRAIL,
    MESSAGES,
    MODEL,
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
from tests.doubles.bedrock.drivers import Driver, at_first, dead, faulty, scripted
from tests.doubles.bedrock.replies import Blocked, Broken, Call, Fail, Raise, Reply, Reset, Say, Slow, say

WHOLE = Say(("Reading the market.",), (Call("look", {"where": "top"}),), reasoning="A look is needed.")
FAILURES = [v for v in vars(replies).values() if isinstance(v, Fail)]


@pytest.mark.parametrize("operation", [ask, stream])
@pytest.mark.parametrize("failure", FAILURES, ids=lambda f: f"{f.code}-{f.message[:18]}")
def test_an_error_over_http(failure: Fail, operation) -> None:
    with Double(scripted(failure)) as double:
        client = connect(double.url)
        with pytest.raises(ClientError) as caught:
            operation(client)
    error = caught.value.response
    assert error["Error"] == {"Code": failure.code, "Message": failure.message}
    assert error["ResponseMetadata"]["HTTPStatusCode"] == failure.status
    modelled = getattr(client.exceptions, failure.code, None)
    assert modelled is None or isinstance(caught.value, modelled)
    assert double.received[0].answered


@pytest.mark.parametrize("fault", [v for v in vars(replies).values() if isinstance(v, Raise)], ids=lambda f: f.name)
def test_an_exception_in_the_middle_of_a_stream(fault: Raise) -> None:
    with Double(lambda _: Broken(WHOLE, after=3, by=fault)) as double:
        client = connect(double.url)
        texts = []
        events = client.converse_stream(modelId=MODEL, messages=MESSAGES)["stream"]
        with closing(events), pytest.raises(EventStreamError) as caught:
            texts.extend(event for event in events)
        assert len(texts) == 3
        assert caught.value.response["Error"] == {"Code": fault.name, "Message": fault.message}
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
    """ChatBedrockConverse raises instead."""
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


def test_a_silent_or_slow_model_times_out() -> None:
    with Double(scripted(Slow(WHOLE, before=600), Slow(say("Fine."), between=0.02))) as double:
        with pytest.raises(ReadTimeoutError):
            ask(connect(double.url, read_timeout=0.1))
        began = time.monotonic()
        events = stream(connect(double.url))
        assert time.monotonic() - began >= 0.02 * len(events)


@pytest.mark.parametrize("side", ["input", "output"])
def test_a_guardrail_intervenes_and_reports_the_reason_on_request(side) -> None:
    with Double(lambda _: Blocked("Not here.", side)) as double:
        client = connect(double.url)
        response = ask(client, guardrailConfig=GUARDRAIL)
        silent = ask(client, guardrailConfig={**GUARDRAIL, "trace": "disabled"})
        streamed = stream(client, guardrailConfig={**GUARDRAIL, "streamProcessingMode": "sync"})
    assert response["output"]["message"]["content"] == [{"text": "Not here."}]
    assert response["stopReason"] == streamed[-2]["messageStop"]["stopReason"] == "guardrail_intervened"
    [topic] = topics(response["trace"]["guardrail"], side)
    assert topic["action"] == "BLOCKED"
    assert streamed[-1]["metadata"]["trace"] == response["trace"]
    assert "trace" not in silent


def topics(trace: dict[str, Any], side: str) -> list[dict[str, Any]]:
    assessments = trace["inputAssessment"] if side == "input" else trace["outputAssessments"]
    assessment = assessments["abc123"] if side == "input" else assessments["abc123"][0]
    return assessment["topicPolicy"]["topics"]


def assert_refused(driver: Driver, times: int = 1) -> None:
    with Double(driver) as double:
        client = connect(double.url)
        for _ in range(times - 1):
            ask(client)
        with pytest.raises(ConnectionClosedError):
            ask(client)


def test_an_error_of_the_driver_is_an_error_of_the_test() -> None:
    with pytest.raises(ValueError, match="names no guardrailConfig"):
        assert_refused(lambda _: Blocked())
    with pytest.raises(LookupError, match="call 2 came, and the script has 1 replies"):
        assert_refused(scripted(WHOLE), times=2)


def test_malformed_and_truncated_arguments() -> None:
    fragments = ('{"where": "mar', 'ket", ]')
    truncated = Say(calls=(Call("look", raw=fragments[:1]),), stop="max_tokens")
    malformed = Say(calls=(Call("look", raw=fragments),))
    with Double(scripted(malformed, truncated, malformed, malformed)) as double:
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


def test_faults_by_number_by_model_and_by_attempt() -> None:
    driver = faulty(
        lambda _: say("Fine."),
        {1: replies.INTERNAL},
        dead("anthropic.claude-dead", replies.UNAVAILABLE),
        at_first(2, replies.THROTTLED, when=lambda r: r.operation == "ConverseStream"),
    )
    with Double(driver, models=[MODEL, "anthropic.claude-dead"]) as double:
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


def test_a_slow_response_is_unchanged() -> None:
    slow: list[Reply] = [Slow(replies.THROTTLED, before=0.01), Slow(Broken(WHOLE, 2, "end"), between=0.001)]
    with Double(scripted(*slow)) as double:
        client = connect(double.url)
        with pytest.raises(client.exceptions.ThrottlingException):
            ask(client)
        assert len(stream(client)) == 2
