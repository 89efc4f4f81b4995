"""Requests that the double refuses or takes because of their model; each rule's page is named in the module."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.models import MODELS, features_of
from tests.doubles.bedrock.replies import Say
from tests.doubles.bedrock.usage import estimate
from tests.doubles.bedrock.validation import refusal

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS = "us.anthropic.claude-opus-5-5"
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
OLD_CLAUDE = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
MICRO = "us.amazon.nova-micro-v1:0"
TITAN = "amazon.titan-text-express-v1"
LLAMA = "us.meta.llama3-3-70b-instruct-v1:0"
SMALL_LLAMA = "us.meta.llama3-2-1b-instruct-v1:0"
MISTRAL = "mistral.mistral-large-2407-v1:0"
PIXTRAL = "us.mistral.pixtral-large-2502-v1:0"
DEEPSEEK = "us.deepseek.r1-v1:0"

USER = {"role": "user", "content": [{"text": "Go."}]}
PREFILL = {"role": "assistant", "content": [{"text": "So"}]}
LOOK = {"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}
TOOLS = {"tools": [LOOK]}
USE = {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {}}}]}
RESULT = {"toolResult": {"toolUseId": "t1", "content": [{"text": "seen"}]}}
POINT = {"cachePoint": {"type": "default"}}
SHORT = {"cachePoint": {"type": "default", "ttl": "5m"}}
HOUR = {"cachePoint": {"type": "default", "ttl": "1h"}}
REASONING = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}}


def asked(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages) or [USER], **more}


def forced(kind: str) -> dict[str, Any]:
    choice = {"tool": {"name": "look"}} if kind == "tool" else {kind: {}}
    return asked(toolConfig={**TOOLS, "toolChoice": choice})


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def document(name: str = "report", format_: str = "txt", size: int = 3) -> dict[str, Any]:
    source = {"bytes": b64encode(b"x" * size).decode()}
    return {"document": {"name": name, "format": format_, "source": source}}


def image() -> dict[str, Any]:
    return {"image": {"format": "png", "source": {"bytes": b64encode(b"png").decode()}}}


def system(*blocks: Any) -> dict[str, Any]:
    return asked(system=list(blocks))


RULES: list[tuple[str, dict[str, Any], str, str]] = [
    # tools: conversation-inference-supported-models-features, API_runtime_ToolChoice
    (TITAN, asked(toolConfig=TOOLS), "doesn't support tool use.", CLAUDE),
    (SMALL_LLAMA, asked(toolConfig=TOOLS), "doesn't support tool use.", NOVA),
    (DEEPSEEK, asked(toolConfig=TOOLS), "doesn't support tool use.", MISTRAL),
    (LLAMA, forced("any"), "toolConfig.toolChoice.any field", MISTRAL),
    (LLAMA, forced("tool"), "toolConfig.toolChoice.tool field", NOVA),
    (MISTRAL, forced("tool"), "toolConfig.toolChoice.tool field", CLAUDE),
    (PIXTRAL, forced("any"), "toolConfig.toolChoice.any field", MISTRAL),
    (OPUS, forced("any"), "toolConfig.toolChoice.any field", CLAUDE),
    (OPUS, forced("tool"), "toolConfig.toolChoice.tool field", "us.anthropic.claude-opus-5"),
    (TITAN, system({"text": "Be."}), "doesn't support the system field", LLAMA),
    # prefill, which whats-new-claude-4-6 removes
    ("us.anthropic.claude-opus-4-6-v1", asked(USER, PREFILL), "must end with a user message", CLAUDE),
    (OPUS, asked(USER, PREFILL), "must end with a user message", NOVA),
    (LLAMA, asked(USER, USE, user(RESULT, {"text": "On."}), toolConfig=TOOLS), "cannot be provided", CLAUDE),
    # cache points: prompt-caching
    (LLAMA, system({"text": "Be."}, POINT), "unsupported model", NOVA),
    (OLD_CLAUDE, system({"text": "Be."}, POINT), "unsupported model", CLAUDE),
    (NOVA, asked(toolConfig={"tools": [LOOK, POINT]}), "#/toolConfig/tools/1: extraneous key", CLAUDE),
    (NOVA, asked(USER, USE, user(RESULT, POINT), toolConfig=TOOLS), "#/messages/2/content/1: extraneous", CLAUDE),
    (NOVA, system({"text": "Be."}, HOUR), "ttl 1h", CLAUDE),
    # documents: API_runtime_Message, API_runtime_DocumentBlock, inference-api-restrictions
    (MICRO, asked(user({"text": "Read."}, document())), "doesn't support documents", NOVA),
    (MICRO, asked(user({"text": "See."}, image())), "doesn't support images", NOVA),
    (LLAMA, asked(user({"text": "Read."}, document("big", "pdf", 4_600_000))), "larger than 4.5 MB", CLAUDE),
    (CLAUDE, asked(user({"text": "Read."}, document("big", "docx", 4_600_000))), "larger than 4.5 MB", NOVA),
]
"""Model, request, words of the refusal, and a model that takes the same request."""

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "point_first_in_system": (system(POINT, {"text": "Be."}), "nothing available to cache"),
    "point_alone_in_a_message": (asked(user(POINT)), "nothing available to cache"),
    "point_first_in_a_message": (asked(user(POINT, {"text": "Go."})), "nothing available to cache"),
    "point_first_among_tools": (asked(toolConfig={"tools": [POINT, LOOK]}), "nothing available to cache"),
    "point_after_reasoning": (
        asked(USER, {"role": "assistant", "content": [REASONING, POINT]}, USER),
        "after reasoning block",
    ),
    "hour_after_default": (
        asked(user({"text": "Go."}, HOUR), system=[{"text": "Be."}, POINT]),
        "messages.0.content.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m'",
    ),
    "hour_after_tools": (
        asked(system=[{"text": "Be."}, HOUR], toolConfig={"tools": [LOOK, SHORT]}),
        "must not come after",
    ),
    "document_alone": (asked(user(document())), "A text block must be included"),
    "document_by_the_assistant": (
        asked(USER, {"role": "assistant", "content": [{"text": "Here."}, document()]}, USER),
        "of the user role",
    ),
    "document_name": (asked(user({"text": "Read."}, document("report.pdf"))), "document file name can only contain"),
    "document_spaces": (asked(user({"text": "Read."}, document("my  report"))), "consecutive whitespace"),
    "documents_of_one_name": (
        asked(user({"text": "Read."}, document()), PREFILL, user({"text": "Read."}, document())),
        "duplicate document names",
    ),
    "six_documents": (asked(user({"text": "Read."}, *(document(f"d{n}") for n in range(6)))), "limit of 5"),
}

TAKEN: dict[str, dict[str, Any]] = {
    "default_after_hour": asked(user({"text": "Go."}, POINT), system=[{"text": "Be."}, HOUR]),
    "five_documents": asked(user({"text": "Read."}, *(document(f"my d{n}") for n in range(5)))),
    "large_pdf": asked(user({"text": "Read."}, document("big", "pdf", 4_600_000))),
    "reasoning_before_text": asked(USER, {"role": "assistant", "content": [REASONING, {"text": "So."}, POINT]}, USER),
}


def message_of(model: str, body: dict[str, Any], operation: Any = "Converse") -> str:
    failure = refusal(Received(1, operation, model, body, {"authorization": "Bearer key"}))
    return "" if failure is None else failure.message


@pytest.mark.parametrize(("model", "body", "words", "other"), RULES, ids=lambda value: str(value)[:40])
def test_a_model_refuses_what_another_takes(model: str, body: dict[str, Any], words: str, other: str) -> None:
    assert words in message_of(model, body)
    assert message_of(other, body) == ""


@pytest.mark.parametrize("case", REFUSED)
def test_every_model_refuses(case: str) -> None:
    body, words = REFUSED[case]
    assert words in message_of(CLAUDE, body)


@pytest.mark.parametrize("case", TAKEN)
def test_claude_takes(case: str) -> None:
    assert message_of(CLAUDE, TAKEN[case]) == ""


@pytest.mark.parametrize("model", [LLAMA, MISTRAL, "us.meta.llama4-scout-17b-instruct-v1:0"])
def test_some_models_use_tools_only_without_a_stream(model: str) -> None:
    body = asked(toolConfig=TOOLS)
    assert message_of(model, body) == ""
    assert message_of(model, body, "ConverseStream") == "This model doesn't support tool use in streaming mode."
    assert message_of(model, asked(), "ConverseStream") == ""


@pytest.mark.parametrize(
    "model", ["anthropic.claude-none", "us.amazon.titan-embed-text-v2:0", "eu.us.amazon.nova-pro-v1:0", "gpt-6-sol"]
)
def test_a_model_that_does_not_exist_is_refused(model: str) -> None:
    assert message_of(model, asked()) == "The provided model identifier is invalid."


def test_an_application_profile_may_be_of_any_model() -> None:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    assert message_of(arn, forced("tool")) == ""
    assert features_of(arn.replace("application-inference-profile/abc", f"inference-profile/{TITAN}")) == MODELS[0][0]


@pytest.mark.parametrize(("model", "minimum"), [(CLAUDE, 1024), (HAIKU, 4096), (NOVA, 1000), (OLD_CLAUDE, 1024)])
def test_a_prefix_below_the_models_minimum_is_not_cached(model: str, minimum: int) -> None:
    def usage(tokens: int) -> Any:
        text = "x" * (4 * tokens - len(json.dumps({"text": ""}, separators=(",", ":"))))
        return estimate(model, asked(system=[{"text": text}, POINT]), Say())

    assert (usage(minimum - 1).cache_write, usage(minimum).cache_write) == (0, minimum)
    assert usage(minimum - 1).input - usage(minimum).input == minimum - 1
