"""Requests that the double refuses; sent over HTTP, because boto3 does not send most of them."""

import json
from base64 import b64encode
from collections.abc import Generator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

import pytest

from tests.doubles.bedrock.clients import MODEL, connect
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import Driver
from tests.doubles.bedrock.replies import say

INVALID = "ValidationException"
UNREADABLE = "SerializationException"
USER = {"role": "user", "content": [{"text": "Go."}]}
TOOL_USE = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}]}
RESULT = {"role": "user", "content": [{"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}]}
LOOK: dict[str, Any] = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
TOOLS = {"tools": [LOOK]}
POINT = {"cachePoint": {"type": "default"}}
IMAGE = b64encode(b"png").decode()

always: Driver = lambda _: say("Fine.")  # noqa: E731


def conversation(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def tool_use(**changes: Any) -> dict[str, Any]:
    use: dict[str, Any] = {"toolUseId": "t1", "name": "look", "input": {}}
    return {"role": "assistant", "content": [{"toolUse": use | changes}]}


def tool_result(**changes: Any) -> dict[str, Any]:
    result: dict[str, Any] = {"toolUseId": "t1", "content": [{"text": "seen"}]}
    return user({"toolResult": result | changes})


def tool(**changes: Any) -> dict[str, Any]:
    return {"tools": [{"toolSpec": LOOK["toolSpec"] | changes}]}


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # constraints of the service's model
    "unknown_member": (conversation(USER, temperature=1), INVALID, "Value at 'temperature'"),
    "unknown_member_below": (conversation(USER, inferenceConfig={"top_p": 1}), INVALID, "'inferenceConfig.top_p'"),
    "missing_role": (conversation({"content": [{"text": "Go."}]}), INVALID, "'messages.1.member.role' failed"),
    "missing_schema": (conversation(USER, toolConfig={"tools": [{"toolSpec": {"name": "a"}}]}), INVALID, "inputSchema"),
    "wrong_type": (
        conversation(USER, inferenceConfig={"maxTokens": "many"}),
        UNREADABLE,
        "'inferenceConfig.maxTokens'",
    ),
    "fraction_for_integer": (conversation(USER, inferenceConfig={"maxTokens": 1.5}), UNREADABLE, "integer"),
    "boolean_for_number": (conversation(USER, inferenceConfig={"temperature": True}), UNREADABLE, "float"),
    "text_for_messages": ({"messages": "Go."}, UNREADABLE, "list"),
    "text_for_content": (conversation({"role": "user", "content": "Go."}), UNREADABLE, "'messages.1.member.content'"),
    "unknown_role": (
        conversation({"role": "tool", "content": [{"text": "Go."}]}),
        INVALID,
        "[user, assistant, system]",
    ),
    "unknown_status": (
        conversation(USER, TOOL_USE, tool_result(status="failed")),
        INVALID,
        "enum value set: [success, error]",
    ),
    "max_tokens_zero": (conversation(USER, inferenceConfig={"maxTokens": 0}), INVALID, "Value '0' at"),
    "temperature_high": (conversation(USER, inferenceConfig={"temperature": 1.5}), INVALID, "less than or equal to 1"),
    "empty_system": (conversation(USER, system=[{"text": ""}]), INVALID, "have length greater than or equal to 1"),
    "no_tools": (conversation(USER, toolConfig={"tools": []}), INVALID, "Value at 'toolConfig.tools' failed"),
    "tool_name_pattern": (conversation(USER, toolConfig=tool(name="look here")), INVALID, "[a-zA-Z0-9_-]+"),
    "tool_name_long": (conversation(USER, toolConfig=tool(name="a" * 65)), INVALID, "less than or equal to 64"),
    "empty_description": (conversation(USER, toolConfig=tool(description="")), INVALID, "description"),
    "tool_id_pattern": (
        conversation(USER, tool_use(toolUseId="a b"), tool_result(toolUseId="a b")),
        INVALID,
        "[a-zA-Z0-9_.:-]+",
    ),
    "metadata_value_long": (
        conversation(USER, requestMetadata={"team": "a" * 257}),
        INVALID,
        "'requestMetadata.team.member'",
    ),
    "metadata_empty": (conversation(USER, requestMetadata={}), INVALID, "'requestMetadata'"),
    "guardrail_pattern": (
        conversation(USER, guardrailConfig={"guardrailIdentifier": "A_B", "guardrailVersion": "1"}),
        INVALID,
        "guardrailConfig.guardrailIdentifier",
    ),
    "union_of_two": (conversation(user({"text": "Go.", "cachePoint": {"type": "default"}})), INVALID, "exactly one of"),
    "union_of_none": (conversation(user({})), INVALID, "exactly one of"),
    "no_base64": (conversation(user({"image": {"format": "png", "source": {"bytes": "?"}}})), UNREADABLE, "base64"),
    "empty_blob": (conversation(user({"image": {"format": "png", "source": {"bytes": ""}}})), INVALID, "source.bytes"),
    "stream_processing_of_no_stream": (
        conversation(USER, guardrailConfig={"streamProcessingMode": "sync"}),
        INVALID,
        "'guardrailConfig.streamProcessingMode'",
    ),
    # rules of a conversation
    "no_message": (conversation(), INVALID, "A conversation must start with a user message."),
    "assistant_first": (conversation(TOOL_USE, RESULT, toolConfig=TOOLS), INVALID, "must start with a user message"),
    "two_users": (conversation(USER, USER), INVALID, "must alternate between user and assistant roles"),
    "empty_content": (conversation(user()), INVALID, "The content field in the Message object at messages.0 is empty."),
    "blank_text": (conversation(user({"text": "Go."}, {"text": " \n"})), INVALID, "messages.0.content.1 is blank"),
    "tool_blocks_without_tools": (
        conversation(USER, TOOL_USE, RESULT),
        INVALID,
        "The toolConfig field must be defined",
    ),
    "result_is_missing": (
        conversation(USER, TOOL_USE, USER, toolConfig=TOOLS),
        INVALID,
        "Expected toolResult blocks at messages.2.content for the following Ids: t1",
    ),
    "result_of_another": (conversation(USER, tool_use(toolUseId="t2"), RESULT, toolConfig=TOOLS), INVALID, "Ids: t2"),
    "result_of_nothing": (conversation(RESULT, toolConfig=TOOLS), INVALID, "exceeds the number of toolUse blocks"),
    "result_twice": (
        conversation(USER, TOOL_USE, user(*RESULT["content"], *RESULT["content"]), toolConfig=TOOLS),
        INVALID,
        "toolResult blocks at messages.2.content contain duplicate Ids: t1",
    ),
    "id_twice": (
        conversation(USER, TOOL_USE, RESULT, TOOL_USE, RESULT, toolConfig=TOOLS),
        INVALID,
        "toolUse blocks at messages.3.content contain duplicate Ids: t1",
    ),
    "use_by_user": (conversation(user(*TOOL_USE["content"]), toolConfig=TOOLS), INVALID, "of the assistant role"),
    "error_without_words": (
        conversation(USER, TOOL_USE, tool_result(content=[], status="error"), toolConfig=TOOLS),
        INVALID,
        "toolResult cannot be empty when status value is error",
    ),
    "arguments_are_a_list": (
        conversation(USER, tool_use(input=[1]), RESULT, toolConfig=TOOLS),
        INVALID,
        "messages.1.content.0.toolUse.input is invalid. Provide a json object",
    ),
    "json_result_is_a_list": (
        conversation(USER, TOOL_USE, tool_result(content=[{"json": [1]}]), toolConfig=TOOLS),
        INVALID,
        "toolResult.content.0.json is invalid",
    ),
    "choice_of_no_tool": (
        conversation(USER, toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "leap"}}}),
        INVALID,
        "The tool leap at toolConfig.toolChoice.tool.name",
    ),
    "tool_twice": (
        conversation(USER, toolConfig={"tools": [LOOK, LOOK]}),
        INVALID,
        "already defined at toolConfig.tools.0",
    ),
    "schema_of_a_list": (
        conversation(USER, toolConfig=tool(inputSchema={"json": {"type": "array"}})),
        INVALID,
        "toolSpec.inputSchema.json.type must be one of the following: object.",
    ),
    "schema_is_text": (
        conversation(USER, toolConfig=tool(inputSchema={"json": "{}"})),
        INVALID,
        "Provide a json object",
    ),
    "five_cache_points": (
        conversation(user({"text": "Go."}, POINT, POINT, POINT), system=[{"text": "Be."}, POINT, POINT]),
        INVALID,
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "guardrail_without_version": (
        conversation(USER, guardrailConfig={"guardrailIdentifier": "a1"}),
        INVALID,
        "Add both",
    ),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "plain": conversation(USER),
    "null_members": conversation(USER, system=None, toolConfig=None),
    "tools_and_results": conversation(
        USER, TOOL_USE, RESULT, toolConfig={**TOOLS, "toolChoice": {"tool": {"name": "look"}}}
    ),
    "empty_result": conversation(USER, TOOL_USE, tool_result(content=[]), toolConfig=TOOLS),
    "two_at_once": conversation(
        USER,
        {"role": "assistant", "content": [tool_use()["content"][0], tool_use(toolUseId="t2")["content"][0]]},
        user(tool_result(toolUseId="t2")["content"][0], tool_result()["content"][0], {"text": "Go on."}),
        toolConfig=TOOLS,
    ),
    "four_cache_points": conversation(
        user({"text": "Go."}, POINT), system=[{"text": "Be."}, POINT, POINT], toolConfig={"tools": [LOOK, POINT]}
    ),
    "image": conversation(user({"image": {"format": "png", "source": {"bytes": IMAGE}}})),
    "everything_else": conversation(
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
    with Double(always) as double:
        yield double


def post(
    double: Double, body: object, *, path: str = f"/model/{MODEL}/converse", **headers: str
) -> tuple[int, str, str]:
    """Status, error class and message."""
    connection = HTTPConnection(double.url.removeprefix("http://"), timeout=60)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", path, raw, {"Authorization": "Bearer key"} | headers)
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, (response.headers["x-amzn-ErrorType"] or "").partition(":")[0], answer.get("message", "")


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_bedrock_would_refuse_is_refused(case: str, double: Double) -> None:
    body, code, words = REFUSED[case]
    status, actual, message = post(double, body)
    assert (status, actual) == (400, code)
    assert words in message


@pytest.mark.parametrize("case", ACCEPTED)
def test_a_request_that_bedrock_would_take_is_taken(case: str, double: Double) -> None:
    assert post(double, ACCEPTED[case]) == (200, "", "")


def test_every_broken_constraint_is_named(double: Double) -> None:
    body = conversation(USER, inferenceConfig={"maxTokens": 0, "topP": 2})
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
def test_an_unsigned_request_is_refused(authorization: str, code: str, double: Double) -> None:
    assert post(double, conversation(USER), Authorization=authorization)[:2] == (403, code)


@pytest.mark.parametrize("path", ["/", "/model/a/invoke", "/model/a/b/converse", "/v1/messages"])
def test_another_operation_is_unknown(path: str, double: Double) -> None:
    assert post(double, conversation(USER), path=path)[:2] == (404, "UnknownOperationException")


def test_a_model_must_exist_and_have_a_possible_name(double: Double) -> None:
    for known in (
        MODEL,
        "eu.amazon.nova-pro-v1:0",
        "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0",
    ):
        assert post(double, conversation(USER), path=f"/model/{quote(known, safe='')}/converse")[0] == 200
    unknown = post(double, conversation(USER), path="/model/anthropic.claude-none/converse")
    assert unknown == (400, INVALID, "The provided model identifier is invalid.")
    status, code, message = post(double, conversation(USER), path="/model/a%20b/converse")
    assert (status, code) == (400, INVALID)
    assert "Value 'a b' at 'modelId'" in message


@pytest.mark.parametrize("operation", ["converse", "converse_stream"])
def test_boto3_sees_its_own_exception_class(operation: str, double: Double) -> None:
    client = connect(double.url)
    with pytest.raises(client.exceptions.ValidationException, match="must alternate") as caught:
        getattr(client, operation)(modelId=MODEL, messages=[USER, USER])
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
