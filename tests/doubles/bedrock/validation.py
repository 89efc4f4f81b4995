"""Refuses requests as Bedrock does: by the service's model, the rules of a conversation, and what the model accepts."""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Any

from tests.doubles.bedrock import cache_points, media
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.models import UNKNOWN, Features, features_of
from tests.doubles.bedrock.replies import Fail
from tests.doubles.bedrock.shapes import WrongType, input_shape, violations

NO_MODEL = Fail("ValidationException", "The provided model identifier is invalid.")

Blocks = list[tuple[str, dict[str, Any]]]
"""The content blocks of a message with their positions."""


def refusal(received: Received, models: Collection[str] | None = None) -> Fail | None:
    """The error for the request, or None; `models` are the existing models, by default those of Bedrock."""
    if denied := _unsigned(received.headers.get("authorization")):
        return denied
    request = {**received.body, "modelId": received.model}
    try:
        problems = list(violations(request, input_shape(received.operation)))
    except WrongType as error:
        return Fail("SerializationException", str(error))
    if problems:
        noun = "error" if len(problems) == 1 else "errors"
        return Fail("ValidationException", f"{len(problems)} validation {noun} detected: {'; '.join(problems)}")
    features = features_of(received.model)
    if features is None if models is None else received.model not in models:
        return NO_MODEL
    problem = next(_problems(received.body, features or UNKNOWN, streamed=received.operation == "ConverseStream"), None)
    return Fail("ValidationException", problem) if problem else None


def _unsigned(authorization: str | None) -> Fail | None:
    if not authorization:
        return Fail("MissingAuthenticationTokenException", "Missing Authentication Token")
    if authorization.startswith("Bearer "):
        return None
    if not authorization.startswith("AWS4-HMAC-SHA256 "):
        return Fail("IncompleteSignatureException", "Authorization header requires 'Credential' parameter.")
    if "/bedrock/aws4_request" not in authorization:
        return Fail("InvalidSignatureException", "Credential should be scoped to correct service: 'bedrock'.")
    return None


def _problems(body: dict[str, Any], model: Features, *, streamed: bool) -> Iterator[str]:
    messages: list[dict[str, Any]] = body.get("messages") or []
    yield from _turns(messages, model)
    for n, message in enumerate(messages):
        yield from _content(message, n)
        yield from _mixed_content(message, n, model)
    if body.get("system") and not model.system:
        yield "This model doesn't support the system field. Remove system and try again."
    yield from _tool_config(body.get("toolConfig"))
    yield from _tool_support(body.get("toolConfig"), model, streamed=streamed)
    yield from _tool_blocks(messages, configured=bool(body.get("toolConfig")))
    yield from media.problems(messages, model)
    yield from cache_points.problems(body, model)
    guardrail = body.get("guardrailConfig") or {}
    if guardrail and not (guardrail.get("guardrailIdentifier") and guardrail.get("guardrailVersion")):
        yield "The guardrailConfig field needs guardrailIdentifier and guardrailVersion. Add both, and try again."


def _turns(messages: list[dict[str, Any]], model: Features) -> Iterator[str]:
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if not roles or roles[0] != "user":
        yield (
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    elif any(role == after for role, after in pairwise(roles)):
        yield (
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )
    elif roles[-1] != "user" and not model.prefill:
        yield "This model does not support assistant message prefill. The conversation must end with a user message."


def _content(message: dict[str, Any], n: int) -> Iterator[str]:
    if not message["content"]:
        yield (
            f"The content field in the Message object at messages.{n} is empty. "
            "Add a ContentBlock object to the content field and try again."
        )
    for place, block in _places(message, n):
        if "text" in block and not block["text"].strip():
            yield (
                f"The text field in the ContentBlock object at {place} is blank. "
                "Add text to the text field, and try again."
            )
        yield from _tool_content(place, block, message["role"])


def _mixed_content(message: dict[str, Any], n: int, model: Features) -> Iterator[str]:
    """Llama and Mistral refuse text beside results: https://github.com/browser-use/browser-use/issues/710."""
    kinds = {kind for block in message["content"] for kind in block}
    if not model.text_beside_results and {"text", "toolResult"} <= kinds:
        yield f"messages.{n}.content: Conversation blocks and tool result blocks cannot be provided in the same turn."


def _tool_content(place: str, block: dict[str, Any], role: str) -> Iterator[str]:
    if use := block.get("toolUse"):
        if role != "assistant":
            yield f"The toolUse block at {place} is only allowed in a message of the assistant role."
        if not isinstance(use["input"], dict):
            yield _no_object(f"{place}.toolUse.input")
    if result := block.get("toolResult"):
        if role != "user":
            yield f"The toolResult block at {place} is only allowed in a message of the user role."
        if not result["content"] and result.get("status") == "error":
            yield f"The content field at {place}.toolResult cannot be empty when status value is error."
        for n, part in enumerate(result["content"]):
            if "json" in part and not isinstance(part["json"], dict):
                yield _no_object(f"{place}.toolResult.content.{n}.json")


def _tool_config(config: dict[str, Any] | None) -> Iterator[str]:
    if not config:
        return
    names: list[str] = []
    for n, tool in enumerate(config["tools"]):
        if spec := tool.get("toolSpec"):
            if spec["name"] in names:
                yield f"The tool {spec['name']} is already defined at toolConfig.tools.{names.index(spec['name'])}."
            yield from _schema(spec["inputSchema"]["json"], f"toolConfig.tools.{n}.toolSpec.inputSchema.json")
        names.append(tool.get("toolSpec", tool.get("systemTool", {})).get("name", ""))
    tool_name = (config.get("toolChoice") or {}).get("tool", {}).get("name")
    if tool_name is not None and tool_name not in names:
        yield f"The tool {tool_name} at toolConfig.toolChoice.tool.name is not defined in toolConfig.tools."


def _tool_support(config: dict[str, Any] | None, model: Features, *, streamed: bool) -> Iterator[str]:
    if not config:
        return
    if not model.tools:
        yield "This model doesn't support tool use."
    elif streamed and not model.streamed_tools:
        yield "This model doesn't support tool use in streaming mode."
    for choice in config.get("toolChoice") or ():
        if choice not in model.choices:
            field = f"toolConfig.toolChoice.{choice}"
            yield f"This model doesn't support the {field} field. Remove {field} and try again."


def _schema(schema: Any, place: str) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield _no_object(place)
    elif schema.get("type") != "object":
        yield f"The value at {place}.type must be one of the following: object."


def _tool_blocks(messages: list[dict[str, Any]], *, configured: bool) -> Iterator[str]:
    use_ids: list[str] = []
    open_uses: list[str] = []
    for n, message in enumerate(messages):
        uses = _ids(message, "toolUse")
        results = _ids(message, "toolResult")
        if (uses or results) and not configured:
            yield "The toolConfig field must be defined when using toolUse and toolResult content blocks."
        if twice := _repeated(use_ids + uses):
            yield f"The toolUse blocks at messages.{n}.content contain duplicate Ids: {', '.join(twice)}"
        if twice := _repeated(results):
            yield f"The toolResult blocks at messages.{n}.content contain duplicate Ids: {', '.join(twice)}"
        if missing := [id_ for id_ in open_uses if id_ not in results]:
            yield f"Expected toolResult blocks at messages.{n}.content for the following Ids: {', '.join(missing)}"
        if any(id_ not in open_uses for id_ in results):
            yield (
                f"The number of toolResult blocks at messages.{n}.content "
                "exceeds the number of toolUse blocks of previous turn."
            )
        use_ids += uses
        open_uses = uses


def _places(message: dict[str, Any], n: int) -> Blocks:
    return [(f"messages.{n}.content.{i}", block) for i, block in enumerate(message["content"])]


def _ids(message: dict[str, Any], kind: str) -> list[str]:
    return [block[kind]["toolUseId"] for block in message["content"] if kind in block]


def _repeated(ids: list[str]) -> list[str]:
    return sorted({id_ for id_ in ids if ids.count(id_) > 1})


def _no_object(place: str) -> str:
    return f"The format of the value at {place} is invalid. Provide a json object for the field and try again."
