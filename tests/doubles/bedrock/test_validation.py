"""What the double refuses, and how: over HTTP, since boto3 would not send most of it."""

import json
from base64 import b64encode
from collections.abc import Generator
from http.client import HTTPConnection
from typing import Any

import pytest

from tests.doubles.bedrock.clients import MODEL, connect
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import Driver
from tests.doubles.bedrock.replies import say

INVALID = "ValidationException"
UNREADABLE = "SerializationException"
USER = {"role": "user", "content": [{"text": "Go."}]}
ASKED = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}]}
TOLD = {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}]}
LOOK: dict[str, Any] = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
TOOLS = {"tools": [LOOK]}
POINT = {"cachePoint": {"type": "default"}}
IMAGE = b64encode(b"png").decode()

always: Driver = lambda _: say("Fine.")  # noqa: E731


def said(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def used(**changes: Any) -> dict[str, Any]:
    use: dict[str, Any] = {"toolUseId": "t1", "name": "look", "input": {}}
    return {"role": "assistant", "content": [{"toolUse": use | changes}]}


def told(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {"toolUseId": "t1", "content": [{"text": "seen"}]}
    return user({"toolResult": result | changes})


def tool(**changes: Any) -> dict[str, Any]:
    return {"tools": [{"toolSpec": LOOK["toolSpec"] | changes}]}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # what the service's model says
    "unknown_member": (said(USER, temperature=1), INVALID, "Value at 'temperature'"),
    "unknown_member_below": (said(USER, inferenceConfig={"top_p": 1}), INVALID, "'inferenceConfig.top_p'"),
    "missing_role": (said({"content": [{"text": "Go."}]}), INVALID, "'messages.1.member.role' failed"),
    "missing_schema": (said(USER, toolConfig={"tools": [{"toolSpec": {"name": "a"}}]}), INVALID, "inputSchema"),
    "wrong_type": (said(USER, inferenceConfig={"maxTokens": "many"}), UNREADABLE, "'inferenceConfig.maxTokens'"),
    "fraction_for_integer": (said(USER, inferenceConfig={"maxTokens": 1.5}), UNREADABLE, "integer"),
    "boolean_for_number": (said(USER, inferenceConfig={"temperature": True}), UNREADABLE, "float"),
    "text_for_messages": ({"messages": "Go."}, UNREADABLE, "list"),
    "text_for_content": (said({"role": "user", "content": "Go."}), UNREADABLE, "'messages.1.member.content'"),
    "unknown_role": (said({"role": "tool", "content": [{"text": "Go."}]}), INVALID, "[user, assistant, system]"),
    "unknown_status": (said(USER, ASKED, told(status="failed")), INVALID, "enum value set: [success, error]"),
    "max_tokens_zero": (said(USER, inferenceConfig={"maxTokens": 0}), INVALID, "Value '0' at"),
    "temperature_high": (said(USER, inferenceConfig={"temperature": 1.5}), INVALID, "less than or equal to 1"),
    "empty_system": (said(USER, system=[{"text": ""}]), INVALID, "have length greater than or equal to 1"),
    "no_tools": (said(USER, toolConfig={"tools": []}), INVALID, "Value at 'toolConfig.tools' failed"),
    "tool_name_pattern": (said(USER, toolConfig=tool(name="look here")), INVALID, "[a-zA-Z0-9_-]+"),
    "tool_name_long": (said(USER, toolConfig=tool(name="a" * 65)), INVALID, "less than or equal to 64"),
    "empty_description": (said(USER, toolConfig=tool(description="")), INVALID, "description"),
    "tool_id_pattern": (said(USER, used(toolUseId="a b"), told(toolUseId="a b")), INVALID, "[a-zA-Z0-9_.:-]+"),
    "metadata_value_long": (said(USER, requestMetadata={"team": "a" * 257}), INVALID, "'requestMetadata.team.member'"),
    "metadata_empty": (said(USER, requestMetadata={}), INVALID, "'requestMetadata'"),
    "guardrail_pattern": (
        said(USER, guardrailConfig={"guardrailIdentifier": "A_B", "guardrailVersion": "1"}),
        INVALID,
        "guardrailConfig.guardrailIdentifier",
    ),
    "union_of_two": (said(user({"text": "Go.", "cachePoint": {"type": "default"}})), INVALID, "exactly one of"),
    "union_of_none": (said(user({})), INVALID, "exactly one of"),
    "no_base64": (said(user({"image": {"format": "png", "source": {"bytes": "?"}}})), UNREADABLE, "base64"),
    "empty_blob": (said(user({"image": {"format": "png", "source": {"bytes": ""}}})), INVALID, "source.bytes"),
    "stream_processing_of_no_stream": (
        said(USER, guardrailConfig={"streamProcessingMode": "sync"}),
        INVALID,
        "'guardrailConfig.streamProcessingMode'",
    ),
    # the rules of a conversation
    "no_message": (said(), INVALID, "A conversation must start with a user message."),
    "assistant_first": (said(ASKED, TOLD, toolConfig=TOOLS), INVALID, "must start with a user message"),
    "two_users": (said(USER, USER), INVALID, "must alternate between user and assistant roles"),
    "assistant_last": (
        said(USER, {"role": "assistant", "content": [{"text": "So"}]}),
        INVALID,
        "must end with a user message",
    ),
    "empty_content": (said(user()), INVALID, "The content field in the Message object at messages.0 is empty."),
    "blank_text": (said(user({"text": "Go."}, {"text": " \n"})), INVALID, "messages.0.content.1 is blank"),
    "tool_blocks_without_tools": (said(USER, ASKED, TOLD), INVALID, "The toolConfig field must be defined"),
    "result_is_missing": (
        said(USER, ASKED, USER, toolConfig=TOOLS),
        INVALID,
        "Expected toolResult blocks at messages.2.content for the following Ids: t1",
    ),
    "result_of_another": (said(USER, used(toolUseId="t2"), TOLD, toolConfig=TOOLS), INVALID, "Ids: t2"),
    "result_of_nothing": (said(TOLD, toolConfig=TOOLS), INVALID, "exceeds the number of toolUse blocks"),
    "result_twice": (
        said(USER, ASKED, user(*TOLD["content"], *TOLD["content"]), toolConfig=TOOLS),
        INVALID,
        "toolResult blocks at messages.2.content contain duplicate Ids: t1",
    ),
    "id_twice": (
        said(USER, ASKED, TOLD, ASKED, TOLD, toolConfig=TOOLS),
        INVALID,
        "toolUse blocks at messages.3.content contain duplicate Ids: t1",
    ),
    "use_by_user": (said(user(*ASKED["content"]), toolConfig=TOOLS), INVALID, "of the assistant role"),
    "error_without_words": (
        said(USER, ASKED, told(content=[], status="error"), toolConfig=TOOLS),
        INVALID,
        "toolResult cannot be empty when status value is error",
    ),
    "arguments_are_a_list": (
        said(USER, used(input=[1]), TOLD, toolConfig=TOOLS),
        INVALID,
        "messages.1.content.0.toolUse.input is invalid. Provide a json object",
    ),
    "json_result_is_a_list": (
        said(USER, ASKED, told(content=[{"json": [1]}]), toolConfig=TOOLS),
        INVALID,
        "toolResult.content.0.json is invalid",
    ),
    "choice_of_no_tool": (
        said(USER, toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "leap"}}}),
        INVALID,
        "The tool leap at toolConfig.toolChoice.tool.name",
    ),
    "tool_twice": (said(USER, toolConfig={"tools": [LOOK, LOOK]}), INVALID, "already defined at toolConfig.tools.0"),
    "schema_of_a_list": (
        said(USER, toolConfig=tool(inputSchema={"json": {"type": "array"}})),
        INVALID,
        "toolSpec.inputSchema.json.type must be one of the following: object.",
    ),
    "schema_is_text": (said(USER, toolConfig=tool(inputSchema={"json": "{}"})), INVALID, "Provide a json object"),
    "five_cache_points": (
        said(user({"text": "Go."}, POINT, POINT, POINT), system=[{"text": "Be."}, POINT, POINT]),
        INVALID,
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "guardrail_without_version": (said(USER, guardrailConfig={"guardrailIdentifier": "a1"}), INVALID, "Add both"),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "plain": said(USER),
    "null_members": said(USER, system=None, toolConfig=None),
    "tools_and_results": said(USER, ASKED, TOLD, toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "look"}}}),
    "empty_result": said(USER, ASKED, told(content=[]), toolConfig=TOOLS),
    "two_at_once": said(
        USER,
        {"role": "assistant", "content": [used()["content"][0], used(toolUseId="t2")["content"][0]]},
        user(told(toolUseId="t2")["content"][0], told()["content"][0], {"text": "Go on."}),
        toolConfig=TOOLS,
    ),
    "four_cache_points": said(
        user({"text": "Go."}, POINT), system=[{"text": "Be."}, POINT, POINT], toolConfig={"tools": [LOOK, POINT]}
    ),
    "image": said(user({"image": {"format": "png", "source": {"bytes": IMAGE}}})),
    "everything_else": said(
        USER,
        inferenceConfig={"maxTokens": 1, "temperature": 0, "topP": 1.0, "stopSequences": ["."]},
        guardrailConfig={"guardrailIdentifier": "abc1", "guardrailVersion": "DRAFT", "trace": "enabled"},
        requestMetadata={"team": "desk", "cost:centre": ""},
        serviceTier={"type": "flex"},
        performanceConfig={"latency": "optimized"},
        additionalModelRequestFields={"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ),
}


@pytest.fixture(scope="module")
def double() -> Generator[Double]:
    with Double(always, models=[MODEL]) as double:
        yield double


def post(
    double: Double, body: object, *, path: str = f"/model/{MODEL}/converse", **headers: str
) -> tuple[int, str, str]:
    """Status, error class and message."""
    connection = HTTPConnection(double.url.removeprefix("http://"), timeout=10)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, raw, {"Authorization": "Bearer key"} | headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, (response.headers["x-amzn-ErrorType"] or "").partition(":")[0], answer.get("message", "")


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_bedrock_would_refuse_is_refused(case: str, double: Double) -> None:
    body, code, words = REFUSED[case]
    status, got, message = post(double, body)
    assert (status, got) == (400, code)
    assert words in message


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_request_that_bedrock_would_take_is_taken(case: str, double: Double) -> None:
    assert post(double, ACCEPTED[case]) == (200, "", "")


def test_every_broken_constraint_is_named(double: Double) -> None:
    body = said(USER, inferenceConfig={"maxTokens": 0, "topP": 2})
    message = post(double, body)[2]
    assert message.startswith(
        "2 validation errors detected: Value '0' at 'inferenceConfig.maxTokens' failed to satisfy"
    )
    assert "; Value '2' at 'inferenceConfig.topP' failed to satisfy constraint: Member must have value less" in message


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(raw: bytes, double: Double) -> None:
    assert post(double, raw)[:2] == (400, UNREADABLE)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "MissingAuthenticationTokenException"),
        ("Basic abc", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request", "InvalidSignatureException"),
    ],
)
def test_a_request_that_nobody_signed_is_refused(authorization: str, code: str, double: Double) -> None:
    assert post(double, said(USER), Authorization=authorization)[:2] == (403, code)


@pytest.mark.parametrize("path", ["/", "/model/a/invoke", "/model/a/b/converse", "/v1/messages"])
def test_another_operation_is_unknown(path: str, double: Double) -> None:
    assert post(double, said(USER), path=path)[:2] == (404, "UnknownOperationException")


def test_a_model_must_exist_and_have_a_possible_name(double: Double) -> None:
    unknown = post(double, said(USER), path="/model/anthropic.claude-none/converse")
    assert unknown == (400, INVALID, "The provided model identifier is invalid.")
    status, code, message = post(double, said(USER), path="/model/a%20b/converse")
    assert (status, code) == (400, INVALID)
    assert "Value 'a b' at 'modelId'" in message


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_boto3_sees_its_own_exception_class(operation: str, double: Double) -> None:
    client = connect(double.url)
    with pytest.raises(client.exceptions.ValidationException, match="must alternate") as raised:
        getattr(client, operation)(modelId=MODEL, messages=[USER, USER])
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
