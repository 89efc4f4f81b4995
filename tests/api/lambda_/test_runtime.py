"""The application on Lambda: the own runtime client against a Runtime API that checks the protocol strictly."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from api.http.identity import api_keys
from api.http.identity.api_keys import KeyTerms
from api.lambda_.dispatch import open_function
from api.lambda_.runtime import STREAM_GRACE, RuntimeApi, run
from api.settings import ROOT
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from graphs.dependencies import Dependencies
from tests.api.lambda_.function import Driven, driven
from tests.doubles.lambda_.gateway_events import balanced, rest, url
from tests.doubles.lambda_.runtime_api import Lambda, runtime_api
from tests.graphs.dependencies import open_dependencies

pytestmark = pytest.mark.anyio

BINARY = bytes(range(256))


@pytest.fixture
async def streaming(home):
    async with driven(home) as one:
        yield one


@pytest.fixture
async def whole(home):
    async with driven(home, STRATIGOS_LAMBDA_ANSWERS="buffered") as one:
        yield one


async def test_requests_are_answered_one_after_the_other_by_one_process(streaming: Driven):
    names, response = [], None
    for n, request_of in enumerate((rest, url, rest)):
        response = await streaming.answer(request_of("POST", "/api/threads"))
        assert (response.prelude["statusCode"], response.trailers) == (201, {})
        names.append(response.prelude["headers"]["location"])
        listed = await streaming.answer(request_of("GET", f"/api/threads?limit={n + 1}"))
        assert listed.prelude["headers"]["content-type"] == "application/json"
        assert listed.streamed.count(b'"id"') == n + 1
    assert len(set(names)) == 3
    assert response is not None
    assert response.prelude["headers"]["x-request-id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"
    missing = await streaming.answer(url("GET", "/api/nothing"))
    assert (missing.prelude["statusCode"], b'"NOT_FOUND"' in missing.streamed) == (404, True)


async def test_a_stream_whose_reader_is_slow_is_waited_for(streaming: Driven):
    streaming.lambda_.late = STREAM_GRACE + 0.1
    for _ in range(2):  # the process that has answered once answers again
        answer = await streaming.answer(url("GET", "/api/health"))
        assert (answer.prelude["statusCode"], answer.trailers) == (200, {})


async def test_the_first_event_arrives_before_the_last_is_made(streaming: Driven):
    answer, first = await streaming.begun(rest("GET", "/odd/stream"))
    assert first == b"data: 1\n\n"
    assert answer.prelude["statusCode"] == 200
    assert answer.prelude["headers"]["content-type"].startswith("text/event-stream")
    assert not answer.completion.is_set()
    streaming.gate.set()
    assert (await asyncio.to_thread(answer.wait)).streamed == b"data: 1\n\ndata: 2\n\n"
    assert answer.trailers == {}


async def test_an_answer_of_the_assistant_streams_and_is_finished_before_the_next_invocation(streaming: Driven):
    response = await streaming.answer(rest("POST", "/api/threads"))
    thread = response.prelude["headers"]["location"]
    stream = await streaming.answer(rest("POST", f"{thread}/runs", '{"message": "tell me a joke"}'))
    assert stream.streamed.startswith(b"event: turn_started")
    assert b"event: turn_finished" in stream.streamed
    # answered at once, and carried out before the process may be frozen
    turn = await streaming.answer(rest("POST", f"{thread}/runs?stream=false", '{"message": "tell me a joke"}'))
    assert turn.prelude["statusCode"] == 202
    read = await streaming.answer(rest("GET", f"{thread}/runs/2"))
    assert b'"state":"completed"' in read.streamed


async def test_a_fault_before_the_answer_is_a_500_and_an_unknown_event_an_error(streaming: Driven):
    fault = await streaming.answer(rest("GET", "/odd/faulty"))
    assert (fault.prelude["statusCode"], fault.failed) == (500, False)
    assert b"INTERNAL_SERVER_ERROR" in fault.streamed
    assert b"db.internal" not in fault.body
    for event, text in (
        ({"Records": [{"eventSource": "aws:kinesis", "data": "secret"}]}, "aws:kinesis"),
        ({"source": "aws.ec2", "detail": {"password": "secret"}}, "an event with detail, source from aws.ec2"),
        ({"requestContext": {"connectionId": "a", "eventType": "CONNECT"}}, "STRATIGOS_SOCKETS"),
        ([1], "list"),
        (b"{", "internal error"),
    ):
        failed = await streaming.answer(event)
        assert failed.failed
        assert text in failed.json()["errorMessage"]
        assert failed.headers["lambda-runtime-function-error-type"] == failed.json()["errorType"]
        assert b"secret" not in failed.body
    assert (await streaming.answer(rest("GET", "/api/health"))).prelude["statusCode"] == 200


async def test_an_error_in_mid_stream_stands_in_the_trailers(streaming: Driven):
    cut = await streaming.answer(url("GET", "/odd/broken"))
    assert (cut.prelude["statusCode"], cut.streamed, cut.failed) == (200, b"half", False)
    kind, message = cut.trailer_error
    assert kind == message["errorType"] == "Stratigos.RuntimeError"
    assert "db.internal" not in message["errorMessage"]
    assert (await streaming.answer(url("GET", "/api/health"))).prelude["statusCode"] == 200


async def test_what_takes_longer_than_the_function_has_is_ended_before_lambda_kills_it(streaming: Driven):
    late = await streaming.answer(rest("GET", "/odd/slow"), seconds=1.3)
    assert late.prelude["statusCode"] == 504
    assert b"GATEWAY_TIMEOUT" in late.streamed
    cut = await streaming.answer(rest("GET", "/odd/stream"), seconds=1.3)
    assert (cut.streamed, cut.complete, cut.trailers) == (b"data: 1\n\n", True, {})  # its reader connects again
    broken_off = await streaming.answer(rest("GET", "/odd/endless"), seconds=1.3)
    assert broken_off.streamed == b"half"
    assert broken_off.trailer_error[0] == "Stratigos.Deadline"
    assert (await streaming.answer(rest("GET", "/api/health"))).prelude["statusCode"] == 200


async def test_bytes_are_bytes_both_ways_and_headers_come_twice(streaming: Driven):
    echoed = await streaming.answer(rest("POST", "/odd/echo", BINARY))
    assert echoed.streamed == BINARY
    assert echoed.prelude["multiValueHeaders"] == {"set-cookie": ["a=1", "b=2"]}
    other = await streaming.answer(url("POST", "/odd/echo", BINARY))
    assert (other.streamed, other.prelude["cookies"]) == (BINARY, ["a=1", "b=2"])
    assert (await streaming.answer(url("HEAD", "/odd/echo", "text"))).streamed == b""


async def test_paths_and_headers_reach_the_application_as_they_were_sent(streaming: Driven):
    for request_of in (rest, url):
        event = request_of("GET", "/odd/told/größe%2Fü 1?a=1&a=%C3%BC&b=", stage="prod")
        (event.get("multiValueHeaders") or {})["X-Several"] = ["one", "two"]
        body = (await streaming.answer(event, trace="Root=1-5bef4de7;Sampled=1")).streamed
        expected = '"path":"/odd/told/größe/ü 1","root":"/prod","query":"a=1&a=%C3%BC&b=","several":'
        assert expected in body.decode()
        assert '"client":"203.0.113.7","trace":"Root=1-5bef4de7;Sampled=1"' in body.decode()
        if request_of is url:
            assert '["one,two"],"cookie":"first=1; second=2"' in body.decode()
        assert b'"trace":null' in (await streaming.answer(request_of("GET", "/odd/told/x"))).streamed
        same = await streaming.answer(request_of("GET", "/odd/told/x", stage="odd"))
        assert b'"path":"/odd/told/x","root":""' in same.streamed
        page = await streaming.answer(request_of("GET", "/api/docs", stage="prod"))
        assert b"/prod/api/openapi.json" in page.streamed


async def test_work_after_the_answer_is_done_before_the_next_invocation(streaming: Driven):
    assert (await streaming.answer(rest("GET", "/odd/after"))).streamed == b"at once"
    assert not streaming.gate.is_set()
    await streaming.answer(rest("GET", "/api/health"))
    assert streaming.gate.is_set()


async def test_telemetry_is_sent_before_the_next_invocation(home):
    sent: list[bool] = []

    @asynccontextmanager
    async def with_telemetry() -> AsyncGenerator[Dependencies]:
        async with open_dependencies(home) as dependencies:
            yield replace(dependencies, flush_telemetry=lambda: sent.append(True))

    async with driven(home, with_telemetry()) as one:
        await one.answer(rest("GET", "/api/health"))
        assert await asyncio.to_thread(one.lambda_.next_requests.acquire, timeout=60)
        assert sent == [True]


async def test_whole_answers(whole: Driven):
    """As API Gateway without streaming wants them."""
    thread = (await whole.answer(rest("POST", "/api/threads"))).json()
    assert (thread["statusCode"], thread["isBase64Encoded"]) == (201, False)
    assert thread["multiValueHeaders"]["location"] == [f"/api/threads/{json.loads(thread['body'])['id']}"]
    echoed = (await whole.answer(rest("POST", "/odd/echo", BINARY))).json()
    assert (echoed["isBase64Encoded"], echoed["multiValueHeaders"]["set-cookie"]) == (True, ["a=1", "b=2"])
    other = (await whole.answer(url("POST", "/odd/echo", "grün"))).json()
    assert (other["body"], other["cookies"], other["headers"]["content-length"]) == ("grün", ["a=1", "b=2"], "5")
    assert (await whole.answer(rest("GET", "/odd/slow"), seconds=1.3)).json()["statusCode"] == 504
    large = (await whole.answer(rest("POST", "/odd/echo", b"\xff" * 5_000_000), seconds=60)).json()
    assert (large["statusCode"], "limit" in large["body"]) == (413, True)


@pytest.mark.parametrize("several", [True, False])
async def test_a_load_balancer_gets_whole_answers_in_its_format(streaming: Driven, several: bool):
    asked = await streaming.answer(balanced("GET", "/odd/told/x?a=1%202&b=%C3%A9", several=several))
    details = json.loads(asked.json()["body"])
    assert (asked.json()["statusCode"], asked.json()["statusDescription"]) == (200, "200 OK")
    assert details["query"] == "a=1%202&b=%C3%A9"
    assert details["client"] == "198.51.100.9"  # what the balancer added, not what the client claims
    assert ("multiValueHeaders" in asked.json()) == several
    assert ("headers" in asked.json()) == (not several)
    assert (await streaming.answer(balanced("GET", "/api/none", several=several))).json()["statusCode"] == 404


async def test_a_whole_answer_holds_the_events_so_far_and_the_client_asks_for_more(whole: Driven):
    first = (await whole.answer(rest("GET", "/odd/stream"))).json()
    assert (first["statusCode"], first["body"]) == (200, "data: 1\n\n")
    whole.gate.set()
    assert (await whole.answer(rest("GET", "/odd/stream"))).json()["body"] == "data: 1\n\ndata: 2\n\n"


async def test_without_signing_in_nobody_from_elsewhere_is_answered(streaming: Driven):
    event = rest("GET", "/api/health", headers={"Host": ["abc123.execute-api.eu-central-1.amazonaws.com"]})
    refused = await streaming.answer(event)
    assert (refused.prelude["statusCode"], b"FORBIDDEN" in refused.streamed) == (403, True)


async def test_who_signs_in_is_answered_from_anywhere(home):
    async with driven(home, STRATIGOS_AUTH="keys") as one:
        terms = KeyTerms(owner="alice", roles=("analyst",))
        _, secret = await api_keys.create(one.app.state.service.dependencies.store, terms, days=1, now=utc_now())
        host = {"Host": ["abc123.execute-api.eu-central-1.amazonaws.com"]}
        for headers, status in ((host, 401), ({**host, "X-API-Key": [secret]}, 200)):
            listed = await one.answer(rest("GET", "/api/threads", headers=headers))
            assert listed.prelude["statusCode"] == status


@contextmanager
def process(lambda_: Lambda, home: Path, *command: str, **environment: str) -> Generator[subprocess.Popen[str]]:
    variables = {"AWS_LAMBDA_RUNTIME_API": lambda_.address, "STRATIGOS_HOME": str(home), **environment}
    inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "NUMBA_CACHE_DIR")}
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, env=inherited | variables, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.soak
def test_the_command_begins_serves_and_ends_with_sigterm(home):
    with runtime_api() as lambda_, process(lambda_, home, "api.lambda_") as runtime:
        first = lambda_.invoke(rest("GET", "/api/health")).wait()
        assert first.prelude["statusCode"] == 200
        assert lambda_.next_requests.acquire(timeout=60)
        runtime.send_signal(signal.SIGTERM)
        _, complaints = runtime.communicate(timeout=60)
        assert (runtime.returncode, complaints) == (0, "")


@pytest.mark.parametrize("missing", ["STRATIGOS_STORE", "STRATIGOS_QUEUE", "STRATIGOS_AUTH"])
async def test_a_function_without_storage_or_sign_in_does_not_begin(home, monkeypatch, missing: str):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "desk")
    for variable, value in {
        "STRATIGOS_STORE": "dynamodb:desk,s3:documents",
        "STRATIGOS_CHECKPOINTS": "dynamodb:checkpoints",
        "STRATIGOS_QUEUE": "sqs:http://127.0.0.1/jobs,dead:http://127.0.0.1/dead",
        "STRATIGOS_AUTH": "keys",
    }.items():
        monkeypatch.setenv(variable, "" if variable == missing else value)
    with runtime_api() as lambda_:
        with pytest.raises(InvalidInput, match=f"{missing}: is not set"):
            await run(RuntimeApi(lambda_.address), open_function)
        error = lambda_.init_errors.get(timeout=60)
        assert error["errorType"] == "Stratigos.InvalidInput"
        assert error["errorMessage"].startswith(f"{missing}: is not set")
        assert not lambda_.next_requests.acquire(blocking=False)


def test_the_official_client_drives_the_buffered_handler(home):
    command = ("awslambdaric", "api.lambda_.handler")
    with runtime_api() as lambda_, process(lambda_, home, *command, AWS_EXECUTION_ENV="AWS_Lambda_Image"):
        for n in range(2):
            thread = lambda_.invoke(rest("POST", "/api/threads")).json()
            assert thread["statusCode"] == 201
            listed = lambda_.invoke(url("GET", "/api/threads")).json()
            assert listed["body"].count('"id"') == n + 1
        assert lambda_.invoke({"task": "sweep"}).json() == {"task": "sweep", "sent": 0, "going_on": 0}
        cleaned = lambda_.invoke({"task": "cleanup"}).json()
        assert (cleaned["task"], cleaned["archived"], cleaned["kept"]) == ("cleanup", 0, 0)
        failed = lambda_.invoke({"source": "aws.ec2"}).wait()
        assert (failed.failed, failed.json()["errorType"]) == (True, "InvalidInput")
